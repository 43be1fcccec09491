"""One network at a time, in pictures and with autograd: what the fast ones must agree with."""

import math

import torch
from torch.nn import functional

from nasrank.proxies.maps import Maps
from nasrank.proxies.measures import SHAPE
from nasrank.proxies.operations import AveragePool, Convolution, MaxPool, Norm, Relu
from nasrank.proxies.pictures import pictures_and_kinds
from nasrank.proxies.wiring import NOTHING


class SlowNetwork:
    """The network of one cell; `scores` has some of its proxies by name."""

    def __init__(self, cells, seed):
        self.cells, self.maps, self.seed = cells, Maps(seed, torch.device("cpu")), seed
        self.kernels, self.normed, self.codes, self.begins = [], [], [], []
        self.level = 0

    def convolve(self, x, place, step, leaving, stride=1):
        kernel = self.maps.kernel(place, step, x.shape[1], leaving).clone().requires_grad_()
        self.kernels.append((self.level, kernel))
        padding = step.dilation * (step.kernel // 2)
        groups = x.shape[1] // kernel.shape[1]
        return functional.conv2d(
            x, kernel, stride=stride, padding=padding, dilation=step.dilation, groups=groups
        )

    def norm(self, x):
        out = functional.batch_norm(x, None, None, training=True)
        out.retain_grad()
        self.normed.append((self.level, out))
        return out

    def relu(self, x):
        self.codes.append((self.level, (x > 0).flatten(1)))
        return functional.relu(x)

    def operation(self, code, x, place):
        what, base, entering = self.cells.operations[code], x.shape[1], x
        for number, step in enumerate(what.steps):
            match step:
                case Relu():
                    x = self.relu(x)
                case Norm():
                    x = self.norm(x)
                case AveragePool():
                    x = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
                case MaxPool():
                    x = functional.max_pool2d(x, 3, 1, 1)
                case Convolution():
                    leaving = x.shape[1] if step.kind == "depthwise" else base * step.width
                    x = self.convolve(x, f"{place}.{number}", step, leaving)
        return x + entering if what.residual else x

    def cell(self, x, stage, repeat):
        values = [x]
        for node in range(1, self.cells.codes.shape[1]):
            code = int(self.cells.codes[0, node])
            if code == NOTHING:
                values.append(torch.zeros_like(x))
                continue
            summed = sum(float(self.cells.edges[0, u, node]) * values[u] for u in range(node))
            place = f"{stage}.{repeat}.{node}.{self.cells.names[code]}"
            values.append(self.operation(code, summed, place))
        return sum(
            float(times) * value
            for times, value in zip(self.cells.leaving[0], values, strict=True)
        )

    def scores(self):
        shape = SHAPE
        pictures, kinds = pictures_and_kinds(self.seed, shape.pictures, shape.side)
        x = pictures.clone().requires_grad_()
        stem = self.maps.kernel("stem", Convolution(3), 3, shape.channels)
        h = functional.batch_norm(functional.conv2d(x, stem, padding=1), None, None, training=True)
        loudness, features = [], []
        for stage in range(shape.stages):
            self.level = stage
            h.retain_grad()
            self.begins.append(h)
            for repeat in range(shape.repeats):
                h = self.cell(h, stage, repeat)
            loudness.append(math.log(float(h.detach().square().mean()) + 1e-20))
            features.append(h.detach().flatten(1))
            if stage + 1 < shape.stages:
                wide = 2 * h.shape[1]
                y = self.convolve(self.relu(h), f"{stage}.shrink", Convolution(3), wide, 2)
                self.level += 1
                y = self.relu(self.norm(y))
                y = self.norm(self.convolve(y, f"{stage}.keep", Convolution(3), wide))
                pooled = functional.avg_pool2d(h, 2, ceil_mode=True, count_include_pad=False)
                h = y + self.convolve(pooled, f"{stage}.short", Convolution(1), wide)
        end = h if h.requires_grad else h.clone().requires_grad_()
        end.retain_grad()
        self.level = shape.stages
        last = self.norm(end)
        flat = last.permute(0, 2, 3, 1).flatten(1)
        random = self.maps.draw("probe", (1, 1, *flat.shape))[0, 0]
        classifier = self.maps.draw("classifier", (10, last.shape[1])) / math.sqrt(2.0)
        outputs = self.relu(last).mean((2, 3)) @ classifier.T
        found = {f"loudness_stage{n}": value for n, value in enumerate(loudness, 1)}
        for n, rows in enumerate(features, 1):
            centred = rows - rows.mean(0)
            found |= {
                f"features_{k}_stage{n}": v
                for k, v in spectrum(centred @ centred.T).items()
                if k in ("entropy", "top")
            }
        found |= self.code_scores()
        losses = {
            "outputs": outputs.sum(),
            "loss": functional.cross_entropy(outputs, kinds),
            "random": (flat * random).sum(),
        }
        for name, value in losses.items():
            leaves = [x, *(k for _, k in self.kernels), *(n for _, n in self.normed)]
            for leaf in [*leaves, *self.begins, end]:
                leaf.grad = None
            value.backward(retain_graph=True)
            whole = x.grad.flatten(1)
            found[f"sensitivity_{name}"] = math.log(float(whole.norm(dim=1).mean()) + 1e-20)
            final = float(end.grad.square().mean())
            for n, begin in enumerate(self.begins, 1):
                ratio = float(begin.grad.square().mean()) / final
                found[f"slope_{name}_stage{n}"] = math.log(ratio + 1e-20)
            by_picture = x.grad.permute(0, 2, 3, 1).flatten(1)
            if name == "outputs":
                centred = by_picture - by_picture.mean(1, keepdim=True)
                found |= {f"jacobian_{k}": v for k, v in spectrum(centred @ centred.T).items()}
                found.pop("jacobian_mean")
            if name == "loss":
                found |= self.weight_scores()
            if name == "random":
                both = spectrum(by_picture @ by_picture.T)
                found |= {f"saliency_{k}": both[k] for k in ("entropy", "top")}
        return found

    def weight_scores(self):
        sums = {name: [0.0] * (SHAPE.stages + 1) for name in ("gradient", "snip", "fisher")}
        for level, kernel in self.kernels:
            sums["gradient"][level] += float(kernel.grad.square().sum())
            sums["snip"][level] += float((kernel.grad * kernel.detach()).abs().sum())
        for level, out in self.normed:
            sums["fisher"][level] += float((out.grad * out.detach()).sum((2, 3)).square().sum())
        found = {}
        for name, levels in sums.items():
            found[f"{name}_all"] = math.log(sum(levels) + 1e-20)
            for n in range(SHAPE.stages):
                found[f"{name}_stage{n + 1}"] = math.log(levels[n] + 1e-20)
        return found

    def code_scores(self):
        found = {}
        places = {"all": range(SHAPE.stages + 1), "last": [SHAPE.stages]}
        places |= {f"stage{n + 1}": [n] for n in range(SHAPE.stages)}
        for where, levels in places.items():
            codes = [code for level, code in self.codes if level in levels]
            if not codes:
                continue
            bits = torch.cat(codes, 1)
            alike = torch.stack([(bits == row).double().mean(1) for row in bits])
            ridge = 1e-3 * torch.eye(len(bits)).double()
            found[f"codes_logdet_{where}"] = float(torch.logdet(alike + ridge))
            both = spectrum(alike)
            found |= {f"codes_{k}_{where}": both[k] for k in ("entropy", "top", "mean")}
        found["units"] = math.log(sum(code.shape[1] for _, code in self.codes))
        return found


def spectrum(kernel):
    scale = kernel.diagonal().rsqrt()
    values = torch.linalg.eigvalsh((kernel * scale * scale[:, None]).double()).clamp_min(1e-8)
    share = values / values.sum()
    correlation = kernel * scale * scale[:, None]
    return {
        "entropy": -float((share * share.log()).sum()),
        "eigenvalues": float(values.log().mean()),
        "top": float(values[-1].log()),
        "mean": float(correlation.sum() - len(kernel)) / len(kernel) ** 2,
    }

import math

import numpy as np
import pytest
import torch

from nasrank.companions.supcon.closed_form import Batch, optimal_embedding, optimum
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
from nasrank.errors import UsageError

BOTH = pytest.mark.parametrize("anchor", ["included", "excluded"])


@pytest.fixture(autouse=True)
def _double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def numbered(m, n, p):
    number = torch.arange(m * n * p)
    return number // (n * p), number // p


def drawn(count, width, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, width))
    return torch.nn.functional.normalize(torch.from_numpy(points), dim=-1)


def by_loops(u, classes, instances, alpha, t, anchor):
    """The definition, pair by pair."""
    parts = {"class": [], "instance": []}
    for i in range(len(u)):
        rivals = [j for j in range(len(u)) if anchor == "included" or j != i]
        total = math.log(sum(math.exp(float(u[i] @ u[j]) / t) for j in rivals))
        values = {"class": [], "instance": []}
        for j in rivals:
            value = total - float(u[i] @ u[j]) / t
            if instances[i] == instances[j]:
                values["instance"].append(value)
            elif classes[i] == classes[j]:
                values["class"].append(value)
        for name, found in values.items():
            if found:
                parts[name].append(sum(found) / len(found))
    mean = {name: sum(each) / len(each) if each else 0.0 for name, each in parts.items()}
    return (1 - alpha) * mean["class"] + alpha * mean["instance"]


@BOTH
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_definition(anchor, alpha):
    classes = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
    instances = torch.tensor([0, 0, 1, 2, 3, 3, 4, 5])
    u = drawn(8, 3)
    pairs = pair_up(classes, instances, anchor=anchor)
    found = contrastive_loss(u, pairs, alpha=alpha, temperature=0.4)
    wanted = by_loops(u, classes.tolist(), instances.tolist(), alpha, 0.4, anchor)
    assert float(found) == pytest.approx(wanted, rel=1e-12)


def test_by_hand():
    # Two classes of two instances at (1, 0) and (0, 1), tau = 1, anchor included: every softmax
    # is over 1, 1, 0, 0, so -log softmax of a partner is log(2e + 2) - 1 = 1.00641.
    classes, instances = numbered(2, 2, 1)
    u = torch.eye(2).repeat_interleave(2, dim=0)
    found = contrastive_loss(u, pair_up(classes, instances), alpha=0.25, temperature=1.0)
    assert float(found) == pytest.approx(math.log(2 * math.e + 2) - 1)
    # Without the anchor: log(e + 2) - 1, and no instance has a view of its own.
    apart = pair_up(classes, instances, anchor="excluded")
    found = contrastive_loss(u, apart, alpha=0.25, temperature=1.0)
    assert float(found) == pytest.approx(0.75 * (math.log(math.e + 2) - 1))


@BOTH
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_optimal_embeddings_attain_the_least_loss(anchor, alpha, temperature):
    setting = (3, 4, 2, temperature, alpha)
    u = torch.from_numpy(
        optimal_embedding(Batch(*setting[:-1], anchor=anchor), setting[-1]).copy()
    ).requires_grad_()
    pairs = pair_up(*numbered(3, 4, 2), anchor=anchor)
    loss = contrastive_loss(u, pairs, alpha=alpha, temperature=temperature)
    wanted = float(optimum(Batch(*setting[:-1], anchor=anchor), setting[-1]).loss)
    assert loss.item() == pytest.approx(wanted, rel=1e-9)
    (gradient,) = torch.autograd.grad(loss, u)
    along = gradient - (gradient * u).sum(dim=-1, keepdim=True) * u
    assert along.abs().max().item() < 1e-7
    for seed in range(3):
        other = contrastive_loss(drawn(24, 23, seed), pairs, alpha=alpha, temperature=temperature)
        assert float(other) > wanted


@BOTH
def test_gradients(anchor):
    pairs = pair_up(*numbered(2, 2, 2), anchor=anchor)
    assert torch.autograd.gradcheck(
        lambda u: contrastive_loss(u, pairs, alpha=0.4, temperature=0.5),
        drawn(8, 3).requires_grad_(),
    )


@BOTH
def test_problems_side_by_side_are_as_alone(anchor):
    """A batch with padding: the same losses and gradients as one by one."""
    shapes = [(2, 3, 2), (3, 2, 2), (2, 2, 1)]
    count = 12
    classes = torch.full((3, count), -1)
    instances = torch.full((3, count), -1)
    u = torch.zeros(3, count, 4)
    for place, shape in enumerate(shapes):
        own = math.prod(shape)
        classes[place, :own], instances[place, :own] = numbered(*shape)
        u[place, :own] = drawn(own, 4, place)
    u.requires_grad_()
    alpha, t = torch.tensor([0.2, 0.7, 0.0]), torch.tensor([0.5, 1.0, 0.1])
    pairs = pair_up(classes, instances, anchor=anchor, where=classes >= 0)
    together = contrastive_loss(u, pairs, alpha=alpha, temperature=t)
    (gradient,) = torch.autograd.grad(together.sum(), u)
    for place, shape in enumerate(shapes):
        own = math.prod(shape)
        alone = u[place, :own].detach().requires_grad_()
        loss = contrastive_loss(
            alone,
            pair_up(*numbered(*shape), anchor=anchor),
            alpha=float(alpha[place]),
            temperature=float(t[place]),
        )
        (wanted,) = torch.autograd.grad(loss, alone)
        assert together[place].item() == pytest.approx(loss.item(), rel=1e-12)
        assert torch.allclose(gradient[place, :own], wanted, atol=1e-14)
        assert not gradient[place, own:].any()


@BOTH
def test_finite_at_extremes(anchor):
    u = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]).float().requires_grad_()
    pairs = pair_up(torch.tensor([0, 0, 1, 1]), torch.arange(4), anchor=anchor)
    loss = contrastive_loss(u, pairs, alpha=0.0, temperature=1e-3)
    (gradient,) = torch.autograd.grad(loss, u)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(2, 3, 2), (4, 5, 1), (3, 2, 3)])
@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_the_usual_loss_is_a_mix(shape, temperature):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    m, n, p = shape
    classes, instances = numbered(*shape)
    u = drawn(m * n * p, 6)
    other = losses.SupConLoss(temperature=temperature)(u, classes)
    pairs = pair_up(classes, instances, anchor="excluded")
    own = contrastive_loss(u, pairs, alpha=(p - 1) / (n * p - 1), temperature=temperature)
    assert float(own) == pytest.approx(float(other), rel=1e-9)


def test_the_usual_self_supervised_loss_is_its_end():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    _, instances = numbered(2, 3, 2)
    u = drawn(12, 6)
    other = losses.NTXentLoss(temperature=0.3)(u, instances)
    pairs = pair_up(torch.zeros(12, dtype=torch.int64), instances, anchor="excluded")
    own = contrastive_loss(u, pairs, alpha=1.0, temperature=0.3)
    assert float(own) == pytest.approx(float(other), rel=1e-9)


def test_degenerate_batches():
    def degenerate(classes):
        return bool(pair_up(torch.tensor(classes), torch.arange(len(classes))).degenerate)

    assert not degenerate([0, 0, 1])
    assert degenerate([0, 1, 2])  # no partner
    assert degenerate([0, 0, 0])  # no opponent
    # Without any positive there is nothing to minimise.
    pairs = pair_up(torch.tensor([0, 1]), torch.arange(2), anchor="excluded")
    assert float(contrastive_loss(drawn(2, 3), pairs, alpha=0.5, temperature=1.0)) == 0


def test_what_is_invalid():
    with pytest.raises(UsageError, match="unknown anchor"):
        pair_up(torch.zeros(2).long(), torch.arange(2), anchor="out")

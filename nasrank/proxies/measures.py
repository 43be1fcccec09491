"""The scores, from what the forward and backward passes of networks record."""

from __future__ import annotations

import torch
from torch.nn import functional

from nasrank.proxies.network import Networks, Shape
from nasrank.proxies.pictures import KINDS

__all__ = ["PROXY_NAMES", "SHAPE", "measure"]

SHAPE = Shape()
"""The skeleton of the networks."""

_STAGES = tuple(f"stage{number}" for number in range(1, SHAPE.stages + 1))
_PASSES = ("outputs", "loss", "random")

PROXY_NAMES: tuple[str, ...] = (
    "units",
    *(
        f"codes_{what}_{where}"
        for where in ("all", *_STAGES, "last")
        for what in ("logdet", "entropy", "top", "mean")
    ),
    *(f"features_{what}_{where}" for where in _STAGES for what in ("entropy", "top")),
    *(f"loudness_{where}" for where in _STAGES),
    *(f"jacobian_{what}" for what in ("entropy", "eigenvalues", "top")),
    *(f"saliency_{what}" for what in ("entropy", "top")),
    *(f"sensitivity_{which}" for which in _PASSES),
    *(f"slope_{which}_{where}" for which in _PASSES for where in _STAGES),
    *(f"{what}_{where}" for what in ("gradient", "snip", "fisher") for where in ("all", *_STAGES)),
)
"""Names of the proxies, in the order of the columns.

``codes``: similarity of the on-off patterns of the ReLUs for different pictures (NWOT): log
determinant, entropy and largest of the eigenvalues, mean of the off-diagonal. ``features``: the
same of the output of a stage, and ``loudness`` its size. ``jacobian``: correlations between
pictures of the gradient of all outputs (Jacobian covariance), ``saliency``: of a random gradient;
``sensitivity``: size of such gradients at the picture (the random one's is the Zen score),
``slope``: at the start of a stage relative to the end of the network. ``gradient``, ``snip``,
``fisher``: of the weights for a cross-entropy. ``units``: number of ReLUs. All are logarithms
except entropies and means.
"""

_TINY = 1e-20


def measure(networks: Networks, pictures: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Run one forward and backward pass of networks and score them.

    Args:
        networks: Fresh networks.
        pictures: ``[pictures, 3, side, side]``.
        kinds: ``[pictures]`` what they show, on the networks' device.

    Returns:
        ``[cells, proxies]`` in the order of `PROXY_NAMES`, finite, float64.

    References:
        Mellor et al. (2021), "Neural Architecture Search without Training", ICML;
        Abdelfattah et al. (2021), "Zero-Cost Proxies for Lightweight NAS", ICLR;
        Lin et al. (2021), "Zen-NAS", ICCV.
    """
    outputs = networks.forward(pictures)
    wanted = functional.one_hot(kinds, KINDS)
    loss = (outputs.softmax(2) - wanted) / len(kinds)
    gradients = networks.backward(torch.stack([torch.ones_like(outputs), loss], 1))
    record = networks.record
    levels = [_code_kernel(*level) for level in zip(record.codes, record.units, strict=True)]
    whole = _code_kernel(record.codes.sum(0), record.units.sum(0))
    columns = [record.units.sum(0).clamp_min(1.0).log()]
    for kernel in (whole, *levels):
        columns += [_log_determinant(kernel), *_spectrum(kernel, "entropy", "top", "mean")]
    for kernel in networks.kernels:
        columns += _spectrum(kernel, "entropy", "top")
    columns += list(networks.loudness.add(_TINY).log())
    centred = gradients[:, 0] - gradients[:, 0].mean(2, keepdim=True)
    columns += _spectrum(_inner(centred), "entropy", "eigenvalues", "top")
    columns += _spectrum(_inner(gradients[:, 2]), "entropy", "top")
    columns += list(gradients.norm(dim=3).mean(2).add(_TINY).log().T)
    slopes = networks.slopes.add(_TINY).log()
    columns += [slopes[stage, :, which] for which in range(3) for stage in range(len(slopes))]
    for sums in (record.gradient, record.saliency, record.fisher):
        columns += [sums.sum(0).add(_TINY).log(), *sums[: len(slopes)].add(_TINY).log()]
    scores = torch.stack([column.double() for column in columns], dim=1)
    return torch.nan_to_num(scores, nan=0.0, posinf=1e3, neginf=-1e3)


def _inner(vectors: torch.Tensor) -> torch.Tensor:
    return torch.bmm(vectors, vectors.transpose(1, 2))


def _code_kernel(both_on: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Return ``[cells, pictures, pictures]`` shares of units in the same state for both."""
    on = both_on.diagonal(dim1=1, dim2=2)
    count = units[:, None, None]
    return (2.0 * both_on - on[:, :, None] - on[:, None] + count) / count.clamp_min(1.0)


def _log_determinant(kernel: torch.Tensor) -> torch.Tensor:
    """Return the log determinant with a small ridge: few units make a singular kernel."""
    ridge = 1e-3 * torch.eye(kernel.shape[1], dtype=torch.float64, device=kernel.device)
    logarithm: torch.Tensor = torch.linalg.slogdet(kernel.double() + ridge)[1]
    return logarithm


def _spectrum(kernel: torch.Tensor, *which: str) -> list[torch.Tensor]:
    """Describe the correlations of a kernel by their eigenvalues and mean, ``[cells]`` each."""
    scale = kernel.diagonal(dim1=1, dim2=2).clamp_min(1e-30).rsqrt()
    correlation = (kernel * scale[:, :, None] * scale[:, None]).double()
    values = torch.linalg.eigvalsh(correlation).clamp_min(1e-8)
    share = values / values.sum(1, keepdim=True)
    size = kernel.shape[1]
    found = {
        "entropy": -(share * share.log()).sum(1),
        "eigenvalues": values.log().mean(1),
        "top": values[:, -1].log(),
        "mean": (correlation.sum((1, 2)) - size) / size**2,
    }
    return [found[name] for name in which]

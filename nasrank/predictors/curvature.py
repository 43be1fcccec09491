"""Second derivatives of losses by the scores, where they are simple, for Newton's method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from nasrank.losses import LossFunction
from nasrank.losses.reduction import differences, ordered_pairs

__all__ = ["CURVATURES", "SMOOTHED", "Curvature", "smoothed_hinge"]

Curvature: TypeAlias = Callable[
    [
        Float64[Tensor, "lists items"],
        Float64[Tensor, "lists items"],
        Bool[Tensor, "lists items"],
        Mapping[str, float],
    ],
    Float64[Tensor, "lists items items"],
]
"""From scores, prepared labels, which items are real, and options."""

_SMOOTH = 1.0
"""Share of its margin over which the bend of a hinge is rounded."""


def _squared(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    where: Bool[Tensor, "lists items"],
    options: Mapping[str, float],
) -> Float64[Tensor, "lists items items"]:
    real = where.to(scores.dtype)
    return torch.diag_embed(2 * real / real.sum(dim=1, keepdim=True))


def _list_likelihood(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    where: Bool[Tensor, "lists items"],
    options: Mapping[str, float],
) -> Float64[Tensor, "lists items items"]:
    """Row i of P is the softmax over the items no better than i: diag(sum of rows) - P'P."""
    no_better = (labels[:, None, :] <= labels[:, :, None]) & where[:, None, :]
    chances = scores[:, None, :].masked_fill(~no_better, -torch.inf).softmax(dim=2)
    counted = where
    if options.get("top"):
        better = ((labels[:, None, :] > labels[:, :, None]) & where[:, None, :]).sum(dim=2)
        counted = where & (better < options["top"])
    share = counted / counted.sum(dim=1, keepdim=True).clamp_min(1)
    weighted = chances * share[:, :, None].to(scores.dtype)
    curvature = -(chances.transpose(1, 2) @ weighted)
    curvature.diagonal(dim1=1, dim2=2).add_(weighted.sum(dim=1))
    return curvature


def _cross_entropy(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    where: Bool[Tensor, "lists items"],
    options: Mapping[str, float],
) -> Float64[Tensor, "lists items items"]:
    chances = scores.masked_fill(~where, -torch.inf).softmax(dim=1)
    return torch.diag_embed(chances) - chances[:, :, None] * chances[:, None, :]


def _logistic(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    where: Bool[Tensor, "lists items"],
    options: Mapping[str, float],
) -> Float64[Tensor, "lists items items"]:
    doubt = (differences(scores) / options["temperature"]).sigmoid()
    return _laplacian(
        doubt * (1 - doubt) / options["temperature"] ** 2, ordered_pairs(labels, where)
    )


def _hinge(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    where: Bool[Tensor, "lists items"],
    options: Mapping[str, float],
) -> Float64[Tensor, "lists items items"]:
    margin = options["margin"]
    short = margin - differences(scores)
    width = _SMOOTH * margin
    bent = ((short > 0) & (short < width)).to(scores.dtype) / width
    return _laplacian(bent, ordered_pairs(labels, where))


def _laplacian(
    curvature: Float64[Tensor, "lists items items"], pairs: Float64[Tensor, "lists items items"]
) -> Float64[Tensor, "lists items items"]:
    """Second derivative of the mean over pairs of a function of the difference of two scores."""
    weights = curvature * pairs / pairs.sum(dim=(1, 2), keepdim=True).clamp_min(1)
    weights = weights + weights.transpose(1, 2)
    return torch.diag_embed(weights.sum(dim=2)) - weights


def smoothed_hinge(
    scores: Float64[Tensor, "lists items"],
    labels: Float64[Tensor, "lists items"],
    *,
    margin: float = 0.1,
    where: Bool[Tensor, "lists items"] | None = None,
    reduction: str = "none",
) -> Float64[Tensor, "lists"]:
    """Hinge loss whose bend is rounded over the margin; otherwise as ``hr``."""
    short = (margin - differences(scores)).clamp_min(0)
    width = _SMOOTH * margin
    value = torch.where(short < width, short.square() / (2 * width), short - width / 2)
    pairs = ordered_pairs(labels, where)
    return (value * pairs).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp_min(1)


CURVATURES: Mapping[str, Curvature] = {
    "mse": _squared,
    "listmle": _list_likelihood,
    "listnet": _cross_entropy,
    "lr": _logistic,
    "hr": _hinge,
}

SMOOTHED: Mapping[str, LossFunction] = {"hr": smoothed_hinge}
"""Stand-ins of losses whose second derivative is zero or undefined."""

"""Stage two of the reconstruction: negatives nearer than the positive, by how much adapts."""

from __future__ import annotations

from math import exp
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["RULES", "Rule", "Threshold", "hardness", "pressed", "reverse_triplet"]

Rule = Literal["gap", "loss", "schedule", "fixed"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""What the threshold follows; ``fixed`` follows nothing and is the control."""

_MEMORY = 0.9
_STEP, _MOST = 0.05, 1e3


def reverse_triplet(
    anchor: Float[Tensor, "triplets d"],
    positive: Float[Tensor, "triplets d"],
    negative: Float[Tensor, "triplets d"],
    threshold: Float[Tensor, "triplets"] | float,
) -> Float[Tensor, "triplets"]:
    r"""Triplet loss the other way round: small where the negative is nearer than the positive.

    .. math:: \max(0, d(a, \tilde n) - d(a, p) + m)

    Its gradient moves the negative straight to the anchor at unit speed, and is 0 once
    :math:`d(a, \tilde n) + m \le d(a, p)`.

    Args:
        anchor: One a triplet.
        positive: Likewise.
        negative: What a generator made.
        threshold: m, in units of distance; below 0 it allows the negative to be further away.

    Returns:
        The loss of each.

    Example:
        >>> one, two, three = (torch.tensor([[value]]) for value in (0.0, 1.0, 3.0))
        >>> reverse_triplet(one, two, three, 0.5).item()
        2.5
        >>> reverse_triplet(one, three, two, 0.5).item()
        0.0
    """
    near = torch.linalg.vector_norm(anchor - negative, dim=-1)
    far = torch.linalg.vector_norm(anchor - positive, dim=-1)
    losses: Tensor = (near - far + threshold).clamp(min=0)
    return losses


def pressed(factor: float, met: float, wanted: float) -> float:
    r"""Return the factor of a constraint's weight for the next batch.

    .. math:: f \leftarrow \min(1000, \max(1, f e^{(w - s) / 20}))

    with the share s of the batch that meets the constraint and the share w that should: a
    multiplier that rises while too few do.

    Args:
        factor: That of this batch, 1 at first.
        met: Share that meets the constraint, in [0, 1].
        wanted: Share that should, in [0, 1].

    Example:
        >>> round(pressed(2.0, 0.5, 0.9), 3), pressed(1.0, 1.0, 0.9)
        (2.04, 1.0)
    """
    return min(max(factor * exp(_STEP * (wanted - met)), 1.0), _MOST)


def hardness(
    rule: Rule, *, loss: float, gap: float, progress: float, alpha: float, gap_scale: float
) -> float:
    r"""How hard negatives should be: 0 at the start of the threshold's range, 1 at its end.

    .. math:: h = \begin{cases}
        \min(1, \max(0, g / s)) & \text{gap} \\
        1 - \exp(-\alpha / J) & \text{loss} \\
        t / T & \text{schedule} \\
        1 & \text{fixed} \end{cases}

    with the gap g and its scale s, the triplet loss J, and the share t/T of training done.

    Args:
        rule: One of :data:`RULES`.
        loss: Running mean of the triplet loss of real samples, from 0 on.
        gap: Running mean of the mean distance between classes less that within them.
        progress: Share of the training that is done, in [0, 1].
        alpha: Of ``loss``, in units of the loss, above 0.
        gap_scale: Of ``gap``, in units of distance, above 0.

    Returns:
        A number in [0, 1].

    References:
        Zheng et al. (2019), "Hardness-aware deep metric learning", CVPR, for ``loss``.

    Example:
        >>> hardness("gap", loss=0.1, gap=0.3, progress=0.5, alpha=0.1, gap_scale=1.0)
        0.3
    """
    match rule:
        case "gap":
            return min(max(gap / gap_scale, 0.0), 1.0)
        case "loss":
            return 1.0 - exp(-alpha / loss) if loss > 0 else 1.0
        case "schedule":
            return min(max(progress, 0.0), 1.0)
        case "fixed":
            return 1.0


class Threshold:
    """The threshold of the reverse triplet, following the metric through training.

    Args:
        rule: One of :data:`RULES`.
        start: Threshold at hardness 0, in units of distance.
        end: Threshold at hardness 1.
        alpha: See `hardness`.
        gap_scale: See `hardness`.
    """

    def __init__(
        self, rule: Rule, *, start: float, end: float, alpha: float, gap_scale: float
    ) -> None:
        self._rule, self._start, self._end = rule, start, end
        self._alpha, self._gap_scale = alpha, gap_scale
        self._loss: float | None = None
        self._gap = 0.0

    def update(self, loss: float, gap: float, progress: float) -> float:
        """Take in one batch and return the threshold that holds for it.

        Args:
            loss: Triplet loss of the batch.
            gap: Mean distance between classes less that within them, in the batch.
            progress: Share of the training that is done.
        """
        if self._loss is None:
            self._loss, self._gap = loss, gap
        else:
            self._loss = _MEMORY * self._loss + (1 - _MEMORY) * loss
            self._gap = _MEMORY * self._gap + (1 - _MEMORY) * gap
        share = hardness(
            self._rule, loss=self._loss, gap=self._gap, progress=progress, alpha=self._alpha,
            gap_scale=self._gap_scale,
        )  # fmt: skip
        return (1 - share) * self._start + share * self._end

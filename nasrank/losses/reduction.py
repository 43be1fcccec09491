"""The few numerical operations that all losses are built from.

A loss has one value per list, and that value depends on this list alone. Padding is first
replaced by zeros, so that its content (even NaN) affects neither value nor gradient.
"""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.errors import UsageError

__all__ = [
    "MOST_ITEMS",
    "Reduction",
    "all_pairs",
    "differences",
    "extremes",
    "has_order",
    "keep",
    "mean_over_items",
    "mean_over_pairs",
    "ordered_pairs",
    "over_lists",
    "require_shares",
]

MOST_ITEMS = 1 << 14
"""The most items of a list whose pairs are compared: each matrix of them takes 1 GB in float32."""
_ROUNDING = 1e-3
"""By how much a share in half precision may lie outside of its range."""

Reduction: TypeAlias = Literal["mean", "none"]


def keep(
    values: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
    fill: float = 0.0,
) -> Float[Tensor, "*batch items"]:
    """Return the values with padding replaced by ``fill``."""
    return values if where is None else torch.where(where, values, fill)


def differences(
    values: Float[Tensor, "*batch items"],
) -> Float[Tensor, "*batch items items"]:
    """Return the matrix whose entry (i, j) is the i-th value minus the j-th.

    Raises:
        UsageError: A list has more than :data:`MOST_ITEMS` items.
    """
    _require_pairs(values.shape[-1])
    return values.unsqueeze(-1) - values.unsqueeze(-2)


def all_pairs(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> Float[Tensor, "*batch items items"]:
    """Return the matrix that is 1 where both items are real, an item with itself included.

    Raises:
        UsageError: A list has more than :data:`MOST_ITEMS` items.
    """
    _require_pairs(labels.shape[-1])
    if where is None:
        return labels.new_ones((*labels.shape, labels.shape[-1]))
    real = where.to(labels.dtype)
    return real.unsqueeze(-1) * real.unsqueeze(-2)


def _require_pairs(items: int) -> None:
    if items > MOST_ITEMS:
        raise UsageError(
            f"a list of {items:,} items has too many pairs for memory: at most {MOST_ITEMS:,} "
            "items. Give the loss a batch of shorter lists"
        )


def ordered_pairs(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> Float[Tensor, "*batch items items"]:
    """Return the matrix whose entry (i, j) is 1 if item i is better than item j, and 0 if not.

    Equal labels form no pair, and padding is in none.
    """
    # Numbers and not booleans: multiplying is several times faster than selecting.
    better = differences(keep(labels.detach(), where)).sign().clamp_min(0)
    return better if where is None else better * all_pairs(labels, where)


def extremes(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
    """Return the least and the greatest label of each list; both 0 for a list without items."""
    if labels.shape[-1] == 0:
        nothing = labels.new_zeros((*labels.shape[:-1], 1))
        return nothing, nothing
    low = keep(labels, where, torch.inf).amin(-1, keepdim=True)
    high = keep(labels, where, -torch.inf).amax(-1, keepdim=True)
    if where is None:
        return low, high
    empty = ~where.any(-1, keepdim=True)
    return low.masked_fill(empty, 0.0), high.masked_fill(empty, 0.0)


def has_order(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> Bool[Tensor, "*batch"]:
    """Say of each list whether it holds two items with different labels."""
    low, high = extremes(labels, where)
    return (high > low).squeeze(-1)


def require_shares(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
    loss: str,
) -> None:
    """Refuse labels that are no shares, where a loss would turn them into infinite gains.

    They are looked at on the CPU alone: elsewhere every step would wait for the device.

    Args:
        labels: What a loss received.
        where: True for real items, False for padding.
        loss: Its name.

    Raises:
        UsageError: A label is below 0, above 1, or not a number.
    """
    if labels.device.type != "cpu":
        return
    known = keep(labels.detach(), where)
    inside = (known >= -_ROUNDING) & (known <= 1 + _ROUNDING)
    if not inside.all():
        raise UsageError(
            f"{loss} needs labels from 0 to 1, not {known[~inside][0].item():g}. Give it what "
            f"nasrank.losses.prepare({loss!r}, labels) returns: labels and arguments"
        )


def mean_over_items(
    values: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> Float[Tensor, "*batch"]:
    """Return the mean of each list over its real items; 0 with a zero gradient if it has none."""
    if where is None:
        return values.sum(-1) / max(values.shape[-1], 1)
    return keep(values, where).sum(-1) / where.sum(-1).clamp_min(1)


def mean_over_pairs(
    values: Float[Tensor, "*batch items items"],
    pairs: Float[Tensor, "*batch items items"],
) -> Float[Tensor, "*batch"]:
    """Return the mean of each list over the chosen pairs; 0 with a zero gradient if it has none.

    Args:
        values: One finite value per pair.
        pairs: 1 for a pair that is chosen and 0 for one that is not.
    """
    return (values * pairs).sum((-2, -1)) / pairs.sum((-2, -1)).clamp_min(1)


def over_lists(values: Float[Tensor, "*batch"], reduction: Reduction) -> Tensor:
    """Return the mean over all lists as a scalar, or the values of the lists as they are.

    Args:
        values: One loss value per list.
        reduction: ``"mean"`` or ``"none"``.

    Raises:
        ValueError: The reduction is neither.
    """
    if reduction == "none":
        return values
    if reduction == "mean":
        return values.sum() / max(values.numel(), 1)
    raise ValueError(f"reduction must be 'mean' or 'none', not {reduction!r}")

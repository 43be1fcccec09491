"""Labels of a training set, scaled to what a loss expects.

All statistics come from the training set alone, never from the whole search space, and each
list of a batch is a training set of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.errors import UsageError
from nasrank.losses.catalogue import LOSSES
from nasrank.losses.named import LossSpec
from nasrank.losses.reduction import extremes, keep, mean_over_items
from nasrank.losses.specification import parse
from nasrank.losses.targets import transformed

__all__ = ["GAP", "Prepared", "prepare", "standardised", "unit_range", "upper_bound"]

GAP = 0.1  # from the best label to the bound, in interquartile ranges


@dataclass(frozen=True)
class Prepared:
    """What a loss receives in place of the raw labels of a training set.

    Args:
        labels: ``[*batch, items]``, 0 at padding. A mini-batch takes its items from here.
        arguments: Further keyword arguments, one value per list ``[*batch, 1]``, and so the
            same for each mini-batch.
    """

    labels: Float[Tensor, "*batch items"]
    arguments: Mapping[str, Tensor]


def prepare(
    spec: str | LossSpec,
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Prepared:
    """Scale the labels of whole training sets to what a loss expects.

    Args:
        spec: A plain loss; prepare the two parts of a piecewise loss separately.
        labels: One training set per list, higher is better; any unit.
        where: True for real items, False for padding.

    Returns:
        The scaled labels and the arguments derived from the training set. No gradient flows
        through either.

    Raises:
        UsageError: There is no such loss, it is piecewise, or a label is not a finite number.

    Example:
        >>> import torch
        >>> prepare("lambdarank", torch.tensor([10.0, 93.0, 94.0])).labels
        tensor([0.0000, 0.5000, 1.0000])
        >>> prepare("mse(targets=rank)", torch.tensor([10.0, 93.0, 94.0])).labels
        tensor([-1.2247,  0.0000,  1.2247])
        >>> prepared = prepare("mape", torch.tensor([-1.0, 1.0]))
        >>> prepared.labels, prepared.arguments["bound"]  # 1 + 0.1 (0.5 - -0.5)
        (tensor([-1.,  1.]), tensor([1.1000]))
    """
    plain = parse(spec) if isinstance(spec, str) else spec
    if not isinstance(plain, LossSpec):
        raise UsageError(f"{plain} is two losses. Use {plain.first} or {plain.then}.")
    info = LOSSES.entry(plain.name)
    if not keep(labels, where).isfinite().all():
        raise UsageError("a label is not a finite number. Leave such items out, or mask them")
    scaled = transformed(plain.targets, labels.detach(), where)
    # The share beaten is in the unit range already, where ties may leave its ends empty.
    if (plain.targets, info.scale) != ("rank", "unit"):
        scaled = SCALES[info.scale](scaled, where)
    arguments = {}
    if "bound" in info.derived:
        gap = float(dict(plain.options).get("gap", GAP))
        arguments["bound"] = upper_bound(scaled, gap=gap, where=where)
    if "spread" in info.derived:
        low, high = extremes(scaled, where)
        arguments["best"] = high
        arguments["spread"] = torch.where(high > low, high - low, 1.0)
    return Prepared(scaled, arguments)


def standardised(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Float[Tensor, "*batch items"]:
    """Return labels with mean 0 and population standard deviation 1; all 0 if all are equal."""
    low, high = extremes(labels, where)
    centred = keep(labels - mean_over_items(labels, where).unsqueeze(-1), where)
    deviation = mean_over_items(centred.square(), where).sqrt().unsqueeze(-1)
    # Rounding may leave equal labels a tiny deviation, which must not be scaled up to 1.
    return torch.where(high > low, centred / deviation, 0.0)


def unit_range(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Float[Tensor, "*batch items"]:
    """Map the least label to 0 and the greatest to 1; all are 0.5 if all are equal."""
    low, high = extremes(labels, where)
    span = torch.where(high > low, high - low, 1.0)
    return keep(torch.where(high > low, (labels - low) / span, 0.5), where)


def upper_bound(
    labels: Float[Tensor, "*batch items"],
    *,
    gap: float = GAP,
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Float[Tensor, "*batch 1"]:
    """Return the greatest label plus ``gap`` interquartile ranges, one bound per list.

    Where the interquartile range is 0 the standard deviation stands in for it, and where that
    is 0 too, 1 does. The bound of a list without items is of no use but finite.
    """
    # Quantiles are known of single and double precision alone.
    if labels.dtype not in (torch.float32, torch.float64):
        labels = labels.float()
    low, high = extremes(labels, where)
    if labels.numel() == 0:
        return high + gap
    levels = torch.tensor([0.25, 0.75], dtype=labels.dtype, device=labels.device)
    quartiles = keep(labels, where, torch.nan).nanquantile(levels, dim=-1, keepdim=True)
    centred = keep(labels - mean_over_items(labels, where).unsqueeze(-1), where)
    deviation = mean_over_items(centred.square(), where).sqrt().unsqueeze(-1)
    unit = torch.where(high > low, deviation, 1.0)
    between = quartiles[1] - quartiles[0]
    return high + gap * torch.where(between > 0, between, unit)


SCALES = {"zscore": standardised, "unit": unit_range}

"""Losses of others: any function of scores and labels, called as a fleet calls a loss.

A loss of one list is enough::

    def my_loss(scores, labels, power=2.0):
        return ((scores - labels).abs() ** power).mean()

It gets one list of scores and labels after the other, without padding, and returns one number of
torch. A function that also takes ``where`` and ``reduction`` is called as this package's own
losses are: with whole batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.errors import UsageError
from nasrank.losses.catalogue import LossFunction
from nasrank.losses.reduction import Reduction, over_lists
from nasrank.own import guarded, place_of
from nasrank.seeds import torch_generator

__all__ = ["adapted"]

_Known: TypeAlias = tuple[Callable[..., Any], str]
"""A function and how the user calls it."""

_TRIED = 8
"""Random items on which a loss is tried when it is loaded."""
_BATCHED = {"where", "reduction"}


def adapted(thing: object, name: str) -> LossFunction:
    """Make a loss of what a location or an entry point names.

    Args:
        thing: A function of scores and labels; other arguments have defaults.
        name: How the user calls it, for errors.

    Returns:
        A loss ``(scores, labels, *, where=None, reduction="mean", ...)`` that refuses values of
        another shape, without a gradient, or not finite where scores and labels are.

    Raises:
        UsageError: It is no such function, or fails on random scores and labels.
    """
    if inspect.isclass(thing) or not callable(thing):
        raise UsageError(
            f"{place_of(thing)}: {name} is no function. A loss is one: "
            "def my_loss(scores, labels): ..."
        )
    names = _arguments(thing, name)
    # A function of this package needs no second look.
    if str(getattr(thing, "__module__", "")).startswith("nasrank.losses."):
        return thing
    batched = names >= _BATCHED

    @wraps(thing)
    def loss(
        scores: Float[Tensor, "*batch items"],
        labels: Float[Tensor, "*batch items"],
        *,
        where: Bool[Tensor, "*batch items"] | None = None,
        reduction: Reduction = "mean",
        **options: Any,  # noqa: ANN401 - the function's own
    ) -> Tensor:
        with guarded(thing, f"in the loss {name}"):
            if batched:
                values = thing(scores, labels, where=where, reduction="none", **options)
                _require_one_each(values, scores.shape[:-1], (thing, name))
            else:
                values = _by_list(partial(thing, **options), (thing, name), scores, labels, where)
        _require_finite(values, scores, labels, where, (thing, name))
        return over_lists(values, reduction)

    # What fails should fail now, and not after hours of training.
    draw = torch_generator(0, stream="trial")
    scores, labels = torch.randn(2, _TRIED, generator=draw)
    loss(scores.requires_grad_(), labels)
    return loss


def _arguments(function: Callable[..., Any], name: str) -> set[str]:
    """Return the names of all arguments; scores and labels have to be the only needed ones."""
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    placed = [each for each in known if each.kind in by_place]
    needed = [
        each.name
        for each in known
        if each.default is inspect.Parameter.empty
        and each.kind not in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    ]
    if len(placed) < 2 or len(needed) > 2:
        raise UsageError(
            f"{place_of(function)}: {name} needs {', '.join(needed) or 'nothing'}. A loss needs "
            "scores and labels; give all else a default"
        )
    return {each.name for each in known}


def _by_list(
    function: Callable[..., Any],
    known: _Known,
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
) -> Float[Tensor, "*batch"]:
    """Call a loss of one list for every list; one without items is worth 0."""
    shape = scores.shape[:-1]
    flat = [each.reshape(-1, scores.shape[-1]) for each in (scores, labels)]
    real = None if where is None else where.reshape(-1, scores.shape[-1])
    values = []
    for place, (row, wanted) in enumerate(zip(*flat, strict=True)):
        own, its = (row, wanted) if real is None else (row[real[place]], wanted[real[place]])
        if not len(own):
            values.append(own.sum())
            continue
        value = function(own, its)
        _require_one_each(value, torch.Size(), known)
        values.append(value.reshape(()))
    return torch.stack(values).reshape(shape) if values else scores.new_zeros(shape)


def _require_one_each(values: object, shape: torch.Size, known: _Known) -> None:
    where, name = place_of(known[0]), known[1]
    if not isinstance(values, Tensor):
        raise UsageError(
            f"{where}: {name} returned a {type(values).__name__}. A loss returns a tensor, "
            "computed from scores with torch"
        )
    if values.shape != shape and not (shape == () and values.numel() == 1):
        wanted = f"of shape {tuple(shape)}, one for each list" if shape else "of one list"
        raise UsageError(
            f"{where}: {name} returned a tensor of shape {tuple(values.shape)}. A loss returns "
            f"one number {wanted}, such as its mean"
        )


def _require_finite(
    values: Float[Tensor, "*batch"],
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None,
    known: _Known,
) -> None:
    """Refuse values that no training can use, unless the scores are not finite already."""
    if scores.requires_grad and not values.requires_grad:
        raise UsageError(
            f"{place_of(known[0])}: {known[1]} has no gradient. Compute it from scores with "
            "torch, without detach, item or numpy"
        )
    # Elsewhere every step would wait for the device.
    if values.device.type != "cpu" or bool(values.isfinite().all()):
        return
    given = scores.detach() if where is None else scores.detach()[where]
    if bool(given.isfinite().all()):
        bad = values.detach().flatten()
        raise UsageError(
            f"{place_of(known[0])}: {known[1]} returned {bad[~bad.isfinite()][0].item():g} for "
            f"{labels.shape[-1]} finite scores and labels. Guard what it divides by or takes the "
            "logarithm of"
        )

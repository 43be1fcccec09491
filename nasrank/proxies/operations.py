"""The effect of a space's operations on a picture: extend this table for new names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nasrank.errors import UsageError

__all__ = [
    "ALIASES",
    "OPERATIONS",
    "AveragePool",
    "Convolution",
    "MaxPool",
    "Norm",
    "Operation",
    "Relu",
    "Step",
    "find_operation",
]


@dataclass(frozen=True)
class Relu:
    """The larger of a number and zero."""


@dataclass(frozen=True)
class Norm:
    """Batch normalisation by the statistics of the batch, without weights of its own."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with zero padding that keeps the size of the picture.

    Attributes:
        kernel: Side of the kernel, odd.
        dilation: Distance of its taps.
        kind: ``full``; ``depthwise``, one kernel per channel; or ``separable``, depthwise and then
            across channels, with nothing between the two.
        width: Output channels, in multiples of the cell's; ignored by ``depthwise``.
    """

    kernel: int
    dilation: int = 1
    kind: Literal["full", "depthwise", "separable"] = "full"
    width: int = 1


@dataclass(frozen=True)
class AveragePool:
    """Mean over three by three neighbours; those beyond the border do not count."""


@dataclass(frozen=True)
class MaxPool:
    """Largest of three by three neighbours."""


Step = Relu | Norm | Convolution | AveragePool | MaxPool


@dataclass(frozen=True)
class Operation:
    """Steps one after the other; no step at all returns the input.

    Attributes:
        steps: The steps; the last has as many output channels as the first has input channels.
        residual: Whether the input is added to the result.
    """

    steps: tuple[Step, ...] = ()
    residual: bool = False


def _separable(kernel: int) -> Operation:
    once = (Relu(), Convolution(kernel, kind="separable"), Norm())
    return Operation(once + once)


def _dilated(kernel: int) -> Operation:
    return Operation((Relu(), Convolution(kernel, dilation=2, kind="separable"), Norm()))


def _inverted(kernel: int, width: int, *, residual: bool) -> Operation:
    steps = (
        *(Convolution(1, width=width), Norm(), Relu()),
        *(Convolution(kernel, kind="depthwise"), Norm(), Relu()),
        *(Convolution(1), Norm()),
    )
    return Operation(steps, residual)


_PROJECTION = Operation((Relu(), Convolution(1), Norm()))

OPERATIONS: dict[str, Operation | None] = {
    # None stands for what produces nothing.
    "none": None,
    "skip_connect": Operation(),
    "sum": Operation(),
    # NAS-Bench-201 and TransNAS-Bench-101
    "nor_conv_1x1": _PROJECTION,
    "nor_conv_3x3": Operation((Relu(), Convolution(3), Norm())),
    "nor_conv_5x5": Operation((Relu(), Convolution(5), Norm())),
    "nor_conv_7x7": Operation((Relu(), Convolution(7), Norm())),
    "avg_pool_3x3": Operation((AveragePool(),)),
    "max_pool_3x3": Operation((MaxPool(),)),
    # NAS-Bench-101 has its ReLU after the convolution.
    "conv1x1-bn-relu": Operation((Convolution(1), Norm(), Relu())),
    "conv3x3-bn-relu": Operation((Convolution(3), Norm(), Relu())),
    # DARTS
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "sep_conv_7x7": _separable(7),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "factorized_reduce": _PROJECTION,
    "c_{k-2}": _PROJECTION,
    "c_{k-1}": _PROJECTION,
    # NAS-Bench-Macro; where a block shrinks the picture it adds nothing to its result.
    "mb3_k3": _inverted(3, 3, residual=True),
    "mb6_k5": _inverted(5, 6, residual=True),
    "shrink-mb3_k3": _inverted(3, 3, residual=False),
    "shrink-mb6_k5": _inverted(5, 6, residual=False),
    "shrink-identity": _PROJECTION,
}
"""Known operations by name."""

ALIASES = {
    **dict.fromkeys(("zero", "zeroize"), "none"),
    **dict.fromkeys(("skip", "identity", "id", "input_skip"), "skip_connect"),
    **{
        f"{spelling}{k}x{k}": f"nor_conv_{k}x{k}"
        for spelling in ("conv", "conv_", "relu_conv_bn_", "relu-conv-bn-")
        for k in (1, 3, 5, 7)
    },
    **{
        spelling.format(k=k): f"conv{k}x{k}-bn-relu"
        for spelling in ("conv{k}x{k}_bn_relu", "conv_bn_relu_{k}x{k}")
        for k in (1, 3)
    },
    **dict.fromkeys(
        ("avgpool", "avg_pool", "avgpool3x3", "avg_pool3x3", "avgpool_3x3"), "avg_pool_3x3"
    ),
    **dict.fromkeys(
        ("maxpool", "max_pool", "maxpool3x3", "max_pool3x3", "maxpool_3x3"), "max_pool_3x3"
    ),
    **{f"sepconv{k}x{k}": f"sep_conv_{k}x{k}" for k in (3, 5, 7)},
    **{f"dilconv{k}x{k}": f"dil_conv_{k}x{k}" for k in (3, 5)},
}
"""Other spellings of known operations."""

_PLACE = re.compile(r"(?:[nr]|s\d+)-(?=.)")
"""Prefixes for the place of an operation, not its effect: cells of DARTS, stages of macro."""


def find_operation(name: str) -> tuple[str, Operation | None]:
    """Return the table's own name of an operation and its definition.

    Case is ignored, and so is the prefix of the cell or stage in DARTS and NAS-Bench-Macro:
    ``n-sep_conv_3x3`` is ``sep_conv_3x3``.

    Args:
        name: As in a vocabulary.

    Raises:
        UsageError: The table does not have it.

    Example:
        >>> find_operation("Conv3x3")
        ('nor_conv_3x3', Operation(steps=(Relu(), Convolution(kernel=3, dilation=1, \
kind='full', width=1), Norm()), residual=False))
    """
    plain = name.lower()
    for spelling in (plain, _PLACE.sub("", plain, count=1)):
        known = ALIASES.get(spelling, spelling)
        if known in OPERATIONS:
            return known, OPERATIONS[known]
    raise UsageError(
        f"no proxies: {name!r} is not a known operation on images. Leave out proxies, or name "
        "the operations as in nasrank/proxies/operations.py, such as nor_conv_3x3 or max_pool_3x3"
    )

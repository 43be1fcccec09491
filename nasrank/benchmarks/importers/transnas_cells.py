"""Architectures of TransNAS-Bench-101 as text and as graphs.

Micro cells read ``64-41414-A_BC_DEF``: 64 channels at the start; five modules of which those
marked 4 halve the resolution and double the channels and those marked 1 keep both; and a cell of
four nodes, whose third part lists the operation on each edge into node 1 (``A``, from node 0),
node 2 (``BC``, from nodes 0 and 1) and node 3 (``DEF``). Digits: 0 none, 1 skip connection,
2 convolution 1x1, 3 convolution 3x3. Macro networks read ``64-1234-basic``: four to six modules
of basic residual blocks, each with one of the digits 1 (keeps both), 2 (doubles the channels),
3 (halves the resolution), 4 (both).

References:
    Duan et al. (2021), "TransNAS-Bench-101: Improving Transferability and Generalizability of
    Cross-Task Neural Architecture Search", CVPR.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.nb201 import EDGES, cell_graphs
from nasrank.benchmarks.space import Metric
from nasrank.graphs import INPUT, OUTPUT, GraphBatch

__all__ = [
    "CITATION",
    "CONTRACT",
    "DEFAULT_METRICS",
    "DROP",
    "INPUT_SKIP",
    "TASKS",
    "macro_graphs",
    "macro_modules",
    "micro_digits",
    "micro_graphs",
    "micro_text",
]

TASKS = {
    "class_scene": "scene",
    "class_object": "object",
    "autoencoder": "autoencoder",
    "normal": "normal",
    "jigsaw": "jigsaw",
    "room_layout": "room_layout",
    "segmentsemantic": "segmentsemantic",
}
"""Dataset of each of the benchmark's own task names."""

DEFAULT_METRICS = {
    "scene": Metric(
        "val_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy of scene classification after the last epoch, one run",
    ),
    "object": Metric(
        "val_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy of object classification after the last epoch, one run",
    ),
    "autoencoder": Metric(
        "val_ssim",
        "SSIM",
        higher_is_better=True,
        description="validation structural similarity (at most 1) of pictures rebuilt by the "
        "autoencoder after the last epoch, one run",
    ),
    "normal": Metric(
        "val_ssim",
        "SSIM",
        higher_is_better=True,
        description="validation structural similarity (at most 1) of predicted surface normals "
        "after the last epoch, one run",
    ),
    "jigsaw": Metric(
        "val_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy of telling which of 1,000 permutations a jigsaw has, "
        "after the last epoch, one run",
    ),
    "room_layout": Metric(
        "val_neg_loss",
        "loss",
        higher_is_better=True,
        description="negated validation loss of room layout regression after the last epoch, "
        "one run; at most 0",
    ),
    "segmentsemantic": Metric(
        "val_pixel_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy over pixels of semantic segmentation (not the mean "
        "intersection over union) after the last epoch, one run",
    ),
}
"""Default metric of each dataset."""

CITATION = (
    "Duan et al. (2021), TransNAS-Bench-101: Improving Transferability and Generalizability of "
    "Cross-Task Neural Architecture Search, CVPR"
)

INPUT_SKIP = "input_skip"
"""A skip connection from a cell's input: a strided double convolution where the cell halves the
resolution, and so no identity."""
DROP = ("none",)
"""Operations of micro cells that produce nothing."""
CONTRACT = ("skip_connect",)
"""Operations of micro cells that return their input: skip connections between inner nodes."""

_MICRO = re.compile(r"64-41414-([0-3])_([0-3]{2})_([0-3]{3})")
_MACRO = re.compile(r"64-([1-4]{4,6})-basic")
_MOST_MODULES = 6


def micro_digits(text: str) -> tuple[int, ...] | None:
    """Read a micro cell: six digits on `nb201.EDGES`, or None where the text is not a micro cell.

    Example:
        >>> micro_digits("64-41414-1_02_333")
        (1, 0, 2, 3, 3, 3)
    """
    found = _MICRO.fullmatch(text)
    return tuple(int(digit) for digit in "".join(found.groups())) if found else None


def micro_text(digits: Sequence[int]) -> str:
    """Spell a micro cell, the inverse of `micro_digits`.

    Example:
        >>> micro_text((1, 0, 2, 3, 3, 3))
        '64-41414-1_02_333'
    """
    spelled = "".join(map(str, digits))
    return f"64-41414-{spelled[0]}_{spelled[1:3]}_{spelled[3:]}"


def micro_graphs(digits: NDArray[np.int8]) -> GraphBatch:
    """Turn micro cells into graphs whose nodes carry the operations of the edges.

    The same construction as `nb201.cell_graphs`. Three of the five modules start with a cell
    whose edges from node 0 have stride two, where a skip connection is a pair of strided
    convolutions; so skip connections from node 0 are a separate operation and only those
    between inner nodes are identities.

    Args:
        digits: ``[items, 6]`` operations on `nb201.EDGES`, 0 to 3.

    Returns:
        ``[items]`` graphs of eight nodes: input, output, and the six edges in order.
    """
    graphs = cell_graphs(digits)
    operations = graphs.operations.copy()
    # Average pooling has the next code in NAS-Bench-201 and does not occur here.
    input_skip = graphs.vocabulary.index("avg_pool_3x3")
    skip = graphs.vocabulary.index("skip_connect")
    for edge, (source, _) in enumerate(EDGES):
        if source == 0:
            column = operations[:, 2 + edge]
            column[column == skip] = input_skip
    vocabulary = (*graphs.vocabulary[:input_skip], INPUT_SKIP)
    return GraphBatch(operations, graphs.adjacency, graphs.mask, vocabulary)


def macro_modules(text: str) -> tuple[int, ...] | None:
    """Read a macro network: four to six digits 1 to 4, or None where the text is not one.

    Example:
        >>> macro_modules("64-1234-basic")
        (1, 2, 3, 4)
    """
    found = _MACRO.fullmatch(text)
    return tuple(int(digit) for digit in found[1]) if found else None


def macro_graphs(modules: Sequence[Sequence[int]]) -> GraphBatch:
    """Turn macro networks into chains of their modules.

    Args:
        modules: ``[items]`` of four to six digits each, 1 to 4.

    Returns:
        ``[items]`` graphs: input, output, and the modules in order; shorter ones are padded.
    """
    items = len(modules)
    width = 2 + _MOST_MODULES
    operations = np.zeros((items, width), np.int16)
    adjacency = np.zeros((items, width, width), np.uint8)
    mask = np.zeros((items, width), np.bool_)
    operations[:, :2] = INPUT, OUTPUT
    for item, digits in enumerate(modules):
        chain = [0, *range(2, 2 + len(digits)), 1]
        operations[item, 2 : 2 + len(digits)] = np.asarray(digits) + 1
        adjacency[item, chain[:-1], chain[1:]] = 1
        mask[item, chain] = True
    vocabulary = ("input", "output", "keep", "widen", "shrink", "widen_shrink")
    return GraphBatch(operations, adjacency, mask, vocabulary)

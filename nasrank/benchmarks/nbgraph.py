"""NAS-Bench-Graph: 26,206 graph neural networks, trained on nine graph datasets.

A network has four operations, each fed by the input or by an earlier one; operations that feed
nothing feed the output. The tables are those of the package nas-bench-graph and hold the mean
of three trainings. The dataset ``proteins`` has a smaller list of architectures of its own,
with five of the nine operations.

References:
    Qin et al. (2022), "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search",
    NeurIPS.
"""

import hashlib
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.space import Benchmark, Metric, Size, Space, Task, build_space
from nasrank.cache import Columns, cached_columns
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

__all__ = [
    "BENCHMARK",
    "LINKS",
    "METRICS",
    "OPERATIONS",
    "ORIGINS",
    "architecture_string",
    "decode",
    "load",
    "network_graphs",
]

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""Operation of each digit of a key."""

LINKS = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
"""Where each operation takes its input from: 0 is the network's input, k the k-th operation."""

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""

_WIDTH = 4
_FIELDS = {
    "valid_perf": "valid_perf",
    "perf": "test_perf",
    "latency": "latency",
    "para": "parameters",
}
_SCHEMA = {"key": "int64", **dict.fromkeys(_FIELDS.values(), "float64")}
_NETWORKS = {False: 26_206, True: 2_021}  # by whether it is the list of proteins
_PROTEINS = "proteins"
_FILES = {
    "cora": ("5e69b2f9bb08d8927d9ffd4921f8494a3cea349c9c3a461334cb9dc9e11701a8", 81.93),
    "citeseer": ("99c7f79b73372636305bf73fb32a58b63c57bd1871a152dd62ec72d984c8c50f", 72.8),
    "pubmed": ("10b4dcf6cfd3a24f6059f7d541a4a872960b4adac0b3dba26abed1bb9a3d904d", 81.13),
    "cs": ("71ae8469930517160b024f52db6000a4897f1aff5d765beb27bb60952ed5bd31", 92.13),
    "physics": ("1e309bafee0b832c8b84fa3c039c36992bc0a910238b128f26b7e9190d7f2aea", 94),
    "photo": ("5511b4dc3f63fa988792177227db7901290fb9b27fc6c02e3036b29e134ed6df", 94.07),
    "computers": ("fdb3dc0cf405d62322f0ab9614b2083c2a5e6576c2f43e4f2214be64bc62b1b3", 91.9),
    "arxiv": ("7ee21a7653297a806c0ed1be3efe6ecc06acc84e48e942da0bfde0e5d287debe", 73.67),
    _PROTEINS: ("b9e7fb0902bda44fec32c948e5fde822fb22d38d674c52e43ace5197378f2d21", 85.33),
}
"""Digest of each dataset's file, and the best label in it."""
ORIGINS = {
    dataset: Origin(
        "nas-bench-graph",
        "1.4.0",
        f"nas_bench_graph/light/{dataset}.bench",
        sha256,
        "Apache-2.0",
        best=best,
    )
    for dataset, (sha256, best) in _FILES.items()
}
# Digest of the sorted keys, eight little-endian bytes per key.
_KEYS_SHA256 = {
    False: "179d70fe89d36737f1ff9ed42be7718afb30e5f2b27b2b81f600eddee54ba9a3",
    True: "2cbb2291e913170c7d162af7a1a76611a1bb61facbee6f917239ff008ed87ac0",
}

METRICS = (
    Metric(
        "valid_perf",
        "%",
        higher_is_better=True,
        description="validation accuracy (ROC-AUC on proteins), mean of three trainings",
    ),
    Metric(
        "test_perf",
        "%",
        higher_is_better=True,
        description="test accuracy (ROC-AUC on proteins), mean of three trainings",
    ),
    Metric(
        "latency",
        "s",
        higher_is_better=False,
        description="run time of the network on the authors' GPU",
    ),
    Metric(
        "parameters",
        "parameters",
        higher_is_better=False,
        description="weights of the network, mean of three trainings",
    ),
)


def decode(keys: NDArray[np.int64]) -> NDArray[np.int8]:
    """Split the benchmark's keys into digits.

    A key is a decimal number of five digits: which of ``LINKS``, then four operations. The
    keys of proteins use the same digits, although its list of operations is shorter.

    Args:
        keys: ``[items]``.

    Returns:
        ``[items, 5]``.

    Raises:
        DataError: A number is not a key.

    Example:
        >>> decode(np.array([88124]))
        array([[8, 8, 1, 2, 4]], dtype=int8)
    """
    digits = keys[:, None] // 10 ** np.arange(_WIDTH, -1, -1) % 10
    valid = (keys >= 0) & (keys < 10 ** (_WIDTH + 1)) & (digits < len(OPERATIONS)).all(axis=1)
    if not valid.all():
        raise DataError(f"{keys[~valid][0]} is not the key of a NAS-Bench-Graph network")
    return digits.astype(np.int8)


def architecture_string(digits: NDArray[np.int8] | list[int]) -> str:
    """Spell a network: its links, then its operations.

    Args:
        digits: Five digits as `decode` makes them.

    Example:
        >>> architecture_string([8, 8, 1, 2, 4])
        '0123|skip|gcn|gin|sage'
    """
    link, *operations = digits
    return "|".join(
        ["".join(map(str, LINKS[link])), *(OPERATIONS[operation] for operation in operations)]
    )


def network_graphs(digits: NDArray[np.int8]) -> GraphBatch:
    """Turn networks into graphs; nothing is dropped or contracted yet.

    Args:
        digits: ``[items, 5]`` as `decode` makes them.

    Returns:
        ``[items]`` graphs of six nodes: input, output, and the four operations in order.
    """
    first = 2
    wiring = np.zeros((len(LINKS), first + _WIDTH, first + _WIDTH), np.uint8)
    for link, sources in enumerate(LINKS):
        for operation, source in enumerate(sources):
            wiring[link, 0 if source == 0 else first + source - 1, first + operation] = 1
            if operation + 1 not in sources:
                wiring[link, first + operation, 1] = 1
    operations = np.empty((len(digits), first + _WIDTH), np.int16)
    operations[:, :first] = 0, 1
    operations[:, first:] = digits[:, 1:] + first
    return GraphBatch(
        operations,
        wiring[digits[:, 0]],
        np.ones(operations.shape, np.bool_),
        ("input", "output", *OPERATIONS),
    )


@lru_cache(maxsize=2)
def _space(proteins: bool, keys: tuple[int, ...]) -> Space:
    digits = decode(np.array(keys, np.int64))
    return build_space(
        "nbgraph-proteins" if proteins else "nbgraph",
        tuple(architecture_string(network) for network in digits.tolist()),
        network_graphs(digits),
        contract=("skip",),
    )


def load(name: str, dataset: str, metric: Metric) -> Task:
    """Read one task of NAS-Bench-Graph.

    Args:
        name: Canonical name of the task.
        dataset: One of the benchmark's datasets.
        metric: One of its metrics.

    Returns:
        The task; it has one value per network and no training time. Architectures are in the
        order of their keys.

    Raises:
        DataError: The package is missing, or its file is damaged or not what it should be.
    """
    proteins = dataset == _PROTEINS
    source, content = read_source(ORIGINS[dataset])
    fingerprint = hashlib.sha256(f"nbgraph {source.sha256} {READER_VERSION}".encode()).hexdigest()
    columns = cached_columns(
        f"nbgraph-{dataset}",
        fingerprint,
        _SCHEMA,
        _NETWORKS[proteins],
        lambda: _read(source, content, proteins),
        check=lambda columns: source.require_best(
            columns[METRICS[0].name][:, None], higher_is_better=True
        ),
    )
    return Task(
        name=name,
        space=_space(proteins, tuple(columns["key"].tolist())),
        dataset=dataset,
        metric=metric,
        values=columns[metric.name][:, None],
        cost_seconds=None,
        parameters=columns["parameters"],
        chance=None,
        sources=(source,),
        fingerprint=fingerprint,
    )


def _read(source: SourceFile, content: bytes, proteins: bool) -> Columns:
    """Read and check one of the package's files; rows are in the order of the keys."""
    table = safe_loads(content, str(source.path), advice=source.origin.advice)
    if not isinstance(table, dict) or not all(type(key) is int for key in table):
        raise source.error("it is not a table of networks")
    keys = np.array(sorted(table), np.int64)
    if hashlib.sha256(keys.astype("<i8").tobytes()).hexdigest() != _KEYS_SHA256[proteins]:
        raise source.error(f"it does not hold the {_NETWORKS[proteins]:,} published networks")
    columns: Columns = {"key": keys}
    for field, column in _FIELDS.items():
        columns[column] = np.array(
            [_number(source, key, field, table[key]) for key in keys.tolist()]
        )
    for column in ("valid_perf", "test_perf"):
        if not (columns[column].min() >= 0 and columns[column].max() <= 1):
            raise source.error(f"it holds fractions of {column} outside 0 to 1")
        columns[column] *= 100
    for column in ("latency", "parameters"):
        if not columns[column].min() > 0:
            raise source.error(f"it holds values of {column} that are not positive")
    # Means over trainings that do not all agree on physics, so not whole numbers.
    columns["parameters"] = np.round(columns["parameters"] * 1e6, 3)
    return columns


def _number(source: SourceFile, key: int, field: str, entry: object) -> float:
    value = entry.get(field) if isinstance(entry, dict) else None
    if not (type(value) is float and math.isfinite(value)):
        raise source.error(f"network {key} has no finite number for {field}")
    return value


BENCHMARK = Benchmark(
    name="nbgraph",
    title="NAS-Bench-Graph: graph neural networks on nine graph datasets",
    datasets=tuple(ORIGINS),
    metrics=METRICS,
    load=load,
    origins=ORIGINS,
    # No two networks are alike.
    sizes={name: Size(*[_NETWORKS[name == _PROTEINS]] * 2) for name in ORIGINS},
)
"""Description of this space."""

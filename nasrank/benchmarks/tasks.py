"""Tasks by name: ``space/dataset``, with ``:metric`` where it is not the space's default."""

from dataclasses import dataclass
from functools import lru_cache

from nasrank.benchmarks.space import Benchmark, Metric, Task
from nasrank.errors import UsageError
from nasrank.registry import Registry, unknown_name

__all__ = ["SPACES", "TaskName", "load_task", "parse_task", "task_names"]

SPACES: Registry[Benchmark] = Registry("space", group="nasrank.spaces")
"""All search spaces, imported when first asked for."""
SPACES.register("nb201", target="nasrank.benchmarks.nb201:BENCHMARK")
SPACES.register("analog", target="nasrank.benchmarks.analog:BENCHMARK")
SPACES.register("nbgraph", target="nasrank.benchmarks.nbgraph:BENCHMARK")


@dataclass(frozen=True)
class TaskName:
    """A task that exists; ``str`` of it is the canonical spelling.

    Attributes:
        benchmark: The space and what can be asked of it.
        dataset: One of its datasets.
        metric: One of its metrics.
    """

    benchmark: Benchmark
    dataset: str
    metric: Metric

    def __str__(self) -> str:
        """Spell the task; the metric only where it is not the space's default."""
        default = self.metric == self.benchmark.metrics[0]
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
    benchmark = SPACES[space_name]
    if not dataset:
        raise UsageError(
            f"the task {text.strip()!r} names no dataset. "
            f"Write one of: {', '.join(f'{space_name}/{each}' for each in benchmark.datasets)}"
        )
    if dataset not in benchmark.datasets:
        raise unknown_name(f"dataset of {space_name}", dataset, benchmark.datasets)
    metrics = {metric.name: metric for metric in benchmark.metrics}
    if not colon:
        return TaskName(benchmark, dataset, benchmark.metrics[0])
    if metric_name not in metrics:
        raise unknown_name(f"metric of {space_name}", metric_name, metrics)
    return TaskName(benchmark, dataset, metrics[metric_name])


def task_names(*, every_metric: bool = False) -> list[str]:
    """List all tasks by their canonical names; reads no data.

    Args:
        every_metric: Also list the tasks of metrics that are not a space's default.

    Returns:
        The names, in the order of registration.
    """
    return [
        str(TaskName(benchmark, dataset, metric))
        for benchmark in (SPACES[name] for name in SPACES)
        for dataset in benchmark.datasets
        for metric in (benchmark.metrics if every_metric else benchmark.metrics[:1])
    ]


def load_task(name: str) -> Task:
    """Read a task, once per process.

    Args:
        name: As in `parse_task`.

    Returns:
        The task. Tasks of one set of architectures share its `Space`.

    Raises:
        UsageError: There is no such task.
        DataError: Its files are missing or damaged.
    """
    return _load(str(parse_task(name)))


@lru_cache(maxsize=32)
def _load(canonical: str) -> Task:
    task = parse_task(canonical)
    return task.benchmark.load(canonical, task.dataset, task.metric)

"""Tasks as people call them, for pictures and pages."""

from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import NasrankError

__all__ = ["metric_unit", "task_title"]

_DATASETS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16-120": "ImageNet16-120",
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed": "PubMed",
    "arxiv": "arXiv",
    "proteins": "Proteins",
}


def task_title(name: str) -> str:
    """Name a task by its space and dataset; one that is not known here keeps its name.

    Example:
        >>> task_title("nb201/cifar10"), task_title("no-such/space")
        ('NAS-Bench-201, CIFAR-10', 'no-such/space')
    """
    try:
        task = parse_task(name)
    except NasrankError:
        return name
    space = task.benchmark.title.partition(":")[0]
    if len(space) > 40 or not space:
        space = task.benchmark.name
    dataset = _DATASETS.get(task.dataset, task.dataset.replace("_", " "))
    default = task.metric == task.benchmark.metrics_of(task.dataset)[0]
    return f"{space}, {dataset}" + ("" if default else f", {task.metric.name.replace('_', ' ')}")


def metric_unit(name: str) -> str:
    """Return the unit of a task's metric; nothing for a pure number or a task not known here.

    Example:
        >>> metric_unit("nb201/cifar10"), metric_unit("no-such/space")
        ('%', '')
    """
    try:
        unit = parse_task(name).metric.unit
    except NasrankError:
        return ""
    return "" if unit == "1" else unit

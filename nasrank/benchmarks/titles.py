"""Tasks as people call them, and what to cite for them, for pictures and pages."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import NasrankError

__all__ = ["Work", "metric_unit", "task_title", "works_of"]

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

_HPO = (
    'Eggensperger et al. (2021), "HPOBench: A Collection of Reproducible Multi-Fidelity '
    'Benchmark Problems for HPO", NeurIPS.'
)
_SCALING = 'ScAn-Bench, a collection of scaling studies, after the package "scan-bench".'
_TRANSNAS = (
    'Duan et al. (2021), "TransNAS-Bench-101: Improving Transferability and Generalizability of '
    'Cross-Task Neural Architecture Search", CVPR.'
)
_CITATIONS = {
    "nb201": 'Dong and Yang (2020), "NAS-Bench-201: Extending the Scope of Reproducible Neural '
    'Architecture Search", ICLR.',
    "nbgraph": 'Qin et al. (2022), "NAS-Bench-Graph: Benchmarking Graph Neural Architecture '
    'Search", NeurIPS.',
    "analog": "AnalogNAS-Bench, cells of NAS-Bench-201 on analog hardware.",
    "hpolib": 'Klein and Hutter (2019), "Tabular Benchmarks for Joint Architecture and '
    'Hyperparameter Optimization", arXiv:1905.04970.',
    "hpobench": _HPO,
    "scaling-llm": _SCALING,
    "scaling-clip": _SCALING,
    "scaling-tabpfn": _SCALING,
    "transnas-micro": _TRANSNAS,
    "transnas-macro": _TRANSNAS,
    "nb101": 'Ying et al. (2019), "NAS-Bench-101: Towards Reproducible Neural Architecture '
    'Search", ICML.',
    "nb301": 'Zela et al. (2022), "Surrogate NAS Benchmarks: Going Beyond the Limited Search '
    'Spaces of Tabular NAS Benchmarks", ICLR.',
}


@dataclass(frozen=True)
class Work:
    """Where the data of a space come from.

    Attributes:
        space: Its name.
        citation: What to cite; empty where that is not known here.
        licence: Licence of the data as an SPDX name; empty where that is not known here.
    """

    space: str
    citation: str
    licence: str


def works_of(tasks: Iterable[str]) -> list[Work]:
    """Return what to cite for tasks, each space once, in the order in which they come up.

    Args:
        tasks: Names of tasks; what names none is left out.

    Example:
        >>> [(work.space, work.licence) for work in works_of(["nb201/cifar10", "digits"])]
        [('nb201', 'Apache-2.0')]
    """
    found: dict[str, Work] = {}
    for name in tasks:
        space, slash, _ = name.partition("/")
        if not slash or (space in found and found[space].licence):
            continue
        licence = ""
        try:
            task = parse_task(name)
        except NasrankError:
            if space not in _CITATIONS:
                continue
        else:
            origin = task.benchmark.origins.get(task.dataset)
            licence = "" if origin is None else origin.licence
        found[space] = Work(space, _CITATIONS.get(space, ""), licence)
    return list(found.values())


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
    metric = re.sub(r"\bacc\b", "accuracy", task.metric.name.replace("_", " "))
    return f"{space}, {dataset}" + ("" if default else f", {metric}")


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

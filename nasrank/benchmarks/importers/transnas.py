"""TransNAS-Bench-101's own file, ``transnas-bench_v10141024.pth``: the micro cells.

The file is a dictionary whose ``data`` holds, by search space (``micro``, ``macro``),
architecture and task, the ``model_info``, ``total_epochs`` and ``metrics``, each metric a list
with one number per epoch. The format is read as its authors' interface describes it; not tested on
a real file. Module `transnas_macro` reads the macro networks of the same file.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.json_file import finite_number
from nasrank.benchmarks.importers.torch_pickle import looks_like_torch, read_torch
from nasrank.benchmarks.importers.transnas_cells import (
    CITATION,
    CONTRACT,
    DEFAULT_METRICS,
    DROP,
    TASKS,
    micro_digits,
    micro_graphs,
)
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

__all__ = ["TransNASFile", "imported_space", "read", "read_space", "recognises"]

_ADVICE = "Get the file again from its origin."
_SPLITS = {"valid": "val", "val": "val", "test": "test", "train": "train"}
_MEASURES = {
    "top1": ("acc", "%", True, "accuracy"),
    "top5": ("top5", "%", True, "accuracy of the five best guesses"),
    "ssim": ("ssim", "SSIM", True, "structural similarity"),
    "acc": ("pixel_acc", "%", True, "accuracy over pixels"),
    "mIoU": ("miou", "%", True, "mean intersection over union"),
    "neg_loss": ("neg_loss", "loss", True, "negated loss"),
    "loss": ("loss", "loss", False, "loss"),
    "l1_loss": ("l1_loss", "loss", False, "absolute loss"),
}
_MOST_EPOCHS = 10_000


class TransNASFile(NamedTuple):
    """One search space of the file.

    Attributes:
        path: The file.
        architectures: Its texts.
        entries: Measurements of each, by task.
    """

    path: Path
    architectures: tuple[str, ...]
    entries: tuple[dict[object, object], ...]

    def error(self, row: int, complaint: str) -> DataError:
        """Make the error for an architecture.

        Args:
            row: Its position.
            complaint: What is wrong, as a clause.
        """
        name = self.architectures[row][:60]
        return DataError(f"{self.path}: architecture {name!a}: {complaint}. {_ADVICE}")


def recognises(path: Path) -> bool:
    """Return, by name and first bytes, whether this is the benchmark's file; never raises."""
    return "transnas" in path.name.lower() and looks_like_torch(path)


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read the micro cells; the file is loaded once, as a whole.

    Args:
        path: ``transnas-bench_v10141024.pth``.
        on_progress: Called with the architectures read and their number, once per task.

    Returns:
        Space ``transnas-micro``: each metric after the last epoch, one run; the default of each
        task first; GPU-seconds of training from ``time_elapsed``; parameters.

    Raises:
        DataError: The file is damaged, would need code to be executed, or has another form.
    """
    file = read_space(path, "micro")
    digits = []
    for row, text in enumerate(file.architectures):
        found = micro_digits(text)
        if found is None:
            raise file.error(row, "it is not a micro cell such as 64-41414-1_02_333")
        digits.append(found)
    return imported_space(
        file,
        space="transnas-micro",
        title="TransNAS-Bench-101 micro cells, seven vision tasks",
        graphs=micro_graphs(np.array(digits, np.int8)),
        drop=DROP,
        contract=CONTRACT,
        on_progress=on_progress,
    )


def read_space(path: Path, name: str) -> TransNASFile:
    """Read one search space of the file.

    Args:
        path: The file.
        name: ``micro`` or ``macro``.

    Raises:
        DataError: The file is damaged or does not hold that search space.
    """
    value = read_torch(path)
    data = value.get("data") if isinstance(value, dict) else None
    entries = data.get(name) if isinstance(data, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise DataError(f"{path}: it holds no search space {name}. {_ADVICE}")
    for text, entry in entries.items():
        if not isinstance(text, str) or not isinstance(entry, dict):
            raise DataError(f"{path}: {str(text)[:60]!a} is not an architecture. {_ADVICE}")
    return TransNASFile(path, tuple(entries), tuple(entries.values()))


def imported_space(
    file: TransNASFile,
    *,
    space: str,
    title: str,
    graphs: GraphBatch,
    drop: tuple[str, ...],
    contract: tuple[str, ...],
    on_progress: Callable[[int, int | None], None] | None,
) -> Imported:
    """Collect all tasks of a search space.

    Args:
        file: The search space.
        space: Name of the space.
        title: What it is, in one line.
        graphs: ``[N]`` its graphs.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
        on_progress: Called with the architectures read and their number, once per task.

    Raises:
        DataError: An entry does not have the described form.
    """
    measurements: list[Measurement] = []
    seconds = {}
    parameters = np.full(len(file.architectures), np.nan)
    for task, dataset in TASKS.items():
        columns, spent, sizes = _task_columns(file, task)
        if columns:
            measurements += _measurements(dataset, columns)
            seconds[dataset] = spent
            # Tasks share the encoder; the count of the first task that has one is used.
            parameters = np.where(np.isnan(parameters), sizes, parameters)
        if on_progress is not None:
            on_progress(len(file.architectures), len(file.architectures))
    if not measurements:
        raise DataError(f"{file.path}: it has none of the seven tasks. {_ADVICE}")
    measured = {each.dataset for each in measurements}
    return Imported(
        space=space,
        title=title,
        architectures=file.architectures,
        graphs=graphs,
        drop=drop,
        contract=contract,
        measurements=tuple(measurements),
        cost_seconds={name: spent for name, spent in seconds.items() if name in measured},
        parameters=parameters,
        chance={},
        note="metrics differ between tasks; one run per architecture, after the last epoch",
        source=file.path.name,
        licence="not stated in the repository of its authors",
        citation=CITATION,
    )


def _task_columns(
    file: TransNASFile, task: str
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.float64]]:
    """Return the last value of each metric, the time spent, and the encoder's parameters."""
    items = len(file.architectures)
    columns: dict[str, NDArray[np.float64]] = {}
    spent, sizes = np.full(items, np.nan), np.full(items, np.nan)
    for row, entry in enumerate(file.entries):
        found = entry.get(task)
        if found is None:
            continue
        metrics = found.get("metrics") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(metrics, dict):
            raise file.error(row, f"task {task} has no metrics")
        for name, history in metrics.items():
            numbers = _history(file, row, f"{task} {str(name)[:40]}", history)
            if name == "time_elapsed":
                spent[row] = sum(numbers)
            elif isinstance(name, str):
                columns.setdefault(name, np.full(items, np.nan))[row] = numbers[-1]
        info = found.get("model_info")
        size = finite_number(info.get("encoder_params")) if isinstance(info, dict) else None
        if size is not None and size >= 0:
            sizes[row] = size
        if spent[row] < 0:
            raise file.error(row, f"task {task} took negative time")
    return columns, spent, sizes


def _history(file: TransNASFile, row: int, what: str, history: object) -> Sequence[float]:
    if not isinstance(history, list) or not 0 < len(history) <= _MOST_EPOCHS:
        raise file.error(row, f"{what!a} is not a list of numbers")
    numbers = [number for each in history if (number := finite_number(each)) is not None]
    if len(numbers) != len(history):
        raise file.error(row, f"{what!a} holds something other than finite numbers")
    return numbers


def _measurements(dataset: str, columns: dict[str, NDArray[np.float64]]) -> Iterator[Measurement]:
    """Yield the measurements of a dataset, its default first; unknown metrics are left out."""
    default = DEFAULT_METRICS[dataset]
    named = {}
    for name, values in columns.items():
        split, _, rest = name.partition("_")
        if split in _SPLITS and rest in _MEASURES:
            short, unit, higher, words = _MEASURES[rest]
            metric = Metric(
                f"{_SPLITS[split]}_{short}",
                unit,
                higher_is_better=higher,
                description=f"{_SPLITS[split]} {words} after the last epoch, one run",
            )
            named[metric.name] = Measurement(dataset, metric, values[:, None])
    if default.name in named:
        yield Measurement(dataset, default, named.pop(default.name).values)
    yield from named.values()

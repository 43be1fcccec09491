"""Which tasks there are."""

from collections.abc import Iterator
from typing import Any

from nasrank.benchmarks.sources import SourceFile, read_source
from nasrank.benchmarks.space import Size
from nasrank.benchmarks.tasks import TaskName, load_task, parse_task, task_names
from nasrank.errors import DataError

__all__ = ["task_rows"]


def task_rows(*, every_metric: bool = False) -> Iterator[dict[str, Any]]:
    """List the tasks, with what can be said without any statistics.

    A task whose data cannot be read is listed too. A file of the known digest is not read any
    further, as what it holds is declared; any other is, and its numbers are counted.

    Args:
        every_metric: Also list the tasks of metrics that are not their dataset's default.

    Yields:
        For each task: task, title, metric, unit, better (``higher`` or ``lower``),
        architectures, classes, replicates (most training seeds an architecture has), package,
        version (of the package whose file is known), licence, path, state (``known``; ``other``
        where the file's sha256 is a new one; ``imported`` by the user; ``unreadable``) and error.
        What an unreadable task does not tell is None.
    """
    found: dict[tuple[str, str, str], tuple[SourceFile | None, Size] | DataError] = {}
    for text in task_names(every_metric=every_metric):
        name = parse_task(text)
        # The metrics of a dataset share its file, so reading one of them tells of all; those that
        # were imported may each come from another file.
        own = name.metric.name if name.benchmark.own_metrics else ""
        key = name.benchmark.name, name.dataset, own
        if key not in found:
            try:
                found[key] = _declared(name) or _read(text)
            except DataError as error:
                found[key] = error
        told = found[key]
        source, size = (None, None) if isinstance(told, DataError) else told
        replicates = None if size is None else size.replicates
        yield {
            "task": text,
            "title": name.benchmark.title,
            "metric": name.metric.name,
            "unit": name.metric.unit,
            "better": "higher" if name.metric.higher_is_better else "lower",
            "architectures": None if size is None else size.architectures,
            "classes": None if size is None else size.classes,
            "replicates": replicates if name.metric.replicates else 1,
            "package": source.origin.package if source else None,
            "version": source.origin.version if source else None,
            "licence": source.origin.licence if source else None,
            "path": str(source.path) if source else None,
            "state": "unreadable" if size is None else source.state if source else "other",
            "error": str(told) if isinstance(told, DataError) else None,
        }


def _declared(name: TaskName) -> tuple[SourceFile, Size] | None:
    """Return what is known of a dataset's file by its digest; None where it is another file."""
    origin = name.benchmark.origins.get(name.dataset)
    size = name.benchmark.sizes.get(name.dataset)
    if origin is None or size is None:
        return None
    source, _ = read_source(origin)
    return (source, size) if source.known else None


def _read(text: str) -> tuple[SourceFile | None, Size]:
    task = load_task(text)
    source = task.sources[0] if task.sources else None
    return source, Size(len(task), task.space.classes, task.values.shape[1])

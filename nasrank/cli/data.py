"""``nasrank data``: which tasks there are, what is in them, and where they lie."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from nasrank.cli.output import Column, FormatOption, print_record, print_rows
from nasrank.cli.task_page import task_page

__all__ = ["app"]

app = typer.Typer(
    help="Benchmarks: which tasks there are, what is in them, and where they lie.",
    epilog="Example: nasrank data info nb201/cifar10",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("list", epilog="Example: nasrank data list --every-metric --format csv")
def list_tasks(
    *,
    every_metric: Annotated[
        bool,
        typer.Option(
            "--every-metric", help="Also list the metrics that are not a space's default."
        ),
    ] = False,
    output_format: FormatOption = "table",
) -> None:
    """List every task with its metric, size, source and licence.

    Keys of --format json, a list: task, title, metric, unit, better (higher, lower),
    architectures, classes, replicates (most training seeds of an architecture), package, version,
    licence, path, state and error. A state is "known" (the very file nasrank was built with),
    "other" (a file with another sha256 whose content passes all checks) or "unreadable" (error
    says why).
    """
    rows = _read_rows(every_metric=every_metric)
    columns = [
        Column("task"),
        Column("metric"),
        Column("unit"),
        Column("better"),
        Column("architectures", right=True),
        Column("classes", right=True),
        Column("replicates", "seeds", right=True),
        Column("package", "source"),
        Column("licence"),
        Column("state", "file"),
    ]
    print_rows(rows, output_format, columns=columns)
    _complain(rows)


@app.command("info", epilog="Example: nasrank data info nb201/cifar10:latency --format json")
def show_task(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="A task such as nb201/cifar10, see data list.")
    ],
    *,
    output_format: FormatOption = "table",
) -> None:
    """Show what is in a task: counts, spread, noise, cost, best architectures and source.

    Keys of --format json: task, space, title, dataset, metric (name, description, unit, better),
    architectures, labelled, classes, labelled_classes, field_classes, best (list of label,
    architecture, class), best_class_label, spread (min, quarter, median, three_quarters, max,
    mean, sd), ties (distinct_labels, largest, tied_pairs), replicates (most, architectures,
    seed_sd), ceiling_tau, replicate_tau, chance, cost_gpu_seconds (total, mean, min, max),
    largest_n_train (class, random), sources (list of package, version, path, sha256, known,
    licence), fingerprint and histogram (edges, counts). What a task does not have is null.
    """
    from nasrank.studies.describe import describe_task

    with _waiting(f"reading {task}"):
        record = describe_task(task)
    print_record(record, output_format, task_page(record))


@app.command("path", epilog="Example: nasrank data path --format json")
def show_paths(output_format: FormatOption = "table") -> None:
    """Print the cache folder and the file every task comes from.

    Keys of --format json, a list: what ("cache", or a task), path (null where it is not known)
    and exists.
    """
    from nasrank.benchmarks.cache import cache_folder

    folder = cache_folder()
    tasks = _read_rows(every_metric=False)
    rows = [
        {"what": "cache", "path": str(folder), "exists": folder.is_dir()},
        *(
            {"what": row["task"], "path": row["path"], "exists": row["path"] is not None}
            for row in tasks
        ),
    ]
    print_rows(rows, output_format)
    _complain(tasks)


def _read_rows(*, every_metric: bool) -> list[dict[str, Any]]:
    from nasrank.studies.describe import task_rows

    with _waiting("reading tasks, which takes some seconds the first time"):
        return list(task_rows(every_metric=every_metric))


def _waiting(text: str) -> Any:  # noqa: ANN401 - any context manager
    """Show people at a terminal that something goes on."""
    return Console(stderr=True).status(escape(text))


def _complain(rows: Iterable[dict[str, Any]]) -> None:
    for error in dict.fromkeys(row["error"] for row in rows if row["error"]):
        typer.echo(f"warning: {error}", err=True)

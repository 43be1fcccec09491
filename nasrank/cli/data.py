"""``nasrank data``: list, describe, locate, import and verify benchmarks."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from nasrank.cli.data_download import download_file
from nasrank.cli.data_import import EPILOG as IMPORT_EPILOG
from nasrank.cli.data_import import import_space
from nasrank.cli.data_proxies import EPILOG as PROXIES_EPILOG
from nasrank.cli.data_proxies import compute_space
from nasrank.cli.output import FormatOption, say, show_record, show_rows
from nasrank.cli.task_page import task_page
from nasrank.errors import CheckFailed, DataError
from nasrank.study.view import Field

__all__ = ["app"]

app = typer.Typer(
    help="Benchmarks: list, describe, locate, import and verify tasks.",
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
            "--every-metric", help="Also list the metrics that are not a dataset's default."
        ),
    ] = False,
    output_format: FormatOption = "table",
) -> None:
    """List every task with its metric, size, source and licence.

    Keys of --format json, in tables.tasks: task, title, metric, unit, better (higher, lower),
    architectures, classes, replicates (most training seeds of an architecture), package, version,
    licence, path, state and error. A state is "known" (the very file nasrank was built with),
    "other" (a file with another sha256 whose content passes all checks), "imported" (see data
    import; package is then the file it came from) or "unreadable" (error says why).
    """
    rows = _read_rows(every_metric=every_metric)
    fields = [
        Field("task", keep=9),
        Field("metric", keep=8),
        Field("unit", keep=8),
        Field("better", keep=7),
        Field("architectures", right=True, keep=8),
        Field("classes", right=True),
        Field("replicates", "seeds", right=True, keep=6),
        Field("package", "source", keep=4),
        Field("licence", keep=3),
        Field("state", "file", keep=6),
    ]
    show_rows("data list", "tasks", rows, output_format, fields=fields)
    _complain(rows)


@app.command("info", epilog="Example: nasrank data info nb201/cifar10:latency --format json")
def show_task(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="A task such as nb201/cifar10, see data list.")
    ],
    *,
    output_format: FormatOption = "table",
) -> None:
    """Show what is in a task: counts, spread, noise, cost, pitfalls, and the source.

    Keys of --format json, in answer: task, space, title, dataset, metric (name, description, unit,
    better), architectures, labelled, failed, told_by (graph or settings), classes,
    labelled_classes, field_classes, attributes, settings (as in data import), groups, warnings
    (list of kind, value, text), best (list of label, architecture, class),
    best_class_label, spread (min, quarter, median, three_quarters, max, mean, sd), ties
    (distinct_labels, largest, tied_pairs), replicates (most, architectures, seed_sd), ceiling_tau,
    replicate_tau, chance, cost_gpu_seconds (total, mean, min, max), largest_n_train (class,
    random), note, sources (list of package, version, path, sha256, known, state, licence,
    citation), fingerprint and histogram (edges, counts, scale). What a task does not have is null.
    """
    from nasrank.cli.progress import waiting
    from nasrank.questions.describe.describe import describe_task

    with waiting(f"reading {task}"):
        record = describe_task(task)
    show_record("data info", record, output_format, task_page(record))


@app.command("path", epilog="Example: nasrank data path --format json")
def show_paths(output_format: FormatOption = "table") -> None:
    """Print the folders of the cache and of imported data, and the file every task comes from.

    Keys of --format json, in tables.paths: what ("cache", "data", or a task), path (null where it
    is not known) and exists.
    """
    from nasrank.benchmarks.importers.store import data_folder
    from nasrank.cache import cache_folder

    folders = {"cache": cache_folder(), "data": data_folder()}
    tasks = _read_rows(every_metric=False)
    rows = [
        *(
            {"what": what, "path": str(folder), "exists": folder.is_dir()}
            for what, folder in folders.items()
        ),
        *(
            {"what": row["task"], "path": row["path"], "exists": row["path"] is not None}
            for row in tasks
        ),
    ]
    show_rows("data path", "paths", rows, output_format)
    _complain(tasks)


app.command("import", epilog=IMPORT_EPILOG)(import_space)
app.command("download", epilog="Example: nasrank data download nb101")(download_file)
app.command("proxies", epilog=PROXIES_EPILOG)(compute_space)


@app.command("verify", epilog="Example: nasrank data verify NAS-Bench-201-v1_1-096897.pth")
def verify_files(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|TASK]",
            help="A file or folder, or a task; every built-in and imported space by default.",
            show_default=False,
        ),
    ] = None,
    *,
    output_format: FormatOption = "table",
) -> None:
    """Check files by their sha256 and content, and identify known files.

    The file behind a task is read again, bypassing the cache. Fails with exit code 3 if something
    is damaged and 4 if something is missing.

    Keys of --format json, in tables.verified: subject, kind ("source" of a package, "imported",
    "file" or "folder"), path, sha256 (null for a folder), known (the known file it is, or null),
    state ("ok", "unknown", "damaged" or "missing") and detail.
    """
    from dataclasses import asdict

    from nasrank.benchmarks.verifying import verify, verify_all
    from nasrank.cli.progress import waiting

    with waiting("verifying"):
        rows = [asdict(row) for row in (verify_all() if subject is None else verify(subject))]
    columns = [
        Field("subject", keep=9),
        Field("state", keep=8),
        Field("detail", keep=7),
        Field("kind", keep=4),
        Field("sha256", show=lambda digest: digest[:12] if digest else "-", keep=6),
        Field("known", "known file", keep=3),
    ]
    show_rows("data verify", "verified", rows, output_format, fields=columns)
    for state, error in (("damaged", CheckFailed), ("missing", DataError)):
        bad = [row for row in rows if row["state"] == state]
        if bad:
            more = f" ({len(bad)} of {len(rows)} are {state})" if len(rows) > 1 else ""
            raise error(f"{bad[0]['subject']} is {state}{more}: {bad[0]['detail']}")


def _read_rows(*, every_metric: bool) -> list[dict[str, Any]]:
    from nasrank.cli.progress import waiting
    from nasrank.questions.describe.listing import task_rows

    with waiting("reading tasks"):
        return list(task_rows(every_metric=every_metric))


def _complain(rows: Iterable[dict[str, Any]]) -> None:
    for error in dict.fromkeys(row["error"] for row in rows if row["error"]):
        say(f"warning: {error}")

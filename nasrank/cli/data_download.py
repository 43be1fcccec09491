"""``nasrank data download``: fetch a benchmark's file into the data folder."""

from typing import Annotated, Any

import typer

from nasrank.cli.output import FormatOption, QuietOption, print_parts, show_rows
from nasrank.study.view import Field

__all__ = ["download_file"]


def download_file(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SPACE|SOURCE]",
            help="A public space such as nb101, or one of the sources; all are listed by default.",
            show_default=False,
        ),
    ] = None,
    *,
    quiet: QuietOption = False,
    output_format: FormatOption = "table",
) -> None:
    """Fetch a benchmark's file from its authors into the data folder.

    This is the only command that uses the network, by https alone. A file is kept if its sha256
    is the known one. A partial download is resumed, and a file that is there is not fetched again.
    Where there is no plain address, the error says where to get the file and where to put it.

    Keys of --format json, in tables.files: source, space, file, path, state ("downloaded",
    "cached", "found" where it was there but no sha256 is known; in the list "there", "missing" or
    "by hand"), bytes (null where it is not there), sha256 (null where it is not known), licence,
    page and next (what to type, or null).
    """
    from nasrank.benchmarks.downloading import download, place_of
    from nasrank.benchmarks.remote_files import REMOTE_FILES, find_remote
    from nasrank.cli.progress import bytes_bar

    if source is None:
        rows = []
        for remote in REMOTE_FILES:
            path = place_of(remote)
            state = "there" if path.exists() else "missing" if remote.url else "by hand"
            size = path.stat().st_size if path.is_file() else None
            rows.append(_row(remote, path, state, size, None))
        columns = [
            *(
                Field("source", keep=9),
                Field("space"),
                Field("file", keep=8),
                Field("state", keep=8),
            ),
            *(Field("licence"), Field("page", keep=6)),
        ]
        show_rows("data download", "files", rows, output_format, fields=columns)
        return
    remote = find_remote(source)
    with bytes_bar(quiet=quiet) as bar:
        task = bar.add_task(remote.file, total=None)
        done = download(
            remote,
            on_progress=lambda have, total: bar.update(task, completed=have, total=total),
        )
    row = _row(remote, done.path, done.state, done.size, done.command)
    columns = [Field("source"), Field("state"), Field("bytes", right=True), Field("path")]
    show_rows("data download", "files", [row], output_format, fields=columns)
    if output_format == "table":
        print_parts([f"Read it with: {done.command}"])


def _row(remote: Any, path: Any, state: str, size: int | None, following: str | None) -> Any:  # noqa: ANN401
    return {
        "source": remote.name,
        "space": remote.space,
        "file": remote.file,
        "path": str(path),
        "state": state,
        "bytes": size,
        "sha256": remote.sha256,
        "licence": remote.licence,
        "page": remote.page,
        "next": following,
    }

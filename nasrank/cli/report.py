"""``nasrank report``: a page to look at, made of what commands have written."""

from pathlib import Path
from typing import Annotated

import typer

from nasrank.cli.output import FormatOption, show_record

__all__ = ["EPILOG", "report"]

EPILOG = (
    "Examples:\n\nnasrank report nasrank-out/compare\n\nnasrank report results --out all.html\n\n"
    "nasrank report nasrank-out/new --compare nasrank-out/old"
)


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...", help="Folders that commands wrote to.", show_default=False
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The page. [default: nasrank-out/report.html]",
            show_default=False,
            rich_help_panel="Output",
        ),
    ] = Path("nasrank-out/report.html"),
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            "--compare",
            metavar="FOLDER",
            help="Begin with what changed since the comparisons of this folder; can be repeated.",
            show_default=False,
        ),
    ] = None,
    output_format: FormatOption = "table",
) -> None:
    """Write one page to look at: answer, pictures, tables and provenance of finished studies.

    The page is one file that needs no network, for a browser, a mail or a printer. Folders within
    the folders are read too; comparisons of the same losses on other tasks become one. With
    --compare the page begins with what changed between two comparisons, run by run, by the
    statistics of nasrank check.

    Keys of --format json, in answer: page, bytes, studies (folders in the page), left_out (what
    could not be read, one line each) and lacking (files there was no room for; the page names
    them too).
    """
    from nasrank.report.page import write_report

    written = write_report(folders, out, compare or ())
    show_record(
        "report",
        {
            "page": str(written.path),
            "bytes": written.size,
            "studies": [str(study.folder) for study in written.studies],
            "left_out": list(written.left_out),
            "lacking": [str(each) for each in written.lacking],
        },
        output_format,
        [
            f"page: {written.path} ({written.size / 1000:,.0f} kB)",
            *(f"left out: {line}" for line in written.left_out),
        ],
    )

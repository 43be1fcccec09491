"""``nasrank bench``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from nasrank.cli.output import Column, FormatOption, print_rows, shown

__all__ = ["EPILOG", "bench"]

EPILOG = """Examples:

nasrank bench --quick

nasrank bench --format json --out nasrank-out/bench-idle
"""


def bench(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer repeats: seconds instead of minutes.")
    ] = False,
    device: Annotated[
        str,
        typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train and score."),
    ] = "auto",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder of bench.parquet and run.json.",
            rich_help_panel="Output",
        ),
    ] = Path("nasrank-out/bench"),
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress on stderr.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Measure the speed of nasrank on this machine, beside what it aims at.

    Training alone and in a fleet, scoring, loading, start, and the default command. A goal that
    is missed is no error: other work on the machine slows all of it.

    Keys of --format json, a list: name, value, unit, goal (or null), better (higher, lower),
    reached (or null) and note.
    """
    from nasrank.cli.env import environment
    from nasrank.studies.bench import BENCH, FULL, QUICK, measure
    from nasrank.studies.train import choose_device
    from nasrank.tables import write_json

    chosen = choose_device(device)
    machine = environment()
    configuration = {"quick": quick, "device": chosen.type}
    # Written first: a folder that cannot be written must not cost minutes.
    write_json(
        {"command": "bench", "config": configuration, "environment": machine}, out / "run.json"
    )
    rows: list[dict[str, Any]] = []
    console = Console(stderr=True, quiet=quiet)
    with console.status("measuring") as status:
        for measurement in measure(QUICK if quick else FULL, chosen):
            rows.append(measurement.row())
            status.update(f"measuring, last {escape(_line(rows[-1]))}")
    about = {"command": "bench", "config": configuration, "environment": machine}
    BENCH.write(rows, out / "bench.parquet", about)
    title = (
        f"{machine['processor']}, {machine['usable_cores']} cores, "
        f"{machine['torch_threads']} torch threads, {machine['devices'][-1]}"
    )
    columns = [
        Column("name"),
        Column("value", right=True),
        Column("unit"),
        Column("goal_text", "goal", right=True),
        Column("reached"),
        Column("note"),
    ]
    if output_format == "table":
        rows = [{**row, "goal_text": _goal(row)} for row in rows]
    print_rows(rows, output_format, columns=columns, title=escape(title))


def _goal(row: dict[str, Any]) -> str | None:
    if row["goal"] is None:
        return None
    return f"{'>=' if row['better'] == 'higher' else '<='} {shown(row['goal'])}"


def _line(row: dict[str, Any]) -> str:
    return f"{row['name']} {shown(row['value'])} {row['unit']}"

"""``nasrank bench``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table, shown
from nasrank.errors import UsageError

__all__ = ["EPILOG", "bench"]

EPILOG = """Examples:

nasrank bench

nasrank bench --full --out nasrank-out/bench-idle

nasrank bench --quick --format json
"""

_AXES = {
    "members": "By fleet",
    "n_train": "By training set",
    "architectures": "By size of the space",
    "nodes": "By nodes of each graph",
}


def bench(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Seconds: the machine alone, few repeats.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Minutes: the default command itself, and how the cost of every predictor grows.",
        ),
    ] = False,
    device: Annotated[
        str,
        typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train and score."),
    ] = "auto",
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder of bench.parquet, bench.svg and run.json.",
            rich_help_panel="Output",
        ),
    ] = Path("nasrank-out/bench"),
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress on stderr.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Measure the speed of nasrank on this machine, beside what it aims at.

    Training alone and in a fleet, scoring, loading, start, and the default command; then what
    each predictor costs in time and memory. A goal that is missed is no error: other work on the
    machine slows all of it.

    Keys of --format json, a list: name, axis, predictor, members, n_train, architectures and
    nodes (of a point in a series, or null), value, unit, goal (or null), better (higher, lower),
    reached (or null) and note.
    """
    from nasrank.cli.env import environment
    from nasrank.questions.bench.study import FULL, QUICK, USUAL, measure
    from nasrank.study.device import choose_device
    from nasrank.study.measurement import BENCH
    from nasrank.tables import write_json

    if quick and full:
        raise UsageError("--quick measures less and --full more; leave one out")
    chosen = choose_device(device)
    machine = environment()
    configuration = {"quick": quick, "full": full, "device": chosen.type}
    # Written first: a folder that cannot be written must not cost minutes.
    write_json(
        {"command": "bench", "config": configuration, "environment": machine}, out / "run.json"
    )
    rows: list[dict[str, Any]] = []
    console = Console(stderr=True, quiet=quiet)
    effort = QUICK if quick else FULL if full else USUAL
    with console.status("measuring") as status:
        for measurement in measure(effort, chosen):
            rows.append(measurement.row())
            status.update(f"measuring, last {escape(_line(rows[-1]))}")
    about = {"command": "bench", "config": configuration, "environment": machine}
    BENCH.write(rows, out / "bench.parquet", about)
    if output_format == "table":
        _print_tables(rows, machine)
    else:
        print_rows(rows, output_format)
    picture = _draw(rows, out)
    if not quiet:
        typer.echo(f"table: {out / 'bench.parquet'}", err=True)
        if picture:
            typer.echo(picture, err=True)


def _draw(rows: Sequence[dict[str, Any]], folder: Path) -> str | None:
    """Draw the picture and say where it is; None where there is nothing to draw."""
    from nasrank.questions.bench.figures import draw_bench

    try:
        path = draw_bench(rows, folder)
    except UsageError as error:
        return f"no picture: {error}"
    return None if path is None else f"picture: {path}"


def _print_tables(rows: Sequence[dict[str, Any]], machine: dict[str, Any]) -> None:
    title = (
        f"{machine['processor']}, {machine['usable_cores']} cores, "
        f"{machine['torch_threads']} torch threads, {machine['devices'][-1]}"
    )
    alone = [{**row, "goal_text": _goal(row)} for row in rows if row["axis"] is None]
    columns = [
        Column("name"),
        Column("value", right=True),
        Column("unit"),
        Column("goal_text", "goal", right=True),
        Column("reached"),
        Column("note"),
    ]
    print_text(rich_table(alone, columns, title=escape(title)))
    series = [row for row in rows if row["axis"] is not None]
    for axis in dict.fromkeys(row["axis"] for row in series):
        _print_series(axis, [row for row in series if row["axis"] == axis])
    if series:
        print_text(
            "Seconds to train and to score all architectures are of one predictor, prepare is "
            "once for all on the same\narchitectures. Memory is the most held beyond what was "
            "held before."
        )
    trends = {row["name"] for row in series if row["members"] is None}
    if trends:
        print_text(
            "Growth: the power of what varies that time grows with over the whole column, "
            "1 is in proportion."
        )


def _print_series(axis: str, rows: Sequence[dict[str, Any]]) -> None:
    where = ("predictor", "members", "n_train", "architectures", "nodes")
    points: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in where)
        points.setdefault(key, dict(zip(where, key, strict=True)))[row["name"]] = row["value"]
    lines = []
    for point in points.values():
        if point["members"] is None:
            continue
        trend = points.get((point["predictor"], None, None, None, None), {})
        last = all(
            other["members"] is None or other is point or other[axis] < point[axis]
            for other in points.values()
            if other["predictor"] == point["predictor"]
        )
        lines.append(
            {
                **point,
                "prepare": _seconds(point["prepare_seconds"]),
                "train": _seconds(point["fit_seconds"] / point["members"]),
                "train_growth": _power(trend.get("growth_of_fit_seconds") if last else None),
                "score": _seconds(point["score_seconds"] / point["members"]),
                "score_growth": _power(trend.get("growth_of_score_seconds") if last else None),
                "rate": f"{point['score_rate']:,.0f}",
                "memory": _whole(point.get("peak_memory")),
                "share": _whole(point.get("share_of_matrix_rate")),
            }
        )
    grown = any(line["train_growth"] for line in lines)
    shares = any(line["share"] != "-" for line in lines)
    columns = [
        Column("predictor"),
        Column("members", "fleet", right=True),
        Column("n_train", "n", right=True),
        Column("architectures", right=True),
        Column("nodes", right=True),
        Column("prepare", "prepare, s", right=True),
        Column("train", "train one, s", right=True),
        *([Column("train_growth", "growth", right=True)] if grown else []),
        Column("score", "score, s", right=True),
        *([Column("score_growth", "growth", right=True)] if grown else []),
        Column("rate", "scored a second", right=True),
        Column("memory", "memory, MiB", right=True),
        *([Column("share", "of matrix\nrate, %", right=True)] if shares else []),
    ]
    print_text("", rich_table(lines, columns, title=_AXES[axis]))


def _seconds(value: float) -> str:
    return f"{value:,.3f}" if value < 10 else f"{value:,.1f}"


def _power(value: float | None) -> str:
    # Adding zero turns a negative zero into a plain one.
    return "" if value is None else f"{round(value, 1) + 0.0:.1f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _goal(row: dict[str, Any]) -> str | None:
    if row["goal"] is None:
        return None
    return f"{'>=' if row['better'] == 'higher' else '<='} {shown(row['goal'])}"


def _line(row: dict[str, Any]) -> str:
    where = "" if row["predictor"] is None else f"{row['predictor']} "
    return f"{where}{row['name']} {shown(row['value'])} {row['unit']}"

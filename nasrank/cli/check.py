"""``nasrank check``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from nasrank.cli.output import (
    Column,
    FormatOption,
    print_record,
    print_rows,
    print_text,
    rich_table,
)
from nasrank.errors import CheckFailed, UsageError

__all__ = ["EPILOG", "check"]

EPILOG = """Examples:

nasrank compare --subset ci --out nasrank-out/ci

nasrank check nasrank-out/ci --against baseline.parquet --update

nasrank check nasrank-out/ci --against baseline.parquet

Exit codes: 0 held (or better, or undecided), 3 worse, 4 other data, 5 nothing to compare.
"""

_TITLES = {
    "mean_tau": "mean tau of the subset",
    "kendall_tau": "Kendall tau",
    "discovery_1pct_at_100": "top 1 % found with 100 more",
    "first_hit_0.1pct": "evaluations to top 0.1 %",
}


def check(
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", help="The --out folder of a finished comparison."),
    ],
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="BASELINE", help="The baseline, one small file."),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Write RESULTS as the new baseline, and compare nothing."),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            help="Loss of mean tau that is let pass. [default: 0.005]",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="TOML file with against and tolerance; the command line beats it."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to write check.parquet to; by default none is written.",
            rich_help_panel="Output",
        ),
    ] = None,
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="No notes on stderr.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Guard a predictor: compare finished runs with a baseline, run by run.

    A run's partner has the same task, predictor, loss, size, seed and kind of split. One row
    decides: the paired difference of the mean tau over all of them. It fails only if all of the
    difference's 95 % interval lies below minus the tolerance. The other rows inform.
    """
    from nasrank.cli.settings import checked, read_settings
    from nasrank.questions.check import study
    from nasrank.questions.check.baseline import read_runs, write_baseline

    fields = study.CheckConfig.model_fields
    settings = read_settings(config, [*fields, "out"])
    given = {"against": None if against is None else str(against), "tolerance": tolerance}
    settings |= {name: value for name, value in given.items() if value is not None}
    named = settings.pop("out", None)
    chosen = checked(study.CheckConfig, settings)
    folder = out or (None if named is None else Path(str(named)))
    if not chosen.against:
        raise UsageError(
            f"--against names the baseline. Write one with: nasrank check {results} --against "
            "baseline.parquet --update"
        )
    baseline = Path(chosen.against)
    if update:
        runs = read_runs(results)
        write_baseline(runs, baseline)
        print_record(
            {"baseline": str(baseline), "runs": len(runs), "bytes": baseline.stat().st_size},
            output_format,
        )
        return
    found = study.check(results, baseline, tolerance=chosen.tolerance)
    if folder is not None:
        about = {
            "command": "check",
            "config": {**chosen.model_dump(mode="json"), "results": str(results)},
        }
        study.CHECK.write(found.rows, folder / "check.parquet", about)
    if output_format == "table":
        _print_found(found, results, baseline)
    else:
        print_rows(found.rows, output_format)
    if not quiet:
        _print_notes(found, results, baseline)
    if not found.held:
        raise CheckFailed(
            f"worse than {baseline}: mean tau {_change(found.primary)}. If that is meant, write a "
            f"new baseline: nasrank check {results} --against {baseline} --update"
        )


def _print_found(found: Any, results: Path, baseline: Path) -> None:  # noqa: ANN401
    columns = (
        Column("runs"),
        Column("metric"),
        Column("baseline", right=True),
        Column("result", right=True),
        Column("difference", "difference [95 %]", right=True),
        Column("verdict"),
    )
    rows = [
        {
            "runs": _where(row, found.rows),
            "metric": _TITLES.get(row["metric"], row["metric"].replace("_", " ")),
            "baseline": _number(row["baseline"], row["metric"]),
            "result": _number(row["result"], row["metric"]),
            "difference": _change(row),
            "verdict": f"{row['verdict']}, decides" if row["primary"] else row["verdict"],
        }
        for row in found.rows
        if row["metric"] in _TITLES or row["verdict"] in {"worse", "better"}
    ]
    seeds = found.primary["n_pairs"]
    title = f"{results} against {baseline}: {found.pairs} pairs of runs, {seeds} seeds"
    text = f"Worse: all of the interval lies below -{found.primary['tolerance']:g}."
    if found.detectable is not None:
        text += (
            f" As noisy as these runs are, a loss of mean tau of {found.detectable:.3f} would be "
            "worse in 95 of 100 checks."
        )
    if hidden := len(found.rows) - len(rows):
        text += f" {hidden} rows more, none better or worse: --format csv."
    print_text(escape(title), rich_table(rows, columns), escape(text))


def _where(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Name what a row is about, by the columns in which rows differ."""
    names = ("task", "predictor", "loss", "n_train", "split", "labels", "test", "sampling")
    if row["primary"]:
        return "all"
    several = [name for name in names if len({other[name] for other in rows[1:]}) > 1]
    return " ".join(str(row[name]) for name in several or ("loss",))


def _change(row: dict[str, Any]) -> str:
    if row["difference"] is None:
        return "-"
    digits = _digits(row["metric"])
    text = f"{row['difference']:+.{digits}f}"
    if row["lower"] is not None:
        text += f" [{row['lower']:+.{digits}f}, {row['upper']:+.{digits}f}]"
    return text


def _number(value: float | None, metric: str) -> str:
    return "-" if value is None else f"{value:.{_digits(metric)}f}"


def _digits(metric: str) -> int:
    return 1 if metric.startswith(("first_hit", "n_at")) else 4


def _print_notes(found: Any, results: Path, baseline: Path) -> None:  # noqa: ANN401
    for count, here, there in (
        (found.only_baseline, baseline, results),
        (found.only_results, results, baseline),
    ):
        if count:
            typer.echo(f"not compared: {count} runs of {here} that {there} lacks", err=True)
    if found.primary["verdict"] == "undecided":
        typer.echo(
            "undecided: these runs can neither show nor rule out a loss; more seeds can", err=True
        )

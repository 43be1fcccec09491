"""``nasrank recommend``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape

from nasrank.cli.output import Column, FormatOption, print_json, print_rows, print_text, rich_table

if TYPE_CHECKING:
    from nasrank.questions.budget.recommend import Recommendation

__all__ = ["EPILOG", "recommend"]

EPILOG = """Examples:

nasrank recommend --n-train 100

nasrank recommend --goal order --n-train 60 --space-size 20000 --replicate-tau 0.9

nasrank recommend --results nasrank-out/compare --results nasrank-out/more
"""

_CASE, _FROM = "Your case", "What to learn from"
_NAMED = 4
_READING = (
    "Short of the best: the measure of each cell's best loss less that of this one, on seeds the "
    "best was not chosen by; below 0 the best did worse there. A cell is a task at a training "
    "size, and counts by its likeness to what is asked."
)


def recommend(
    *,
    goal: Annotated[
        str | None,
        typer.Option(
            "--goal",
            metavar="order|top|value",
            help="What the predictor is for: the order of all, finding the top, or the value. "
            "[default: top]",
            rich_help_panel=_CASE,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train",
            help="Architectures you can train on. [default: the sizes of the tables]",
            rich_help_panel=_CASE,
        ),
    ] = None,
    space_size: Annotated[
        int | None,
        typer.Option("--space-size", help="Architectures of your space.", rich_help_panel=_CASE),
    ] = None,
    replicate_tau: Annotated[
        float | None,
        typer.Option(
            "--replicate-tau",
            help="Noise of your labels: tau between two trainings, see nasrank data info.",
            rich_help_panel=_CASE,
        ),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses", help="Losses to choose from. [default: all]", rich_help_panel=_FROM
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help="Tasks. [default: all]", rich_help_panel=_FROM),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results",
            help="Folder that nasrank compare wrote; may be given several times. "
            "[default: the reference results]",
            rich_help_panel=_FROM,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with these options; the command line beats it."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder of recommendation.parquet and holdout.parquet.",
            rich_help_panel="Output",
        ),
    ] = Path("nasrank-out/recommend"),
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No notes on stderr.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Recommend a loss for a training size, a space, its noise and a goal.

    Trains nothing: learns from finished runs, says how often each loss was the best and what it
    falls short of the best where it was not, and tests its own advice on what it has not seen.

    Keys of --format json: config, measure, unit, results, recommendations, accuracy, notes. csv
    has the recommendations alone.
    """
    from nasrank.cli.settings import checked, integers, read_settings, words
    from nasrank.questions.budget.recommend import RecommendConfig
    from nasrank.questions.budget.recommend import recommend as study
    from nasrank.questions.budget.stored import load_results

    settings = read_settings(config, RecommendConfig.model_fields)
    given = {
        "goal": goal,
        "n_train": integers(n_train, "--n-train"),
        "space_size": space_size,
        "replicate_tau": replicate_tau,
        "losses": words(losses),
        "tasks": words(tasks),
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    advice = study(checked(RecommendConfig, settings), out, results=load_results(results or ()))
    if output_format == "json":
        print_json(advice.document())
    elif output_format == "csv":
        print_rows(advice.rows, "csv")
    else:
        print_text(*_page(advice))
    if not quiet:
        # A page and JSON hold the notes themselves.
        for line in advice.notes if output_format == "csv" else ():
            typer.echo(f"note: {line}", err=True)
        typer.echo(f"tables: {out}", err=True)


def _page(advice: Recommendation) -> list[RenderableType]:
    from nasrank.questions.budget.cells import GOALS

    sizes = list(dict.fromkeys(row["n_train"] for row in advice.rows))
    goal = GOALS[advice.config.goal]
    direction = "higher is better" if goal.higher else "lower is better"
    parts: list[RenderableType] = [
        escape(f"Goal {advice.config.goal}: {goal.about}, {direction}."),
        "",
        _sizes(advice, sizes) if len(sizes) > 1 else _losses(advice),
        "",
        *textwrap.wrap(_READING, 100),
    ]
    parts += [
        escape(line)
        for note in advice.notes
        for line in textwrap.wrap(f"! {note}", 100, break_on_hyphens=False)
    ]
    if advice.rules:
        parts += ["", _rules(advice), *_verdict(advice)]
    return parts


def _sizes(advice: Recommendation, sizes: list[int]) -> RenderableType:
    rows = []
    for n_train in sizes:
        first, *others = (row for row in advice.rows if row["n_train"] == n_train)
        equal = [row["loss"] for row in others if row["p_holm"] is None or row["p_holm"] > 0.05]
        more = f" and {len(equal) - _NAMED} more" if len(equal) > _NAMED else ""
        rows.append(
            {
                "n_train": f"{n_train:,}",
                **_cells(first),
                "equal": escape(", ".join(equal[:_NAMED]) + more if equal else "none"),
            }
        )
    columns = [
        Column("n_train", "n", right=True),
        Column("loss", "use"),
        *_MEASURED,
        Column("equal", "not told apart from it (paired, Holm)"),
    ]
    return rich_table(rows, [_as_is(column) for column in columns])


def _losses(advice: Recommendation) -> RenderableType:
    rows = []
    for row in advice.rows:
        mark = "*" if row["place"] == 1 else "="
        if row["p_holm"] is not None and row["p_holm"] <= 0.05:
            mark = ""
        rows.append({**_cells(row), "mark": mark})
    columns = [Column("loss"), Column("mark", ""), *_MEASURED]
    title = (
        f"n = {advice.rows[0]['n_train']:,}: * is recommended, = is not told apart from it "
        "(paired, Holm, p > .05)"
    )
    return rich_table(rows, [_as_is(column) for column in columns], title=title)


_MEASURED = (
    Column("mean", "mean", right=True),
    Column("cost", "short of the best\n[95 %]", right=True),
    Column("worst", "at worst", right=True),
    Column("best", "best in", right=True),
    Column("as_good", "as good\nas best in", right=True),
)


def _cells(row: dict[str, Any]) -> dict[str, str]:
    return {
        "loss": escape(row["loss"]),
        "mean": f"{row['mean']:.3f}",
        "cost": _bounds(row),
        "worst": f"{row['cost_worst']:.3f}",
        "best": f"{row['best']} of {row['cells']}",
        "as_good": f"{row['as_good']} of {row['cells']}",
    }


def _rules(advice: Recommendation) -> RenderableType:
    names = {
        "recommend": "this advice",
        "best-on-average": "the best on average",
        "any-loss": "any loss, drawn blindly",
    }
    rows = [
        {
            "rule": names.get(row["rule"], f"always {row['rule']}"),
            "best": f"{100 * row['best']:.0f} %",
            "as_good": f"{100 * row['as_good']:.0f} %",
            "cost": _bounds(row),
            "worst": f"{row['cost_worst']:.3f}",
        }
        for row in advice.rules
    ]
    columns = [
        Column("rule"),
        Column("best", "took the best", right=True),
        Column("as_good", "or one not told\napart from it", right=True),
        Column("cost", "short of the best\n[95 %]", right=True),
        Column("worst", "at worst", right=True),
    ]
    groups = len({row["left_out"] for row in advice.holdout})
    title = (
        f"The advice tested: {groups} {advice.left_out}s left out in turn, "
        f"{advice.rules[0]['cells']} cells"
    )
    return rich_table(rows, [_as_is(column) for column in columns], title=title)


def _verdict(advice: Recommendation) -> list[str]:
    by = {row["rule"]: row for row in advice.rules}
    own = by.pop("recommend")
    del by["any-loss"]
    rule, rival = min(by.items(), key=lambda item: float(item[1]["cost"]))
    name = f"always {rule}" if rule != "best-on-average" else "the best on average"
    if own["cost"] < rival["cost"]:
        lines = [f"On what it had not seen, the advice did better than {name}."]
    elif own["cost"] == rival["cost"]:
        lines = [f"On what it had not seen, the advice did exactly as well as {name}."]
    else:
        lines = [
            f"On what it had not seen, the advice did no better than {name}, which is simpler."
        ]
    if advice.left_out == "task":
        lines.append(
            "All tasks are of one space: of another it says nothing. Add --results of one."
        )
    return lines


def _bounds(row: dict[str, Any]) -> str:
    text = _three(row["cost"])
    if row["cost_lower"] is not None:
        text += f" [{_three(row['cost_lower'])}, {_three(row['cost_upper'])}]"
    return escape(text)


def _three(value: float) -> str:
    # Adding 0 turns a rounded -0.0 into 0.0.
    return f"{round(value, 3) + 0.0:.3f}"


def _as_is(column: Column) -> Column:
    """Cells hold markup already."""
    return Column(column.key, column.title, show=str, right=column.right)

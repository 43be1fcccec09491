"""``nasrank budget``."""

from pathlib import Path
from typing import Annotated

import typer

from nasrank.cli.output import FormatOption, print_json, print_rows, print_text

__all__ = ["EPILOG", "budget"]

EPILOG = """Examples:

nasrank budget --top 0.01 --confidence 0.9

nasrank budget --space-size 100000 --hours-per-eval 4 --cost-per-hour 2.5 --overhead 5000

nasrank budget --tasks nb201/cifar10 --better-than 91.5 --results nasrank-out/compare
"""

_TARGET, _CHOICE, _OWN = "What to find", "What to choose from", "Your own space"


def budget(
    *,
    top: Annotated[
        float | None,
        typer.Option(
            "--top",
            help="One of this share of all architectures. [default: 0.001]",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    regret: Annotated[
        float | None,
        typer.Option(
            "--regret",
            help="One at most so far from the best, in the metric's unit.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    better_than: Annotated[
        float | None,
        typer.Option(
            "--better-than",
            help="One better than this, in the metric's unit.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="Wanted probability of finding it. [default: 0.8]",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train", help="Training set sizes. [default: all]", rich_help_panel=_CHOICE
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "--k",
            help="Most evaluations after the training set; also shows how sure they are enough.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option("--losses", help="Losses. [default: all]", rich_help_panel=_CHOICE),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help="Tasks. [default: all]", rich_help_panel=_CHOICE),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results",
            help="Folder that nasrank compare wrote; may be given several times. "
            "[default: the reference results]",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    space_size: Annotated[
        int | None,
        typer.Option(
            "--space-size",
            help="Its architectures, for what random search needs. [default: the benchmark's]",
            rich_help_panel=_OWN,
        ),
    ] = None,
    hours_per_eval: Annotated[
        float | None,
        typer.Option(
            "--hours-per-eval",
            help="GPU-hours of one evaluation. [default: the benchmark's]",
            rich_help_panel=_OWN,
        ),
    ] = None,
    cost_per_hour: Annotated[
        float | None,
        typer.Option("--cost-per-hour", help="Money for a GPU-hour.", rich_help_panel=_OWN),
    ] = None,
    cost_per_eval: Annotated[
        float | None,
        typer.Option(
            "--cost-per-eval",
            help="Money for an evaluation, added to that for its hours.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    overhead: Annotated[
        float | None,
        typer.Option(
            "--overhead",
            help="Money for the work of using a predictor, taken off what it saves.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with these options; the command line beats it."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of plan.parquet and plan.json.", rich_help_panel="Output"
        ),
    ] = Path("nasrank-out/budget"),
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No notes on stderr.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Plan a budget: evaluations, GPU-hours and money until a good architecture is found.

    Trains nothing: reads finished runs and says what each loss took, with random search beside
    it, and how a plan made on some tasks did on another. Prints a plan to carry out.

    Keys of --format json: target, config, results, stages, cheapest, choices, transfer, rows,
    not_answered. csv has the rows alone.
    """
    from nasrank.cli.budget_page import budget_page
    from nasrank.cli.settings import checked, integers, read_settings, words
    from nasrank.questions.budget.plan import BudgetConfig, plan_budget
    from nasrank.questions.budget.stored import load_results

    settings = read_settings(config, BudgetConfig.model_fields)
    given = {
        "top": top,
        "regret": regret,
        "better_than": better_than,
        "confidence": confidence,
        "n_train": integers(n_train, "--n-train"),
        "k": k,
        "losses": words(losses),
        "tasks": words(tasks),
        "space_size": space_size,
        "hours_per_eval": hours_per_eval,
        "cost_per_hour": cost_per_hour,
        "cost_per_eval": cost_per_eval,
        "overhead": overhead,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    chosen = checked(BudgetConfig, settings)
    # Before any table is read: what cannot be meant costs nothing.
    _ = chosen.target
    plan = plan_budget(chosen, out, results=load_results(results or ()))
    if output_format == "json":
        print_json(plan.document())
    elif output_format == "csv":
        print_rows(plan.rows, "csv")
    else:
        print_text(*budget_page(plan))
    if not quiet:
        # A page and JSON hold the notes themselves.
        for line in plan.left_out if output_format == "csv" else ():
            typer.echo(f"note: {line}", err=True)
        typer.echo(f"tables: {out}", err=True)

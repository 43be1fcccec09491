"""``nasrank supcon simulate``: the theory checked by gradient descent."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.claims_page import print_claims
from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table
from nasrank.cli.settings import checked, integers, numbers, read_settings, words
from nasrank.cli.study_options import (
    ConfigOption,
    DeviceOption,
    DryRunOption,
    ForceOption,
    OnlyCachedOption,
    OutOption,
    QuietOption,
    SeedOption,
    SeedsOption,
)
from nasrank.errors import UsageError

__all__ = ["EPILOG", "simulate"]

EPILOG = """Examples:

nasrank supcon simulate --seeds 5

nasrank supcon simulate --shapes 2x3,3x4 --temperatures 0.5 --anchors included,excluded
"""

_GRID, _WORK = "What to minimise", "How to run"


def simulate(
    *,
    shapes: Annotated[
        str | None,
        typer.Option(
            "--shapes",
            help="Classes x instances of a batch. [default: 2x3,2x10,3x4,4x10,5x4,8x5]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option("--views", help="Views of an instance. [default: 2]", rich_help_panel=_GRID),
    ] = None,
    temperatures: Annotated[
        str | None,
        typer.Option(
            "--temperatures", help="Temperatures. [default: 0.3,0.5,1]", rich_help_panel=_GRID
        ),
    ] = None,
    alphas: Annotated[
        str | None,
        typer.Option(
            "--alphas",
            help="Shares of the self-supervised loss. [default: 0,0.2,0.4,0.6,0.8,1]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(
            "--near",
            help="Further alphas, as distances from each threshold. [default: -0.01,0.01]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(
            "--anchors",
            metavar="included,excluded",
            help="Whether an anchor is in its own softmax. [default: included]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="free,net",
            help="Free embeddings, or a net of two layers on random points. [default: free]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", help="Steps of Adam. [default: 800]", rich_help_panel=_WORK),
    ] = None,
    seeds: SeedsOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    only_cached: OnlyCachedOption = False,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    out: OutOption = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Minimise the loss from random embeddings, and compare with what theory predicts.

    All problems of a seed are minimised as one batch. A point counts for the claims where m n is
    at most 40, the temperature at least 0.3, and alpha further than 0.03 from the threshold; the
    others are shown with whether they have converged.

    Writes simulate.parquet, claims.parquet and a picture. --format json prints the rows of
    simulate.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.companions.supcon import simulate as study
    from nasrank.companions.supcon.figures import draw_simulation

    settings = read_settings(config, [*study.SimulateConfig.model_fields, "out"])
    given = {
        "shapes": words(shapes),
        "views": integers(views, "--views"),
        "temperatures": numbers(temperatures, "--temperatures"),
        "alphas": numbers(alphas, "--alphas"),
        "near": numbers(near, "--near"),
        "anchors": words(anchors),
        "models": words(models),
        "steps": steps,
        "seeds": seeds,
        "seed": seed,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.get("out", "nasrank-out/supcon-simulate")))
    settings.pop("out", None)
    chosen = checked(study.SimulateConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached computes nothing and --force everything; leave one out")
    if dry_run:
        problems = study.plan_problems(chosen)
        left = study.missing_problems(problems, folder, only_cached=only_cached, force=force)
        plan = {"problems": len(problems), "to_minimise": left, "folder": str(folder)}
        print_rows([plan], output_format)
        return
    with ProgressBar(quiet=quiet) as progress:
        result = study.simulate(
            chosen, folder, progress=progress, only_cached=only_cached, force=force
        )
    if output_format == "table":
        _print(result.rows)
        print_claims(result.claims)
    else:
        print_rows(result.rows, output_format)
    try:
        picture = f"picture: {draw_simulation(result.rows, folder / 'simulate.svg')}"
    except UsageError as error:
        picture = f"no picture: {error}"
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(picture, err=True)


_COLUMNS = (
    Column("data", "embeddings"),
    Column("method", "anchor"),
    Column("shape", "m x n x p", right=True),
    Column("temperature", "tau", right=True),
    Column("points", right=True),
    Column("settled", "converged", right=True),
    Column("counted", right=True),
    Column("collapsed", "collapsed,\npredicted", right=True),
    Column("error", "variance within,\nlargest error", right=True),
    Column("spread", "view spread,\nlargest error", right=True),
    Column("total", "total variance,\nsmallest", right=True),
)


def _print(rows: list[dict[str, Any]]) -> None:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        shape = f"{row['classes']} x {row['instances']} x {row['views']}"
        key = row["data"], row["method"], shape, row["temperature"]
        groups.setdefault(key, []).append(row)
    names = ("data", "method", "shape", "temperature")
    lines = [
        {**dict(zip(names, key, strict=True)), **_summary(own)} for key, own in groups.items()
    ]
    seeds = len({row["seed"] for row in rows})
    print_text(
        rich_table(lines, _COLUMNS, title=f"Gradient descent against theory, {seeds} seeds"),
        "Errors are over all points but those that diverged, converged or not; collapsed is a "
        "variance\nwithin classes below 0.001, beside how many points theory says it of.",
    )


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    known = [row for row in rows if not row["diverged"]]

    def worst(reached: str, predicted: str) -> str:
        return f"{max((abs(r[reached] - r[predicted]) for r in known), default=0.0):.1e}"

    gone = sum(row["within_variance"] < 1e-3 for row in known)
    said = sum(row["predicted_within"] < 1e-3 for row in rows)
    return {
        "points": len(rows),
        "settled": sum(row["converged"] for row in rows),
        "counted": sum(row["counted"] for row in rows),
        "collapsed": f"{gone}, {said}",
        "error": worst("within_variance", "predicted_within"),
        "spread": worst("view_spread", "predicted_spread"),
        "total": f"{min((row['total_variance'] for row in known), default=0.0):.4f}",
    }

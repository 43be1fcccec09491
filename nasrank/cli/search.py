"""``nasrank search``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table, shown
from nasrank.errors import UsageError
from nasrank.registry import unknown_name

__all__ = ["EPILOG", "search"]

EPILOG = """Examples:

nasrank search --tasks nb201/cifar10 --seeds 20

nasrank search --predictors "gnn(ensemble=4)" --acquisitions ucb --losses "hr,pw(hr,mape,50)"

Every finished search is kept under --out and never run twice; repeat a stopped command to go on.
"""

_GRID, _LOOP, _WORK = "What to search", "How a search goes", "How to run"


def search(
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help="Tasks. [default: nb201/cifar10]", rich_help_panel=_GRID),
    ] = None,
    predictors: Annotated[
        str | None,
        typer.Option(
            "--predictors",
            help="Predictors, with options; the first is compared with. [default: gp]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    acquisitions: Annotated[
        str | None,
        typer.Option(
            "--acquisitions",
            metavar="greedy|ucb|ei|thompson",
            help="How to choose what to evaluate, with options, such as ucb(kappa=0.5). "
            "[default: ei]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses",
            help="Losses, of predictors that have a choice; pw(A,B,t) switches after t "
            "evaluations. [default: listmle]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", help="Searches of each method. [default: 20]", rich_help_panel=_GRID
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="The first seed. [default: 0]", rich_help_panel=_GRID),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            "--subset",
            metavar="ci|full",
            help="A fixed grid: ci for a quick check on a CPU, full for the reference results.",
            rich_help_panel=_GRID,
        ),
    ] = None,
    initial: Annotated[
        int | None,
        typer.Option(
            "--initial",
            help="Random architectures to start with. [default: 10]",
            rich_help_panel=_LOOP,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", help="Evaluations of a round. [default: 3]", rich_help_panel=_LOOP
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            help="Evaluations in all, the start included. [default: 150]",
            rich_help_panel=_LOOP,
        ),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            "--candidates",
            metavar="auto|all|mutations",
            help="Score all that is left, or mutations of the ten best and 100 random ones; auto "
            "takes mutations where the space has them. [default: auto]",
            rich_help_panel=_LOOP,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="auto|cpu|cuda",
            help="Where to compute. [default: auto]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="TOML file with these options; the command line beats it.",
            rich_help_panel=_WORK,
        ),
    ] = None,
    only_cached: Annotated[
        bool,
        typer.Option("--only-cached", help="Search nothing.", rich_help_panel=_WORK),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run every search again.", rich_help_panel=_WORK)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print searches, trainings and folder.", rich_help_panel=_WORK
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of searches and tables. [default: nasrank-out/search]",
            rich_help_panel="Output",
        ),
    ] = None,
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="No progress on stderr.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Search with a predictor: how many evaluations until the best is found?

    Simulates searches on a benchmark: random architectures to start with, then round by round a
    predictor is fitted to all that is evaluated and chooses what to evaluate next. Beside it
    random search, regularised evolution, local search, and an oracle that knows all labels.

    An evaluation is one architecture trained; no two of one isomorphism class are, since the
    second would be the same network. The best there is, and what is found, are judged by the
    task's own label, the mean of its class; the test label is reported where there is one.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.cli.settings import checked, read_settings, words
    from nasrank.questions.search import study

    settings: dict[str, Any] = {}
    if subset is not None:
        if subset not in study.SUBSETS:
            raise unknown_name("subset", subset, study.SUBSETS)
        settings |= study.SUBSETS[subset]
    settings |= read_settings(config, [*study.SearchConfig.model_fields, "out"])
    given = {
        "tasks": words(tasks),
        "predictors": words(predictors),
        "acquisitions": words(acquisitions),
        "losses": words(losses),
        "seeds": seeds,
        "seed": seed,
        "initial": initial,
        "batch": batch,
        "budget": budget,
        "candidates": candidates,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/search")))
    settings.pop("out", None)
    chosen = checked(study.SearchConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached searches nothing and --force everything; leave one out")
    if dry_run:
        planned = study.estimate_search(chosen, folder, only_cached=only_cached, force=force)
        _print_estimate(planned, folder, output_format)
        return
    with ProgressBar(quiet=quiet) as progress:
        result = study.search(
            chosen, folder, progress=progress, only_cached=only_cached, force=force
        )
    for line in result.left_out:
        typer.echo(f"left out: {line}", err=True)
    if output_format == "table":
        _print_result(result, chosen)
    else:
        print_rows(result.headline, output_format)
    pictures = _draw(result, folder)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(result: Any, folder: Path) -> str:  # noqa: ANN401 - a type that needs heavy imports
    """Draw pictures and say which."""
    from nasrank.questions.search.figures import draw_searches

    try:
        paths = draw_searches(result.tables["search"], folder)
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(str(path) for path in paths)}"


def _print_estimate(estimate: Any, folder: Path, output_format: str) -> None:  # noqa: ANN401
    print_rows(
        [
            {
                "searches": len(estimate.runs),
                "finished": len(estimate.runs) - estimate.missing,
                "to_run": estimate.missing,
                "most_trainings": estimate.fits,
                "device": estimate.device,
                "folder": str(folder),
            }
        ],
        output_format,
    )


def _print_result(result: Any, config: Any) -> None:  # noqa: ANN401
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in result.headline:
        by_task.setdefault(row["task"], []).append(row)
    for task, rows in by_task.items():
        print_text(
            rich_table(
                [_cells(row) for row in rows],
                _columns(rows),
                title=f"{task}, {rows[0]['n_seeds']} searches of {rows[0]['budget']} evaluations, "
                f"{config.initial} to start, {config.batch} a round",
            )
        )
    print_text(
        "Median and 95 % interval over searches; > where half of them or more did not get there."
        "\nEvaluations are different architectures (isomorphism classes) trained, the start "
        "included.\n* headline; = not told apart from it (paired, Holm, p > .05). Seconds are the "
        "predictor's own."
    )


def _columns(rows: list[dict[str, Any]]) -> tuple[Column, ...]:
    """Columns of one task; those with nothing to say are left out."""
    budget = rows[0]["budget"]
    noise = Column("noise", "within its\nnoise", right=True)
    hours = Column("hours", "GPU-hours\nto optimum", right=True)
    test = Column("test", f"test label\nat {budget}", right=True)
    checked = [name for name in rows[0] if name.startswith("regret_at_") and name[10:].isdigit()]
    return (
        Column("method", "method"),
        Column("loss", "loss"),
        Column("optimum", "evaluations\nto optimum", right=True),
        Column("mark", ""),
        Column("hits", "found", right=True),
        *((noise,) if rows[0]["noise_share"] is not None else ()),
        *(Column(name, f"regret\nat {name[10:]}", right=True) for name in checked),
        *((test,) if rows[0][f"test_label_at_{budget}"] is not None else ()),
        *((hours,) if any(r["gpu_hours_to_optimum"] is not None for r in rows) else ()),
        Column("seconds", "seconds\na search", right=True),
    )


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    budget = row["budget"]
    test = row[f"test_label_at_{budget}"]
    hours, seconds = row["gpu_hours_to_optimum"], row["predictor_seconds"]
    return {
        "method": row["method"],
        "loss": row["loss"] or "",
        "optimum": _evaluations(row, "evaluations_to_optimum"),
        "mark": _mark(row),
        "hits": f"{100 * row['hit_share']:.0f} %",
        "noise": _evaluations(row, "evaluations_to_noise"),
        **{
            name: f"{row[name]:.3g}"
            for name in row
            if name.startswith("regret_at_") and name[10:].isdigit()
        },
        "test": "-" if test is None else f"{test:.2f}",
        "hours": shown(None if hours is None else round(hours, 1)),
        "seconds": "" if seconds is None else f"{seconds:.1f}",
    }


def _evaluations(row: dict[str, Any], name: str) -> str:
    beyond = f"> {row['budget']}"

    def text(value: float | None) -> str:
        return beyond if value is None else f"{value:g}"

    median, lower, upper = (row[f"{name}{end}"] for end in ("", "_lower", "_upper"))
    if median is None and lower is None:
        return beyond
    if median == lower == upper:
        return text(median)
    return f"{text(median)} [{text(lower)}, {text(upper)}]"


def _mark(row: dict[str, Any]) -> str:
    """Mark the headline and what the paired test cannot tell from it."""
    if row["headline"]:
        return "*"
    p_holm = row["evaluations_to_optimum_p_holm"]
    return "=" if p_holm is None or p_holm > 0.05 else ""

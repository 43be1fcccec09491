"""``nasrank compare``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table, shown
from nasrank.errors import UsageError
from nasrank.registry import unknown_name

__all__ = ["EPILOG", "compare"]

EPILOG = """Examples:

nasrank compare --losses mse,hr,listmle

nasrank compare --tasks nb201/cifar10,nbgraph/cora --losses "listmle,hr(margin=0.5)" --seeds 20

nasrank compare --predictors gnn,gp,boosting --losses mse,listmle

nasrank compare --subset full --engine processes --jobs 4

nasrank compare --subset full --engine dask --scheduler tcp://127.0.0.1:8786

Every finished run is kept under --out and never computed twice; repeat a stopped command to go on.
"""

_GRID, _DATA, _WORK = "What to compare", "Data of a run", "How to run"


def compare(
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help="Tasks. [default: nb201/cifar10]", rich_help_panel=_GRID),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses",
            help="Losses, with options. [default: mse,hr,listmle]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    predictors: Annotated[
        str | None,
        typer.Option(
            "--predictors",
            help="Predictors, with options. gp, trees and boosting have a loss of their own and "
            "are trained once, whatever --losses says. [default: gnn]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train", help="Training set sizes. [default: 78,156]", rich_help_panel=_GRID
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="How many seeds. [default: 10]", rich_help_panel=_GRID),
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
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="class|random",
            help="No architecture of a class on both sides, or the published protocol. "
            "[default: class]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="mean|single",
            help="Train on the mean of all training seeds, or on one. [default: mean]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="rest|all",
            help="Score the other architectures, or the training ones too. [default: rest]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            "--sampling",
            help="How to draw training sets: random, stratified, diverse, or several of them. "
            "[default: random]",
            rich_help_panel=_DATA,
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
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="local|processes|dask",
            help="In this process, in several of this machine, or on a Dask cluster. "
            "[default: local]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            help="Processes, with --engine processes. [default: one a core, or a CUDA device]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Dask scheduler, such as tcp://127.0.0.1:8786, with --engine dask.",
            rich_help_panel=_WORK,
        ),
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            "--memory-limit",
            metavar="SIZE",
            help="Memory of each process that trains, or of its CUDA device, such as 4GiB; "
            "fleets that need more are halved.",
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
        typer.Option("--only-cached", help="Train nothing.", rich_help_panel=_WORK),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train every run again.", rich_help_panel=_WORK)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print runs, estimated time and folder.", rich_help_panel=_WORK
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of runs and tables. [default: nasrank-out/compare]",
            rich_help_panel="Output",
        ),
    ] = None,
    output_format: FormatOption = "table",
    keep_predictions: Annotated[
        bool,
        typer.Option("--keep-predictions", help="Write every score.", rich_help_panel="Output"),
    ] = False,
    curves: Annotated[
        bool,
        typer.Option("--curves", help="Write loss and tau by epoch.", rich_help_panel="Output"),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="No progress on stderr.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Compare losses: order, discovery of the top, and evaluations saved.

    Trains a predictor for every task, loss, training size and seed, and reports Kendall tau, the
    share of the top found, and the evaluations and GPU-hours to reach it, with intervals over
    seeds and paired tests.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.cli.settings import checked, integers, read_settings, words
    from nasrank.questions.compare import study
    from nasrank.study.engines.engine import OnEngines

    fields = study.CompareConfig.model_fields
    settings: dict[str, Any] = {}
    if subset is not None:
        if subset not in study.SUBSETS:
            raise unknown_name("subset", subset, study.SUBSETS)
        settings |= study.SUBSETS[subset]
    settings |= read_settings(config, [*fields, *OnEngines.model_fields, "out"])
    given = {
        "tasks": words(tasks),
        "losses": words(losses),
        "predictors": words(predictors),
        "n_train": integers(n_train, "--n-train"),
        "seeds": seeds,
        "seed": seed,
        "split": split,
        "labels": labels,
        "test": test,
        "sampling": words(sampling),
        "device": device,
        "keep_predictions": keep_predictions or None,
        "curves": curves or None,
        "engine": engine,
        "jobs": jobs,
        "scheduler": scheduler,
        "memory_limit": memory_limit,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    named = settings.pop("out", "nasrank-out/compare")
    folder = out or Path(str(named))
    running = {name: settings.pop(name) for name in OnEngines.model_fields & settings.keys()}
    how = checked(OnEngines, running)
    chosen = checked(study.CompareConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached trains nothing and --force everything; leave one out")
    if dry_run:
        planned = study.estimate(chosen, folder, how=how, only_cached=only_cached, force=force)
        _print_estimate(planned, folder, output_format)
        return
    with ProgressBar(quiet=quiet) as progress:
        result = study.compare(
            chosen, folder, how=how, progress=progress, only_cached=only_cached, force=force
        )
    for line in result.left_out:
        typer.echo(f"left out: {line}", err=True)
    if output_format == "table":
        _print_result(result)
    else:
        print_rows(result.headline, output_format)
    pictures = _draw(result, folder)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(result: Any, folder: Path) -> str:  # noqa: ANN401 - a type that needs heavy imports
    """Draw pictures and say which."""
    from nasrank.questions.compare.figures import draw_comparison

    try:
        paths = draw_comparison(result.tables, folder)
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(str(path) for path in paths)}"


def _print_estimate(estimate: Any, folder: Path, output_format: str) -> None:  # noqa: ANN401
    print_rows(
        [
            {
                "runs": len(estimate.grid.runs),
                "finished": len(estimate.grid.runs) - estimate.missing,
                "to_train": estimate.missing,
                "estimated_seconds": round(estimate.seconds, 1),
                "device": estimate.device,
                "folder": str(folder),
            }
        ],
        output_format,
    )
    for line in estimate.grid.left_out:
        typer.echo(f"left out: {line}", err=True)


def _print_result(result: Any) -> None:  # noqa: ANN401
    predictors = {row["predictor"] for row in result.headline}
    # A mark has a column of its own, so that numbers stand below one another.
    columns = (
        *([Column("predictor", "predictor")] if len(predictors) > 1 else []),
        Column("loss", "loss"),
        Column("n_train", "n", right=True),
        Column("kendall_tau", "Kendall tau [95 %]", right=True),
        Column("kendall_tau_mark", ""),
        Column("discovery", "top 1 % found\nwith 100 more", right=True),
        Column("discovery_mark", ""),
        Column("evaluations", "evaluations\nto top 0.1 %", right=True),
        Column("first_hit_mark", ""),
        Column("gpu_hours", "GPU-hours", right=True),
        Column("savings", "saved against\nrandom search", right=True),
    )
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in result.headline:
        groups.setdefault((row["task"], row["sampling"]), []).append(row)
    for (task, sampling), rows in groups.items():
        title = [task, *(predictors if len(predictors) == 1 else ()), _seeds(rows)]
        if len({way for _, way in groups}) > 1:
            title.append(f"{sampling} sampling")
        print_text(rich_table([_cells(row) for row in rows], columns, title=", ".join(title)))
    print_text(
        "* best of its n, = not told apart from it (paired, Holm, p > .05). "
        f"{_about_evaluations(result.headline)}"
    )


def _seeds(rows: list[dict[str, Any]]) -> str:
    """Count seeds; a run that diverged gives its row one less."""
    most = max(row["n_seeds"] for row in rows)
    return f"{most} seed{'' if most == 1 else 's'}"


def _about_evaluations(rows: list[dict[str, Any]]) -> str:
    known = sorted({row["confidence"] for row in rows} - {None}, reverse=True)
    if not known:
        return (
            "No evaluations are counted: the top 0.1 % of so small a space is less than one "
            "architecture."
        )
    shown_as = " or ".join(f"{100 * confidence:.0f} %" for confidence in known)
    return f"Evaluations count the training set and hold with {shown_as} confidence over seeds."


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    tau, found = row["kendall_tau"], row["discovery_1pct_at_100"]
    interval = ""
    if row["kendall_tau_lower"] is not None:
        interval = f" [{row['kendall_tau_lower']:.3f}, {row['kendall_tau_upper']:.3f}]"
    used, hours = row["evaluations"], row["gpu_hours"]
    against = f" / {row['random_gpu_hours']:,.0f}" if row["random_gpu_hours"] is not None else ""
    return {
        "predictor": row["predictor"],
        "loss": row["loss"],
        "n_train": row["n_train"],
        "kendall_tau": "-" if tau is None else f"{tau:.3f}{interval}",
        "discovery": "-" if found is None else f"{100 * found:.0f} %",
        "evaluations": f"{shown(used)} / {shown(row['random_evaluations'])}",
        "gpu_hours": "-" if hours is None else f"{hours:,.0f}{against}",
        "savings": "-" if row["savings"] is None else f"{100 * row['savings']:.1f} %",
        **{
            f"{name}_mark": _mark(row[f"{name}_rank"], row[f"{name}_p_holm"])
            for name in ("kendall_tau", "discovery", "first_hit")
        },
    }


def _mark(rank: int | None, p_holm: float | None) -> str:
    """Mark the best loss and those the paired test cannot tell from it."""
    if rank is None:
        return ""
    if rank == 1:
        return "*"
    return "=" if p_holm is None or p_holm > 0.05 else ""

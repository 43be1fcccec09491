"""``nasrank rank``."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from nasrank.cli.output import FormatOption, print_json, print_rows, print_text
from nasrank.errors import UsageError

__all__ = ["EPILOG", "rank"]

EPILOG = """Examples:

nasrank rank --space my-space

nasrank rank --space my-space --update new-labels.csv

nasrank rank --space my-space --pool candidates.parquet --loss hr --top 50 --diverse

nasrank rank --space nb201/cifar10 --n-train 78
"""

_WHAT, _HOW, _LIST = "What to rank", "What to learn with", "The list"
_EVERY_SECONDS = 20.0


def rank(
    *,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            help="A space, or one of its tasks such as my-space/own:latency.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    pool: Annotated[
        Path | None,
        typer.Option(
            "--pool",
            help="Candidates: .csv, .jsonl or .parquet as for data import, of any length. "
            "[default: the architectures of the space without a label]",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            "--update",
            help="New labels, columns id and label, to put into the space first.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    n_train: Annotated[
        int | None,
        typer.Option(
            "--n-train",
            help="Learn from so many labels alone and check the list against the others.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            help="A loss, or auto to choose one by cross-validation. [default: auto]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            "--losses",
            help="Losses for auto to choose from. [default: all, some with other options too]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    predictor: Annotated[
        str | None,
        typer.Option("--predictor", help="A predictor. [default: gnn]", rich_help_panel=_HOW),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            "--ensemble",
            help="Trainings that are averaged; their spread is the uncertainty. [default: 4]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed. [default: 0]", rich_help_panel=_HOW)
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="auto|cpu|cuda",
            help="Where to compute. [default: auto]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", help="How many to list. [default: 20]", rich_help_panel=_LIST),
    ] = None,
    diverse: Annotated[
        bool | None,
        typer.Option(
            "--diverse",
            help="Spread the list out: half quality, half distance from those listed before.",
            rich_help_panel=_LIST,
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="Share of labels that intervals should hold. [default: 0.9]",
            rich_help_panel=_LIST,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with these options; the command line beats it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of ranking.parquet and more. [default: nasrank-out/rank]",
            rich_help_panel="Output",
        ),
    ] = None,
    all_scores: Annotated[
        bool | None,
        typer.Option(
            "--all-scores",
            help="Write the score of every candidate to OUT/scores.",
            rich_help_panel="Output",
        ),
    ] = None,
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress on stderr.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Rank the candidates of your own space: what to evaluate next.

    Learns from the evaluated architectures of an imported space and lists the best candidates:
    score, uncertainty, calibrated value with interval, the nearest evaluated architecture, and
    what raises the score. A long pool that was stopped goes on where it was.

    Keys of --format json: config, task, unit, better, predictor, loss, evaluated, best_known,
    candidates, passed_over, score_seconds, choice, calibration, usual_operations, update,
    held_back, notes, rows.
    csv has the rows alone.
    """
    from nasrank.cli.settings import checked, read_settings, words
    from nasrank.questions.rank import study

    fields = study.RankConfig.model_fields
    settings = read_settings(config, [*fields, "out"])
    given = {
        "space": space,
        "pool": pool,
        "update": update,
        "n_train": n_train,
        "loss": loss,
        "losses": words(losses),
        "predictor": predictor,
        "ensemble": ensemble,
        "seed": seed,
        "device": device,
        "top": top,
        "diverse": diverse,
        "confidence": confidence,
        "all_scores": all_scores,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/rank")))
    settings.pop("out", None)
    if "space" not in settings:
        raise UsageError(
            "--space is missing. Import your own with: nasrank data import my-space archs.csv"
        )
    chosen = checked(study.RankConfig, settings)
    ranked = study.rank(chosen, folder, stage=lambda what: _stage(what, quiet=quiet))
    if output_format == "json":
        print_json(ranked.document())
    elif output_format == "csv":
        print_rows(ranked.rows, "csv")
    else:
        from nasrank.cli.rank_page import rank_page

        print_text(*rank_page(ranked))
    if not quiet:
        # A page and JSON hold the notes themselves.
        for line in ranked.notes if output_format == "csv" else ():
            typer.echo(f"note: {line}", err=True)
        typer.echo(f"tables: {folder}", err=True)


@contextlib.contextmanager
def _stage(what: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal, and elsewhere a line now and then."""
    from nasrank.cli.progress import CountBar

    started = said = time.monotonic()
    with CountBar(what, quiet=quiet) as bar:

        def tell(done: int, total: int | None) -> None:
            nonlocal said
            bar.update(done, total)
            now = time.monotonic()
            if not quiet and not sys.stderr.isatty() and now - said >= _EVERY_SECONDS:
                said = now
                of = "" if total is None else f" of {total:,}"
                typer.echo(f"{what}: {done:,}{of} after {now - started:.0f} s", err=True)

        yield tell

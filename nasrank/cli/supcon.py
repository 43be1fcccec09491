"""``nasrank supcon``: supervised contrastive learning without class collapse."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.lazy import group_of
from nasrank.cli.output import (
    Column,
    FormatOption,
    print_rows,
    print_text,
    rich_table,
)
from nasrank.cli.settings import checked, integers, numbers, words
from nasrank.cli.supcon_diagnose import EPILOG as DIAGNOSE_EPILOG
from nasrank.cli.supcon_diagnose import diagnose
from nasrank.cli.supcon_train import EPILOG as TRAIN_EPILOG
from nasrank.cli.supcon_train import train
from nasrank.errors import UsageError

__all__ = ["app"]

app = typer.Typer(
    cls=group_of("supcon"),
    help="Supervised contrastive learning: when do classes collapse to a point, and does it hurt?",
    epilog="Example: nasrank supcon theory --classes 10 --instances 50 --temperature 0.1",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

THEORY_EPILOG = """Examples:

nasrank supcon theory --classes 10 --instances 50 --temperature 0.1 --alpha 0,0.2,0.5,1

nasrank supcon theory --classes 2,10 --instances 3,50 --out nasrank-out/theory

nasrank supcon theory --classes 2 --instances 3 --alpha 0.7 --anchors included --gram
"""


@app.command("theory", epilog=THEORY_EPILOG)
def theory(
    *,
    classes: Annotated[
        str, typer.Option("--classes", help="Classes m of a batch, one or more numbers.")
    ] = "10",
    instances: Annotated[
        str, typer.Option("--instances", help="Instances n of each class in a batch.")
    ] = "50",
    views: Annotated[str, typer.Option("--views", help="Views p of each instance.")] = "2",
    temperature: Annotated[
        str, typer.Option("--temperature", help="Temperatures of the softmax.")
    ] = "0.1",
    alpha: Annotated[
        str,
        typer.Option(
            "--alpha", help="Shares of the self-supervised loss: 0 is purely supervised."
        ),
    ] = "0,0.2,0.5,0.8,1",
    anchors: Annotated[
        str,
        typer.Option(
            "--anchors",
            metavar="included,excluded",
            help="Whether an anchor is in its own softmax, as in the theory, or not, as in usual "
            "code.",
        ),
    ] = "included,excluded",
    gram: Annotated[
        bool,
        typer.Option(
            "--gram", help="Print the cosines of the optimal embeddings of one setting instead."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the table and a phase diagram; nothing is written without."
        ),
    ] = None,
    output_format: FormatOption = "table",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Do not name the files on stderr.")
    ] = False,
) -> None:
    """Say which settings collapse classes, and what the best embeddings look like.

    The loss is (1 - alpha) supervised + alpha self-supervised contrast of m classes with n
    instances of p views. Everything is exact, for embeddings that are free to lie anywhere on
    the sphere; encoders can only come close.

    Keys of --format json, a list: classes, instances, views, temperature, alpha, anchor,
    alpha_star (classes collapse up to there), temperature_star (from there on), collapsed,
    within_variance, between_variance, view_cosine, within_cosine, between_cosine, loss.
    """
    from nasrank.companions.supcon import theory as study

    config = checked(
        study.TheoryConfig,
        {
            "classes": integers(classes, "--classes"),
            "instances": integers(instances, "--instances"),
            "views": integers(views, "--views"),
            "temperatures": numbers(temperature, "--temperature"),
            "alphas": numbers(alpha, "--alpha"),
            "anchors": words(anchors),
        },
    )
    if gram:
        rows = study.gram_rows(config)
        print_rows(rows, output_format, columns=_gram_columns(rows))
        return
    rows = study.theory_rows(config)
    if output_format == "table":
        print_text(
            rich_table([_theory_cells(row) for row in rows], _THEORY_COLUMNS),
            "Up to alpha*, and from tau* on, all instances of a class become one point (variance "
            "0); where\nviews spread, they share the mean of their views. Cosines are those of "
            "two views of an instance,\ntwo instances of a class, two classes.",
        )
    else:
        print_rows(rows, output_format)
    if out is not None:
        study.write_theory(rows, config, out)
        try:
            picture = f"picture: {study.draw_theory(config, out)}"
        except UsageError as error:
            picture = f"no picture: {error}"
        if not quiet:
            typer.echo(f"table: {out / 'theory.parquet'}", err=True)
            typer.echo(picture, err=True)


_THEORY_COLUMNS = (
    Column("classes", "m", right=True),
    Column("instances", "n", right=True),
    Column("views", "p", right=True),
    Column("temperature", "tau", right=True),
    Column("alpha", right=True),
    Column("anchor"),
    Column("alpha_star", "alpha*", right=True),
    Column("temperature_star", "tau*", right=True),
    Column("fate", "classes"),
    Column("within", "variance\nwithin", right=True),
    Column("view", "cosine\nviews", right=True),
    Column("inside", "cosine\nclass", right=True),
    Column("between", "cosine\nclasses", right=True),
    Column("loss", "least\nloss", right=True),
)


def _theory_cells(row: dict[str, Any]) -> dict[str, Any]:
    fate = "spread"
    if row["collapsed"]:
        # Spread views of collapsed instances are what the excluded anchor adds.
        fate = "collapse" if row["view_cosine"] > 1 - 1e-9 else "views spread"
    warm = f"{row['temperature_star']:.4f}"
    if row["temperature_star"] in {0, float("inf")}:
        warm = "always" if row["temperature_star"] == 0 else "never"
    return {
        **row,
        "alpha_star": f"{row['alpha_star']:.4f}",
        "temperature_star": warm,
        "fate": fate,
        "within": f"{row['within_variance']:.4f}",
        "view": f"{row['view_cosine']:.3f}",
        "inside": f"{row['within_cosine']:.3f}",
        "between": f"{row['between_cosine']:.3f}",
        "loss": f"{row['loss']:.4f}",
    }


def _gram_columns(rows: list[dict[str, Any]]) -> list[Column]:
    def cosine(value: float) -> str:
        return f"{value:.3f}"

    return [Column(key, right=True, show=cosine if key.isdigit() else None) for key in rows[0]]


app.command("diagnose", epilog=DIAGNOSE_EPILOG)(diagnose)
app.command("train", epilog=TRAIN_EPILOG)(train)

"""``nasrank pr train``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.claims_page import print_claims
from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table
from nasrank.cli.study_options import (
    ConfigOption,
    DataDirOption,
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

__all__ = ["EPILOG", "train"]

EPILOG = """Examples:

nasrank pr train --data ring --lambdas 0.1,1,10

nasrank pr train --data digits --methods pr,hinge,naive --seeds 5

nasrank pr train --data vectors.npy --target-precision 0.9

nasrank pr train --data archs:nb201/cifar10 --n-labels 469

Every finished model is kept under --out and never trained twice; repeat a stopped command to go
on.
"""

_GRID, _TRAINING = "What to train", "How a training goes"


def train(
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="ring, digits, mnist, fashion-mnist, archs:TASK, or a .npy, .npz or .parquet "
            "file of vectors. [default: ring]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    lambdas: Annotated[
        str | None,
        typer.Option(
            "--lambdas",
            help="Weights of precision: large for good draws, small for many kinds. "
            "[default: 0.1,0.2,0.5,1,2,5,10]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            help="Of pr, naive, dual, hinge, kl, rkl, chi2, mle, tuned, data; of architectures "
            "also oracle and predictor. [default: pr,hinge,data; pr,oracle,predictor]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            help="Generators: mlp, conv (images), flow. [default: mlp]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option(
            "--target-precision",
            help="Find the lambda that gives this precision, between the ends of --lambdas.",
            rich_help_panel=_GRID,
        ),
    ] = None,
    target_recall: Annotated[
        float | None,
        typer.Option(
            "--target-recall",
            help="Find the lambda that gives this recall, likewise.",
            rich_help_panel=_GRID,
        ),
    ] = None,
    n_labels: Annotated[
        str | None,
        typer.Option(
            "--n-labels",
            help="Architectures: labelled cells, of which the best 20 % are the data. "
            "[default: 469]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    predictor: Annotated[
        str | None,
        typer.Option(
            "--predictor",
            help="Architectures: the predictor to compare with. [default: gp]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    mode_weights: Annotated[
        str | None,
        typer.Option(
            "--mode-weights",
            help="Ring: weights of its 8 modes. [default: all the same]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            help="Class column of a Parquet file, which is no dimension.",
            rich_help_panel=_GRID,
        ),
    ] = None,
    seeds: SeedsOption = None,
    seed: SeedOption = None,
    auxiliary: Annotated[
        str | None,
        typer.Option(
            "--auxiliary",
            metavar="chi2|kl|rkl",
            help="Divergence that trains the critic of pr. [default: chi2]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            help="Steps of the generator. [default: 1500 ring, 600 architectures, 400 conv, 800 "
            "flow, 3000 of 5,000 samples or more, 1000 others]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            help="Samples of a step. [default: 128 ring and flow, 64 others]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            help="Hidden units of the generator, maps of conv: one that is large enough has no "
            "trade-off to make. [default: 4 ring, 16 others, 8 flow on the ring and conv, 32 "
            "flow and architectures]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(
            "--neighbours",
            help="k of nearest-neighbour precision and recall. [default: 5]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--most", help="Most training samples. [default: 10000]", rich_help_panel=_TRAINING
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            "--side",
            help="Shrink images to this side, for speed. [default: as they are]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    fine_tune: Annotated[
        Path | None,
        typer.Option(
            "--fine-tune",
            metavar="CHECKPOINT",
            help="Start pr from a model of --keep-models, for a tenth of the steps unless --steps "
            "says otherwise.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    only_cached: OnlyCachedOption = False,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    keep_models: Annotated[
        bool,
        typer.Option(
            "--keep-models",
            help="Write every model that is trained now to OUT/models/RUN_ID.npz.",
            rich_help_panel="Output",
        ),
    ] = False,
    out: OutOption = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Train generators that keep a promise on precision and recall.

    A model that is too small for its data must choose between good draws and all kinds of draws.
    Lambda makes the choice: every model is trained on the precision-recall divergence of its
    lambda, beside controls, and what it reaches is measured.

    Rows of --format json and csv are those of pr.parquet, or of pr_targets.parquet with a target.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.cli.settings import checked, integers, numbers, read_settings, words
    from nasrank.companions.precision_recall import study

    settings = read_settings(config, [*study.TrainConfig.model_fields, "out"])
    given = {
        "data": data,
        "lambdas": numbers(lambdas, "--lambdas"),
        "methods": words(methods),
        "models": words(models),
        "target_precision": target_precision,
        "target_recall": target_recall,
        "n_labels": integers(n_labels, "--n-labels"),
        "predictor": predictor,
        "mode_weights": numbers(mode_weights, "--mode-weights"),
        "label": label,
        "seeds": seeds,
        "seed": seed,
        "auxiliary": auxiliary,
        "steps": steps,
        "batch": batch,
        "width": width,
        "neighbours": neighbours,
        "most": most,
        "side": side,
        "fine_tune": fine_tune,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/pr")))
    settings.pop("out", None)
    chosen = checked(study.TrainConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached trains nothing and --force everything; leave one out")
    if dry_run:
        planned = study.estimate(
            chosen, folder, data_dir=data_dir, only_cached=only_cached, force=force
        )
        print_rows(
            [
                {
                    "models": planned.runs,
                    "finished": planned.runs - planned.missing,
                    "to_train": planned.missing,
                    "steps": planned.steps,
                    "device": planned.device,
                    "folder": str(folder),
                }
            ],
            output_format,
        )
        return
    with ProgressBar(quiet=quiet) as progress:
        result = study.train(
            chosen,
            folder,
            data_dir=data_dir,
            keep_models=keep_models,
            progress=progress,
            only_cached=only_cached,
            force=force,
        )
    for line in result.left_out:
        typer.echo(f"left out: {line}", err=True)
    rows = result.tables["pr"]
    targets = result.tables.get("pr_targets")
    if output_format != "table":
        print_rows(rows if targets is None else targets, output_format)
    else:
        _print_models(rows)
        if targets is not None:
            _print_target(targets)
        print_claims(result.tables["claims"])
    pictures = _draw(result, folder)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(result: Any, folder: Path) -> str:  # noqa: ANN401 - a type that needs heavy imports
    from nasrank.companions.precision_recall.figures import draw_trainings

    try:
        paths = draw_trainings(
            result.tables["pr"],
            result.tables["pr_frontiers"],
            result.samples,
            result.shape,
            folder,
        )
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(map(str, paths))}"


def _print_models(rows: Sequence[Mapping[str, Any]]) -> None:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = row["model"], row["n_labels"], row["method"], row["lambda"]
        groups.setdefault(key, []).append(row)
    lines = [_cells(key, own) for key, own in groups.items()]
    measures = list(dict.fromkeys(row["measure"] for row in rows if row["measure"]))
    shown = [
        column for column in _COLUMNS if any(line[column.key] not in {"", "-"} for line in lines)
    ]
    print_text(
        rich_table(lines, shown, title=f"{rows[0]['data']}, mean over seeds (lowest to highest)"),
        f"Precision and recall: {'; '.join(measures)}.",
        "Lambda weighs precision: large for good draws, small for all kinds. Alpha and beta are "
        "precision\nand recall on the frontier at lambda 10 and 0.1. Saturated: draws whose "
        "density ratio is at an end\nof its range, from which the generator learns nothing.",
    )


_COLUMNS = (
    Column("model"),
    Column("labels", right=True),
    Column("method"),
    Column("lambda", right=True),
    Column("precision", right=True),
    Column("recall", right=True),
    Column("true_alpha_10", "true\nalpha 10", right=True),
    Column("true_beta_0.1", "true\nbeta 0.1", right=True),
    Column("modes_found", "modes\nof 8", right=True),
    Column("rare_recall", "rare modes'\nrecall", right=True),
    Column("classifier_alpha_10", "classifier\nalpha 10", right=True),
    Column("classifier_beta_0.1", "classifier\nbeta 0.1", right=True),
    Column("distinct_new", "distinct\nnew", right=True),
    Column("predictor_precision", "predictor's\nprecision", right=True),
    Column("predictor_recall", "predictor's\nrecall", right=True),
    Column("gradient_norm", "gradient\nnorm", right=True),
    Column("saturation", "saturated", right=True),
    Column("failed", "failed", right=True),
    Column("seconds", "seconds\na model", right=True),
)


def _cells(key: tuple[Any, ...], own: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    model, n_labels, method, lam = key
    failed = sum(row["diverged"] or row["collapsed"] for row in own)
    seconds = sum(row["fit_seconds"] for row in own) / len(own)
    return {
        "model": model,
        "labels": "" if n_labels is None else "top" if n_labels == 0 else f"{n_labels:,}",
        "method": method,
        "lambda": "" if lam is None else f"{lam:.3g}",
        **{name: _spread(own, name) for name in ("precision", "recall")},
        **{
            name: _mean(own, name, "{:.3f}")
            for name in (
                "true_alpha_10", "true_beta_0.1", "rare_recall", "classifier_alpha_10",
                "classifier_beta_0.1", "predictor_precision", "predictor_recall", "saturation",
            )
        },
        "modes_found": _mean(own, "modes_found", "{:.1f}"),
        "distinct_new": _mean(own, "distinct_new", "{:.0f}"),
        "gradient_norm": _mean(own, "gradient_norm", "{:.2g}"),
        "failed": f"{failed} of {len(own)}" if failed else "",
        "seconds": f"{seconds:.1f}" if seconds else "",
    }  # fmt: skip


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]


def _mean(rows: Sequence[Mapping[str, Any]], name: str, style: str) -> str:
    values = _values(rows, name)
    return style.format(sum(values) / len(values)) if values else ""


def _spread(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = _values(rows, name)
    if not values:
        return "-"
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({min(values):.2f} to {max(values):.2f})"


def _print_target(targets: Sequence[Mapping[str, Any]]) -> None:
    answer = next(row for row in targets if row["chosen"])
    side, wanted = answer["target"], answer["wanted"]
    print_text(
        rich_table(
            [
                {
                    "step": str(row["step"]),
                    "lambda": f"{row['lambda']:.3g}",
                    "precision": "-" if row["precision"] is None else f"{row['precision']:.3f}",
                    "recall": "-" if row["recall"] is None else f"{row['recall']:.3f}",
                    "generator_steps": f"{row['generator_steps']:,}",
                    "seconds": f"{row['fit_seconds']:.0f}",
                    "mark": "*" if row["chosen"] else "",
                }
                for row in targets
            ],
            [
                Column("step", right=True),
                Column("lambda", right=True),
                Column("precision", right=True),
                Column("recall", right=True),
                Column("generator_steps", "steps\nso far", right=True),
                Column("seconds", "seconds\nso far", right=True),
                Column("mark", ""),
            ],
            title=f"from {side} {wanted:g} to lambda",
        ),
        f"* lambda {answer['lambda']:.3g}: {side} {answer[side]:.3f} at {wanted:g} wanted."
        if answer["reached"]
        else f"* not reached: the best is {side} {answer[side] or 0:.3f} at lambda "
        f"{answer['lambda']:.3g}. Widen --lambdas, or train a larger --width.",
    )

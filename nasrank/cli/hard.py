"""``nasrank hard``: metric learning with hard samples, mined and generated."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.claims_page import print_claims
from nasrank.cli.output import Column, FormatOption, print_rows, print_text, rich_table
from nasrank.cli.settings import checked, integers, numbers, read_settings, words
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
from nasrank.registry import unknown_name

__all__ = ["EPILOG", "hard"]

EPILOG = """Examples:

nasrank hard

nasrank hard --data emoji --data-dir node_modules --subset full

nasrank hard --methods "semi-hard,two-stage(stretch=0.5,adaptive=loss)+semi-hard" --tune

nasrank hard --data products.parquet --label product --cost-false-accept 5

nasrank hard --data archs:nb201/cifar10 --n-train 20,78 --seeds 10

Every trained model is kept under --out and never trained twice.
"""

_DATA, _METHOD, _MORE, _ARCHS = "Data", "Training", "What else to find out", "Architectures"


def hard(
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="digits, mnist, fashion-mnist, emoji, a .parquet or .npz file, or archs:TASK. "
            "[default: digits]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="Class column of a Parquet file.", rich_help_panel=_DATA),
    ] = None,
    unseen: Annotated[
        int | None,
        typer.Option(
            "--unseen",
            help="Classes to measure on, the last ones. [default: half of them]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    train_limit: Annotated[
        int | None,
        typer.Option(
            "--train-limit", help="Most training samples. [default: 10000]", rich_help_panel=_DATA
        ),
    ] = None,
    test_limit: Annotated[
        int | None,
        typer.Option(
            "--test-limit",
            help="Most samples to measure on. [default: 5000]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            "--subset",
            metavar="ci|full",
            help="Fixed methods and seeds: ci for a quick check, full for every method and claim.",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            help="triplet-random, semi-hard, batch-hard or distance-weighted mining; hdml, daml "
            "or two-stage, with options, +MINER to generate from mined triplets. "
            "[default: triplet-random, semi-hard, hdml, daml, two-stage]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="auto|mlp|cnn|conv4|resnet18|vit",
            help="Network before the embedding; auto is cnn for images of 16 pixels or more. "
            "[default: auto]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    embedding: Annotated[
        int | None,
        typer.Option(
            "--embedding", help="Width of the embedding. [default: 64]", rich_help_panel=_METHOD
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Epochs. [default: 10]", rich_help_panel=_METHOD),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", help="Samples of a batch. [default: 64]", rich_help_panel=_METHOD),
    ] = None,
    images_per_class: Annotated[
        int | None,
        typer.Option(
            "--images-per-class",
            help="Samples of a class in a batch. [default: 8]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            help="Margin of the triplet loss, on the unit sphere. [default: 0.2]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", help="Learning rate. [default: 0.0003]", rich_help_panel=_METHOD
        ),
    ] = None,
    warm_up: Annotated[
        float | None,
        typer.Option(
            "--warm-up",
            help="Share of the epochs before generated samples are used. [default: 0.2]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    augmentation: Annotated[
        str | None,
        typer.Option(
            "--augmentation",
            metavar="off|on|off,on",
            help="Shift and noise samples; both to compare. [default: off]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    weight_decay: Annotated[
        str | None,
        typer.Option(
            "--weight-decay",
            help="Weight decay; several to compare. [default: 0]",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    sensitivity: Annotated[
        bool | None,
        typer.Option(
            "--sensitivity",
            help="Sweep the options of the first method that generates.",
            rich_help_panel=_MORE,
        ),
    ] = None,
    tune: Annotated[
        bool | None,
        typer.Option(
            "--tune",
            help="Propose settings for it, measured on held-out seen classes.",
            rich_help_panel=_MORE,
        ),
    ] = None,
    cost_false_accept: Annotated[
        float | None,
        typer.Option(
            "--cost-false-accept",
            help="Cost of taking two for one class that are not. [default: 1]",
            rich_help_panel=_MORE,
        ),
    ] = None,
    cost_false_reject: Annotated[
        float | None,
        typer.Option(
            "--cost-false-reject",
            help="Cost of not taking two for one class that are. [default: 1]",
            rich_help_panel=_MORE,
        ),
    ] = None,
    genuine_share: Annotated[
        float | None,
        typer.Option(
            "--genuine-share",
            help="Share of pairs of one class among those to decide on. [default: 0.5]",
            rich_help_panel=_MORE,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train", help="Training architectures. [default: 20,78]", rich_help_panel=_ARCHS
        ),
    ] = None,
    tiers: Annotated[
        int | None,
        typer.Option(
            "--tiers",
            help="Classes that their labels are cut into. [default: 4]",
            rich_help_panel=_ARCHS,
        ),
    ] = None,
    side_weight: Annotated[
        float | None,
        typer.Option(
            "--side-weight",
            help="Weight of the triplets beside the ranking loss. [default: 0.3]",
            rich_help_panel=_ARCHS,
        ),
    ] = None,
    data_dir: DataDirOption = None,
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
    """Learn a metric from hard samples: do generated ones beat mined ones?

    Trains embeddings on some classes and measures retrieval, clusters and verification on others:
    Recall@K, NMI, F1, separation, false positives, and the cost of wrong decisions. Triplets are
    mined, or made by generators in one stage (hdml, daml) or in two. An untrained network stands
    beside them as a control.

    The method two-stage is a reconstruction: what is published are its stages, an anchor-positive
    pair stretched piecewise linearly with a conditional GAN, then negatives from an adaptive
    reverse triplet. Its pieces and its adaptive rule are choices made here; all are options, such
    as two-stage(shape=flat,adaptive=loss). without= leaves out stage-one, stage-two, condition or
    adaptation.

    With archs:TASK the classes are tiers of accuracy, and triplets stand beside the ranking loss
    of a predictor, which is compared with one without them.

    Writes hard.parquet, its epochs and summary, claims.parquet, pictures, and a page that plays
    real and generated embeddings by epoch.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.companions.hard_samples import study
    from nasrank.companions.hard_samples.planning import SUBSETS, HardConfig

    settings: dict[str, Any] = {}
    if subset is not None:
        if subset not in SUBSETS:
            raise unknown_name("subset", subset, SUBSETS)
        settings |= SUBSETS[subset]
    settings |= read_settings(config, [*HardConfig.model_fields, "out"])
    given = {
        "data": data,
        "data_dir": data_dir,
        "label": label,
        "unseen": unseen,
        "train_limit": train_limit,
        "test_limit": test_limit,
        "methods": words(methods),
        "encoder": encoder,
        "embedding": embedding,
        "epochs": epochs,
        "batch": batch,
        "images_per_class": images_per_class,
        "margin": margin,
        "learning_rate": learning_rate,
        "warm_up": warm_up,
        "augmentation": words(augmentation),
        "weight_decay": numbers(weight_decay, "--weight-decay"),
        "sensitivity": sensitivity,
        "tune": tune,
        "cost_false_accept": cost_false_accept,
        "cost_false_reject": cost_false_reject,
        "genuine_share": genuine_share,
        "n_train": integers(n_train, "--n-train"),
        "tiers": tiers,
        "side_weight": side_weight,
        "seeds": seeds,
        "seed": seed,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.get("out", "nasrank-out/hard")))
    settings.pop("out", None)
    chosen = checked(HardConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached trains nothing and --force everything; leave one out")
    if dry_run:
        planned = study.estimate_hard(chosen, folder, only_cached=only_cached, force=force)
        row = {
            "runs": planned.runs,
            "to_train": planned.missing,
            "device": planned.device,
            "folder": str(folder),
        }
        print_rows([row], output_format)
        return
    with ProgressBar(quiet=quiet) as progress:
        result = study.hard(
            chosen, folder, progress=progress, only_cached=only_cached, force=force
        )
    for line in result.left_out:
        typer.echo(f"note: {line}", err=True)
    if output_format == "table":
        _print_result(result, chosen)
    else:
        print_rows(result.headline, output_format)
    pictures = _draw(result, folder)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(result: Any, folder: Path) -> str:  # noqa: ANN401 - a type that needs heavy imports
    """Draw pictures and the page, and say which."""
    from nasrank.companions.hard_samples.figures import draw_architectures, draw_hard, write_page

    paths = []
    if result.pictures:
        paths.append(folder / "embeddings.html")
        write_page(result.pictures, result.headline[0]["data"], paths[0])
    try:
        if "hard_archs" in result.tables:
            paths.append(draw_architectures(result.headline, folder))
        else:
            paths += draw_hard(result.tables, folder)
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(str(path) for path in paths)}"


def _print_result(result: Any, config: Any) -> None:  # noqa: ANN401
    rows = result.headline
    if "hard_archs" in result.tables:
        _print_architectures(rows, config)
    else:
        _print_methods(rows, result.tables["hard"][0], config)
        _print_sensitivity(result.tables.get("hard_sensitivity", ()))
        _print_tuning(result.tables.get("hard_tuning", ()))
    print_claims(result.tables["claims"])


def _print_methods(rows: list[dict[str, Any]], first: dict[str, Any], config: Any) -> None:  # noqa: ANN401
    shown = [
        {
            "method": row["method"] + _setting(row),
            "recall": _mean_and_half(row, "recall_at_1"),
            **{
                name: _short(row[name], digits)
                for name, digits in (
                    ("recall_at_8", 3), ("nmi", 3), ("f1", 3), ("separation", 2),
                    ("fpr_at_95_recall", 3), ("rework_cost", 0), ("positive_coverage", 2),
                    ("negative_coverage", 2), ("fit_seconds", 1),
                )
            },
            "wrong": f"{row['degenerate_batches']}/{row['diverged']}",
        }
        for row in rows
    ]  # fmt: skip
    columns = (
        Column("method", "method"),
        Column("recall", "Recall@1", right=True),
        Column("recall_at_8", "@8", right=True),
        Column("nmi", "NMI", right=True),
        Column("f1", "F1", right=True),
        Column("separation", "separation", right=True),
        Column("fpr_at_95_recall", "FPR at 95 %", right=True),
        Column("rework_cost", "rework", right=True),
        Column("positive_coverage", "modes +", right=True),
        Column("negative_coverage", "modes -", right=True),
        Column("wrong", "degenerate/diverged", right=True),
        Column("fit_seconds", "seconds", right=True),
    )
    title = (
        f"{first['data']}: {first['train_classes']} classes seen, {first['test_classes']} unseen, "
        f"{first['n_train']:,} samples to train on, {first['n_test']:,} to measure, "
        f"{rows[0]['n_seeds']} seeds"
    )
    print_text(
        rich_table(shown, columns, title=title),
        "Means over seeds, on unseen classes; Recall@1 with half its 95 % interval. Higher is "
        "better, but\nfor FPR (false positives where 95 % of true pairs are accepted) and rework "
        f"(cost of wrong\ndecisions per 1,000 pairs, {config.cost_false_accept:g} a false accept, "
        f"{config.cost_false_reject:g} a false reject). Modes: share of real samples\nthat "
        "generated positives (+) and negatives (-) come near, on the classes seen; low where\n"
        "generators collapse. Degenerate batches had no triplet. two-stage is a reconstruction.",
    )


def _print_sensitivity(rows: Any) -> None:  # noqa: ANN401
    if not rows:
        return
    shown = [
        {
            "option": row["option"],
            "value": row["value"],
            "recall": _short(row["recall_at_1"], 4),
            "difference": _signed(row),
            "matters": row["matters"],
        }
        for row in rows
    ]
    columns = (
        Column("option", "option"),
        Column("value", "value"),
        Column("recall", "Recall@1", right=True),
        Column("difference", "less that asked for", right=True),
        Column("matters", "effect"),
    )
    quiet = sorted(
        {row["option"] for row in rows}
        - {row["option"] for row in rows if row["matters"] in {"better", "worse"}}
    )
    print_text(
        rich_table(shown, columns, title=f"Sensitivity of {rows[0]['method']}"),
        f"No difference seen for: {', '.join(quiet) or 'none of them'}. Intervals are not "
        "corrected for\nthe number of settings, so about one in twenty is wrong.",
    )


def _print_tuning(rows: Any) -> None:  # noqa: ANN401
    proposed = next((row for row in rows if row["proposed"]), None)
    if proposed is None:
        return
    print_text(
        f"Proposed on held-out classes, out of {len(rows)} settings: Recall@1 "
        f"{proposed['recall_at_1']:.4f}, {_signed(proposed)} to what was asked for.\n"
        f'  --methods "{proposed["method"]}" --margin {proposed["margin"]:g} --embedding '
        f"{proposed['embedding']} --learning-rate {proposed['learning_rate']:g}"
    )


def _print_architectures(rows: list[dict[str, Any]], config: Any) -> None:  # noqa: ANN401
    shown = [
        {
            "n_train": row["n_train"],
            "method": row["method"],
            "tau": _mean_and_half(row, "kendall_tau"),
            "top": _mean_and_half(row, "precision_at_5pct"),
            "regret": _mean_and_half(row, "regret_at_10"),
            "wrong": f"{row['degenerate_batches']}/{row['diverged']}",
            "seconds": _short(row["fit_seconds"], 1),
        }
        for row in rows
    ]
    columns = (
        Column("n_train", "trained on", right=True),
        Column("method", "triplets beside listmle"),
        Column("tau", "Kendall tau", right=True),
        Column("top", "precision at 5 %", right=True),
        Column("regret", "regret at 10", right=True),
        Column("wrong", "degenerate/diverged", right=True),
        Column("seconds", "seconds", right=True),
    )
    print_text(
        rich_table(
            shown,
            columns,
            title=f"{rows[0]['data']}, {config.tiers} tiers of accuracy, weight "
            f"{config.side_weight:g}, {rows[0]['n_seeds']} seeds",
        ),
        "Means over seeds with half their 95 % intervals; claims compare the same seeds. Lower "
        "regret is\nbetter. two-stage is a reconstruction.",
    )


def _setting(row: dict[str, Any]) -> str:
    extra = ["augmented"] if row["augmentation"] else []
    extra += [f"decay {row['weight_decay']:g}"] if row["weight_decay"] else []
    return "".join(f", {each}" for each in extra)


def _mean_and_half(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    if row[f"{name}_lower"] is None:
        return f"{row[name]:.3f}"
    return f"{row[name]:.3f} ±{row[name] - row[f'{name}_lower']:.3f}"


def _short(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(row: dict[str, Any]) -> str:
    if row["difference"] is None:
        return "-"
    return f"{row['difference']:+.4f} [{row['lower']:+.4f}, {row['upper']:+.4f}]"

"""``nasrank supcon train``: encoders, and what is left of the finer labels."""

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

__all__ = ["EPILOG", "train"]

EPILOG = """Examples:

nasrank supcon train

nasrank supcon train --data fashion-mnist --encoders cnn --instances 10 --seeds 5

nasrank supcon train --label-noises 0,0.3 --imbalances 1,8 --temperatures 0.5,0.1

nasrank supcon train --data vectors.parquet --label species --coarse family

nasrank supcon train --data archs:nb201/cifar10 --n-train 39,78
"""

_DATA, _LOSS, _BATCH, _MODEL = "Data", "Loss", "Batches", "Encoder"


def train(
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="digits, mnist, fashion-mnist, a .parquet or .npz file, or archs:TASK. "
            "[default: digits]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label", help="Column with the finer classes of a file.", rich_help_panel=_DATA
        ),
    ] = None,
    coarse: Annotated[
        str | None,
        typer.Option(
            "--coarse",
            help="Column with the coarse ones. [default: even and odd]",
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
            "--test-limit", help="Most test samples. [default: 5000]", rich_help_panel=_DATA
        ),
    ] = None,
    imbalances: Annotated[
        str | None,
        typer.Option(
            "--imbalances",
            help="Largest class over smallest. [default: 1]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    label_noises: Annotated[
        str | None,
        typer.Option(
            "--label-noises",
            help="Shares of wrong coarse labels. [default: 0]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train",
            help="Labelled architectures, of archs:TASK. [default: 39,78]",
            rich_help_panel=_DATA,
        ),
    ] = None,
    alphas: Annotated[
        str | None,
        typer.Option(
            "--alphas",
            help="Shares of the self-supervised loss. [default: 0,0.05,0.2,0.5,0.8,1]",
            rich_help_panel=_LOSS,
        ),
    ] = None,
    varied_alphas: Annotated[
        str | None,
        typer.Option(
            "--varied-alphas",
            help="Those for further values of other options. [default: 0,0.5]",
            rich_help_panel=_LOSS,
        ),
    ] = None,
    temperatures: Annotated[
        str | None,
        typer.Option("--temperatures", help="Temperatures. [default: 0.5]", rich_help_panel=_LOSS),
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(
            "--anchors",
            metavar="included,excluded",
            help="Whether an anchor is in its own softmax. [default: included]",
            rich_help_panel=_LOSS,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            help="Loss of the predictor, of archs:TASK. [default: listmle]",
            rich_help_panel=_LOSS,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            help="Coarse classes: fine class modulo this, 0 for the usual ones; of archs:TASK "
            "tiers of accuracy. [default: 0; 3 tiers]",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(
            "--instances",
            help="Instances of a class. [default: 16; 8 cells of a tier]",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option("--views", help="Views of an instance. [default: 2]", rich_help_panel=_BATCH),
    ] = None,
    augmentations: Annotated[
        str | None,
        typer.Option(
            "--augmentations", help="Strengths of the views. [default: 1]", rich_help_panel=_BATCH
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            help="Steps of contrastive training. [default: 600; 150 of archs:TASK]",
            rich_help_panel=_BATCH,
        ),
    ] = None,
    encoders: Annotated[
        str | None,
        typer.Option(
            "--encoders",
            metavar="mlp,cnn,conv4,resnet18,vit",
            help="Encoders. [default: mlp]",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="Lengths of their features, 0 for their own. [default: 0]",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    initial_scales: Annotated[
        str | None,
        typer.Option(
            "--initial-scales",
            help="Factors of their first weights. [default: 1]",
            rich_help_panel=_MODEL,
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
    """Train encoders with coarse labels, and see what is left of finer ones.

    Trains with coarse classes (even and odd digits, four groups of clothes) and a range of alpha,
    from purely supervised to purely self-supervised, then asks for the finer classes that
    training never saw: by a linear probe and by neighbours, also on turned and noisy test images.
    Variance within classes is measured beside it.

    Of options with several values the first is the base, for which all alphas are trained; each
    further value is tried alone, for --varied-alphas.

    With archs:TASK the graph encoder of a predictor is pre-trained instead: classes are tiers of
    accuracy of the labelled cells, views are cells and small edits of them; then the predictor
    is trained on as usual and compared with one that was not pre-trained.

    Writes train.parquet (archs.parquet and the tables of compare for archs:TASK), claims.parquet
    and a picture. --format json prints the rows of the first.
    """
    from nasrank.cli.progress import ProgressBar
    from nasrank.companions.supcon import architectures
    from nasrank.companions.supcon import train as study

    known = {*study.TrainConfig.model_fields, *architectures.ArchsConfig.model_fields, "out"}
    settings = read_settings(config, known)
    given: dict[str, Any] = {
        "data": data,
        "label": label,
        "coarse": coarse,
        "train_limit": train_limit,
        "test_limit": test_limit,
        "imbalances": numbers(imbalances, "--imbalances"),
        "label_noises": numbers(label_noises, "--label-noises"),
        "n_train": integers(n_train, "--n-train"),
        "alphas": numbers(alphas, "--alphas"),
        "varied_alphas": numbers(varied_alphas, "--varied-alphas"),
        "temperatures": numbers(temperatures, "--temperatures"),
        "anchors": words(anchors),
        "loss": loss,
        "classes": integers(classes, "--classes"),
        "instances": integers(instances, "--instances"),
        "views": views,
        "augmentations": numbers(augmentations, "--augmentations"),
        "steps": steps,
        "encoders": words(encoders),
        "features": integers(features, "--features"),
        "initial_scales": numbers(initial_scales, "--initial-scales"),
        "seeds": seeds,
        "seed": seed,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.get("out", "nasrank-out/supcon-train")))
    settings.pop("out", None)
    cells = str(settings.get("data", "")).startswith(architectures.PREFIX)
    chosen: architectures.ArchsConfig | study.TrainConfig
    if cells:
        _refuse_foreign(settings, {*architectures.ArchsConfig.model_fields}, cells=True)
        chosen = checked(architectures.ArchsConfig, settings)
    else:
        _refuse_foreign(settings, {*study.TrainConfig.model_fields}, cells=False)
        chosen = checked(study.TrainConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached trains nothing and --force everything; leave one out")
    if dry_run:
        if isinstance(chosen, architectures.ArchsConfig):
            count, left = architectures.planned_archs(
                chosen, folder, only_cached=only_cached, force=force
            )
        else:
            plan = study.planned_runs(
                chosen, folder, data_dir=data_dir, only_cached=only_cached, force=force
            )
            count, left = len(plan.runs), plan.missing
        print_rows([{"models": count, "to_train": left, "folder": str(folder)}], output_format)
        return
    result: architectures.ArchsTrained | study.Trained
    with ProgressBar(quiet=quiet) as progress:
        if isinstance(chosen, architectures.ArchsConfig):
            result = architectures.train_archs(
                chosen, folder, progress=progress, only_cached=only_cached, force=force
            )
        else:
            result = study.train(
                chosen,
                folder,
                data_dir=data_dir,
                progress=progress,
                only_cached=only_cached,
                force=force,
            )
    if output_format == "table":
        (_print_cells if cells else _print_encoders)(result.rows)
        print_claims(result.claims)
    else:
        print_rows(result.rows, output_format)
    picture = _draw(result.rows, folder, cells=cells)
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(picture, err=True)


def _refuse_foreign(settings: dict[str, Any], known: set[str], *, cells: bool) -> None:
    foreign = sorted(name for name in settings if name not in known)
    if foreign:
        option = "--" + foreign[0].replace("_", "-")
        kind = "samples, not of archs:TASK" if cells else "archs:TASK, not of samples"
        raise UsageError(f"{option} is an option of {kind}. Leave it out, or choose other --data")


def _draw(rows: list[dict[str, Any]], folder: Path, *, cells: bool) -> str:
    from nasrank.companions.supcon.archs_claims import base_archs
    from nasrank.companions.supcon.figures import draw_archs, draw_training
    from nasrank.companions.supcon.train_claims import base_rows

    try:
        if cells:
            path = draw_archs(base_archs(rows), folder / "archs.svg")
        else:
            path = draw_training(base_rows(rows), folder / "train.svg")
    except UsageError as error:
        return f"no picture: {error}"
    return f"picture: {path}"


_ENCODERS = (
    Column("varied", "setting"),
    Column("alpha", right=True),
    Column("alpha_star", "alpha*", right=True),
    Column("predicted_within", "variance within,\nfree embeddings", right=True),
    Column("projector_within", "\nprojector", right=True),
    Column("encoder_within", "\nencoder", right=True),
    Column("projector_total", "in all,\nprojector", right=True),
    Column("encoder_rank", "effective\nrank", right=True),
    Column("gap", "loss above\nits floor", right=True),
    Column("coarse_train_accuracy", "coarse,\ntraining", right=True),
    Column("fine_probe_accuracy", "finer,\nprobe", right=True),
    Column("fine_knn_accuracy", "finer,\nneighbours", right=True),
    Column("fine_probe_rotated", "finer,\nturned", right=True),
    Column("fine_probe_noisy", "finer,\nnoisy", right=True),
    Column("diverged", "diverged", right=True),
)


def _print_encoders(rows: list[dict[str, Any]]) -> None:
    from nasrank.companions.supcon.train_claims import FACTORS, base_of

    base = base_of(rows)
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        varied = [
            f"{name.replace('_', ' ')} {row[name]}"
            for name, usual in zip(FACTORS, base, strict=True)
            if row[name] != usual
        ]
        groups.setdefault((", ".join(varied) or "base", row["alpha"]), []).append(row)
    lines = [
        {"varied": varied, "alpha": alpha, **_means(own)}
        for (varied, alpha), own in groups.items()
    ]
    shown = [
        column
        for column in _ENCODERS
        if (column.key != "diverged" or any(line["diverged"] for line in lines))
        and (column.key != "fine_probe_rotated" or lines[0]["fine_probe_rotated"] != "-")
    ]
    at, seeds = rows[0], len({row["seed"] for row in rows})
    print_text(
        rich_table(
            lines,
            shown,
            title=f"{at['data']}, {at['method']}: {at['classes']} coarse classes x "
            f"{at['instances']} instances x {at['views']} views, temperature "
            f"{at['temperature']:g}, mean of {seeds} seeds",
        ),
        "Up to alpha* free embeddings collapse. Accuracies in percent: coarse is what training is "
        "told,\nfiner what it never sees. Variances are those of unit vectors, 0 to 1; where the "
        "one in all is\nnear 0, everything is one point.",
    )


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def mean(name: str) -> float | None:
        values = [row[name] for row in rows if row[name] is not None]
        return sum(values) / len(values) if values else None

    def text(value: float | None, form: str, factor: float = 1) -> str:
        return "-" if value is None else format(factor * value, form)

    loss, floor = mean("final_loss"), mean("loss_floor")
    gap = None if loss is None or floor is None else loss - floor
    accuracies = (
        "coarse_train_accuracy", "fine_probe_accuracy", "fine_knn_accuracy", "fine_probe_rotated",
        "fine_probe_noisy",
    )  # fmt: skip
    variances = (
        "predicted_within", "projector_within", "encoder_within", "projector_total", "alpha_star",
    )  # fmt: skip
    return {
        **{name: text(mean(name), ".3f") for name in variances},
        **{name: text(mean(name), ".1f", 100) for name in accuracies},
        "encoder_rank": text(mean("encoder_rank"), ".1f"),
        "gap": text(gap, ".3f"),
        "diverged": sum(row["diverged"] for row in rows),
    }


_CELLS = (
    Column("n_train", "labelled", right=True),
    Column("alpha", right=True),
    Column("varied", "setting"),
    Column("predicted", "variance within,\nfree embeddings", right=True),
    Column("within", "\nprojector", right=True),
    Column("rank", "effective\nrank", right=True),
    Column("tau", "tau", right=True),
    Column("gain", "gain in tau, 95 %", right=True),
    Column("hit", "evaluations to\ntop 0.1 %, median", right=True),
)


def _print_cells(rows: list[dict[str, Any]]) -> None:
    from statistics import median

    from nasrank.study.claims import claim_row

    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["n_train"], row["method"]), []).append(row)
    names = ("temperature", "anchor", "tiers", "instances")
    base = next((row for row in rows if row["alpha"] is not None), rows[0])
    lines = []
    for (size, method), own in groups.items():
        at = own[0]
        varied = [f"{name} {at[name]}" for name in names if at[name] != base[name]]
        plain = {row["seed"]: row["kendall_tau"] for row in groups.get((size, "gnn"), [])}
        paired = [
            row["kendall_tau"] - plain[row["seed"]]
            for row in own
            if method != "gnn" and None not in {row["kendall_tau"], plain.get(row["seed"])}
        ]
        gain = claim_row("", "", "", paired, source="")
        taus = [row["kendall_tau"] for row in own if row["kendall_tau"] is not None]
        hits = [row["first_hit_0.1pct"] for row in own if row["first_hit_0.1pct"] is not None]

        def mean(name: str, own: list[dict[str, Any]] = own) -> str:
            values = [row[name] for row in own if row[name] is not None]
            return f"{sum(values) / len(values):.3f}" if values else "-"

        lines.append(
            {
                "n_train": size,
                "alpha": "none" if at["alpha"] is None else f"{at['alpha']:g}",
                "varied": "" if at["alpha"] is None else ", ".join(varied) or "base",
                "predicted": mean("predicted_within"),
                "within": mean("projector_within"),
                "rank": mean("encoder_rank"),
                "tau": f"{sum(taus) / len(taus):.3f}" if taus else "-",
                "gain": "-"
                if gain["lower"] is None
                else f"{gain['estimate']:+.3f} [{gain['lower']:+.3f}, {gain['upper']:+.3f}]",
                "hit": f"{median(hits):g}" if hits else "-",
            }
        )
    seeds = len({row["seed"] for row in rows})
    how = ""
    if base["alpha"] is not None:
        how = (
            f": {base['tiers']} tiers x {base['instances']} cells, temperature "
            f"{base['temperature']:g}, alpha* {base['alpha_star']:.3f}"
        )
    print_text(
        rich_table(lines, _CELLS, title=f"{rows[0]['data']}{how}, mean of {seeds} seeds"),
        "Alpha none: not pre-trained, which gains are against, seed by seed. Evaluations come "
        "after the\nlabelled cells; 0 where one of these is in the top 0.1 %.",
    )

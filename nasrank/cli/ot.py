"""``nasrank ot``: class hierarchies kept by optimal transport."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.claims_page import print_claims
from nasrank.cli.output import (
    Column,
    FormatOption,
    print_json,
    print_record,
    print_rows,
    print_text,
    rich_table,
)
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

__all__ = ["app"]

app = typer.Typer(
    help="Class hierarchies kept in features by optimal transport.",
    epilog="Example: nasrank ot train --data digits --distances l2,emd,fastft",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_GRID, _TRAINING = "What to train", "How a training goes"

_TRAIN_EPILOG = """Examples:

nasrank ot train --data digits --distances l2,emd,fastft

nasrank ot train --data features.parquet --labels kind,family --batch-sizes 64,128,256

Every finished run is kept under --out and never trained twice; repeat a stopped command to go on.
"""


@app.command("train", epilog=_TRAIN_EPILOG)
def train(
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="digits, mnist, fashion-mnist, one-mode, two-modes, a .parquet file of features, "
            "or archs:TASK. [default: digits]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="Label columns of the file, from the classes up to the coarsest groups.",
            rich_help_panel=_GRID,
        ),
    ] = None,
    tree: Annotated[
        str | None,
        typer.Option(
            "--tree",
            help="even-odd, five, clothes, or a file with lines 'group: child, child' or JSON. "
            "[default: the data's own]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    distances: Annotated[
        str | None,
        typer.Option(
            "--distances",
            help="Of l2, emd, sinkhorn, swd, twd, flowtree and fastft, with options such as "
            "sinkhorn(reg=1). [default: l2,emd,fastft]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Weights of 1 - CPCC beside the loss. [default: 1]",
            rich_help_panel=_GRID,
        ),
    ] = None,
    batch_sizes: Annotated[
        str | None,
        typer.Option(
            "--batch-sizes", help="Samples of a mini-batch. [default: 128]", rich_help_panel=_GRID
        ),
    ] = None,
    seeds: SeedsOption = None,
    seed: SeedOption = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="auto|mlp|cnn|conv4|resnet18|vit",
            help="The backbone; auto is cnn for image files and mlp otherwise. [default: auto]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help="Passes over the data. [default: 10 on image files, 40 otherwise]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            help="Mini-batches in place of epochs, rounded up to whole passes for each batch "
            "size.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            help="Learning rate at the start. [default: 0.05 on image files, 0.1 otherwise]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    train_limit: Annotated[
        int | None,
        typer.Option(
            "--train-limit",
            help="Most training samples. [default: 10000]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    test_limit: Annotated[
        int | None,
        typer.Option(
            "--test-limit", help="Most test samples. [default: 10000]", rich_help_panel=_TRAINING
        ),
    ] = None,
    test_per_class: Annotated[
        int | None,
        typer.Option(
            "--test-per-class",
            help="Test samples of a class that emd and sinkhorn look at. [default: 128]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    transfer: Annotated[
        bool | None,
        typer.Option(
            "--transfer/--no-transfer",
            help="Train a second model each without some classes, and test on them. "
            "[default: transfer]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    cost_matrix: Annotated[
        Path | None,
        typer.Option(
            "--cost-matrix",
            help="CSV file of what it costs to take a class (line) for another (column).",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    n_train: Annotated[
        str | None,
        typer.Option(
            "--n-train",
            help="Training architectures, of archs:TASK alone. [default: 39,78]",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    only_cached: OnlyCachedOption = False,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    out: OutOption = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Train with a label tree: does transport keep it better than class means?

    Adds 1 - CPCC to the cross-entropy: how far the distances of classes in the features are from
    those in the tree. Beside every distance a plain model is trained on the same seeds. TestCPCC
    is given by each method's own distance and, for a fair comparison, by l2 and by emd.

    archs:TASK does the same to the embedding of the predictor of `compare`, for a tree of
    operation family and accuracy tier.

    Keys of --format json: runs, a list with the columns of ot.parquet (ot_archs.parquet for
    archs:TASK), and claims, a list with those of claims.parquet.
    """
    from nasrank.cli.settings import checked, integers, numbers, read_settings, words
    from nasrank.companions.optimal_transport.planning import OtConfig

    settings: dict[str, Any] = read_settings(config, [*OtConfig.model_fields, "out", "data_dir"])
    given = {
        "data": data,
        "labels": words(labels),
        "tree": tree,
        "distances": words(distances),
        "weights": numbers(weights, "--weights"),
        "batch_sizes": integers(batch_sizes, "--batch-sizes"),
        "seeds": seeds,
        "seed": seed,
        "encoder": encoder,
        "epochs": epochs,
        "steps": steps,
        "rate": rate,
        "train_limit": train_limit,
        "test_limit": test_limit,
        "test_per_class": test_per_class,
        "transfer": transfer,
        "cost_matrix": cost_matrix,
        "n_train": integers(n_train, "--n-train"),
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/ot/train")))
    settings.pop("out", None)
    images = data_dir or _optional_path(settings.pop("data_dir", None))
    settings.pop("data_dir", None)
    chosen = checked(OtConfig, settings)
    if only_cached and force:
        raise UsageError("--only-cached trains nothing and --force everything; leave one out")
    if dry_run:
        _print_estimate(
            chosen, folder, images, output_format, only_cached=only_cached, force=force
        )
        return
    if chosen.data.startswith("archs:"):
        _train_archs(
            chosen, folder, output_format, quiet=quiet, only_cached=only_cached, force=force
        )
        return
    from nasrank.cli.progress import ProgressBar
    from nasrank.companions.optimal_transport import train as study

    with ProgressBar(quiet=quiet) as progress:
        result = study.train(
            chosen,
            folder,
            data_dir=images,
            progress=progress,
            only_cached=only_cached,
            force=force,
        )
    _tell(result.left_out)
    public = [{name: row[name] for name in study.COLUMNS} for row in result.rows]
    if output_format == "table":
        _print_trained(public, result)
    else:
        _print_machine(public, result.claims, output_format)
    pictures = _draw(lambda: _draw_trained(public, result, folder))
    _say(folder, pictures, quiet=quiet)


@app.command(
    "diagnose", epilog="Example: nasrank ot diagnose features.parquet --labels kind,family"
)
def diagnose(
    features: Annotated[
        str,
        typer.Argument(
            metavar="FEATURES",
            help="A .parquet file of features with label columns; or one-mode or two-modes.",
        ),
    ],
    *,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            help="Label columns, from the classes up to the coarsest groups. [default: label]",
        ),
    ] = None,
    tree: Annotated[
        str | None,
        typer.Option("--tree", help="A file with lines 'group: child, child', or JSON."),
    ] = None,
    per_class: Annotated[
        int | None,
        typer.Option("--per-class", help="Samples of a class to compare. [default: 128]"),
    ] = None,
    components: Annotated[
        int | None,
        typer.Option("--components", help="The most components of a class. [default: 5]"),
    ] = None,
    seed: SeedOption = None,
    config: ConfigOption = None,
    out: OutOption = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Ask whether class means hide structure that transport sees: yes, no or perhaps.

    Counts the normal components of each class by BIC and AIC, and compares the distances of
    classes by means (l2) and by transport (EMD). Where the two agree up to scale and shift, CPCC
    cannot tell them apart, and means are enough. A yes is about the features as they are: whether
    training with transport then gains anything, `train` has to show.

    Keys of --format json: data, samples, dimensions, classes, answer (yes, no, perhaps, unknown),
    reason, multi_modal_share, mean_components_bic, mean_components_aic, l2_emd_correlation,
    one_shape_correlation, cpcc_l2 and cpcc_emd; what could not be measured is null.
    """
    from nasrank.cli.settings import checked, read_settings, words
    from nasrank.companions.optimal_transport import diagnose as study

    known = [*study.DiagnoseConfig.model_fields, "out"]
    settings: dict[str, Any] = read_settings(config, known)
    given = {
        "labels": words(labels),
        "tree": tree,
        "per_class": per_class,
        "components": components,
        "seed": seed,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/ot/diagnose")))
    settings.pop("out", None)
    chosen = checked(study.DiagnoseConfig, settings)
    found = study.diagnose(features, chosen, folder)
    print_record(found.record, output_format, _diagnosis_page(found))
    pictures = _draw(lambda: _draw_geometry(found, folder))
    _say(folder, pictures, quiet=quiet)


@app.command("speed", epilog="Example: nasrank ot speed --distances emd,fastft --repeats 3")
def speed(
    *,
    distances: Annotated[
        str | None,
        typer.Option("--distances", help="Distances, with options. [default: all]"),
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option(
            "--samples", help="Samples of a class. [default: 32,64,128,256,512,1024,2048]"
        ),
    ] = None,
    dimensions: Annotated[
        str | None, typer.Option("--dimensions", help="Dimensions. [default: 16,64,256,1024]")
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="Classes. [default: 2,4,8,16]")
    ] = None,
    most_quadratic: Annotated[
        int | None,
        typer.Option(
            "--most-quadratic",
            help="Largest number of samples for emd and sinkhorn. [default: 512]",
        ),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", help="Times to measure all. [default: 5]")
    ] = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    config: ConfigOption = None,
    out: OutOption = None,
    output_format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Measure time and memory of every distance as samples, dimension and classes grow.

    Each measurement is the value and the gradient of the distances of all pairs of classes of one
    batch. One of the three varies, the others stay at 128 samples, 64 dimensions and 4 classes.
    Slopes are those of log time over log setting in the larger half: 1 is linear.

    Keys of --format json: speed, slopes and claims, lists with the columns of their tables.
    """
    from nasrank.cli.settings import checked, integers, read_settings, words
    from nasrank.companions.optimal_transport import speed as study

    settings: dict[str, Any] = read_settings(config, [*study.SpeedConfig.model_fields, "out"])
    given = {
        "distances": words(distances),
        "samples": integers(samples, "--samples"),
        "dimensions": integers(dimensions, "--dimensions"),
        "classes": integers(classes, "--classes"),
        "most_quadratic": most_quadratic,
        "repeats": repeats,
        "seed": seed,
        "device": device,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    folder = out or Path(str(settings.pop("out", "nasrank-out/ot/speed")))
    settings.pop("out", None)
    result = study.measure_speed(checked(study.SpeedConfig, settings), folder)
    match output_format:
        case "json":
            print_json({"speed": result.rows, "slopes": result.slopes, "claims": result.claims})
        case "csv":
            print_rows(result.rows, output_format)
        case _:
            _print_speed(result)
            print_claims(result.claims)
    pictures = _draw(lambda: _draw_speed(result, folder))
    _say(folder, pictures, quiet=quiet)


def _optional_path(value: object) -> Path | None:
    return None if value is None else Path(str(value))


def _train_archs(
    config: Any,  # noqa: ANN401 - a type that needs heavy imports, here and below
    folder: Path,
    output_format: str,
    *,
    quiet: bool,
    only_cached: bool,
    force: bool,
) -> None:
    from nasrank.cli.progress import ProgressBar
    from nasrank.companions.optimal_transport import study
    from nasrank.study.conduct import conduct

    with ProgressBar(quiet=quiet) as progress:
        result = conduct(
            _declared(config), folder, study=study.TRAIN_ARCHS, progress=progress,
            only_cached=only_cached, force=force,
        )  # fmt: skip
    _tell(result.left_out)
    if output_format == "table":
        _print_archs(result.rows)
        print_claims(result.claims)
    else:
        _print_machine(result.rows, result.claims, output_format)
    pictures = _draw(lambda: _draw_archs(result.rows, folder))
    _say(folder, pictures, quiet=quiet)


def _declared(config: Any) -> Any:  # noqa: ANN401
    from nasrank.companions.optimal_transport.options import TrainConfig

    given = {name: getattr(config, name) for name in config.model_fields_set}
    return TrainConfig(**{{"rate": "learning_rate"}.get(k, k): v for k, v in given.items()})


def _print_estimate(
    config: Any,  # noqa: ANN401
    folder: Path,
    data_dir: Path | None,
    output_format: str,
    *,
    only_cached: bool,
    force: bool,
) -> None:
    if config.data.startswith("archs:"):
        from nasrank.companions.optimal_transport.study import TRAIN_ARCHS
        from nasrank.study.conduct import estimate as estimate_study

        found = estimate_study(
            _declared(config), folder, study=TRAIN_ARCHS, only_cached=only_cached, force=force
        )
        count, left, device = found.runs, found.runs - found.finished, found.device
    else:
        from nasrank.companions.optimal_transport.train import estimate

        planned = estimate(config, folder, data_dir=data_dir, only_cached=only_cached, force=force)
        count, left, device = len(planned.runs), planned.missing, planned.device
    row = {"runs": count, "finished": count - left, "to_train": left, "device": device,
           "folder": str(folder)}  # fmt: skip
    print_rows([row], output_format)


def _print_machine(
    rows: Sequence[Mapping[str, Any]], claims: Sequence[Mapping[str, Any]], output_format: str
) -> None:
    if output_format == "json":
        print_json({"runs": rows, "claims": claims})
    else:
        print_rows(rows, output_format)


def _tell(left_out: Sequence[str]) -> None:
    for line in left_out:
        typer.echo(f"left out: {line}", err=True)


def _say(folder: Path, pictures: str, *, quiet: bool) -> None:
    if not quiet:
        typer.echo(f"tables: {folder}", err=True)
        typer.echo(pictures, err=True)


def _draw(work: Any) -> str:  # noqa: ANN401
    """Draw pictures and say which; do without where they cannot be drawn."""
    try:
        paths = work()
    except UsageError as error:
        return f"no pictures: {error}"
    return f"pictures: {', '.join(str(path) for path in paths)}"


_TRAINED = (
    ("test_cpcc", "TestCPCC\nown", 3),
    ("test_cpcc_l2", "by\nl2", 3),
    ("test_cpcc_emd", "by\nemd", 3),
    ("fine_accuracy", "accuracy\nfine %", 1),
    ("coarse_accuracy", "coarse\n%", 1),
    ("fine_map", "mAP\nfine %", 1),
    ("coarse_map", "coarse\n%", 1),
    ("mistake_distance", "edges a\nmistake", 2),
    ("expected_cost", "cost a\nsample", 3),
    ("unseen_fine_accuracy", "unseen\nfine %", 1),
    ("unseen_coarse_accuracy", "coarse\n%", 1),
    ("fit_seconds", "seconds\na run", 1),
)
_ARCHS = (
    ("kendall_tau", "Kendall\ntau", 3),
    ("precision_at_1pct", "precision\nat 1 %", 3),
    ("precision_at_5pct", "precision\nat 5 %", 3),
    ("regret_at_10", "regret\nat 10", 3),
    ("degenerate_batches", "degenerate\nlists", 0),
    ("fit_seconds", "seconds\na run", 1),
)


def _means(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], metrics: Sequence[tuple[str, str, int]]
) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds of each setting, as text."""
    cells: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[key] for key in keys), []).append(row)
    shown = []
    for setting, own in cells.items():
        line: dict[str, Any] = dict(zip(keys, setting, strict=True))
        for metric, _, digits in metrics:
            values = [row[metric] for row in own if row[metric] is not None]
            line[metric] = _mean_and_spread(values, digits)
        line["diverged"] = sum(row["diverged"] for row in own)
        shown.append(line)
    return shown


def _mean_and_spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def _columns(
    rows: Sequence[Mapping[str, Any]], metrics: Sequence[tuple[str, str, int]]
) -> list[Column]:
    return [
        Column(name, title, right=True)
        for name, title, _ in metrics
        if any(row[name] is not None for row in rows)
    ]


def _options(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Options that differ between runs with a regulariser."""
    kept = [row for row in rows if row["method"] != "plain"]
    return [name for name in names if len({row[name] for row in kept}) > 1]


def _print_trained(rows: Sequence[Mapping[str, Any]], result: Any) -> None:  # noqa: ANN401
    first = rows[0]
    keys = ["method", *_options(rows, ("weight", "batch_size"))]
    seeds = len({row["seed"] for row in rows})
    shown = _means(rows, keys, _TRAINED)
    columns = [Column(key, key.replace("_", "\n"), right=key != "method") for key in keys]
    columns += _columns(rows, _TRAINED)
    if any(line["diverged"] for line in shown):
        columns.append(Column("diverged", "diverged,\ncollapsed", right=True))
    print_text(
        rich_table(
            shown,
            columns,
            title=f"{first['data']}, tree {first['tree']}, {first['encoder']}, "
            f"{first['n_train']:,} training samples, {_epochs(rows)}, "
            f"{seeds} seed{'' if seeds == 1 else 's'}",
        ),
        "Mean ± standard deviation over seeds. TestCPCC: do distances of classes in test features "
        "follow\nthe tree (1: fully)? Own distances are on different scales: compare by l2 and "
        "emd.",
    )
    none = sum(row["degenerate_batches"] for row in rows)
    if none:
        total = sum(row["batches"] for row in rows)
        print_text(f"{none:,} of {total:,} mini-batches had no correlation and taught no tree.")
    _print_confusions(result.confusions)
    print_claims(result.claims)


def _epochs(rows: Sequence[Mapping[str, Any]]) -> str:
    lengths = sorted({row["epochs"] for row in rows})
    if len(lengths) > 1:
        return f"{lengths[0]} to {lengths[-1]} epochs"
    return "1 epoch" if lengths == [1] else f"{lengths[0]} epochs"


def _print_confusions(rows: Sequence[Mapping[str, Any]]) -> None:
    """The three mistakes that moved most, method by method, in the first setting."""
    seen: dict[tuple[str, float, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        seen.setdefault((row["method"], row["weight"], row["batch_size"]), []).append(row)
    first: dict[str, list[Mapping[str, Any]]] = {}
    for (method, _, _), own in seen.items():
        first.setdefault(method, own[:3])
    shown = [
        {
            "method": row["method"],
            "mistake": f"{row['true_class']} taken for {row['predicted_class']}",
            "edges": f"{row['tree_distance']:g}",
            "before": f"{row['before']:.2f}",
            "after": f"{row['after']:.2f}",
            "change": f"{row['change']:+.2f}",
        }
        for own in first.values()
        for row in own
    ]
    if shown:
        columns = (
            Column("method"),
            Column("mistake"),
            Column("edges", right=True),
            Column("before", "plain %", right=True),
            Column("after", "with tree %", right=True),
            Column("change", "change", right=True),
        )
        print_text(
            rich_table(shown, columns, title="Mistakes that moved most, share of the true class")
        )


def _print_archs(rows: Sequence[Mapping[str, Any]]) -> None:
    keys = ["n_train", "method", *_options(rows, ("weight",))]
    columns = [Column(key, key.replace("_", " "), right=key != "method") for key in keys]
    seeds = len({row["seed"] for row in rows})
    print_text(
        rich_table(
            _means(rows, keys, _ARCHS),
            [*columns, *_columns(rows, _ARCHS)],
            title=f"{rows[0]['data']}, {seeds} seed{'' if seeds == 1 else 's'}",
        ),
        "Mean ± standard deviation over seeds, which share splits and initial weights.",
    )


def _diagnosis_page(found: Any) -> list[Any]:  # noqa: ANN401
    record = found.record
    numbers = (
        ("mean_components_bic", "components of a class by BIC, mean"),
        ("mean_components_aic", "components of a class by AIC, mean"),
        ("multi_modal_share", "share of classes with two or more by BIC"),
        ("l2_emd_correlation", "correlation of l2 and emd over pairs of classes"),
        ("one_shape_correlation", "the same for normal classes of one shape"),
        ("cpcc_l2", "CPCC with the tree by l2"),
        ("cpcc_emd", "CPCC with the tree by emd"),
    )
    shown = [
        {"number": words, "value": f"{record[name]:.3f}"}
        for name, words in numbers
        if record[name] is not None
    ]
    classes = sorted(found.classes, key=lambda row: -(row["components_bic"] or 0))[:12]
    answer = f"{record['answer'].upper()}: {record['reason']}."
    return [
        f"Do class means hide structure that transport sees? {answer}",
        rich_table(
            shown,
            [Column("number"), Column("value", right=True)],
            title=f"{record['data']}: {record['samples']:,} samples of {record['classes']} "
            f"classes, {record['dimensions']} dimensions",
        ),
        rich_table(
            classes,
            [
                Column("class"),
                Column("samples", right=True),
                Column("axes", right=True),
                Column("components_bic", "BIC", right=True),
                Column("components_aic", "AIC", right=True),
            ],
            title="Normal components of each class"
            + (", the 12 with most" if len(found.classes) > len(classes) else ""),
        ),
        "Long tails take several components as well as several modes do; the correlation decides.",
        "The answer is about these features; what training with transport gains, ot train shows.",
    ]


def _print_speed(result: Any) -> None:  # noqa: ANN401
    for axis in ("samples", "dimension", "classes"):
        rows = [row for row in result.rows if row["axis"] == axis]
        settings = list(dict.fromkeys(row[axis] for row in rows))
        slopes = {row["distance"]: row["slope"] for row in result.slopes if row["axis"] == axis}
        shown = []
        for distance in dict.fromkeys(row["distance"] for row in rows):
            line: dict[str, Any] = {"distance": distance, "slope": "-"}
            if slopes.get(distance) is not None:
                line["slope"] = f"{slopes[distance]:.2f}"
            own = [row for row in rows if row["distance"] == distance]
            for setting in settings:
                values = sorted(row["seconds"] for row in own if row[axis] == setting)
                line[str(setting)] = f"{1e3 * values[len(values) // 2]:.2f}" if values else "-"
            known = [row["mebibytes"] for row in own if row["mebibytes"] is not None]
            line["memory"] = f"{max(known):.0f}" if known else "-"
            shown.append(line)
        columns = [
            Column("distance"),
            *(Column(str(setting), f"{setting:,}", right=True) for setting in settings),
            Column("slope", right=True),
            Column("memory", "most MiB", right=True),
        ]
        words = {"samples": "samples of each of 4 classes", "dimension": "dimensions"}
        print_text(rich_table(shown, columns, title=f"Milliseconds by {words.get(axis, axis)}"))
    print_text("Median of repeats; slope 1 is linear, 2 quadratic, over the larger half.")


def _draw_trained(
    rows: Sequence[Mapping[str, Any]],
    result: Any,  # noqa: ANN401
    folder: Path,
) -> list[Path]:
    import numpy as np

    from nasrank.companions.optimal_transport.figures import (
        Leaves,
        View,
        draw_features,
        draw_measures,
        draw_sweep,
        file_stem,
    )

    first = rows[0]
    stem, title = file_stem(first["data"]), f"{first['data']}, {first['encoder']}"
    tree = result.problem.tree
    leaves = Leaves(result.problem.data.class_names, tree.group_of, tree.pair_distances())
    size = first["batch_size"]
    weight = next((row["weight"] for row in rows if row["method"] != "plain"), 0.0)
    base = [
        row for row in result.rows if row["batch_size"] == size and row["weight"] in {0.0, weight}
    ]
    paths = [folder / f"{stem}-measures.svg"]
    draw_measures(base, title, paths[0])
    views = [
        View(
            row["method"],
            np.array(row["shown"]).reshape(-1, 2),
            np.array(row["shown_classes"]),
            np.array(row["class_distances"]),
        )
        for row in base
        if row["seed"] == first["seed"] and row["shown"] is not None
    ]
    if views:
        paths.append(folder / f"{stem}-features.svg")
        words = f"{title}: test features on their principal axes, seed {first['seed']}"
        draw_features(views, leaves, words, paths[-1])
    for axis, other, kept in (("weight", "batch_size", size), ("batch_size", "weight", weight)):
        own = [row for row in rows if row[other] == kept or row["method"] == "plain"]
        if axis in _options(own, (axis,)):
            paths.append(folder / f"{stem}-{file_stem(axis)}.svg")
            draw_sweep(own, axis, title, paths[-1])
    return paths


def _draw_archs(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    from nasrank.companions.optimal_transport.figures import draw_archs, file_stem

    data = rows[0]["data"]
    path = folder / f"{file_stem(data.replace('/', '-'))}.svg"
    draw_archs(rows, data, path)
    return [path]


def _draw_geometry(found: Any, folder: Path) -> list[Path]:  # noqa: ANN401
    from nasrank.companions.optimal_transport.figures import draw_geometry

    path = folder / "geometry.svg"
    draw_geometry(found.geometry, Path(found.record["data"]).name, path)
    return [path]


def _draw_speed(result: Any, folder: Path) -> list[Path]:  # noqa: ANN401
    from nasrank.companions.optimal_transport.figures import draw_speed

    path = folder / "speed.svg"
    draw_speed(result.rows, result.slopes, path)
    return [path]

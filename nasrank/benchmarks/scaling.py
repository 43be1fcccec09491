"""ScAn-Bench: pre-training of language models, OpenCLIP and TabPFN at many scales.

An architecture is a row of settings: widths and depths, the amount of data, and how it is trained.
Each was trained once. The tables are made from the package scan-bench by
``data/make_scaling_tables.py`` and come with nasrank; they hold a row for each training. Trainings
larger than all others stand apart in the dataset ``large``, to extrapolate to.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.space import Benchmark, Metric, Size, Space, Task, build_space
from nasrank.cache import Columns
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Scale, Setting, Settings
from nasrank.tables import read_parquet

__all__ = ["CLIP", "CURVE", "LLM", "NEAR", "SHIPPED", "TABPFN", "Sweep", "benchmark_of"]

READER_VERSION = 1
"""Increased when the same file is read as other numbers."""

SHIPPED = Path(__file__).parent / "shipped"
"""Where the tables lie."""

CURVE = (25, 50, 75)
"""Shares of a training, in percent, of which the loss is kept."""
NEAR = 0.1
"""How far from such a share a checkpoint may lie, as a share of the training."""

_LARGE = "large"


@dataclass(frozen=True, eq=False)
class Sweep:
    """A table of trainings, one row each.

    Attributes:
        name: Name of the space.
        title: What it is, in one line.
        sha256: Digest of its file.
        settings: The settings.
        metrics: The metrics, each a column of the file; fractions where the unit is percent.
        trainings: How many trainings each dataset has.
        notes: What to keep in mind about the default metric of each dataset.
        extra: Further columns of the file: ``large`` and ``failed`` (0 or 1) where there are
            such trainings.
    """

    name: str
    title: str
    sha256: str
    settings: tuple[Setting, ...]
    metrics: tuple[Metric, ...]
    trainings: Mapping[str, int]
    notes: Mapping[str, str]
    extra: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        """The file."""
        file = f"nasrank/benchmarks/shipped/{self.name}.parquet"
        return Origin("scan-bench", "0.2.3", file, self.sha256, "MIT", shipped=True)

    @property
    def columns(self) -> list[str]:
        """Columns of the file."""
        named = chain((s.name for s in self.settings), (m.name for m in self.metrics))
        return [*named, *self.extra]


def _numbers(scale: Scale, *names: str) -> tuple[Setting, ...]:
    return tuple(Setting(name, "number", scale) for name in names)


def _loss(name: str, words: str) -> Metric:
    return Metric(name, "loss", higher_is_better=False, description=words)


def _curve(name: str, words: str) -> tuple[Metric, ...]:
    return tuple(_loss(f"{name}_{share}", f"{words} after {share} % of it") for share in CURVE)


def _scores(words: str, *names: str) -> tuple[Metric, ...]:
    return tuple(
        Metric(name, "%", higher_is_better=True, description=f"{words} {name}") for name in names
    )


_COMPUTE = (
    Metric("flops", "FLOPs", higher_is_better=False, description="compute of the training"),
    Metric("parameters", "parameters", higher_is_better=False, description="weights of the model"),
)

_LLM = Sweep(
    name="scaling-llm",
    title="ScAn-Bench LLM: decoders pre-trained at scales from 16 M to 1.0 G weights",
    sha256="8d3bc0a926c214352997f62536e2e405aede7e4d337e1efaad3c197b0241d664",
    settings=(
        *_numbers("log", "d_model"),
        *_numbers("linear", "n_layers"),
        *_numbers("log", "n_heads", "n_tokens", "lr", "weight_decay"),
        *_numbers("linear", "beta1", "beta2", "cooldown_steps"),
    ),
    metrics=(
        _loss("valid_loss", "validation loss at the end of the training"),
        _loss("test_loss", "test loss at the end of the training"),
        _loss("train_loss", "training loss at the end of the training"),
        *_curve("valid_loss", "validation loss of the same training"),
        *_scores(
            "score of the downstream task",
            "core_v2", "agi_eval_lsat_ar", "arc_challenge", "arc_easy",
            "bigbench_cs_algorithms", "bigbench_dyck_languages",
            "bigbench_language_identification", "bigbench_operators", "bigbench_qa_wikidata",
            "boolq", "commonsense_qa", "copa", "coqa", "hellaswag", "hellaswag_zeroshot",
            "lambada_openai", "mmlu_fewshot", "openbook_qa", "openbookqa", "piqa", "winograd",
            "winogrande",
        ),
        *_COMPUTE,
    ),
    trainings={"valid_loss": 1_194, _LARGE: 5},
    notes={
        "valid_loss": "the authors removed failed trainings; larger ones are in scaling-llm/large",
        _LARGE: "5 trainings to extrapolate to from scaling-llm/valid_loss, too few to train on",
    },
    extra=("large",),
)  # fmt: skip

_CLIP = Sweep(
    name="scaling-clip",
    title="ScAn-Bench OpenCLIP: image and text encoders pre-trained at many scales",
    sha256="b37e024697f9e5b28c41cb02415e26a89fc54b07c43a90135e461504058fe13a",
    settings=(
        *_numbers(
            "log", "text_width", "vision_width", "global_batch_size", "total_samples_planned",
            "lr", "wd",
        ),
        *_numbers("linear", "beta1", "beta2"),
        *_numbers("log", "eps"),
        *_numbers("linear", "warmup_fraction"),
    ),
    metrics=(
        _loss("val_loss", "validation loss at the end of the training"),
        _loss("test_loss", "test loss at the end of the training"),
        *_curve("val_loss", "validation loss of the same training"),
        *_scores(
            "zero-shot score",
            "vtab_caltech101_mean_per_class_recall", "cifar10_mean_per_class_recall",
            "vtab_cifar100_mean_per_class_recall", "vtab_clevr_count_all_acc1",
            "vtab_clevr_closest_object_distance_acc1", "country211_acc1", "vtab_dtd_acc1",
            "vtab_eurosat_acc1", "fgvc_aircraft_mean_per_class_recall", "food101_acc1",
            "gtsrb_acc1", "imagenet1k_acc1", "imagenet_sketch_acc1", "imagenet_a_acc1",
            "imagenet_o_acc1", "imagenet_r_acc1", "vtab_kitti_closest_vehicle_distance_acc1",
            "mnist_acc1", "objectnet_acc1", "vtab_flowers_mean_per_class_recall",
            "vtab_pets_mean_per_class_recall", "voc2007_acc1", "vtab_pcam_acc1",
            "renderedsst2_acc1", "vtab_resisc45_acc1", "cars_acc1", "stl10_acc1", "sun397_acc1",
            "vtab_svhn_acc1", "retrieval_flickr_1k_test_image_text_retrieval_mean_recall_at_1",
            "retrieval_mscoco_2014_5k_test_image_text_retrieval_mean_recall_at_1",
            "misc_winogavil_jaccard_score_10_12", "wilds_iwildcam_f1_macro_all",
            "wilds_camelyon17_acc1", "wilds_fmow_acc_worst_region",
            "fairness_dollar_street_acc_top5_wg", "fairness_geode_acc_wg",
            "fairness_fairface_acc_race_avg", "fairness_utkface_acc_race_avg",
        ),
        *_COMPUTE,
        Metric(
            "train_seconds",
            "s",
            higher_is_better=False,
            description="GPU time of the training, on the GPUs that were at hand",
        ),
    ),
    trainings={"val_loss": 1_500, _LARGE: 35},
    notes={
        "val_loss": "134 trainings diverged and have no label; larger ones are in "
        "scaling-clip/large",
        _LARGE: "to extrapolate to from scaling-clip/val_loss; half of them learned nothing",
    },
    extra=("failed", "large"),
)  # fmt: skip

_TABPFN = Sweep(
    name="scaling-tabpfn",
    title="ScAn-Bench TabPFN: models for tables pre-trained at many scales",
    sha256="d03165156b52e1ae71093752e7737bd3433129940c622c7ac789580e1cc709fe",
    settings=_numbers(
        "log", "embedding_size", "num_layers", "effective_batch_size", "lr", "max_features",
        "num_datapoints_max", "total_cells",
    ),
    metrics=(
        _loss("val_loss", "validation loss on data of the prior"),
        *(
            _loss(f"val_loss_{size}", f"validation loss on {size} tables of the prior")
            for size in ("small", "medium", "large")
        ),
        _loss("real_nll", "negative log-likelihood on real tables"),
        *_scores("area under the ROC curve on real tables,", "real_roc_auc"),
        *_COMPUTE,
    ),
    trainings={"val_loss": 2_222},
    notes={},
)  # fmt: skip


@lru_cache(maxsize=3)
def _columns(sweep: Sweep, source: SourceFile) -> Columns:
    """Read and check the file."""
    try:
        table = read_parquet(source.path)
    except DataError as error:
        raise source.error("it is no readable table") from error
    found = {field.name: str(field.type) for field in table.schema}
    if found != dict.fromkeys(sweep.columns, "double"):
        raise source.error(f"its columns are not those of {sweep.name}")
    rows = sum(sweep.trainings.values())
    if table.num_rows != rows or any(column.null_count for column in table.columns):
        raise source.error(f"it does not hold {rows:,} trainings")
    # DLPack, since Arrow's own conversion to numpy imports pandas, which is slow.
    columns: Columns = {
        name: np.from_dlpack(table.column(name).combine_chunks()) for name in sweep.columns
    }
    for complaint, holds in _checks(sweep, columns):
        if not holds:
            raise source.error(complaint)
    return columns


def _checks(sweep: Sweep, columns: Columns) -> Iterator[tuple[str, bool]]:
    """Yield what must hold for the numbers, with the complaint if it does not."""
    default = columns[sweep.metrics[0].name]
    failed, large = (columns.get(mark, np.zeros(len(default))) for mark in ("failed", _LARGE))
    settings = [columns[setting.name] for setting in sweep.settings]
    scores = np.array([columns[each.name] for each in sweep.metrics if each.unit == "%"])
    others = np.array([columns[each.name] for each in sweep.metrics if each.unit != "%"])
    yield "it lacks settings", bool(np.isfinite(settings).all())
    yield "it has marks other than 0 and 1", bool(np.isin([failed, large], (0, 1)).all())
    counted = int(large.sum()) == sweep.trainings.get(_LARGE, 0)
    yield "it has another number of larger trainings", counted
    fits = np.isnan(default) == (failed == 1)
    yield "its labels do not fit what it says has failed", bool(fits.all())
    yield "it has fractions outside -1 to 1", not (np.abs(scores) > 1).any()
    fits = (others >= 0) & (others < np.inf) | np.isnan(others)
    yield "it has losses or costs that are negative or infinite", bool(fits.all())


@lru_cache(maxsize=8)
def _space(sweep: Sweep, source: SourceFile, dataset: str) -> Space:
    columns = _columns(sweep, source)
    values = np.stack([columns[setting.name] for setting in sweep.settings], axis=1)
    settings = Settings(sweep.settings, values[_rows(columns, dataset)])
    name = sweep.name if dataset != _LARGE else f"{sweep.name}-{_LARGE}"
    texts = tuple(settings.text(row) for row in range(len(settings)))
    return build_space(name, texts, GraphBatch.of_settings(settings))


def _rows(columns: Columns, dataset: str) -> NDArray[np.bool_]:
    """Return which trainings are those of a dataset."""
    large = columns.get(_LARGE)
    if large is None:
        return np.ones(len(next(iter(columns.values()))), np.bool_)
    chosen: NDArray[np.bool_] = (large == 1) == (dataset == _LARGE)
    return chosen


def _load(sweep: Sweep, name: str, dataset: str, metric: Metric) -> Task:
    """Read one task; see `Benchmark.load`.

    Raises:
        DataError: The file is missing, damaged or not what it should be.
    """
    source, _ = read_source(sweep.origin)
    columns = _columns(sweep, source)
    rows = _rows(columns, dataset)
    values = columns[metric.name][rows]
    if metric.unit == "%":
        values = 100 * values
    none = np.zeros(len(values))
    failed = (columns["failed"][rows] if "failed" in columns else none) == 1
    failed &= np.isnan(values)
    fingerprint = hashlib.sha256(
        f"{sweep.name} {dataset} {source.sha256} {READER_VERSION}".encode()
    ).hexdigest()
    return Task(
        name=name,
        space=_space(sweep, source, dataset),
        dataset=dataset,
        metric=metric,
        values=values[:, None],
        cost_seconds=columns["train_seconds"][rows] if "train_seconds" in columns else None,
        parameters=columns["parameters"][rows],
        chance=None,
        sources=(source,),
        fingerprint=fingerprint,
        note=sweep.notes.get(dataset, "") if metric == sweep.metrics[0] else "",
        failed=failed if failed.any() else None,
    )


def benchmark_of(sweep: Sweep) -> Benchmark:
    """Describe the space of a table."""
    return Benchmark(
        name=sweep.name,
        title=sweep.title,
        datasets=tuple(sweep.trainings),
        metrics=sweep.metrics,
        load=partial(_load, sweep),
        origins=dict.fromkeys(sweep.trainings, sweep.origin),
        sizes={name: Size(count, count) for name, count in sweep.trainings.items()},
    )


LLM = benchmark_of(_LLM)
"""Description of the space ``scaling-llm``."""

CLIP = benchmark_of(_CLIP)
"""Description of the space ``scaling-clip``."""

TABPFN = benchmark_of(_TABPFN)
"""Description of the space ``scaling-tabpfn``."""

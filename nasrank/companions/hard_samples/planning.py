"""The grid of the study: what is asked for, spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from nasrank.companions.hard_samples.methods import (
    UNTRAINED,
    Method,
    make_synthesiser,
    parse_method,
)
from nasrank.companions.hard_samples.mining import MINERS
from nasrank.errors import DataError, UsageError
from nasrank.samples import SampleSet, load_samples, split_by_class
from nasrank.seeds import seeded_torch
from nasrank.study.finished import Identity

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.train import Training

__all__ = [
    "SUBSETS",
    "HardConfig",
    "HardRun",
    "held_out",
    "load_data",
    "plan_runs",
    "possible_method",
    "training_of",
]

_DEFAULT = ("triplet-random", "semi-hard", "hdml", "daml", "two-stage")
_ABLATIONS = tuple(
    f"two-stage(without={part})" for part in ("stage-one", "stage-two", "condition", "adaptation")
)
_COMBINED = tuple(f"two-stage+{miner}" for miner in MINERS[1:])

SUBSETS: dict[str, dict[str, Any]] = {
    "ci": {"methods": ("triplet-random", "two-stage"), "seeds": 2, "epochs": 2},
    "full": {"methods": (*MINERS, *_DEFAULT[2:], *_ABLATIONS, *_COMBINED), "seeds": 5},
}
"""Fixed grids: ``ci`` for a quick check on a CPU, ``full`` for every method and claim."""

_SMALL_IMAGE = 16
_HELD_OUT = 0.4
_FEWEST_CLASSES = 2


class HardConfig(BaseModel):
    """What to train, and how; the names are those of the command's options.

    Attributes:
        data: A name in `~nasrank.samples.DATA_SETS`, a path of vectors, or ``archs:TASK``.
        data_dir: Folder of image files; not recorded.
        label: Class column of a Parquet file.
        unseen: Classes to measure on, the last ones; half of them if None.
        train_limit: Most training samples.
        test_limit: Most samples to measure on.
        methods: Methods by name, with options; an untrained control is added.
        encoder: Name of an encoder; ``auto`` is ``cnn`` for images of 16 pixels or more, else
            ``mlp``.
        embedding: Width of the embedding.
        epochs: Passes over the training samples.
        batch: Samples of a batch.
        images_per_class: Samples of a class in a batch.
        margin: Of the triplet loss, in units of distance on the unit sphere.
        learning_rate: Of Adam.
        warm_up: Share of the epochs before generated samples are used.
        augmentation: ``off``, ``on``, or both to compare.
        weight_decay: One or several to compare.
        cost_false_accept: What it costs to take two for one class that are not.
        cost_false_reject: What it costs not to take two for one class that are.
        genuine_share: Share of pairs of one class among those to decide on.
        sensitivity: Sweep the options of the first method that generates.
        tune: Propose settings for it on held-out classes.
        n_train: Training architectures of ``archs:TASK``.
        tiers: Classes that their labels are cut into.
        side_weight: Weight of the metric loss beside the ranking loss there.
        seeds: Runs of each setting.
        seed: The first seed; the others follow it.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field("digits", min_length=1)
    data_dir: Path | None = Field(None, exclude=True)
    label: str | None = None
    unseen: PositiveInt | None = None
    train_limit: int = Field(10_000, ge=4)
    test_limit: int = Field(5_000, ge=4)
    methods: tuple[str, ...] = Field(_DEFAULT, min_length=1)
    encoder: str = "auto"
    embedding: int = Field(64, ge=2, le=4096)
    epochs: int = Field(10, ge=1, le=100_000)
    batch: int = Field(64, ge=4, le=4096)
    images_per_class: int = Field(8, ge=2, le=1024)
    margin: float = Field(0.2, gt=0, le=2)
    learning_rate: float = Field(3e-4, gt=0, le=1)
    warm_up: float = Field(0.2, ge=0, lt=1)
    augmentation: tuple[Literal["off", "on"], ...] = Field(("off",), min_length=1)
    weight_decay: tuple[NonNegativeFloat, ...] = Field((0.0,), min_length=1)
    cost_false_accept: NonNegativeFloat = 1.0
    cost_false_reject: NonNegativeFloat = 1.0
    genuine_share: float = Field(0.5, gt=0, lt=1)
    sensitivity: bool = False
    tune: bool = False
    n_train: tuple[PositiveInt, ...] = Field((20, 78), min_length=1)
    tiers: int = Field(4, ge=2, le=100)
    side_weight: PositiveFloat = 0.3
    seeds: PositiveInt = 3
    # Tables hold seeds in 64 bits.
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"

    @model_validator(mode="before")
    @classmethod
    def _methods_for_the_data(cls, values: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Architectures know fewer methods."""
        if isinstance(values, dict) and str(values.get("data", "")).startswith("archs:"):
            return {"methods": (MINERS[0], "two-stage"), **values}
        return values

    @property
    def all_seeds(self) -> range:
        """The seeds of the runs."""
        return range(self.seed, self.seed + self.seeds)


@dataclass(frozen=True)
class HardRun(Identity):
    """The identity of a run: everything that its numbers depend on.

    Attributes:
        data: Name of the data set.
        fingerprint: Digest of the samples of both parts, after the cut by class.
        held_out: Whether it is measured on some of the seen classes.
        method: Canonical spelling of the method.
        encoder: Name of the encoder.
        embedding: Width of the embedding.
        epochs: Epochs of training.
        batch: Samples of a batch.
        images_per_class: Samples of a class in it.
        margin: Of the triplet loss.
        learning_rate: Of Adam.
        weight_decay: Of the optimiser.
        augmentation: Whether samples are shifted and noised.
        warm_up: Share of the epochs before generated samples are used.
        seed: Seed of the run.
    """

    data: str
    fingerprint: str
    held_out: bool
    method: str
    encoder: str
    embedding: int
    epochs: int
    batch: int
    images_per_class: int
    margin: float
    learning_rate: float
    weight_decay: float
    augmentation: bool
    warm_up: float
    seed: int


def load_data(config: HardConfig) -> SampleSet:
    """Load the data and cut it by class.

    Raises:
        UsageError: There is no such data set, or it has too few classes.
        DataError: Files are missing or damaged, or the classes are too small.
    """
    own = Path(config.data)
    changed = own.stat().st_mtime_ns if own.is_file() else 0
    limits = config.train_limit, config.test_limit
    return _load(config.data, config.data_dir, config.label, config.unseen, limits, changed)


def held_out(data: SampleSet) -> SampleSet:
    """Train on some of the seen classes and measure on the others.

    Raises:
        UsageError: There are fewer than four seen classes.
    """
    seen = np.unique(data.train.classes)
    count = max(2, round(_HELD_OUT * len(seen)))
    if len(seen) - count < 2:
        raise UsageError(
            f"--tune holds out seen classes, of which {data.name} has {len(seen)}: four or more "
            "are needed. Lower --unseen, or leave out --tune"
        )
    tested = np.isin(data.train.classes, seen[-count:])
    # Other samples of the classes that are measured on must stay unseen, and so they do: the
    # unseen part is not looked at.
    return SampleSet(data.name, data.train.take(~tested), data.train.take(tested))


def plan_runs(config: HardConfig, data: SampleSet) -> tuple[HardRun, ...]:
    """Spell out the runs of the comparison, the control first.

    Raises:
        UsageError: A name, an option or a size cannot be meant.
    """
    methods = list(dict.fromkeys(str(possible_method(text)) for text in config.methods))
    methods = [UNTRAINED, *(method for method in methods if method != UNTRAINED)]
    base = HardRun(
        data=data.name,
        fingerprint=data.fingerprint,
        held_out=False,
        method=UNTRAINED,
        encoder=_encoder(config.encoder, data.shape),
        embedding=config.embedding,
        epochs=config.epochs,
        batch=config.batch,
        images_per_class=config.images_per_class,
        margin=config.margin,
        learning_rate=config.learning_rate,
        weight_decay=0.0,
        augmentation=False,
        warm_up=config.warm_up,
        seed=config.seed,
    )
    changes = [
        (decay, word == "on")
        for word in dict.fromkeys(config.augmentation)
        for decay in dict.fromkeys(config.weight_decay)
    ]
    runs = [
        _canonical(replace(base, method=method, weight_decay=decay, augmentation=on, seed=seed))
        for method in methods
        for decay, on in changes
        for seed in config.all_seeds
    ]
    return tuple(dict.fromkeys(runs))


def training_of(run: HardRun) -> Training:
    """Return how a run is trained."""
    from nasrank.companions.hard_samples.train import Training

    return Training(
        method=parse_method(run.method),
        encoder=run.encoder,
        embedding=run.embedding,
        epochs=run.epochs,
        batch=run.batch,
        images_per_class=run.images_per_class,
        margin=run.margin,
        learning_rate=run.learning_rate,
        weight_decay=run.weight_decay,
        augmentation=run.augmentation,
        warm_up=run.warm_up,
        seed=run.seed,
    )


def possible_method(text: str) -> Method:
    """Read a method, and see that its options go together.

    Raises:
        UsageError: It cannot be read, or its options contradict one another.
    """
    import torch

    from nasrank.companions.hard_samples.synthesis import Sizes

    method = parse_method(text)
    with seeded_torch(0, stream="possible"):
        make_synthesiser(method, Sizes(2, 2, 2, 0.2), torch.device("cpu"))
    return method


def _canonical(run: HardRun) -> HardRun:
    """What is not trained has no way of training, so it is one run whatever was asked for."""
    if run.method != UNTRAINED:
        return run
    return replace(
        run, epochs=0, batch=0, images_per_class=0, margin=0.0, learning_rate=0.0,
        weight_decay=0.0, augmentation=False, warm_up=0.0,
    )  # fmt: skip


def _encoder(name: str, shape: Sequence[int]) -> str:
    from nasrank.encoders import ENCODERS

    if name == "auto":
        return "cnn" if len(shape) == 3 and min(shape[1:]) >= _SMALL_IMAGE else "mlp"
    ENCODERS[name]
    if name != "mlp" and (len(shape) != 3 or prod(shape[1:]) < 64):
        raise UsageError(f"--encoder {name} is for images of 8x8 pixels or more. Use mlp")
    return name


# A file of the user's that has changed since is another one.
@lru_cache(maxsize=1)
def _load(
    name: str,
    data_dir: Path | None,
    label: str | None,
    unseen: int | None,
    limits: tuple[int, int],
    _changed: int,
) -> SampleSet:
    if Path(name).suffix == ".parquet" and label is None:
        raise UsageError(f"{name}: which column is the class? Name it with --label")
    loaded = load_samples(name, data_dir=data_dir, label=label)
    data = split_by_class(loaded, unseen).limited(*limits)
    for part, samples in (("seen", data.train), ("unseen", data.test)):
        counts = np.bincount(samples.classes)
        if np.sum(counts > 0) < _FEWEST_CLASSES or counts.max(initial=0) < 2:
            raise DataError(
                f"{name}: {len(samples)} samples of {np.sum(counts > 0)} {part} classes, none of "
                "two samples or more to pair. Give more samples, or raise --train-limit and "
                "--test-limit"
            )
    return data

"""Encoders trained for a range of alphas: how much of the finer labels is left?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.companions.supcon.closed_form import temperature_star
from nasrank.companions.supcon.coarse import Grouped, group_by_remainder, load_grouped
from nasrank.companions.supcon.encoding import Encoding, train_encoder
from nasrank.companions.supcon.tables import TRAINING
from nasrank.companions.supcon.train_claims import training_claims
from nasrank.encoders import ENCODERS, make_encoder
from nasrank.errors import UsageError
from nasrank.files import remove_stale_parts
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, finish, missing
from nasrank.tables import write_json

__all__ = ["Planned", "TrainConfig", "Trained", "plan_encodings", "planned_runs", "train"]

_MOST_EMBEDDINGS = 8_192
Row = dict[str, Any]


class TrainConfig(BaseModel):
    """What to train; the names are those of the command's options.

    Of options in the plural the first value is the base. For the base all alphas are trained;
    every further value is tried alone, with the others at their base, for ``varied_alphas``.

    Attributes:
        data: Data set, or path of a file.
        label: Class column of a Parquet file.
        coarse: Column with coarser classes.
        train_limit: Most training samples.
        test_limit: Most test samples.
        alphas: Shares of the self-supervised loss.
        varied_alphas: Those for further values of the other options.
        temperatures: Temperatures.
        anchors: Conventions of the loss.
        classes: Coarse classes; 0 for the usual ones of the data.
        instances: Instances of a class in a batch.
        views: Views of an instance.
        augmentations: Strengths of the views.
        imbalances: Sizes of the largest class over that of the smallest.
        label_noises: Shares of wrong coarse labels.
        encoders: Encoders by name.
        features: Lengths of the features; 0 for the encoder's default.
        initial_scales: Factors of the first weights.
        steps: Steps of training.
        seeds: Runs of each setting.
        seed: The first seed.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = "digits"
    label: str | None = None
    coarse: str | None = None
    train_limit: PositiveInt = 10_000
    test_limit: PositiveInt = 5_000
    alphas: tuple[float, ...] = Field((0.0, 0.05, 0.2, 0.5, 0.8, 1.0), min_length=1)
    varied_alphas: tuple[float, ...] = (0.0, 0.5)
    temperatures: tuple[float, ...] = Field((0.5,), min_length=1)
    anchors: tuple[str, ...] = Field(("included",), min_length=1)
    classes: tuple[int, ...] = Field((0,), min_length=1)
    instances: tuple[int, ...] = Field((16,), min_length=1)
    views: int = Field(2, ge=2, le=100)
    augmentations: tuple[float, ...] = Field((1.0,), min_length=1)
    imbalances: tuple[float, ...] = Field((1.0,), min_length=1)
    label_noises: tuple[float, ...] = Field((0.0,), min_length=1)
    encoders: tuple[str, ...] = Field(("mlp",), min_length=1)
    features: tuple[int, ...] = Field((0,), min_length=1)
    initial_scales: tuple[float, ...] = Field((1.0,), min_length=1)
    steps: int = Field(600, ge=10, le=1_000_000)
    seeds: int = Field(3, ge=1, le=10_000)
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"


@dataclass(frozen=True)
class Trained:
    """Trained encoders.

    Attributes:
        out: The folder they were written to.
        rows: Rows of ``train``.
        claims: Rows of ``claims``.
        computed: Number of encoders that this call trained.
    """

    out: Path
    rows: list[Row]
    claims: list[Row]
    computed: int


@dataclass(frozen=True)
class Planned:
    """What a command would do.

    Attributes:
        runs: All its encoders.
        missing: How many of them are not finished.
        device: Kind of device they would be trained on.
    """

    runs: tuple[Encoding, ...]
    missing: int
    device: str


def plan_encodings(config: TrainConfig, data: Grouped) -> tuple[Encoding, ...]:
    """Spell out the encoders to train, the base first, and refuse what cannot be meant.

    Args:
        config: What to train.
        data: Its data.

    Raises:
        UsageError: A value cannot be meant.
    """
    _check(config)
    usual = tuple(data.coarse_of.tolist())

    def coarse(count: int) -> tuple[int, ...]:
        return tuple(group_by_remainder(data, count).coarse_of.tolist()) if count else usual

    base = Encoding(
        data=data.samples.name,
        fingerprint=data.samples.fingerprint,
        coarse_of=coarse(config.classes[0]),
        encoder=config.encoders[0],
        features=config.features[0],
        initial_scale=config.initial_scales[0],
        instances=config.instances[0],
        views=config.views,
        temperature=config.temperatures[0],
        alpha=0.0,
        anchor=config.anchors[0],
        augmentation=config.augmentations[0],
        imbalance=config.imbalances[0],
        label_noise=config.label_noises[0],
        steps=config.steps,
        seed=0,
    )
    varied = [
        *(replace(base, temperature=each) for each in config.temperatures[1:]),
        *(replace(base, anchor=each) for each in config.anchors[1:]),
        *(replace(base, coarse_of=coarse(each)) for each in config.classes[1:]),
        *(replace(base, instances=each) for each in config.instances[1:]),
        *(replace(base, augmentation=each) for each in config.augmentations[1:]),
        *(replace(base, imbalance=each) for each in config.imbalances[1:]),
        *(replace(base, label_noise=each) for each in config.label_noises[1:]),
        *(replace(base, encoder=each) for each in config.encoders[1:]),
        *(replace(base, features=each) for each in config.features[1:]),
        *(replace(base, initial_scale=each) for each in config.initial_scales[1:]),
    ]
    for each in (base, *varied):
        size = each.classes * each.instances * each.views
        if size > _MOST_EMBEDDINGS:
            raise UsageError(
                f"a batch of {size:,} views needs too much memory. Ask for {_MOST_EMBEDDINGS:,} "
                "or fewer: classes x instances x views"
            )
        make_encoder(each.encoder, data.samples.shape, features=each.features or None, seed=0)
        for alpha in (*config.alphas, *config.varied_alphas):
            temperature_star(each.classes, each.instances, each.views, alpha, anchor=each.anchor)
    seeds = range(config.seed, config.seed + config.seeds)
    runs = [replace(base, alpha=alpha, seed=seed) for seed in seeds for alpha in config.alphas]
    runs += [
        replace(each, alpha=alpha, seed=seed)
        for each in varied
        for seed in seeds
        for alpha in config.varied_alphas
    ]
    return tuple(dict.fromkeys(runs))


def train(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Trained:
    """Train the encoders that are missing and write their tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, ``train``, ``claims`` and ``run.json``.
        data_dir: Folder of image files.
        progress: Hears how far it is.
        only_cached: Train nothing; report what is there.
        force: Train every encoder again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and nothing is there.
        Interrupted: Stopped by the user; what is finished is kept.
    """
    device = choose_device(config.device)
    data = _load(config, data_dir)
    runs = plan_encodings(config, data)
    about = {"command": "supcon train", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)

    def compute(fleet: Sequence[Encoding]) -> list[Row]:
        rows = [train_encoder(run, data, device) for run in fleet]
        if progress is not None:
            progress.advance(sum(run.steps for run in fleet))
        return rows

    kept, computed = finish(
        [[run] for run in runs],
        compute,
        FinishedRuns(out / "runs.d", table=TRAINING, kind=Encoding),
        what="encoders",
        work=lambda run: run.steps,
        progress=progress,
        only_cached=only_cached,
        force=force,
    )
    rows = [kept[run.run_id] for run in runs if run.run_id in kept]
    claims = training_claims(rows)
    TRAINING.write(rows, out / "train.parquet", about)
    CLAIMS.write(claims, out / "claims.parquet", about)
    return Trained(out, rows, claims, computed)


def planned_runs(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Planned:
    """Say what a command would do, without training or writing anything.

    Args:
        config: What to train.
        out: Folder of the encoders.
        data_dir: Folder of image files.
        only_cached: Train nothing.
        force: Train every encoder again.
    """
    device = choose_device(config.device)
    runs = plan_encodings(config, _load(config, data_dir))
    finished = FinishedRuns(out / "runs.d", table=TRAINING, kind=Encoding)
    left = missing(runs, finished, only_cached=only_cached, force=force)
    return Planned(runs, len(left), device.type)


def _load(config: TrainConfig, data_dir: Path | None) -> Grouped:
    found = load_grouped(config.data, data_dir=data_dir, label=config.label, coarse=config.coarse)
    limited = found.samples.limited(config.train_limit, config.test_limit)
    return replace(found, samples=replace(limited, name=Path(limited.name).name))


def _check(config: TrainConfig) -> None:
    for name in config.encoders:
        ENCODERS[name]
    for option, values, least, most in (
        ("temperatures", config.temperatures, 1e-4, 1e4),
        ("augmentations", config.augmentations, 0.0, 10.0),
        ("imbalances", config.imbalances, 1.0, 1e6),
        ("label-noises", config.label_noises, 0.0, 1.0),
        ("initial-scales", config.initial_scales, 1e-6, 1e6),
        ("features", config.features, 0, 65_536),
        ("instances", config.instances, 2, 65_536),
    ):
        wrong = [each for each in values if not least <= each <= most]
        if wrong:
            raise UsageError(
                f"--{option} {wrong[0]:g} is out of range: choose {least:g} to {most:g}"
            )

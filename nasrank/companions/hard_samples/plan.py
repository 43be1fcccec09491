"""Which runs there are: what is asked for, spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrank.companions.backbone import through_backbone
from nasrank.companions.hard_samples.methods import UNTRAINED, possible_method
from nasrank.companions.hard_samples.options import SAMPLES_METHODS
from nasrank.companions.hard_samples.training import HardRun
from nasrank.companions.hard_samples.variants import (
    Variant,
    generating_run,
    variants,
)
from nasrank.encoders import require_fit
from nasrank.errors import DataError, UsageError
from nasrank.samples import SampleSet, load_samples, split_by_class
from nasrank.study.study import Plan

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.options import HardConfig

__all__ = ["Grid", "held_out", "load_data", "plan_runs", "plan_study"]

_SMALL_IMAGE = 16
_HELD_OUT = 0.4
_FEWEST_CLASSES = 2


@dataclass(frozen=True)
class Grid:
    """What was planned, and the data for it.

    Attributes:
        data: Seen and unseen classes.
        inner: Seen classes alone, some of them held out; None where nothing is tuned.
        runs: The runs of the comparison.
        swept: Variants of its first run that generates.
        tuned: The same on held-out classes, the settings asked for first, under the option ''.
    """

    data: SampleSet
    inner: SampleSet | None
    runs: tuple[HardRun, ...]
    swept: tuple[Variant, ...]
    tuned: tuple[Variant, ...]


def plan_study(config: HardConfig) -> Plan[HardRun]:
    """Spell out all runs, each a fleet of its own; the context is a `Grid`.

    Raises:
        UsageError: What is asked does not go together.
        DataError: The data is missing or damaged.
    """
    data = load_data(config)
    runs = plan_runs(config, data)
    swept: list[Variant] = []
    tuned: list[Variant] = []
    inner = None
    if config.sensitivity:
        chosen = generating_run(runs)
        for seed in config.all_seeds:
            swept += variants(replace(chosen, seed=seed))
    if config.tune:
        chosen, inner = generating_run(runs), held_out(data)
        for seed in config.all_seeds:
            base = replace(chosen, held_out=True, fingerprint=inner.fingerprint, seed=seed)
            tuned += [Variant("", "", base), *variants(base)]
    every = dict.fromkeys([*runs, *(each.run for each in (*swept, *tuned))])
    context = Grid(data, inner, runs, tuple(swept), tuple(tuned))
    return Plan([(run,) for run in every], context=context, notes=data.notes)


def load_data(config: HardConfig) -> SampleSet:
    """Load the data and cut it by class.

    Raises:
        UsageError: There is no such data set, or it has too few classes.
        DataError: Files are missing or damaged, or the classes are too small.
    """
    name = config.data
    if Path(name).suffix == ".parquet" and config.label is None:
        raise UsageError(f"{name}: which column is the class? Name it with --label")
    loaded = load_samples(
        name, data_dir=config.data_dir, label=config.label, reading=config.reading
    )
    loaded = through_backbone(loaded, config.backbone)
    data = split_by_class(loaded, config.unseen).limited(config.train_limit, config.test_limit)
    for part, samples in (("seen", data.train), ("unseen", data.test)):
        counts = np.bincount(samples.classes)
        if np.sum(counts > 0) < _FEWEST_CLASSES or counts.max(initial=0) < 2:
            raise DataError(
                f"{name}: {len(samples)} samples of {np.sum(counts > 0)} {part} classes, none of "
                "two samples or more to pair. Give more samples, or raise --train-limit and "
                "--test-limit"
            )
    return data


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
        UsageError: A method, an option or a size is invalid.
    """
    methods = list(
        dict.fromkeys(str(possible_method(text)) for text in config.methods or SAMPLES_METHODS)
    )
    methods = [UNTRAINED, *(method for method in methods if method != UNTRAINED)]
    base = HardRun(
        data=data.name,
        fingerprint=data.fingerprint,
        held_out=False,
        method=UNTRAINED,
        encoder=_encoder(config.encoder, data.shape),
        embedding=config.embedding,
        epochs=config.epochs,
        batch=config.batch_size,
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
        for word in dict.fromkeys(config.augmentations)
        for decay in dict.fromkeys(config.weight_decays)
    ]
    runs = [
        _canonical(replace(base, method=method, weight_decay=decay, augmentation=on, seed=seed))
        for method in methods
        for decay, on in changes
        for seed in config.all_seeds
    ]
    return tuple(dict.fromkeys(runs))


def _canonical(run: HardRun) -> HardRun:
    """What is not trained has no way of training, so it is one run whatever was asked for."""
    if run.method != UNTRAINED:
        return run
    return replace(
        run, epochs=0, batch=0, images_per_class=0, margin=0.0, learning_rate=0.0,
        weight_decay=0.0, augmentation=False, warm_up=0.0,
    )  # fmt: skip


def _encoder(name: str, shape: Sequence[int]) -> str:
    if name == "auto":
        return "cnn" if len(shape) == 3 and min(shape[1:]) >= _SMALL_IMAGE else "mlp"
    require_fit(name, shape)
    return name

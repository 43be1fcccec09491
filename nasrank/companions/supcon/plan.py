"""The runs of ``nasrank supcon``, spelled out: problems and encoders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nasrank.companions.backbone import through_backbone
from nasrank.companions.supcon.closed_form import Batch, alpha_star, temperature_star
from nasrank.companions.supcon.coarse import Grouped, group_by_remainder, load_grouped
from nasrank.companions.supcon.encoding import Encoding
from nasrank.companions.supcon.options import SimulateConfig, TrainConfig
from nasrank.companions.supcon.simulate import Problem
from nasrank.encoders import make_encoder
from nasrank.errors import UsageError
from nasrank.study.study import Plan

__all__ = ["load_data", "plan_encodings", "plan_problems", "plan_training"]

_MOST_VIEWS, _MOST_FREE = 8_192, 2_048
_MOST_PAIRS = 1_200_000
"""Pairs of embeddings at a time, over all problems: a tenth of a second a step at most."""


def plan_problems(config: SimulateConfig) -> Plan[Problem]:
    """Spell out the problems.

    Raises:
        UsageError: A shape is no shape or too large, or an excluded anchor has one view.
    """
    shapes = [_shape(each) for each in dict.fromkeys(config.shapes)]
    _require_room(max(m * n for m, n in shapes) * max(config.views), _MOST_FREE, "embeddings")
    for anchor in config.anchors:
        # For what it refuses.
        temperature_star(Batch(2, 2, np.array(config.views)[:, None], 1.0, anchor), config.alphas)
    problems: dict[Problem, None] = {}
    for seed, model, anchor, (m, n), p, t in product(
        config.all_seeds, config.models, config.anchors, shapes, config.views, config.temperatures
    ):
        edge = float(alpha_star(Batch(m, n, p, t, anchor)))
        near = (round(edge + each, 6) for each in config.near)
        for alpha in (*config.alphas, *(each for each in near if 0 <= each <= 1)):
            problems[Problem(model, m, n, p, t, alpha, anchor, config.steps, seed)] = None
    return Plan(_cut(problems))


def plan_training(config: TrainConfig) -> Plan[Encoding]:
    """Load the data and spell out the encoders, each a fleet of its own; the context is the data.

    Raises:
        UsageError: What is asked does not go together.
        DataError: The data is missing or damaged.
    """
    data = load_data(config)
    runs = plan_encodings(config, data)
    return Plan([[run] for run in runs], context=data, notes=data.samples.notes)


def load_data(config: TrainConfig) -> Grouped:
    """Load what encoders are trained on.

    Raises:
        UsageError: There is no such data set or column.
        DataError: The data is missing or damaged.
    """
    found = load_grouped(
        config.data,
        data_dir=config.data_dir,
        label=config.label,
        coarse=config.coarse,
        reading=config.reading,
    )
    samples = through_backbone(found.samples, config.backbone)
    limited = samples.limited(config.train_limit, config.test_limit)
    return replace(found, samples=replace(limited, name=Path(limited.name).name))


def plan_encodings(config: TrainConfig, data: Grouped) -> tuple[Encoding, ...]:
    """Spell out the encoders to train, the base first.

    Raises:
        UsageError: There is no such encoder, it does not take such samples, or a batch is too
            large.
    """
    usual = tuple(data.coarse_of.tolist())

    def coarse(count: int) -> tuple[int, ...]:
        return tuple(group_by_remainder(data, count).coarse_of.tolist()) if count else usual

    factors: dict[str, Sequence[Any]] = {
        "temperature": config.temperatures,
        "anchor": config.anchors,
        "coarse_of": tuple(map(coarse, config.classes)),
        "instances": config.instances,
        "augmentation": config.augmentations,
        "imbalance": config.imbalances,
        "label_noise": config.label_noises,
        "encoder": config.encoders,
        "features": config.features,
        "initial_scale": config.initial_scales,
    }
    base = Encoding(
        data=data.samples.name,
        fingerprint=data.samples.fingerprint,
        views=config.views,
        alpha=0.0,
        steps=config.steps,
        seed=0,
        **{name: values[0] for name, values in factors.items()},
    )
    # One factor at a time.
    varied = [
        replace(base, **{name: value}) for name, values in factors.items() for value in values[1:]
    ]
    for each in (base, *varied):
        _require_room(each.classes * each.instances * each.views, _MOST_VIEWS, "views")
        make_encoder(each.encoder, data.samples.shape, features=each.features or None, seed=0)
    runs = [
        replace(base, alpha=alpha, seed=seed)
        for seed in config.all_seeds
        for alpha in config.alphas
    ]
    runs += [
        replace(each, alpha=alpha, seed=seed)
        for each in varied
        for seed in config.all_seeds
        for alpha in config.varied_alphas
    ]
    return tuple(dict.fromkeys(runs))


def _require_room(size: int, most: int, what: str) -> None:
    if size > most:
        raise UsageError(
            f"a batch of {size:,} {what} needs too much memory. Ask for {most:,} or fewer: "
            "classes x instances x views"
        )


def _shape(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,9})\s*x\s*(\d{1,9})\s*", text)
    if found is None:
        raise UsageError(f"--shapes {text!r} should be classes x instances, such as 2x3,4x10")
    return int(found[1]), int(found[2])


def _cut(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Cut the grid where seed, model or convention change, or a batch would grow too large."""
    fleets: list[list[Problem]] = []
    pairs, kind = 0, None
    for each in problems:
        own = each.seed, each.model, each.anchor
        pairs += each.count**2
        if own != kind or pairs > _MOST_PAIRS:
            fleets.append([])
            kind, pairs = own, each.count**2
        fleets[-1].append(each)
    return fleets

"""What ``nasrank supcon train`` trains, spelt out: encoders, and pre-trained predictors."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

from nasrank.companions.supcon.closed_form import alpha_star
from nasrank.companions.supcon.coarse import Grouped, group_by_remainder, load_grouped
from nasrank.companions.supcon.encoding import Encoding
from nasrank.companions.supcon.options import TrainConfig
from nasrank.companions.supcon.pretraining import Contrast
from nasrank.encoders import make_encoder
from nasrank.errors import UsageError
from nasrank.runs.beside import Method

__all__ = ["load_data", "plan_encodings", "plan_pretraining"]

_MOST_EMBEDDINGS = 8_192
_MOST_CELLS = 2_048


def load_data(config: TrainConfig) -> Grouped:
    """Load what encoders are trained on.

    Args:
        config: What to train.

    Raises:
        UsageError: There is no such data set or column.
        DataError: The data is missing or damaged.
    """
    found = load_grouped(
        config.data, data_dir=config.data_dir, label=config.label, coarse=config.coarse
    )
    limited = found.samples.limited(config.train_limit, config.test_limit)
    return replace(found, samples=replace(limited, name=Path(limited.name).name))


def plan_encodings(config: TrainConfig, data: Grouped) -> tuple[Encoding, ...]:
    """Spell out the encoders to train, the base first.

    Args:
        config: What to train.
        data: Its data.

    Raises:
        UsageError: There is no such encoder, it does not take such samples, or a batch is too
            large.
    """
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
    seeds = config.all_seeds
    runs = [replace(base, alpha=alpha, seed=seed) for seed in seeds for alpha in config.alphas]
    runs += [
        replace(each, alpha=alpha, seed=seed)
        for each in varied
        for seed in seeds
        for alpha in config.varied_alphas
    ]
    return tuple(dict.fromkeys(runs))


def plan_pretraining(config: TrainConfig) -> list[Method]:
    """Spell out ways to pre-train a predictor of architectures, none at all first.

    Args:
        config: What to train.

    Raises:
        UsageError: A batch is too large, or there are fewer architectures than tiers.
    """
    base = Contrast(
        config.classes[0],
        config.instances[0],
        config.views,
        config.temperatures[0],
        0.0,
        config.anchors[0],
        config.steps,
    )
    varied = [
        *(replace(base, temperature=each) for each in config.temperatures[1:]),
        *(replace(base, anchor=each) for each in config.anchors[1:]),
        *(replace(base, tiers=each) for each in config.classes[1:]),
        *(replace(base, instances=each) for each in config.instances[1:]),
    ]
    for each in (base, *varied):
        # For what it refuses.
        alpha_star(each.tiers, each.instances, each.views, each.temperature, anchor=each.anchor)
        size = each.tiers * each.instances * each.views
        if size > _MOST_CELLS:
            raise UsageError(
                f"a batch of {size:,} cells needs too much memory. Ask for {_MOST_CELLS:,} "
                "or fewer: classes x instances x views"
            )
        if each.tiers > min(config.n_train):
            raise UsageError(
                f"--classes {each.tiers} tiers of {min(config.n_train)} architectures: give fewer"
            )
    kinds = [replace(base, alpha=alpha) for alpha in config.alphas]
    kinds += [replace(each, alpha=alpha) for each in varied for alpha in config.varied_alphas]
    plain = Method("gnn", "gnn", dict.fromkeys(field.name for field in fields(Contrast)))
    return [plain, *(Method(how.method, how.method, asdict(how)) for how in dict.fromkeys(kinds))]

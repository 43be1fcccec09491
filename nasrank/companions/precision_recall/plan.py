"""The runs of a training study: what is asked for, spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nasrank.companions.precision_recall.checkpoints import checkpoint_digest, load_checkpoint
from nasrank.companions.precision_recall.material import Material, load_material
from nasrank.companions.precision_recall.options import TrainConfig
from nasrank.companions.precision_recall.recipes import networks_for
from nasrank.companions.precision_recall.run import WEIGHTED, PRRun
from nasrank.errors import DataError, UsageError
from nasrank.runs.grid import evenly
from nasrank.study.options import flag_of
from nasrank.study.study import Plan

__all__ = ["cut_fleets", "plan_runs", "plan_training", "seeded_runs"]

_APART = {"mle", "tuned", "data"}
_MOST_MEMBERS = 36
_MANY = 5000
_TUNE_SHARE = 10


def _defaults(config: TrainConfig, model: str, samples: int) -> tuple[int, int, int]:
    """Return usual steps, batch and width."""
    if model == "flow":
        return 800, 128, 8 if config.data == "ring" else 32
    if model == "conv":
        return 400, 64, 8
    if config.data == "ring":
        return 1500, 128, 4
    # Few samples are soon learnt by heart, and kinds of draws lost.
    return 3000 if samples >= _MANY else 1000, 64, 16


def plan_training(config: TrainConfig) -> Plan[PRRun]:
    """Spell out the models to train; of a search for a target those of both ends of lambda.

    Returns:
        The plan, with the `Material` as its context.

    Raises:
        UsageError: What is asked for does not go together.
        DataError: Data or checkpoint cannot be read, or do not fit.
    """
    start = None if config.fine_tune is None else checkpoint_digest(config.fine_tune)
    material = load_material(
        config.data,
        data_dir=config.data_dir,
        label=config.label,
        reading=config.reading,
        backbone=config.backbone,
        train_limit=config.train_limit,
        side=config.side,
        mode_weights=config.mode_weights,
    )
    fingerprint, runs = _sample_runs(config, material, start)
    if config.fine_tune is not None:
        for run in {run.model: run for run in runs if run.start is not None}.values():
            load_checkpoint(config.fine_tune, networks_for(run, material.shape), 1)
    if config.target is not None:
        ends = min(config.lambdas), max(config.lambdas)
        runs = tuple(run for lam in ends for run in seeded_runs(runs, lam))
    return Plan(
        cut_fleets(runs),
        runs=runs,
        context=material,
        about={"fingerprint": fingerprint},
        notes=material.notes,
    )


def _sample_runs(
    config: TrainConfig, material: Material, start: str | None
) -> tuple[str, tuple[PRRun, ...]]:
    if len(material.real) <= config.neighbours:
        raise DataError(
            f"{config.data}: {len(material.real)} test samples for --neighbours "
            f"{config.neighbours}. Give more samples, or fewer neighbours"
        )
    fingerprint = material.fingerprint
    if config.side is not None:
        fingerprint += f"-{config.side}"
    if config.data != "ring":
        fingerprint += f"-{config.train_limit}"
    runs = plan_runs(
        config, fingerprint, images=material.is_images, samples=len(material.train), start=start
    )
    # Networks that do not fit the data are refused before anything is trained.
    for first in {run.model: run for run in runs if run.model}.values():
        networks_for(first, material.shape)
    return fingerprint, runs


def plan_runs(
    config: TrainConfig,
    fingerprint: str,
    *,
    images: bool,
    samples: int = 0,
    start: str | None = None,
) -> tuple[PRRun, ...]:
    """Spell out the runs, and refuse what does not go together.

    Raises:
        UsageError: Options do not go together.
    """
    methods = tuple(dict.fromkeys(config.methods))
    _check_together(config, methods)
    for model in config.models:
        if model == "conv" and not images:
            raise UsageError("the convolutional model is for images. Use --models mlp or flow")
    if "mle" in methods and "flow" not in config.models:
        raise UsageError("--methods mle needs a model with a density. Add --models flow")
    runs: list[PRRun] = []
    for model in dict.fromkeys(config.models):
        steps, batch, width = _defaults(config, model, samples)
        base = PRRun(
            data=config.data,
            fingerprint=fingerprint,
            model=model,
            method="",
            auxiliary=None,
            lam=None,
            seed=config.seed,
            steps=config.steps or steps,
            batch=config.batch_size or batch,
            width=config.width or width,
            neighbours=config.neighbours,
        )
        for method in methods:
            if (method == "mle") > (model == "flow"):
                continue
            runs += _of_method(config, base, method, start)
    # Rows that no model is trained for are the same for all models.
    return tuple(dict.fromkeys(runs))


def seeded_runs(runs: Sequence[PRRun], lam: float) -> list[PRRun]:
    """Return the runs of ``pr`` of the first model, moved to another lambda."""
    own = [run for run in runs if run.method == "pr"]
    first = [run for run in own if (run.model, run.lam) == (own[0].model, own[0].lam)]
    return [replace(run, lam=float(lam)) for run in first]


def cut_fleets(runs: Sequence[PRRun]) -> list[tuple[PRRun, ...]]:
    """Cut a grid into fleets that train on the same samples in the same way.

    The rule knows the grid alone and nothing of what is finished.

    Returns:
        Fleets, in the order of the grid.
    """
    alike: dict[tuple[object, ...], list[PRRun]] = {}
    for run in runs:
        apart = run.method if run.method in _APART else ""
        alike.setdefault((run.model, apart, run.steps, run.start), []).append(run)
    fleets = []
    for members in alike.values():
        fleets += evenly(members, _MOST_MEMBERS)
    return fleets


def _check_together(config: TrainConfig, methods: Sequence[str]) -> None:
    """Refuse options that do not go together."""
    for name in ("target_precision", "target_recall", "fine_tune"):
        if getattr(config, name) is not None and "pr" not in methods:
            raise UsageError(f"{flag_of(name)} is about the method pr. Add it to --methods")
    if config.target is None:
        return
    if None not in (config.target_precision, config.target_recall):
        raise UsageError("one lambda cannot meet two targets. Give one of them")
    if len(set(config.models)) > 1:
        raise UsageError("a target is sought for one setting. Give --models one value")
    if len(set(config.lambdas)) < 2:
        raise UsageError("a target is sought between the ends of --lambdas. Give two of them")


def _of_method(config: TrainConfig, base: PRRun, method: str, start: str | None) -> list[PRRun]:
    seeds = config.all_seeds
    base = replace(base, method=method)
    if method == "data":
        # There is nothing to train, and nothing that a seed would change.
        return [replace(base, model="", steps=0, batch=0, width=0)]
    if method == "tuned" or (method == "pr" and start is not None and config.steps is None):
        base = replace(base, steps=max(1, base.steps // _TUNE_SHARE))
    if method == "pr":
        base = replace(base, start=start)
    if method in {"pr", "tuned"}:
        base = replace(base, auxiliary=config.auxiliary)
    lambdas = dict.fromkeys(config.lambdas) if method in WEIGHTED else (None,)
    return [replace(base, lam=lam, seed=seed) for lam in lambdas for seed in seeds]

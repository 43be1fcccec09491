"""The runs of a training study: what is asked for, spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.nb201 import EDGES, OPERATIONS
from nasrank.companions.precision_recall.cells import load_cells
from nasrank.companions.precision_recall.checkpoints import checkpoint_digest, load_checkpoint
from nasrank.companions.precision_recall.material import Material, load_material
from nasrank.companions.precision_recall.options import TrainConfig
from nasrank.companions.precision_recall.recipes import networks_for
from nasrank.companions.precision_recall.run import WEIGHTED, PRRun
from nasrank.errors import DataError, UsageError
from nasrank.predictors.specification import parse_predictor
from nasrank.runs.grid import evenly
from nasrank.study.options import ARCHS, flag_of
from nasrank.study.study import Plan

__all__ = ["cut_fleets", "plan_runs", "plan_training", "seeded_runs"]

_ONLY_ARCHS = {"oracle", "predictor"}
_APART = {"mle", "tuned", "data", "oracle", "predictor"}
_MOST_MEMBERS = 36
_MANY = 5000
_TUNE_SHARE = 10


def _defaults(config: TrainConfig, model: str, samples: int) -> tuple[int, int, int]:
    """Return usual steps, batch and width."""
    if config.is_archs:
        return 600, 64, 32
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
        The plan, with the `Material` as its context; None where the data is architectures.

    Raises:
        UsageError: What is asked for does not go together.
        DataError: Data or checkpoint cannot be read, or do not fit.
    """
    start = None if config.fine_tune is None else checkpoint_digest(config.fine_tune)
    material: Material | None = None
    shape: tuple[int, ...] = (len(EDGES) * len(OPERATIONS),)
    if config.is_archs:
        fingerprint, runs = _archs_runs(config, start)
    else:
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
        shape = material.shape
        fingerprint, runs = _sample_runs(config, material, start)
    if config.fine_tune is not None:
        for run in {run.model: run for run in runs if run.start is not None}.values():
            load_checkpoint(config.fine_tune, networks_for(run, shape), 1)
    if config.target is not None:
        ends = min(config.lambdas), max(config.lambdas)
        runs = tuple(run for lam in ends for run in seeded_runs(runs, lam))
    return Plan(
        cut_fleets(runs),
        runs=runs,
        context=material,
        about={"fingerprint": fingerprint},
        notes=() if material is None else material.notes,
    )


def _archs_runs(config: TrainConfig, start: str | None) -> tuple[str, tuple[PRRun, ...]]:
    parse_predictor(config.predictor)
    task = str(parse_task(config.data.removeprefix(ARCHS)))
    fingerprint = load_task(task).fingerprint
    config = config.model_copy(update={"data": f"{ARCHS}{task}"})
    runs = plan_runs(config, fingerprint, images=False, start=start)
    for n_train in config.n_train:
        # What cannot be drawn is refused before anything is trained.
        load_cells(task, n_train, config.seed)
    return fingerprint, runs


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
    methods = _methods(config)
    for model in config.models:
        if model == "conv" and not images:
            raise UsageError("the convolutional model is for images. Use --models mlp or flow")
    if "mle" in methods and "flow" not in config.models:
        raise UsageError("--methods mle needs a model with a density. Add --models flow")
    if config.is_archs and set(config.models) != {"mlp"}:
        raise UsageError("architectures can only be generated with --models mlp")
    runs: list[PRRun] = []
    sizes: Sequence[int | None] = config.n_train if config.is_archs else (None,)
    for n_labels in dict.fromkeys(sizes):
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
                n_labels=n_labels,
                predictor=config.predictor if config.is_archs else None,
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
        # Labelled architectures are other ones for every seed.
        own = run.seed if run.n_labels is not None and apart != "oracle" else None
        key = (run.model, apart, run.n_labels, own, run.steps, run.start)
        alike.setdefault(key, []).append(run)
    fleets = []
    for members in alike.values():
        fleets += evenly(members, _MOST_MEMBERS)
    return fleets


def _methods(config: TrainConfig) -> tuple[str, ...]:
    usual = ("pr", "oracle", "predictor") if config.is_archs else ("pr", "hinge", "data")
    methods = tuple(dict.fromkeys(config.methods or usual))
    for method in methods:
        if method in _ONLY_ARCHS and not config.is_archs:
            raise UsageError(f"--methods {method} is for architectures. Use --data archs:TASK")
        if method in {"data", "tuned", "mle"} and config.is_archs:
            raise UsageError(f"--methods {method} has no meaning for architectures. Leave it out")
    _check_together(config, methods)
    return methods


def _check_together(config: TrainConfig, methods: Sequence[str]) -> None:
    """Refuse options that do not go together."""
    for name in ("target_precision", "target_recall", "fine_tune"):
        if getattr(config, name) is not None and "pr" not in methods:
            raise UsageError(f"{flag_of(name)} is about the method pr. Add it to --methods")
    if config.target is None:
        return
    if None not in (config.target_precision, config.target_recall):
        raise UsageError("one lambda cannot meet two targets. Give one of them")
    for name, several in (
        ("models", len(set(config.models)) > 1),
        ("n_train", config.is_archs and len(set(config.n_train)) > 1),
    ):
        if several:
            raise UsageError(f"a target is sought for one setting. Give {flag_of(name)} one value")
    if len(set(config.lambdas)) < 2:
        raise UsageError("a target is sought between the ends of --lambdas. Give two of them")


def _of_method(config: TrainConfig, base: PRRun, method: str, start: str | None) -> list[PRRun]:
    seeds = config.all_seeds
    base = replace(base, method=method)
    if method == "data":
        # There is nothing to train, and nothing that a seed would change.
        return [replace(base, model="", steps=0, batch=0, width=0)]
    if method == "predictor":
        bare = replace(base, model="", steps=0, batch=0, width=0)
        return [replace(bare, seed=seed) for seed in seeds]
    if method == "tuned" or (method == "pr" and start is not None and config.steps is None):
        base = replace(base, steps=max(1, base.steps // _TUNE_SHARE))
    if method == "pr":
        base = replace(base, start=start)
    if method == "oracle":
        base = replace(base, n_labels=0)
    if method in {"pr", "tuned", "oracle"}:
        base = replace(base, auxiliary=config.auxiliary)
    lambdas = dict.fromkeys(config.lambdas) if method in WEIGHTED else (None,)
    return [replace(base, lam=lam, seed=seed) for lam in lambdas for seed in seeds]

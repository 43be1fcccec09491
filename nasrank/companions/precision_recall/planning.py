"""The grid of a training study: what is asked for, spelled out as runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.benchmarks import parse_task
from nasrank.companions.precision_recall.auxiliary import AUXILIARIES
from nasrank.companions.precision_recall.divergence import checked_lambdas
from nasrank.errors import UsageError
from nasrank.registry import unknown_name
from nasrank.study.finished import Identity

__all__ = [
    "ARCHS",
    "LAMBDAS",
    "METHODS",
    "MODELS",
    "PRRun",
    "TrainConfig",
    "cut_fleets",
    "plan_runs",
    "seeded_runs",
]

ARCHS = "archs:"
"""What the name of data begins with that is the architectures of a task."""

MODELS = ("mlp", "conv", "flow")
"""Generators: full layers, convolutions for images, and a coupling flow."""

METHODS = ("pr", "naive", "dual", "hinge", "kl", "rkl", "chi2", "mle", "tuned", "data",
           "oracle", "predictor")  # fmt: skip
"""What can be trained; ``data``, ``oracle`` and ``predictor`` are rows to compare with."""

LAMBDAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The weights of the paper's experiments."""

_WEIGHTED = {"pr", "naive", "dual", "tuned", "oracle"}
_ONLY_ARCHS = {"oracle", "predictor"}
_MOST_MEMBERS = 36
_MANY = 5000
_TUNE_SHARE = 10


class TrainConfig(BaseModel):
    """What to train, and how; the names are those of the command's options.

    Attributes:
        data: ``ring``, a data set of `nasrank.samples`, a path of vectors, or ``archs:TASK``.
        label: Class column of a Parquet file.
        mode_weights: Weights of the ring's modes.
        methods: Of `METHODS`; None takes ``pr,hinge,data``, with architectures
            ``pr,oracle,predictor``.
        models: Of `MODELS`.
        lambdas: Weights of precision.
        auxiliary: Auxiliary divergence of ``pr``.
        n_labels: With architectures: how many cells have labels.
        predictor: With architectures: the predictor to compare with.
        steps: Steps of the generator; the recipe's own if None.
        batch: Samples of a step; the recipe's own if None.
        width: Hidden units of the generator (maps of ``conv``); the recipe's own if None. A
            generator that is large enough has no trade-off to make.
        neighbours: k of nearest-neighbour precision and recall.
        most: Most training samples.
        side: Images are shrunk to this side.
        fine_tune: Checkpoint that ``pr`` starts from.
        target_precision: Find the lambda that gives this precision.
        target_recall: Find the lambda that gives this recall.
        seeds: Models of each setting.
        seed: The first seed; the others follow it.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = "ring"
    label: str | None = None
    mode_weights: tuple[float, ...] | None = None
    methods: tuple[str, ...] | None = Field(None, min_length=1)
    models: tuple[str, ...] = Field(("mlp",), min_length=1)
    lambdas: tuple[float, ...] = Field(LAMBDAS, min_length=1)
    auxiliary: str = "chi2"
    n_labels: tuple[Annotated[int, Field(ge=2)], ...] = Field((469,), min_length=1)
    predictor: str = "gp"
    steps: PositiveInt | None = None
    batch: int | None = Field(None, ge=2)
    width: PositiveInt | None = None
    neighbours: PositiveInt = 5
    most: int = Field(10_000, ge=4)
    side: PositiveInt | None = None
    fine_tune: Path | None = None
    target_precision: float | None = Field(None, gt=0, lt=1)
    target_recall: float | None = Field(None, gt=0, lt=1)
    seeds: PositiveInt = 3
    # Tables hold seeds in 64 bits.
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"

    @property
    def is_archs(self) -> bool:
        """Whether the data is the architectures of a task."""
        return self.data.startswith(ARCHS)

    @property
    def task(self) -> str:
        """Canonical name of the task, of data that is architectures."""
        return str(parse_task(self.data.removeprefix(ARCHS)))


@dataclass(frozen=True)
class PRRun(Identity):
    """The identity of a model: everything that its numbers depend on.

    Attributes:
        data: Name of the data.
        fingerprint: Digest of its values.
        model: Generator, or empty where there is none.
        method: Of `METHODS`.
        auxiliary: Auxiliary divergence, where the method has one.
        lam: Weight of precision, where the method has one.
        seed: Seed of the run.
        steps: Steps of the generator.
        batch: Samples of a step.
        width: Hidden units of the generator.
        neighbours: k of precision and recall.
        n_labels: Labelled architectures, of data that is architectures.
        predictor: What is compared with there.
        start: Digest of the checkpoint that was started from.
    """

    data: str
    fingerprint: str
    model: str
    method: str
    auxiliary: str | None
    lam: float | None
    seed: int
    steps: int
    batch: int
    width: int
    neighbours: int
    n_labels: int | None = None
    predictor: str | None = None
    start: str | None = None


@dataclass(frozen=True)
class _Defaults:
    steps: int
    batch: int
    width: int


def _defaults(config: TrainConfig, model: str, samples: int) -> _Defaults:
    if config.is_archs:
        return _Defaults(600, 64, 32)
    if model == "flow":
        return _Defaults(800, 128, 8 if config.data == "ring" else 32)
    if model == "conv":
        return _Defaults(400, 64, 8)
    if config.data == "ring":
        return _Defaults(1500, 128, 4)
    # Few samples are soon learnt by heart, and kinds of draws lost.
    return _Defaults(3000 if samples >= _MANY else 1000, 64, 16)


def plan_runs(
    config: TrainConfig,
    fingerprint: str,
    *,
    images: bool,
    samples: int = 0,
    start: str | None = None,
) -> tuple[PRRun, ...]:
    """Spell out the runs, and refuse what cannot be meant.

    Args:
        config: What is asked for.
        fingerprint: Digest of the data.
        images: Whether the data is images.
        samples: Training samples.
        start: Digest of the checkpoint to start from.

    Raises:
        UsageError: A name or a combination cannot be meant.
    """
    checked_lambdas(config.lambdas)
    methods = _methods(config)
    for model in config.models:
        if model not in MODELS:
            raise unknown_name("model", model, MODELS)
        if model == "conv" and not images:
            raise UsageError("the convolutional model is for images. Use --models mlp or flow")
    if config.auxiliary not in AUXILIARIES:
        raise unknown_name("auxiliary divergence", config.auxiliary, AUXILIARIES)
    if "mle" in methods and "flow" not in config.models:
        raise UsageError("--methods mle needs a model with a density. Add --models flow")
    if config.is_archs and set(config.models) != {"mlp"}:
        raise UsageError("architectures are generated by --models mlp alone")
    runs: list[PRRun] = []
    sizes: Sequence[int | None] = config.n_labels if config.is_archs else (None,)
    for n_labels in dict.fromkeys(sizes):
        for model in dict.fromkeys(config.models):
            usual = _defaults(config, model, samples)
            steps = config.steps or usual.steps
            base = PRRun(
                data=config.data,
                fingerprint=fingerprint,
                model=model,
                method="",
                auxiliary=None,
                lam=None,
                seed=config.seed,
                steps=steps,
                batch=config.batch or usual.batch,
                width=config.width or usual.width,
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

    Args:
        runs: The whole grid.

    Returns:
        Fleets, in the order of the grid.
    """
    alike: dict[tuple[object, ...], list[PRRun]] = {}
    for run in runs:
        apart = run.method if run.method in {"mle", "tuned", "data", "oracle"} else ""
        if run.method == "predictor":
            apart = "predictor"
        # Labelled architectures are other ones for every seed.
        own = run.seed if run.n_labels is not None and apart != "oracle" else None
        key = (run.model, apart, run.n_labels, own, run.steps, run.start)
        alike.setdefault(key, []).append(run)
    fleets = []
    for members in alike.values():
        count = -(-len(members) // _MOST_MEMBERS)
        bounds = [len(members) * part // count for part in range(count + 1)]
        fleets += [tuple(members[low:high]) for low, high in pairwise(bounds)]
    return fleets


def _methods(config: TrainConfig) -> tuple[str, ...]:
    usual = ("pr", "oracle", "predictor") if config.is_archs else ("pr", "hinge", "data")
    methods = tuple(dict.fromkeys(config.methods or usual))
    for method in methods:
        if method not in METHODS:
            raise unknown_name("method", method, METHODS)
        if method in _ONLY_ARCHS and not config.is_archs:
            raise UsageError(f"--methods {method} is for architectures. Use --data archs:TASK")
        if method in {"data", "tuned", "mle"} and config.is_archs:
            raise UsageError(f"--methods {method} has no meaning for architectures. Leave it out")
    _check_together(config, methods)
    return methods


def _check_together(config: TrainConfig, methods: Sequence[str]) -> None:
    """Refuse options that do not go together."""
    targets = config.target_precision, config.target_recall
    for wanted, needed in (
        (targets[0], "--target-precision"),
        (targets[1], "--target-recall"),
        (config.fine_tune, "--fine-tune"),
    ):
        if wanted is not None and "pr" not in methods:
            raise UsageError(f"{needed} is about the method pr. Add it to --methods")
    if None not in targets:
        raise UsageError("one lambda cannot meet two targets. Give one of them")
    if targets != (None, None):
        for option, several in (
            ("--models", len(set(config.models)) > 1),
            ("--n-labels", config.is_archs and len(set(config.n_labels)) > 1),
        ):
            if several:
                raise UsageError(f"a target is met for one setting. Give one of {option}")
    if config.is_archs or config.data == "ring":
        for option, given in (
            ("--side", config.side is not None),
            ("--label", config.label is not None),
            ("--mode-weights", config.is_archs and config.mode_weights is not None),
        ):
            if given:
                raise UsageError(f"{option} has no meaning for {config.data}. Leave it out")


def _of_method(config: TrainConfig, base: PRRun, method: str, start: str | None) -> list[PRRun]:
    seeds = range(config.seed, config.seed + config.seeds)
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
    lambdas = dict.fromkeys(config.lambdas) if method in _WEIGHTED else (None,)
    return [replace(base, lam=lam, seed=seed) for lam in lambdas for seed in seeds]

"""The grid of the study: what is asked for, spelled out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.companions.optimal_transport.distances import parse_distance
from nasrank.companions.optimal_transport.problem import Problem
from nasrank.encoders import ENCODERS
from nasrank.errors import UsageError
from nasrank.registry import unknown_name
from nasrank.study.finished import Identity

__all__ = ["PLAIN", "OtConfig", "OtRun", "plan_runs"]

PLAIN = "plain"
"""The method without a regulariser."""

_IMAGE_FILES = ("mnist", "fashion-mnist")
_FEWEST = 3
_EPOCHS = {"images": 10, "other": 40}
_RATES = {"images": 0.05, "other": 0.1}


class OtConfig(BaseModel):
    """What to train, and how; the names are those of the command's options.

    Attributes:
        data: ``digits``, ``mnist``, ``fashion-mnist``, ``one-mode``, ``two-modes``, a ``.parquet``
            file, or ``archs:TASK``.
        labels: Label columns of the file, from the classes up to the coarsest groups.
        tree: A tree by name or from a file; None for the data's own.
        encoder: A backbone by name; ``auto`` takes ``cnn`` for image files and ``mlp`` otherwise.
        distances: Distances by name, with options. A plain model is always trained beside them.
        weights: Weights of ``1 - CPCC``.
        batch_sizes: Samples of a mini-batch.
        epochs: Passes over the data; None for 10 on image files and 40 otherwise.
        steps: Mini-batches in place of epochs, rounded up to whole passes: then larger batches
            do not mean fewer steps.
        rate: Learning rate at the start; None for .05 on image files and .1 otherwise.
        train_limit: Most training samples.
        test_limit: Most test samples.
        test_per_class: Test samples of a class that distances of quadratic cost look at.
        transfer: Whether to train a second model each, without some classes.
        cost_matrix: CSV file of what mistakes cost.
        n_train: Training architectures, of ``archs:TASK`` alone.
        seeds: Runs of each setting.
        seed: The first seed; the others follow it.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field("digits", min_length=1)
    labels: tuple[str, ...] = ()
    tree: str | None = None
    encoder: str = "auto"
    distances: tuple[str, ...] = Field(("l2", "emd", "fastft"), min_length=1)
    weights: tuple[Annotated[float, Field(gt=0, le=1e6)], ...] = Field((1.0,), min_length=1)
    batch_sizes: tuple[PositiveInt, ...] = Field((128,), min_length=1)
    epochs: PositiveInt | None = None
    steps: PositiveInt | None = None
    rate: float | None = Field(None, gt=0, le=1e3)
    train_limit: PositiveInt = 10_000
    test_limit: PositiveInt = 10_000
    test_per_class: int = Field(128, ge=2)
    transfer: bool = True
    cost_matrix: Path | None = None
    n_train: tuple[PositiveInt, ...] = Field((39, 78), min_length=1)
    seeds: int = Field(3, ge=1, le=10_000)
    # Tables hold seeds in 64 bits.
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"

    def refuse(self, options: Iterable[str]) -> None:
        """Refuse options that were given and mean nothing for this data.

        Raises:
            UsageError: One of them was given.
        """
        for name in options:
            if name in self.model_fields_set:
                option = "no-transfer" if name == "transfer" else name.replace("_", "-")
                raise UsageError(f"--{option} has no meaning for {self.data}. Leave it out")


@dataclass(frozen=True)
class OtRun(Identity):
    """The identity of a run: everything that its numbers depend on.

    Attributes:
        data: Name of the data set.
        fingerprint: Digest of its samples.
        tree: The tree's paths as JSON.
        encoder: Name of the backbone.
        method: Canonical spelling of the distance, or ``plain``.
        weight: Weight of ``1 - CPCC``; 0 for ``plain``.
        batch_size: Samples of a mini-batch.
        epochs: Passes over the data.
        rate: Learning rate.
        seed: Seed of the run.
        test_per_class: See `OtConfig`.
        transfer: See `OtConfig`.
        costs: Digest of the cost matrix, or None.
    """

    data: str
    fingerprint: str
    tree: str
    encoder: str
    method: str
    weight: float
    batch_size: int
    epochs: int
    rate: float
    seed: int
    test_per_class: int
    transfer: bool
    costs: str | None


def plan_runs(config: OtConfig, problem: Problem) -> tuple[OtRun, ...]:
    """Spell out the runs, plain ones first, and refuse what cannot be meant.

    Raises:
        UsageError: A name, an option or a size cannot be meant.
    """
    config.refuse(("n_train",))
    methods = list(dict.fromkeys(str(parse_distance(each)) for each in config.distances))
    images = config.data in _IMAGE_FILES
    encoder = config.encoder
    if encoder == "auto":
        encoder = "cnn" if images else "mlp"
    elif encoder not in ENCODERS:
        raise unknown_name("encoder", encoder, ("auto", *ENCODERS))
    if len(problem.data.shape) == 1 and encoder != "mlp":
        raise UsageError(
            f"encoder {encoder!r} is for images, and the samples are vectors. Use --encoder mlp"
        )
    samples = len(problem.data.train)
    for size in config.batch_sizes:
        if size < _FEWEST:
            raise UsageError(
                f"--batch-sizes {size}: a correlation over pairs of classes needs samples of "
                f"{_FEWEST} classes or more in a batch. Ask for more"
            )
        if size > samples:
            raise UsageError(
                f"--batch-sizes {size}: {problem.data.name} has {samples:,} training samples. Ask "
                "for fewer"
            )
    kind = "images" if images else "other"
    base = OtRun(
        data=problem.data.name,
        fingerprint=problem.data.fingerprint,
        tree=json.dumps([problem.tree.name, *problem.tree.paths]),
        encoder=encoder,
        method=PLAIN,
        weight=0.0,
        batch_size=config.batch_sizes[0],
        epochs=config.epochs or _EPOCHS[kind],
        rate=config.rate or _RATES[kind],
        seed=config.seed,
        test_per_class=config.test_per_class,
        transfer=config.transfer,
        costs=problem.costs_digest,
    )
    weights = list(dict.fromkeys(config.weights))
    sizes = list(dict.fromkeys(config.batch_sizes))
    settings = [(PLAIN, 0.0), *((method, weight) for method in methods for weight in weights)]
    if config.steps is not None and config.epochs is not None:
        raise UsageError("--steps stands in place of --epochs; leave one out")
    return tuple(
        replace(
            base,
            method=method,
            weight=weight,
            batch_size=size,
            seed=seed,
            epochs=base.epochs if config.steps is None else -(-config.steps // (samples // size)),
        )
        for size in sizes
        for method, weight in settings
        for seed in range(config.seed, config.seed + config.seeds)
    )

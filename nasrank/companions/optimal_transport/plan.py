"""The models of ``nasrank ot train``, spelled out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from nasrank.companions.optimal_transport.distances import parse_distance
from nasrank.companions.optimal_transport.options import TrainConfig
from nasrank.companions.optimal_transport.problem import Problem
from nasrank.encoders import require_fit
from nasrank.errors import UsageError
from nasrank.study.finished import Identity

__all__ = ["PLAIN", "OtRun", "plan_runs"]

PLAIN = "plain"
"""The method without a regulariser."""

_EPOCHS = {"images": 10, "other": 40}
_RATES = {"images": 0.05, "other": 0.1}


@dataclass(frozen=True)
class OtRun(Identity):
    """The identity of a run: everything that its numbers depend on.

    Most fields are columns of ``ot`` or options of `TrainConfig`; ``rate`` is the learning rate.

    Attributes:
        fingerprint: Digest of the samples.
        tree: The tree's paths as JSON.
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


def plan_runs(config: TrainConfig, problem: Problem) -> tuple[OtRun, ...]:
    """Spell out the runs, plain ones first, and refuse what does not go together.

    Raises:
        UsageError: A distance is unknown, or a size or the encoder does not fit the data.
    """
    if config.steps is not None and config.epochs is not None:
        raise UsageError("--steps replaces --epochs; leave one out")
    methods = dict.fromkeys(str(parse_distance(each)) for each in config.distances)
    pictures = len(problem.data.shape) == 3 and config.data != "digits"
    kind = "images" if pictures else "other"
    encoder: str = config.encoder
    if encoder == "auto":
        encoder = "cnn" if kind == "images" else "mlp"
    require_fit(encoder, problem.data.shape)
    samples = len(problem.data.train)
    if max(config.batch_sizes) > samples:
        raise UsageError(
            f"--batch-sizes {max(config.batch_sizes)}: {problem.data.name} has {samples:,} "
            "training samples. Ask for fewer"
        )
    base = OtRun(
        data=problem.data.name,
        fingerprint=problem.data.fingerprint,
        tree=json.dumps([problem.tree.name, *problem.tree.paths]),
        encoder=encoder,
        method=PLAIN,
        weight=0.0,
        batch_size=config.batch_sizes[0],
        epochs=config.epochs or _EPOCHS[kind],
        rate=config.learning_rate or _RATES[kind],
        seed=config.seed,
        test_per_class=config.test_per_class,
        transfer=config.transfer,
        costs=problem.costs_digest,
    )
    weights = dict.fromkeys(config.weights)
    settings = [(PLAIN, 0.0), *((method, weight) for method in methods for weight in weights)]
    return tuple(
        replace(
            base,
            method=method,
            weight=weight,
            batch_size=size,
            seed=seed,
            epochs=base.epochs if config.steps is None else -(-config.steps // (samples // size)),
        )
        for size in dict.fromkeys(config.batch_sizes)
        for method, weight in settings
        for seed in config.all_seeds
    )

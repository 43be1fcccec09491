"""What makes two models the same."""

from __future__ import annotations

from dataclasses import dataclass

from nasrank.study.finished import Identity

__all__ = ["COMPARED", "WEIGHTED", "PRRun"]

WEIGHTED = ("pr", "naive", "dual", "tuned", "oracle")
"""Methods that a lambda belongs to."""

COMPARED = ("data", "oracle", "predictor")
"""What the others are compared with."""


@dataclass(frozen=True)
class PRRun(Identity):
    """The identity of a model: everything that its numbers depend on.

    Attributes:
        data: Name of the data.
        fingerprint: Digest of its values.
        model: Generator, or empty where there is none.
        method: What is minimised, or what it is compared with.
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

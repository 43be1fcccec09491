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

    Most fields are columns of ``pr``; ``lam`` is its lambda.

    Attributes:
        fingerprint: Digest of the data's values.
        neighbours: k of precision and recall.
        predictor: What is compared with, of data that is architectures.
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

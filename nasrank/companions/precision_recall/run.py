"""What makes two models the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nasrank.study.finished import Identity

__all__ = ["WEIGHTED", "PRRun"]

WEIGHTED = ("pr", "naive", "dual", "tuned")
"""Methods that a lambda belongs to."""


@dataclass(frozen=True)
class PRRun(Identity):
    """The identity of a model: everything that its numbers depend on.

    Most fields are columns of ``pr``; ``lam`` is its lambda.

    Attributes:
        fingerprint: Digest of the data's values.
        neighbours: k of precision and recall.
    """

    # Those of architectures, which are no data any more.
    removed: ClassVar[Mapping[str, Any]] = {"n_labels": None, "predictor": None}

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
    start: str | None = None

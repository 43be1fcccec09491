"""What makes two searches the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nasrank.study.finished import Identity

__all__ = ["SearchRun"]


@dataclass(frozen=True)
class SearchRun(Identity):
    """The identity of a search: everything that its numbers depend on.

    Attributes:
        task: Canonical name of the task.
        fingerprint: Digest of the task's data.
        initial: Random evaluations at the start.
        budget: Evaluations in all, at most.
        seed: Seed of the search.
        control: Name of the control, or None of a search guided by a predictor. Of a control all
            that follows is None.
        batch: Evaluations of a round.
        candidates: ``all`` or ``mutations``.
        labels: ``single`` where an evaluation tells one training; None where it tells the mean.
        protocol: ``strings`` or ``unique-strings``; None where classes are evaluated.
    """

    added: ClassVar[frozenset[str]] = frozenset({"labels", "protocol"})

    task: str
    fingerprint: str
    initial: int
    budget: int
    seed: int
    control: str | None = None
    predictor: str | None = None
    acquisition: str | None = None
    loss: str | None = None
    batch: int | None = None
    candidates: str | None = None
    labels: str | None = None
    protocol: str | None = None

    @property
    def method(self) -> str:
        """What tables call it: the control, or predictor and acquisition."""
        return self.control or f"{self.predictor} {self.acquisition}"

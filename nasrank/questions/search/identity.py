"""What makes two searches the same, and how a grid of them is cut into fleets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nasrank.study.finished import Identity

__all__ = ["SearchRun", "cut_searches"]


@dataclass(frozen=True)
class SearchRun(Identity):
    """The identity of a search: everything that its numbers depend on.

    Attributes:
        task: Canonical name of the task.
        fingerprint: Digest of the task's data.
        initial: Random evaluations at the start.
        budget: Evaluations in all, at most.
        seed: Seed of the search.
        control: Name of the control, or None of a search guided by a predictor.
        predictor: Canonical spelling of the predictor; None of a control, as all that follow.
        acquisition: Canonical spelling of the acquisition.
        loss: Canonical spelling of the loss.
        batch: Evaluations of a round.
        candidates: ``all`` or ``mutations``.
    """

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

    @property
    def method(self) -> str:
        """What tables call it: the control, or predictor and acquisition."""
        return self.control or f"{self.predictor} {self.acquisition}"


def cut_searches(runs: Sequence[SearchRun], sizes: Sequence[int]) -> list[tuple[SearchRun, ...]]:
    """Cut a grid into fleets of searches on one task by one method with one loss.

    The rule knows the grid alone and nothing of what is finished.

    Args:
        runs: The whole grid.
        sizes: For each, the most searches of its kind that fit one fleet.

    Returns:
        Fleets, in the order of the grid.
    """
    alike: dict[tuple[str, str, str | None, int], list[SearchRun]] = defaultdict(list)
    for run, size in zip(runs, sizes, strict=True):
        alike[run.task, run.method, run.loss, size].append(run)
    fleets = []
    for (*_, size), members in alike.items():
        count = -(-len(members) // size)
        bounds = [len(members) * part // count for part in range(count + 1)]
        fleets += [tuple(members[start:end]) for start, end in pairwise(bounds)]
    return fleets

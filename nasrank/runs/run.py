"""What makes two runs the same."""

from __future__ import annotations

from dataclasses import dataclass

from nasrank.study.finished import Identity

__all__ = ["Run"]


@dataclass(frozen=True)
class Run(Identity):
    """The identity of a run: everything that its numbers depend on.

    Fields are columns of ``runs``, but for the fingerprint, which is a digest of the task's data.
    """

    task: str
    fingerprint: str
    predictor: str
    loss: str
    n_train: int
    seed: int
    split: str
    labels: str
    test: str
    sampling: str

"""What makes two runs the same."""

from __future__ import annotations

from dataclasses import dataclass

from nasrank.study.finished import Identity

__all__ = ["Run"]


@dataclass(frozen=True)
class Run(Identity):
    """The identity of a run: everything that its numbers depend on.

    Attributes:
        task: Canonical name of the task.
        fingerprint: Digest of the task's data.
        predictor: Name of the predictor.
        loss: Canonical spelling of the loss.
        n_train: Training architectures.
        seed: Seed of the run.
        split: ``class`` or ``random``.
        labels: ``mean`` or ``single``.
        test: ``rest`` or ``all``.
        sampling: How training architectures are drawn.
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

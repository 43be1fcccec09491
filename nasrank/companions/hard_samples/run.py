"""One run: what its numbers depend on."""

from __future__ import annotations

from dataclasses import dataclass

from nasrank.study.finished import Identity

__all__ = ["HardRun"]


@dataclass(frozen=True)
class HardRun(Identity):
    """The identity of a run: everything that its numbers depend on.

    Attributes:
        data: Name of the data set.
        fingerprint: Digest of the samples of both parts, after the cut by class.
        held_out: Whether it is measured on some of the seen classes.
        method: Canonical spelling of the method.
        encoder: Name of the encoder.
        embedding: Width of the embedding.
        epochs: Epochs of training.
        batch: Samples of a batch.
        images_per_class: Samples of a class in it.
        margin: Of the triplet loss.
        learning_rate: Of Adam.
        weight_decay: Of the optimiser.
        augmentation: Whether samples are shifted and noised.
        warm_up: Share of the epochs before generated samples are used.
        seed: Seed of the run.
    """

    data: str
    fingerprint: str
    held_out: bool
    method: str
    encoder: str
    embedding: int
    epochs: int
    batch: int
    images_per_class: int
    margin: float
    learning_rate: float
    weight_decay: float
    augmentation: bool
    warm_up: float
    seed: int

"""How predictors are trained: the settings shared by all losses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

__all__ = ["Recipe", "one_cycle"]


def one_cycle(done: float, warm_up: float = 0.1) -> float:
    """Return the share of the peak learning rate: it rises linearly, then falls as a cosine.

    Args:
        done: Share of the training that is done, with the step to take, in (0, 1].
        warm_up: Share of the training in which the rate rises.

    Example:
        >>> [one_cycle(done) for done in (0.05, 0.1, 1.0)]
        [0.5, 1.0, 0.0]
    """
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


@dataclass(frozen=True)
class Recipe:
    """AdamW with a one-cycle learning rate over short lists.

    An epoch shuffles the training set and cuts it into lists of equal length, give or take one.
    The defaults were chosen for the Kendall tau of ListMLE, the rate on nine tasks of six spaces;
    every loss gets the same.

    Attributes:
        epochs: Passes over the training set.
        list_length: The most items of one list; a loss compares items within a list only.
        learning_rate: Peak of the cycle.
        warm_up: Share of the steps in which the rate rises, linearly; then it falls as a cosine.
        weight_decay: Decoupled decay, times the learning rate.
        betas: Decay of the two moments.
        clip: Maximum norm of a member's gradient; longer ones are scaled down.
    """

    epochs: int = 60
    list_length: int = 32
    learning_rate: float = 1.5e-2
    warm_up: float = 0.15
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0

    def lists(self, items: int) -> int:
        """Return the number of lists, and so of steps, in one epoch."""
        return max(1, math.ceil(items / self.list_length))

    def steps(self, items: int) -> int:
        """Return the number of steps of a whole training."""
        return self.epochs * self.lists(items)

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        done = (step + 1) / steps
        if done < self.warm_up:
            return self.learning_rate * done / self.warm_up
        left = (done - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * left))

    def schedule(
        self, items: int, generator: np.random.Generator
    ) -> Int64[np.ndarray, "steps longest"]:
        """Return the items of every step's list; -1 is padding."""
        lists = self.lists(items)
        width = math.ceil(items / lists)
        cut = np.full((lists, width), -1, np.int64)
        for row, part in zip(cut, np.array_split(np.arange(items), lists), strict=True):
            row[: len(part)] = part
        shuffled = generator.permuted(np.tile(np.arange(items), (self.epochs, 1)), axis=1)
        chosen = np.where(cut >= 0, shuffled[:, np.maximum(cut, 0)], -1)
        return chosen.reshape(self.epochs * lists, width)

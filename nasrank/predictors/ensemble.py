"""Several trainings of one member with different seeds, as one predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch
from nasrank.predictors.predictor import Fitted, Member
from nasrank.seeds import derive_seed

__all__ = ["Ensemble", "spelled_out"]


def spelled_out(members: Sequence[Member], size: int) -> list[Member]:
    """Repeat every member with seeds of its own; the first of each keeps the member's seed."""
    return [
        replace(member, seed=derive_seed(member.seed, stream="ensemble", part=part))
        if part
        else member
        for member in members
        for part in range(size)
    ]


class Ensemble(Fitted):
    """The mean over the parts of each member, each part in the unit of its own training scores.

    Ranking losses leave the scale of scores open, so a part's scores are divided by the standard
    deviation of its scores of the training graphs, after their mean is subtracted, before parts
    are averaged. The deviation between parts is the ensemble's uncertainty (Lakshminarayanan et
    al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles",
    NeurIPS).

    Args:
        parts: ``members * size`` trained predictors, those of one member side by side.
        centre: Mean score of each part on its training graphs.
        scale: ``[members * size]`` standard deviation of these scores, above zero.
        size: Parts of one member.
    """

    def __init__(
        self,
        parts: Fitted,
        centre: Float64[np.ndarray, "parts"],
        scale: Float64[np.ndarray, "parts"],
        size: int,
    ) -> None:
        self._parts, self._centre, self._scale, self.size = parts, centre, scale, size
        self.final_loss = parts.final_loss.reshape(-1, size).mean(axis=1)

    @classmethod
    def over(cls, parts: Fitted, members: Sequence[Member], size: int) -> Ensemble:
        """Measure the scale of every part on its own training graphs."""
        every = np.unique(np.concatenate([member.items for member in members]))
        scores = parts.scores(every)
        centre, scale = np.zeros(len(scores)), np.ones(len(scores))
        for place, row in enumerate(scores):
            own = row[np.searchsorted(every, members[place // size].items)]
            centre[place] = own.mean()
            # A part that scores all graphs equally adds no order; any scale works.
            scale[place] = own.std() or 1.0
        return cls(parts, centre, scale, size)

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where any part diverged."""
        return np.asarray(self._parts.diverged.reshape(-1, self.size).any(axis=1), np.bool_)

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return the mean over parts; see :meth:`Fitted.scores`."""
        mean: NDArray[np.float64] = self._standardised(items).mean(axis=1)
        return mean

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"] | None:
        """Return the standard deviation over parts, None for a single part."""
        return self.scores_and_spread(items)[1]

    def scores_and_spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> tuple[
        Float64[np.ndarray, "members graphs"], Float64[np.ndarray, "members graphs"] | None
    ]:
        """Return both; see :meth:`Fitted.scores_and_spread`."""
        parts = self._standardised(items)
        return parts.mean(axis=1), parts.std(axis=1, ddof=1) if self.size > 1 else None

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Ensemble:
        """Return the same parts for other graphs; see :meth:`Fitted.on`."""
        return Ensemble(self._parts.on(graphs, proxies), self._centre, self._scale, self.size)

    def parts(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members size graphs"]:
        """Return every part's scores in their common unit."""
        return self._standardised(items)

    def _standardised(
        self, items: Int64[np.ndarray, "graphs"] | None
    ) -> Float64[np.ndarray, "members size graphs"]:
        scores = (self._parts.scores(items) - self._centre[:, None]) / self._scale[:, None]
        shaped: NDArray[np.float64] = scores.reshape(-1, self.size, scores.shape[1])
        return shaped

"""Gradient boosting: shallow trees, each fitted to the errors of those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Unpack

import numpy as np
from jaxtyping import Float32, Float64

from nasrank.graphs import GraphBatch
from nasrank.named import Above
from nasrank.predictors.predictor import GivenFeatures
from nasrank.predictors.trees import Parts, TreePredictor, scikit_seed

__all__ = ["Boosting"]

RATE = 15.0
"""Rounds times learning rate: how closely the training labels are fitted."""


class Boosting(TreePredictor):
    """Stochastic gradient boosting (Friedman 2002, Computational Statistics & Data Analysis 38).

    Every tree has depth four, sees a random half of the labels, and chooses each split among a
    random fifth of the columns. Several boosters with different seeds are averaged; their
    deviation is the spread.

    Args:
        graphs: See `TreePredictor`.
        rounds: Trees of each booster; the learning rate is 15 over this.
        ensemble: Boosters of each member.
        given: See `TreePredictor`.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        rounds: Annotated[int, Above(0)] = 300,
        ensemble: Annotated[int, Above(0)] = 4,
        **given: Unpack[GivenFeatures],
    ) -> None:
        super().__init__(graphs, **given)
        self.rounds, self.ensemble = rounds, ensemble

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        trees = int(options.get("rounds", 300)) * int(options.get("ensemble", 4))
        return trees * (6e-4 + 1e-6 * n)

    def parts(
        self,
        columns: Float32[np.ndarray, "n columns"],
        targets: Float64[np.ndarray, "n"],
        seed: int,
    ) -> Parts:
        """Fit the boosters; each is a part."""
        boosters = [
            self._ensembles().GradientBoostingRegressor(
                n_estimators=self.rounds,
                learning_rate=min(1.0, RATE / self.rounds),
                max_depth=4,
                subsample=0.5,
                max_features=0.2,
                random_state=scikit_seed(seed, stream="boosting", part=part),
            )
            for part in range(self.ensemble)
        ]
        return [booster.fit(columns, targets).predict for booster in boosters]

"""A graph network, a Gaussian process and trees, averaged: their errors differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Unpack

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray
from scipy.special import ndtri

from nasrank.graphs import GraphBatch
from nasrank.named import Above
from nasrank.predictors.gp import GaussianProcess
from nasrank.predictors.networks import GNNPredictor
from nasrank.predictors.predictor import Epoch, FeaturePredictor, Fitted, GivenFeatures, Member
from nasrank.predictors.trees import ExtraTrees

__all__ = ["Blend"]

_KNOTS = 512
"""Quantiles that describe the distribution of scores over the space."""
_ALIKE_BELOW = 150
"""Labels up to which all three count equally; the network gains the most from further labels."""


class Blend(FeaturePredictor):
    r"""Weighted mean of the scores of gp, trees and a network, each as normal quantiles.

    .. math:: s = \sum_p w_p\, \Phi^{-1}(F_p(s_p)),
        \qquad w_\text{gp} = w_\text{trees} = \tfrac13 \min(1, \sqrt{150 / n})

    and the rest for the network. :math:`F_p` is the distribution of a predictor's scores over all
    graphs of the space. The network minimises the chosen loss, the two others squared errors of
    robust scores. That a mean of different predictors beats each of them is well known (Wolpert
    1992, "Stacked generalization", Neural Networks); the weights were chosen on NAS-Bench-201.

    Args:
        graphs: See `Predictor`.
        ensemble: Networks of each member.
        given: See `~nasrank.predictors.predictor.FeaturePredictor`; device and recipe are the
            network's.

    Raises:
        UsageError: scikit-learn is not installed, or proxies are needed and not given.
    """

    extra = "trees"

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        ensemble: Annotated[int, Above(0)] = 1,
        **given: Unpack[GivenFeatures],
    ) -> None:
        super().__init__(graphs, **given)
        self._trees = ExtraTrees(graphs, **given)
        self._process = GaussianProcess(graphs, **given)
        self._network = GNNPredictor(graphs, ensemble=ensemble, **given)

    @classmethod
    def require_extra(cls) -> None:
        """Raise without scikit-learn; see :meth:`Predictor.require_extra`."""
        ExtraTrees.require_extra()

    @classmethod
    def networks(cls, options: Mapping[str, float | int | str]) -> int:
        """Return the size of the ensemble; see :meth:`Predictor.networks`."""
        return GNNPredictor.networks(options)

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of trees and process; see :meth:`Predictor.seconds`."""
        return ExtraTrees.seconds(n, {}) + GaussianProcess.seconds(n, {})

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit all three; see :meth:`Predictor.fit`. Steps are the network's."""
        parts = [
            self._process.fit(members),
            self._trees.fit(members),
            self._network.fit(members, on_step=on_step),
        ]
        share = np.array([min(1.0, np.sqrt(_ALIKE_BELOW / len(m.items))) / 3 for m in members])
        weights = np.stack([share, share, 1 - 2 * share])
        levels = (np.arange(_KNOTS) + 0.5) / _KNOTS
        knots = [np.quantile(part.scores(), levels, axis=1).T for part in parts]
        return _Blended(parts, weights, knots)


class _Blended(Fitted):
    """Process, trees and network, in this order.

    Args:
        parts: What was fitted.
        weights: Weight of each part, for each member.
        knots: For each part the quantiles of its scores over the space.
    """

    def __init__(
        self,
        parts: Sequence[Fitted],
        weights: Float64[np.ndarray, "parts members"],
        knots: Sequence[Float64[np.ndarray, "members quantiles"]],
    ) -> None:
        self._parts, self._weights, self._knots = parts, weights, knots
        self.final_loss = parts[-1].final_loss

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        return np.asarray(np.any([part.diverged for part in self._parts], axis=0), np.bool_)

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        weighted = self._weights[:, :, None] * self._quantiles(items)
        total: NDArray[np.float64] = weighted.sum(axis=0)
        return total

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return the standard deviation of the three around their mean."""
        said = self._quantiles(items)
        weights = self._weights[:, :, None]
        mean = (weights * said).sum(axis=0)
        apart: NDArray[np.float64] = np.sqrt((weights * (said - mean) ** 2).sum(axis=0))
        return apart

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        moved = [part.on(graphs, proxies) for part in self._parts]
        return _Blended(moved, self._weights, self._knots)

    def _quantiles(
        self, items: Int64[np.ndarray, "graphs"] | None
    ) -> Float64[np.ndarray, "parts members graphs"]:
        """Every part's scores as normal quantiles."""
        level = ndtri((np.arange(_KNOTS) + 0.5) / _KNOTS)
        return np.stack(
            [
                np.stack(
                    [
                        _interpolated(row, known, level)
                        for row, known in zip(part.scores(items), knots, strict=True)
                    ]
                )
                for part, knots in zip(self._parts, self._knots, strict=True)
            ]
        )


def _interpolated(
    scores: Float64[np.ndarray, "graphs"],
    knots: Float64[np.ndarray, "quantiles"],
    level: Float64[np.ndarray, "quantiles"],
) -> Float64[np.ndarray, "graphs"]:
    """Map scores through quantiles, linearly beyond the outermost ones.

    The top of a space is beyond the last quantile, and its order must not be lost.
    """
    distinct, place = np.unique(knots, return_inverse=True)
    if len(distinct) < 2:
        # It gives all graphs one score, or scores of NaN.
        return np.where(np.isfinite(scores), 0.0, np.nan)
    # A score that several quantiles share maps to the middle of these.
    heights = np.bincount(place, weights=level) / np.bincount(place)
    inside = np.interp(scores, distinct, heights)
    slope = (heights[-1] - heights[0]) / (distinct[-1] - distinct[0])
    above = np.maximum(scores - distinct[-1], 0.0)
    below = np.minimum(scores - distinct[0], 0.0)
    result: NDArray[np.float64] = inside + slope * (above + below)
    return result

"""A graph network and a Gaussian process, averaged: they err in different places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from nasrank.graphs import GraphBatch
from nasrank.losses.ranges import Above
from nasrank.predictors.gp import GaussianProcess
from nasrank.predictors.networks import GNNPredictor
from nasrank.predictors.predictor import Epoch, Fitted, Member, Predictor
from nasrank.predictors.recipe import Recipe

__all__ = ["Blend"]

_KNOTS = 512
"""Quantiles that describe the distribution of a network's scores over the space."""
_EQUAL_BELOW = 150
"""Labels up to which both count alike; the network learns more from more labels."""


class Blend(Predictor):
    r"""The mean of a graph network's and a Gaussian process's scores.

    .. math:: s = (1 - w)\, \Phi^{-1}(F(s_\text{gnn})) + w\, s_\text{gp} / \sigma_\text{gp},
        \qquad w = \tfrac12 \min(1, \sqrt{150 / n})

    F is the distribution of the network's scores over all graphs of the space, so that both
    terms are about standard normal there. The network minimises the loss asked for, the process
    always squared errors of normal scores. That averaging unlike predictors beats either is old
    (Wolpert 1992, "Stacked generalization", Neural Networks); the weight was chosen on
    NAS-Bench-201.

    Args:
        graphs: See `Predictor`.
        proxies: See `Predictor`.
        device: Where the network is trained.
        recipe: How the network is trained.
        features: ``graph``, or ``proxies`` to use these too.
        ensemble: Networks of each member.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        proxies: NDArray[np.float64] | None = None,
        device: torch.device | str = "cpu",
        recipe: Recipe | None = None,
        features: Literal["graph", "proxies"] = "graph",
        ensemble: Annotated[int, Above(0)] = 1,
    ) -> None:
        super().__init__(graphs, proxies=proxies, device=device, recipe=recipe)
        self._network = GNNPredictor(
            graphs,
            proxies=proxies,
            device=device,
            recipe=recipe,
            features=features,
            ensemble=ensemble,
        )
        self._process = GaussianProcess(graphs, proxies=proxies, features=features)

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit both; see :meth:`Predictor.fit`. Steps are the network's."""
        process = self._process.fit(members)
        network = self._network.fit(members, on_step=on_step)
        weight = np.array([0.5 * min(1.0, np.sqrt(_EQUAL_BELOW / len(m.items))) for m in members])
        levels = (np.arange(_KNOTS) + 0.5) / _KNOTS
        knots = np.quantile(network.scores(), levels, axis=1).T
        scale = process.scores().std(axis=1)
        return _Blended(network, process, weight, knots, np.where(scale > 0, scale, 1.0))


class _Blended(Fitted):
    def __init__(
        self,
        network: Fitted,
        process: Fitted,
        weight: NDArray[np.float64],
        knots: NDArray[np.float64],
        scale: NDArray[np.float64],
    ) -> None:
        self._network, self._process = network, process
        self._weight, self._knots, self._scale = weight, knots, scale
        self.final_loss = network.final_loss

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return self._network.diverged | self._process.diverged

    def scores(self, items: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        level = ndtri((np.arange(_KNOTS) + 0.5) / _KNOTS)
        network = np.stack(
            [
                _interpolated(row, knots, level)
                for row, knots in zip(self._network.scores(items), self._knots, strict=True)
            ]
        )
        process = self._process.scores(items) / self._scale[:, None]
        mixed: NDArray[np.float64] = network + self._weight[:, None] * (process - network)
        return mixed

    def spread(self, items: NDArray[np.int64] | None = None) -> NDArray[np.float64] | None:
        """Return the process's doubt, in the unit of the scores."""
        doubt = self._process.spread(items)
        return None if doubt is None else doubt / self._scale[:, None]

    def on(self, graphs: GraphBatch, proxies: NDArray[np.float64] | None = None) -> Fitted:
        return _Blended(
            self._network.on(graphs, proxies),
            self._process.on(graphs, proxies),
            self._weight,
            self._knots,
            self._scale,
        )


def _interpolated(
    scores: NDArray[np.float64], knots: NDArray[np.float64], level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map scores through quantiles, going on straight beyond the outermost ones.

    The top of a space is beyond the last quantile, and its order must not be lost.
    """
    distinct, first = np.unique(knots, return_index=True)
    if len(distinct) < 2:
        return np.zeros_like(scores)
    heights = level[first]
    inside = np.interp(scores, distinct, heights)
    slope = (heights[-1] - heights[0]) / (distinct[-1] - distinct[0])
    above = np.maximum(scores - distinct[-1], 0.0)
    below = np.minimum(scores - distinct[0], 0.0)
    result: NDArray[np.float64] = inside + slope * (above + below)
    return result

"""A Gaussian process on several views of a graph: strong on few labels, with uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.predictors.predictor import Epoch, Fitted, Member, Predictor, required_proxies
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.targets import robust_scores
from nasrank.predictors.views import GraphViews

__all__ = ["GaussianProcess"]

TUNED_ON = 512
"""The most labels used to choose the kernel; all are used to predict."""
_SPREAD = 1.0
"""Standard deviation of the prior on the logarithm of every kernel parameter."""
_USUAL_NOISE = 0.3
"""Prior noise, in robust scores of the labels."""
_JITTER = 1e-6

Views: TypeAlias = Mapping[str, Float64[Tensor, "_ _"]]
"""Rows of numbers by view."""


class GaussianProcess(Predictor):
    r"""Gaussian process regression on the :func:`robust_scores` of the labels.

    .. math:: k(x, x') = \sum_v s_v^2\, k_{5/2}(\lVert x_v - x'_v \rVert / \ell_v)

    with Matérn kernels on the views of :class:`~nasrank.predictors.views.GraphViews` and normal
    noise. Scales, lengths and noise maximise the marginal likelihood times a log-normal prior
    around the median distance, by L-BFGS, for each member on its own (Rasmussen and Williams
    2006, "Gaussian processes for machine learning"). The cost grows with the cube of n; beyond
    512 labels the kernel is chosen on the first 512.

    Args:
        graphs: See `Predictor`.
        proxies: See `Predictor`.
        device: Ignored; it computes on the CPU.
        recipe: Ignored.
        features: ``graph``, or ``proxies`` to compare these too.
    """

    own_loss = "mse"

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        proxies: Float64[np.ndarray, "items proxies"] | None = None,
        device: torch.device | str = "cpu",
        recipe: Recipe | None = None,
        features: Literal["graph", "proxies"] = "graph",
    ) -> None:
        super().__init__(graphs, proxies=proxies, device=device, recipe=recipe)
        self._used = required_proxies(proxies) if features == "proxies" else None

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        return 0.1 + 2e-4 * n + 4e-6 * min(n, TUNED_ON) ** 2 + 1e-10 * n**3

    @cached_property
    def views(self) -> GraphViews:
        """The views of the graphs, computed when first needed."""
        return GraphViews(self.graphs, self._used)

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit every member; see :meth:`Predictor.fit`. A step is a member."""
        posteriors = []
        for place, member in enumerate(members):
            own = {name: view[member.items] for name, view in self.views.reference.items()}
            targets = torch.from_numpy(robust_scores(member.targets))
            posteriors.append(_Posterior.of(own, targets))
            if on_step is not None:
                on_step(place + 1, len(members))
        return _Posteriors(self.views, self.views.reference, posteriors)


@dataclass(frozen=True, eq=False)
class _Posterior:
    """One member.

    Attributes:
        views: Its training graphs.
        names: Views in which the training graphs differ at all.
        parameters: Logarithms of scales, then lengths, then the noise.
        factor: Lower Cholesky factor of the kernel with noise.
        weights: Inverse kernel times targets.
        loss: Negative logarithm of likelihood times prior, per label.
    """

    views: Views
    names: tuple[str, ...]
    parameters: Float64[np.ndarray, "parameters"]
    factor: Float64[Tensor, "n n"]
    weights: Float64[Tensor, "n"]
    loss: float

    @classmethod
    def of(cls, views: Views, targets: Float64[Tensor, "n"]) -> _Posterior:
        tuned = min(len(targets), TUNED_ON)
        distances = {name: _distances(view, view) for name, view in views.items()}
        typical = {
            name: float(d[d > 0].median()) for name, d in distances.items() if (d > 0).any()
        }
        names = tuple(typical)
        count = len(names)
        prior = np.concatenate(
            [
                np.full(count, -0.5 * np.log(max(1, count))),
                np.log([*typical.values()]),
                [np.log(_USUAL_NOISE)],
            ]
        )
        parameters, loss = prior, float("nan")
        if names:
            head = torch.stack([distances[name][:tuned, :tuned] for name in names])
            found = minimize(
                _objective,
                prior,
                args=(head, targets[:tuned], prior),
                jac=True,
                method="L-BFGS-B",
                bounds=list(zip(prior - 4, prior + 4, strict=True)),
                options={"maxiter": 40},
            )
            parameters, loss = found.x, float(found.fun) / tuned
        kernel = torch.zeros(len(targets), len(targets), dtype=torch.float64)
        for place, name in enumerate(names):
            kernel += _matern(distances[name], parameters, place, count)
        kernel.diagonal().add_(float(np.exp(2 * parameters[-1])) + _JITTER)
        factor = torch.linalg.cholesky(kernel)
        weights = torch.cholesky_solve(targets[:, None], factor)[:, 0]
        return cls(views, names, parameters, factor, weights, loss)

    def cross(self, views: Views, items: Int64[Tensor, "graphs"]) -> Float64[Tensor, "graphs n"]:
        """Kernel between graphs and the training graphs."""
        total = torch.zeros(len(items), len(self.weights), dtype=torch.float64)
        for place, name in enumerate(self.names):
            distance = _distances(views[name][items], self.views[name])
            total += _matern(distance, self.parameters, place, len(self.names))
        return total

    @property
    def variance(self) -> float:
        """Prior variance of every graph."""
        return float(np.exp(2 * self.parameters[: len(self.names)]).sum())


class _Posteriors(Fitted):
    def __init__(self, made: GraphViews, views: Views, posteriors: Sequence[_Posterior]) -> None:
        self._made, self._views, self._posteriors = made, views, posteriors
        self.final_loss = np.array([posterior.loss for posterior in posteriors])

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        return np.array([not each.weights.isfinite().all() for each in self._posteriors])

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Posterior means, in robust scores of the training labels."""
        chosen = self._chosen(items)
        means = [each.cross(self._views, chosen) @ each.weights for each in self._posteriors]
        result: NDArray[np.float64] = torch.stack(means).numpy()
        return result

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Posterior standard deviations, without the noise of a label."""
        chosen = self._chosen(items)
        rows = []
        for each in self._posteriors:
            explained = torch.linalg.solve_triangular(
                each.factor, each.cross(self._views, chosen).T, upper=False
            )
            rows.append(each.variance - explained.pow(2).sum(dim=0))
        result: NDArray[np.float64] = torch.stack(rows).clamp_min(0).sqrt().numpy()
        return result

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        return _Posteriors(self._made, self._made.of(graphs, proxies), self._posteriors)

    def _chosen(self, items: Int64[np.ndarray, "graphs"] | None) -> Int64[Tensor, "graphs"]:
        if items is None:
            return torch.arange(len(self._views["counts"]))
        return torch.from_numpy(np.asarray(items, np.int64))


def _distances(
    rows: Float64[Tensor, "rows columns"], columns: Float64[Tensor, "others columns"]
) -> Float64[Tensor, "rows others"]:
    """Euclidean distances by one matrix product; accurate to about 1e-7 of the norms."""
    squares = rows.pow(2).sum(dim=1)[:, None] + columns.pow(2).sum(dim=1)
    return torch.addmm(squares, rows, columns.T, alpha=-2).clamp_min_(0).sqrt_()


def _matern(
    distance: Float64[Tensor, "rows others"],
    parameters: Float64[np.ndarray, "parameters"],
    place: int,
    count: int,
) -> Float64[Tensor, "rows others"]:
    reach = distance * float(np.sqrt(5) * np.exp(-parameters[count + place]))
    decay = torch.exp(2 * parameters[place] - reach)
    return decay.mul_(1 + reach + reach.square() / 3)


def _objective(
    parameters: Float64[np.ndarray, "parameters"],
    distances: Float64[Tensor, "views n n"],
    targets: Float64[Tensor, "n"],
    prior: Float64[np.ndarray, "parameters"],
) -> tuple[float, Float64[np.ndarray, "parameters"]]:
    """Negative log of likelihood times prior, and its gradient.

    With one parameter p, d/dp = tr((inverse - w w') dK/dp) / 2 for w = inverse @ targets.
    """
    count = len(distances)
    scales, lengths, (noise,) = np.split(parameters, [count, 2 * count])
    reach = distances * torch.from_numpy(np.sqrt(5) * np.exp(-lengths))[:, None, None]
    decay = torch.exp(2 * torch.from_numpy(scales)[:, None, None] - reach)
    squared = reach.square() / 3
    parts = decay * (1 + reach + squared)
    by_length = decay.mul_(squared).mul_(1 + reach)
    level = float(np.exp(2 * noise))
    kernel = parts.sum(dim=0)
    kernel.diagonal().add_(level + _JITTER)
    factor = torch.linalg.cholesky(kernel)
    inverse = torch.cholesky_inverse(factor)
    weights = inverse @ targets
    pull = inverse - torch.outer(weights, weights)
    off = (parameters - prior) / _SPREAD
    fit = 0.5 * float(targets @ weights) + float(factor.diagonal().log().sum())
    slope = np.concatenate(
        [
            (pull * parts).sum(dim=(1, 2)).numpy(),
            0.5 * (pull * by_length).sum(dim=(1, 2)).numpy(),
            [level * float(pull.trace())],
        ]
    )
    return fit + 0.5 * float(off @ off), slope + off / _SPREAD

"""A Gaussian process on architectures: strong on few labels, with uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.predictors.evidence import TUNED_ON, Choice, Rows, choose_kernel
from nasrank.predictors.kernel_rows import KernelRows
from nasrank.predictors.predictor import Epoch, FeaturePredictor, Fitted, Member

__all__ = ["GaussianProcess", "Posterior", "Posteriors"]


class GaussianProcess(FeaturePredictor):
    r"""Gaussian process regression, its kernel chosen by marginal likelihood.

    For the kernel see :class:`~nasrank.predictors.evidence.Form`. It and the targets
    come from :func:`~nasrank.predictors.evidence.choose_kernel`: the targets are about standard
    normal whatever the unit of the labels, and called robust, although normal scores and robust
    ones of a logarithm may be mixed in. Scales, lengths and noise maximise the
    marginal likelihood times a prior, for each member on its own (Rasmussen and Williams
    2006, "Gaussian processes for machine learning"). The cost grows with the cube of n; beyond
    512 labels the kernel is chosen on 512 of them.
    """

    own_loss = "mse(targets=robust)"

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        return 0.05 + 2.8e-3 * min(n, TUNED_ON) + 8e-10 * n**3

    @cached_property
    def rows(self) -> KernelRows:
        """The graphs as the kernel sees them, computed when first needed."""
        return KernelRows(self.graphs, self.used_proxies)

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
            candidates = self.rows.candidates(torch.from_numpy(member.items))
            posteriors.append(Posterior(choose_kernel(candidates, member.targets)))
            if on_step is not None:
                on_step(place + 1, len(members))
        return Posteriors(self.rows, self.rows.reference, posteriors)


class Posterior:
    """What a training set says about other architectures, with normal noise.

    Args:
        choice: Its kernel and targets.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._factor = torch.linalg.cholesky(choice.kernel.noisy(choice.rows))
        self.weights = torch.cholesky_solve(choice.targets[:, None], self._factor)[:, 0]

    @cached_property
    def left_out(self) -> Float64[Tensor, "n"]:
        """Standard deviation of each label of the training set, noise included, by the others."""
        inverse = torch.cholesky_inverse(self._factor)
        return inverse.diagonal().reciprocal().sqrt()

    def mean(self, rows: Rows) -> Float64[Tensor, "items"]:
        """Return the mean of each architecture."""
        return self.choice.kernel.mean(rows, self.choice.rows, self.weights)

    def deviation(self, rows: Rows) -> Float64[Tensor, "items"]:
        """Return the standard deviation of each architecture, without the noise of a label."""
        kernel, own = self.choice.kernel, self.choice.rows
        doubts = []
        for part in rows.parts(len(own)):
            cross = kernel.between(own, part)
            explained = torch.linalg.solve_triangular(self._factor, cross, upper=False)
            left: Tensor = kernel.variance(part) - explained.square().sum(dim=0)
            doubts.append(left.clamp_min(0).sqrt())
        return torch.cat(doubts)


class Posteriors(Fitted):
    """What several training sets say."""

    def __init__(
        self, made: KernelRows, readings: Sequence[Rows], posteriors: Sequence[Posterior]
    ) -> None:
        self._made, self._readings, self._posteriors = made, readings, posteriors
        self.final_loss = np.array([each.choice.kernel.loss for each in posteriors])

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where a coefficient is not finite."""
        return np.array([not each.weights.isfinite().all() for each in self._posteriors])

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Posterior means, in the unit of the targets."""
        means = [each.mean(self._rows(each, items)) for each in self._posteriors]
        result: NDArray[np.float64] = torch.stack(means).numpy()
        return result

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Posterior standard deviations, without the noise of a label."""
        doubts = [each.deviation(self._rows(each, items)) for each in self._posteriors]
        result: NDArray[np.float64] = torch.stack(doubts).numpy()
        return result

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same members for other graphs; see :meth:`Fitted.on`."""
        return Posteriors(self._made, self._made.of(graphs, proxies), self._posteriors)

    def _rows(self, posterior: Posterior, items: Int64[np.ndarray, "graphs"] | None) -> Rows:
        rows = self._readings[posterior.choice.reading]
        return rows if items is None else rows[torch.from_numpy(np.asarray(items, np.int64))]

"""Minimise any loss of scores that are linear in coefficients, plus a penalty, in batches."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from nasrank.losses import LossFunction, LossSpec, prepare, resolve
from nasrank.losses.named import options_of
from nasrank.predictors.curvature import CURVATURES, SMOOTHED, Curvature

__all__ = ["LinearProblem"]

_MOST_STEPS = 40
_REMEMBERED = 10
"""Steps from which the curvature is estimated where a loss gives none."""
_HALVINGS = 12
_ROUNDING = 1e-12
_UNITS = torch.logspace(-3, 3, 19, dtype=torch.float64)
"""Sizes of scores that are tried to find the unit of a loss."""


class LinearProblem:
    r"""Coefficients b of scores :math:`s = \Phi b` for several training sets at once.

    .. math:: \min_b \; \ell(\Phi b, y) + \frac{\lambda}{n} \lVert b \rVert^2

    Args:
        basis: ``[n, r]`` the rows of the training set.
        labels: Raw labels, higher is better; prepared for the loss on each list for itself.
        where: ``[lists, n]`` which items each list has; every list at least one.
        loss: A plain loss.
    """

    def __init__(
        self,
        basis: Float64[Tensor, "n rank"],
        labels: Float64[Tensor, "n"],
        where: Bool[Tensor, "lists n"],
        loss: LossSpec,
    ) -> None:
        self.basis, self.where = basis, where
        prepared = prepare(loss, labels.expand(where.shape), where)
        self.labels, self._arguments = prepared.labels, prepared.arguments
        self._count = where.sum(dim=1).to(basis.dtype)
        defaults = {name: option.default for name, option in options_of(loss.name).items()}
        self._options = {
            name: value
            for name, value in {**defaults, **dict(loss.options)}.items()
            if isinstance(value, int | float)
        }
        smooth = SMOOTHED.get(loss.name)
        self._function: LossFunction = (
            resolve(loss) if smooth is None else partial(smooth, **self._options)
        )
        self._curvature = CURVATURES.get(loss.name)

    def loss(self, scores: Float64[Tensor, "lists n"]) -> Float64[Tensor, "lists"]:
        """Return the loss of every list."""
        value: Tensor = self._function(
            scores, self.labels, where=self.where, reduction="none", **self._arguments
        )
        return value

    def curvature(self, scores: Float64[Tensor, "lists n"]) -> Float64[Tensor, "lists n n"] | None:
        """Return the second derivatives of the loss by the scores, None where it has none."""
        if self._curvature is None:
            return None
        return self._curvature(scores, self.labels, self.where, self._options)

    def unit_penalty(self) -> Float64[Tensor, "lists"]:
        """Return a penalty at which scores have about the size that the loss asks for.

        It is that size for scores along the steepest descent from 0, whose penalised optimum is
        the steepest descent divided by twice the penalty.
        """
        zero = torch.zeros_like(self.labels)
        slope = self._slope(zero)[1]
        downhill = -(slope @ self.basis) @ self.basis.T
        size = downhill.square().mean(dim=1).sqrt()
        # Rounding alone moves scores that no coefficient can tell apart.
        size[size <= _ROUNDING * slope.norm(dim=1) * self.basis.square().sum()] = 0
        unit = downhill / torch.where(size > 0, size, 1.0)[:, None]
        tried = torch.stack([self.loss(unit * scale) for scale in _UNITS])
        scale = _UNITS[tried.argmin(dim=0)]
        return torch.where(size > 0, self._count * size / (2 * scale), 1.0)

    def solve(
        self,
        penalty: Float64[Tensor, "lists"],
        start: Float64[Tensor, "lists rank"],
        *,
        tolerance: float = 1e-3,
        steps: int = _MOST_STEPS,
    ) -> Float64[Tensor, "lists rank"]:
        """Minimise: by Newton's method where the loss has a curvature, else by gradients alone.

        Args:
            penalty: One for each list, above 0.
            start: First coefficients.
            tolerance: Length of a step, in lengths of the coefficients, at which a list is done.
            steps: The most steps.
        """
        pull = 2 * penalty / self._count
        if self._curvature is None:
            return self._descend(pull, start, tolerance, steps)
        return self._newton(self._curvature, pull, start, tolerance, steps)

    def _slope(
        self, scores: Float64[Tensor, "lists n"]
    ) -> tuple[Float64[Tensor, "lists"], Float64[Tensor, "lists n"]]:
        """Return the loss and its gradient by the scores."""
        leaf = scores.detach().requires_grad_()
        value = self.loss(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient

    def _objective(
        self, b: Float64[Tensor, "lists rank"], pull: Float64[Tensor, "lists"]
    ) -> tuple[Float64[Tensor, "lists"], Float64[Tensor, "lists rank"]]:
        """Return loss plus penalty and its gradient by the coefficients."""
        value, by_scores = self._slope(b @ self.basis.T)
        value = value + 0.5 * pull * b.square().sum(dim=1)
        return value, by_scores @ self.basis + pull[:, None] * b

    def _newton(
        self,
        curvature: Curvature,
        pull: Float64[Tensor, "lists"],
        start: Float64[Tensor, "lists rank"],
        tolerance: float,
        steps: int,
    ) -> Float64[Tensor, "lists rank"]:
        """Newton's method; a step is halved until it lowers the objective enough."""
        b = start
        value, gradient = self._objective(b, pull)
        for _ in range(steps):
            second = curvature(b @ self.basis.T, self.labels, self.where, self._options)
            hessian = self.basis.T @ (second @ self.basis)
            hessian.diagonal(dim1=1, dim2=2).add_(pull[:, None])
            factor = torch.linalg.cholesky(hessian)
            step = -torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
            enough = 1e-4 * (gradient * step).sum(dim=1)
            length = torch.ones_like(pull)
            for _ in range(_HALVINGS):
                tried = b + length[:, None] * step
                reached, further = self._objective(tried, pull)
                short = reached > value + length * enough + 1e-12 * value.abs()
                if not short.any():
                    break
                length = torch.where(short, length / 2, length)
            b, value, gradient = tried, reached, further
            if _settled(length[:, None] * step, b, tolerance):
                break
        return b

    def _descend(
        self,
        pull: Float64[Tensor, "lists"],
        start: Float64[Tensor, "lists rank"],
        tolerance: float,
        steps: int,
    ) -> Float64[Tensor, "lists rank"]:
        """L-BFGS that looks at gradients alone (Nocedal and Wright 2006, chapter 7).

        Some losses freeze their weights at the present scores, so that their gradient is not that
        of their value: a step is shortened while the gradient at its end points back.
        """
        b, now = start, self._objective(start, pull)[1]
        memory: list[tuple[Tensor, Tensor, Tensor]] = []
        for _ in range(steps):
            step = -_times_inverse(memory, now, pull)
            slope = (step * now).sum(dim=1)
            uphill = slope >= 0
            step = torch.where(uphill[:, None], -now / pull[:, None], step)
            slope = torch.where(uphill, (step * now).sum(dim=1), slope)
            length = torch.ones_like(pull)
            for _ in range(_HALVINGS):
                tried = b + length[:, None] * step
                then = self._objective(tried, pull)[1]
                end = (then * step).sum(dim=1)
                far = end > -0.5 * slope
                if not far.any():
                    break
                # The secant's zero, but neither too near the start nor too near the end.
                zero = (slope / (slope - end)).clamp(0.05, 0.5)
                length = torch.where(far, length * zero, length)
            moved, bent = tried - b, then - now
            along = (moved * bent).sum(dim=1)
            useful = along > 1e-10 * bent.square().sum(dim=1)
            memory = [*memory[1 - _REMEMBERED :], (moved, bent, torch.where(useful, along, 0.0))]
            b, now = tried, then
            if _settled(moved, b, tolerance):
                break
        return b


def _settled(
    step: Float64[Tensor, "lists rank"], at: Float64[Tensor, "lists rank"], tolerance: float
) -> bool:
    return bool((step.norm(dim=1) <= tolerance * at.norm(dim=1)).all())


def _times_inverse(
    memory: list[tuple[Tensor, Tensor, Tensor]],
    gradient: Float64[Tensor, "lists rank"],
    pull: Float64[Tensor, "lists"],
) -> Float64[Tensor, "lists rank"]:
    """Multiply by the inverse curvature that past steps suggest; those of no use have along 0."""
    result, shares = gradient, []
    for moved, bent, along in reversed(memory):
        rate = torch.where(along > 0, 1 / along, 0.0)
        share = rate * (moved * result).sum(dim=1)
        result = result - share[:, None] * bent
        shares.append((rate, share))
    scale = 1 / pull
    if memory:
        _, bent, along = memory[-1]
        scale = torch.where(along > 0, along / bent.square().sum(dim=1), scale)
    result = result * scale[:, None]
    for (moved, bent, _), (rate, share) in zip(memory, reversed(shares), strict=True):
        back = rate * (bent * result).sum(dim=1)
        result = result + (share - back)[:, None] * moved
    return result

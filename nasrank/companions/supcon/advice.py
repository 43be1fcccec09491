"""Which alpha to choose, by theory alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nasrank.companions.supcon.closed_form import Batch, alpha_for, alpha_star, optimum

__all__ = ["Guideline", "guideline"]


@dataclass(frozen=True)
class Guideline:
    """What theory says of alpha for one kind of batch.

    Attributes:
        alpha_star: The largest alpha at which the classes collapse.
        largest_within: Within-class variance at alpha 1, the most there is.
        lower: Alpha at which the optimum has a quarter of that.
        suggested: Alpha at which it has half of it.
        upper: Alpha at which it has three quarters.
    """

    alpha_star: float
    largest_within: float
    lower: float
    suggested: float
    upper: float

    def nearest(self, alphas: Iterable[float]) -> float:
        """Return the alpha, of those there are, that is nearest to the suggested one."""
        return min(alphas, key=lambda alpha: abs(alpha - self.suggested))


def guideline(batch: Batch) -> Guideline:
    """Return the range of alpha with a moderate within-class variance.

    Below the threshold nothing finer than the classes is kept; at 1 the classes play no part. The
    variance grows with alpha in between, so that each share of its largest value has one alpha.

    References:
        Lee et al. (2025), "A theoretical framework for preventing class collapse in supervised
        contrastive learning", AISTATS: moderate within-class variance transfers best.

    Example:
        >>> found = guideline(Batch(10, 50, 2, 0.1))
        >>> [round(each, 3) for each in (found.alpha_star, found.lower, found.suggested)]
        [0.02, 0.202, 0.757]
    """
    largest = float(optimum(batch, 1.0).within_variance)
    shares = [0.25 * largest, 0.5 * largest, 0.75 * largest]
    lower, suggested, upper = alpha_for(batch, shares).tolist()
    return Guideline(float(alpha_star(batch)), largest, lower, suggested, upper)

"""What to evaluate next: from scores and their spread to the batch of a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import UsageError
from nasrank.named import Above, Named
from nasrank.registry import Registry

__all__ = [
    "ACQUISITIONS",
    "AcquisitionSpec",
    "Outlook",
    "choose",
    "needs_spread",
    "parse_acquisition",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a predictor says of the candidates of one round of one search.

    Attributes:
        scores: ``[candidates]`` higher is better.
        spread: ``[candidates]`` standard deviation in the unit of the scores, or None from a
            predictor that does not know.
        best: The highest score among the architectures evaluated so far.
        opinions: ``[opinions, candidates]`` scores of each part of an ensemble, or None.
    """

    scores: FloatArray
    spread: FloatArray | None
    best: float
    opinions: FloatArray | None = None

    @property
    def doubt(self) -> FloatArray:
        """The spread.

        Raises:
            UsageError: The predictor does not know it.
        """
        if self.spread is None:
            raise UsageError(
                "this acquisition needs a predictor with an uncertainty. "
                "Use --predictors 'gnn(ensemble=4)', or --acquisitions greedy"
            )
        return self.spread


Acquisition = Callable[..., FloatArray]
"""Takes an outlook, how many to pick and chance, and returns ``[rows, candidates]``: what each
candidate is worth, by one row for each pick, or by one row for all of them."""

ACQUISITIONS: Registry[Acquisition] = Registry("acquisition")
"""Acquisitions by name; their keyword-only numbers are options."""


@ACQUISITIONS.register("greedy")
def greedy(outlook: Outlook, _picks: int, _rng: np.random.Generator) -> FloatArray:
    """The highest scored, whatever their uncertainty.

    Returns:
        ``[1, candidates]`` the scores.
    """
    return outlook.scores[None]


@ACQUISITIONS.register("ucb")
def ucb(
    outlook: Outlook,
    _picks: int,
    _rng: np.random.Generator,
    *,
    kappa: Annotated[float, Above(0)] = 2.0,
) -> FloatArray:
    r"""Upper confidence bound: what a candidate may plausibly be worth.

    .. math:: a_i = \mu_i + \kappa \sigma_i

    Args:
        outlook: Scores with spread.
        kappa: Weight of the spread; larger explores more.

    Returns:
        ``[1, candidates]``.

    Raises:
        UsageError: The predictor does not know its spread.

    References:
        Srinivas et al. (2010), "Gaussian process optimization in the bandit setting", ICML.

    Example:
        >>> outlook = Outlook(np.array([1.0, 0.8]), np.array([0.1, 0.3]), best=1.0)
        >>> ucb(outlook, 1, np.random.Generator(np.random.PCG64(0))).round(3).tolist()
        [[1.2, 1.4]]
    """
    return (outlook.scores + kappa * outlook.doubt)[None]


@ACQUISITIONS.register("ei")
def expected_improvement(outlook: Outlook, _picks: int, _rng: np.random.Generator) -> FloatArray:
    r"""Expected improvement on the best score of what is evaluated.

    .. math:: a_i = \sigma_i (u_i \Phi(u_i) + \varphi(u_i)), \quad
        u_i = (\mu_i - \max_e \mu_e) / \sigma_i

    for scores taken as normal; ``max`` goes over evaluated architectures e. Their scores and not
    their labels are compared with, since a predictor's scores have a unit of their own, and noise
    in one lucky label would stop the search. It is computed as a logarithm, so that candidates
    far below the best still have an order.

    Returns:
        ``[1, candidates]`` the logarithm of the expected improvement.

    Raises:
        UsageError: The predictor does not know its spread.

    References:
        Mockus (1975), "On Bayesian methods for seeking the extremum"; for the logarithm Ament et
        al. (2023), "Unexpected improvements to expected improvement", NeurIPS.

    Example:
        At the best score the improvement is .3989 of the spread, so log(.2 * .3989):

        >>> outlook = Outlook(np.array([1.0]), np.array([0.2]), best=1.0)
        >>> expected_improvement(outlook, 1, np.random.Generator(np.random.PCG64(0))).round(4)
        array([[-2.5284]])
    """
    from scipy.special import erfcx, log_ndtr

    spread = np.maximum(outlook.doubt, 1e-12)
    u = (outlook.scores - outlook.best) / spread
    log_density = -0.5 * u * u - 0.5 * np.log(2 * np.pi)
    # u Phi(u) + phi(u) = phi(u) (1 + u Phi(u) / phi(u)); below -1 the ratio is that of erfcx,
    # which does not underflow, and beyond -50 the sum is 1 / u^2 to four digits.
    ratio = np.where(
        u < -1,
        np.sqrt(np.pi / 2) * erfcx(np.clip(-u, 0, 50) / np.sqrt(2)),
        np.exp(log_ndtr(np.clip(u, -1, 30)) - np.clip(log_density, -500, None)),
    )
    inside = np.where(u < -50, 1 / np.square(np.minimum(u, -50)), 1 + u * ratio)
    log_gain = log_density + np.log(np.maximum(inside, 1e-300))
    gain = np.where(u > 30, np.log(np.maximum(u, 1.0)), log_gain)
    return (np.log(spread) + gain)[None]


@ACQUISITIONS.register("thompson")
def thompson(outlook: Outlook, picks: int, rng: np.random.Generator) -> FloatArray:
    """Thompson sampling: each pick follows one opinion drawn at random.

    An opinion is a part of the ensemble where there is one; else a normal draw for each candidate
    on its own, from its score and spread.

    Returns:
        ``[picks, candidates]``.

    Raises:
        UsageError: The predictor does not know its spread.

    References:
        Thompson (1933), "On the likelihood that one unknown probability exceeds another",
        Biometrika.
    """
    if outlook.opinions is not None:
        return outlook.opinions[rng.integers(0, len(outlook.opinions), picks)]
    noise = rng.standard_normal((picks, len(outlook.scores)))
    return outlook.scores + outlook.doubt * noise


def needs_spread(spec: AcquisitionSpec) -> bool:
    """Say whether an acquisition uses the uncertainty of a predictor."""
    return spec.name != "greedy"


@dataclass(frozen=True)
class AcquisitionSpec(Named):
    """An acquisition and the options that differ from its defaults.

    Raises:
        UsageError: There is no such acquisition or option, or it cannot have this value.

    Example:
        >>> str(parse_acquisition("ucb( kappa = 0.50 )")), str(parse_acquisition("ucb(kappa=2)"))
        ('ucb(kappa=0.5)', 'ucb')
    """

    registry: ClassVar[Registry[Acquisition]] = ACQUISITIONS
    example: ClassVar[str] = "ucb(kappa=0.5)"

    @property
    def function(self) -> Acquisition:
        """The function with its options filled in."""
        return partial(ACQUISITIONS[self.name], **dict(self.options))


parse_acquisition = AcquisitionSpec.parse


def choose(worth: FloatArray, picks: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pick candidates one after the other, each by its row of worth, none twice.

    Equal worth is decided by chance, NaN counts as the least.

    Args:
        worth: ``[rows, candidates]``; the last row serves the picks beyond the rows.
        picks: How many, at most the number of candidates.
        rng: Decides ties.

    Returns:
        ``[picks]`` places among the candidates, in the order of evaluation.

    Example:
        >>> rng = np.random.Generator(np.random.PCG64(0))
        >>> choose(np.array([[1.0, 3.0, 2.0]]), 2, rng).tolist()
        [1, 2]
    """
    ties = rng.permutation(worth.shape[1])
    free = np.ones(worth.shape[1], bool)
    known = np.where(np.isnan(worth), -np.inf, worth)
    taken = []
    for pick in range(min(picks, worth.shape[1])):
        row = known[min(pick, len(known) - 1)]
        left = np.flatnonzero(free)
        highest = left[row[left] == row[left].max()]
        place = int(highest[np.argmin(ties[highest])])
        free[place] = False
        taken.append(place)
    return np.array(taken, np.int64)

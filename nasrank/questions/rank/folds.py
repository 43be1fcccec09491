"""Folds of a few labelled architectures, and tests that know that folds share their data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasrank.seeds import numpy_generator

__all__ = ["Estimate", "fold_estimate", "folds_of"]

SMALLEST_FOLD = 4


def folds_of(
    units: NDArray[np.int64], most: int, repeats: int, seed: int
) -> list[list[NDArray[np.int64]]]:
    """Cut architectures into folds of about equal size, several times.

    Args:
        units: ``[n]`` what must not be torn apart: equal numbers stay in one fold.
        most: Folds of one repeat; fewer where a fold would hold fewer than four, never below two.
        repeats: How often to cut anew.
        seed: Seed of the run.

    Returns:
        ``[repeats][folds]`` positions held out; each position is in one fold of every repeat.

    Example:
        >>> [part] = folds_of(np.arange(8), 5, 1, 0)
        >>> [len(fold) for fold in part]
        [4, 4]
    """
    names, unit_of = np.unique(units, return_inverse=True)
    sizes = np.bincount(unit_of)
    count = max(2, min(most, len(units) // SMALLEST_FOLD, len(names)))
    result = []
    for repeat in range(repeats):
        order = numpy_generator(seed, stream="folds", repeat=repeat).permutation(len(names))
        # Large groups first, each to what is the smallest fold by then.
        order = order[np.argsort(-sizes[order], kind="stable")]
        fold_of = np.zeros(len(names), np.int64)
        filled = np.zeros(count, np.int64)
        for unit in order:
            fold_of[unit] = int(filled.argmin())
            filled[fold_of[unit]] += sizes[unit]
        held = [np.flatnonzero(fold_of[unit_of] == fold) for fold in range(count)]
        result.append([fold for fold in held if len(fold)])
    return result


@dataclass(frozen=True)
class Estimate:
    """A mean over folds and how far it is known.

    Attributes:
        count: Folds that had a value.
        mean: Their mean; None with no fold.
        lower: Lower bound, 95 %; None with fewer than two folds.
        upper: Upper bound, 95 %.
        p: Two-sided p-value that the mean is 0.
    """

    count: int
    mean: float | None
    lower: float | None
    upper: float | None
    p: float | None


def fold_estimate(values: NDArray[np.float64], held_out: float) -> Estimate:
    r"""Mean over the folds of repeated cross-validation, with an interval and a test.

    Training sets of the folds overlap, so folds are not independent and a plain t-test is far too
    sure of itself. The corrected variance of the mean of J folds is

    .. math:: \left(\frac{1}{J} + \frac{q}{1 - q}\right) s^2

    with the share q of the data that a fold holds out, and t has J - 1 degrees of freedom.

    Args:
        values: ``[J]`` one value a fold, NaN where it has none.
        held_out: q, the share of the data in a fold, in (0, 1).

    References:
        Nadeau and Bengio (2003), "Inference for the generalization error", Machine Learning 52.
        Bouckaert and Frank (2004), "Evaluating the replicability of significance tests for
        comparing learning algorithms", PAKDD.

    Example:
        Mean 2, s^2 = 1, variance (1/3 + 1/2) / 1, so t = 2 / 0.913 = 2.19 on 2 degrees:

        >>> found = fold_estimate(np.array([1.0, 2.0, 3.0]), 1 / 3)
        >>> round(found.mean, 3), round(found.p, 3)
        (2.0, 0.16)
    """
    present = values[np.isfinite(values)]
    count = len(present)
    if count == 0:
        return Estimate(0, None, None, None, None)
    mean = float(present.mean())
    if count == 1:
        return Estimate(1, mean, None, None, None)
    from scipy.special import stdtr, stdtrit

    deviation = float(present.std(ddof=1))
    error = math.sqrt(1 / count + held_out / (1 - held_out)) * deviation
    if error == 0:
        return Estimate(count, mean, mean, mean, 1.0 if mean == 0 else 0.0)
    reach = float(stdtrit(count - 1, 0.975)) * error
    p = 2 * float(stdtr(count - 1, -abs(mean) / error))
    return Estimate(count, mean, mean - reach, mean + reach, p)

"""How well the labels of a benchmark agree with themselves.

Training an architecture twice gives two values. No predictor can be expected to order labels
better than their noise allows, so a tau is compared with the best that noise allows.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nasrank.metrics.inputs import FloatArray
from nasrank.metrics.tau import kendall_tau

__all__ = ["ceiling_tau", "replicate_tau"]

BINS = 10
DRAWS = 20


def replicate_tau(values: npt.ArrayLike, rng: np.random.Generator) -> float | None:
    """Kendall's tau-b between one training seed's value and the mean of the others.

    What a user gets who trains every architecture once. A predictor may exceed it, since it can
    average out the noise of single values.

    Args:
        values: One value for each architecture and training seed ``[items, replicates]``, nan
            where there was no such training. Architectures with fewer than two are left out.
        rng: Chooses the one seed, independently for each architecture.

    Returns:
        A value in [-1, 1]; None without replicates (fewer than two architectures that have
        them) and where all values are equal.

    Raises:
        ValueError: The array does not have two axes.

    Examples:
        Seeds agree on the order whichever is chosen:

        >>> replicate_tau([[1, 2], [5, 6], [8, 9]], np.random.default_rng(0))
        1.0
    """
    table = _table(values)
    table = table[np.count_nonzero(np.isfinite(table), axis=1) >= 2]
    if len(table) < 2:
        return None
    present = np.isfinite(table)
    chance = np.where(present, rng.random(table.shape), -1.0)
    chosen = np.argmax(chance, axis=1, keepdims=True)
    one = np.take_along_axis(table, chosen, axis=1)[:, 0]
    rest = table.copy()
    np.put_along_axis(rest, chosen, np.nan, axis=1)
    return _defined(kendall_tau(one, np.nanmean(rest, axis=1)))


def ceiling_tau(values: npt.ArrayLike, rng: np.random.Generator) -> float | None:
    """Estimate of the best tau that noise in the mean labels allows.

    The mean over 20 draws of tau-b between the mean label ``m`` and ``m + e``, where ``e`` is
    normal with sd ``s / sqrt(r)``: ``r`` is the architecture's number of training seeds and
    ``s`` the seed sd of its label bin. Bins are ten quantile bins of ``m`` (equal means share
    one); a bin's variance is the mean of its architectures' variances (r - 1 below). A bin
    without replicates takes the variance of all. An estimate, since ``m`` stands for the
    unknown true value and is itself spread by noise.

    Args:
        values: One value for each architecture and training seed ``[items, replicates]``, nan
            where there was no such training. Architectures without any are left out.
        rng: Source of the noise.

    Returns:
        A value in [-1, 1]; None without replicates (no architecture has two values, or fewer
        than two have one) and where all means are equal.

    Raises:
        ValueError: The array does not have two axes.

    Examples:
        No noise between seeds, no ceiling:

        >>> round(ceiling_tau([[1, 1], [5, 5], [8, 8]], np.random.default_rng(0)), 12)
        1.0
    """
    table = _table(values)
    counts = np.count_nonzero(np.isfinite(table), axis=1)
    table, counts = table[counts > 0], counts[counts > 0]
    repeated = counts >= 2
    if len(table) < 2 or not repeated.any():
        return None
    means: FloatArray = np.nanmean(table, axis=1)
    variances = np.nanvar(table[repeated], axis=1, ddof=1)

    edges = np.quantile(means, np.arange(1, BINS) / BINS)
    bins: npt.NDArray[np.intp] = np.searchsorted(edges, means, side="right")
    members = np.bincount(bins[repeated], minlength=BINS)
    sums = np.bincount(bins[repeated], weights=variances, minlength=BINS)
    pooled = np.where(members > 0, sums / np.maximum(members, 1), variances.mean())

    sd = np.sqrt(pooled[bins] / counts)
    taus = [kendall_tau(means + sd * rng.standard_normal(len(means)), means) for _ in range(DRAWS)]
    return _defined(float(np.mean(taus)))


def _table(values: npt.ArrayLike) -> Float64[FloatArray, "items replicates"]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"'values' should have axes items and replicates, not {table.ndim}")
    return table


def _defined(tau: float) -> float | None:
    return None if np.isnan(tau) else tau

"""Folds of a few labelled architectures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasrank.seeds import numpy_generator

__all__ = ["folds_of"]

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

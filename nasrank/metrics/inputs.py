"""Checks that every metric makes of its arrays."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nasrank.errors import DataError

__all__ = ["FloatArray", "checked_labels", "checked_scores"]

FloatArray = npt.NDArray[np.float64]


def checked_labels(labels: npt.ArrayLike) -> Float64[FloatArray, "items"]:
    """Labels as a flat float64 array, all finite.

    A missing label would be counted as a bad architecture, so it is refused and never skipped.

    Args:
        labels: True values ``[items]``, higher is better, in the metric's unit.

    Returns:
        The same values as float64.

    Raises:
        ValueError: The array is not one-dimensional.
        DataError: A label is nan or infinite.
    """
    array = np.asarray(labels, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"'labels' should have one axis, items, and has {array.ndim}")
    finite = np.isfinite(array)
    if not finite.all():
        first = int(np.argmin(finite))
        raise DataError(f"label of item {first} is {array[first]}; leave out unlabelled items")
    return array


def checked_scores(scores: npt.ArrayLike, items: int) -> Float64[FloatArray, "{items}"]:
    """Scores as a flat float64 array of the given length; non-finite ones are let through.

    Args:
        scores: Predicted values ``[items]``, higher is better; no unit.
        items: Expected length.

    Returns:
        The same values as float64.

    Raises:
        ValueError: The array is not of shape ``[items]``.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.shape != (items,):
        raise ValueError(f"'scores' should have shape ({items},) and has {array.shape}")
    return array

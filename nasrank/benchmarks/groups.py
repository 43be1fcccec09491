"""Groups of architectures that a split must not divide."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_units", "largest_side", "train_side"]


def class_units(
    class_of: NDArray[np.int64], group_of: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Number the parts into which classes fall if neither a class nor a group may be divided.

    Args:
        class_of: ``[N]`` isomorphism class of each architecture.
        group_of: ``[N]`` group of each, -1 for none.
        classes: Number of classes.

    Returns:
        ``[classes]`` the unit of each class: two classes share a unit exactly if a chain of groups
        connects them.

    Example:
        >>> class_units(np.array([0, 1, 2, 3]), np.array([5, -1, 5, -1]), 4).tolist()
        [0, 1, 0, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    grouped = group_of >= 0
    nodes = classes + int(group_of.max(initial=-1)) + 1
    ends = class_of[grouped], classes + group_of[grouped]
    joined = coo_array((np.ones(int(grouped.sum())), ends), shape=(nodes, nodes))
    _, unit = connected_components(joined, directed=False)
    return np.asarray(unit[:classes], np.int64)


def largest_side(sizes: NDArray[np.int64], most: int) -> int:
    """Return the least number of classes that `train_side` takes, whatever the order.

    A unit is left out only if it does not fit, so fewer classes are missing in the end than the
    largest unit that can fit has.

    Args:
        sizes: Classes of each unit.
        most: Maximum number of classes it may take.

    Example:
        Ten groups of 100 and at most 500: five of them always fit, of which 401 are certain by
        this argument.

        >>> largest_side(np.full(10, 100), 500)
        401
    """
    fitting = sizes[(sizes > 0) & (sizes <= most)]
    if len(fitting) == 0:
        return 0
    filled = min(int(fitting.sum()), most - int(fitting.max()) + 1)
    return max(int(fitting.min()), filled)


def train_side(
    unit: NDArray[np.int64],
    drawn: NDArray[np.int64],
    most: int,
    chosen_before: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Choose the units that may be trained on: in drawn order, each that still fits.

    Args:
        unit: ``[classes]`` unit of each class.
        drawn: The classes that can be drawn, each once, in seeded order.
        most: Maximum number of classes on this side.
        chosen_before: ``[classes]`` a smaller side of the same order, which is taken as it is.

    Returns:
        ``[classes]`` True for every class of a chosen unit.
    """
    units = int(unit.max(initial=-1)) + 1
    sizes = np.bincount(unit[drawn], minlength=units)
    _, first = np.unique(unit[drawn], return_index=True)
    chosen = np.zeros(units, bool)
    if chosen_before is not None:
        chosen[unit[chosen_before]] = True
    taken = int(sizes[chosen].sum())
    for number in unit[drawn[np.sort(first)]].tolist():
        if not chosen[number] and taken + int(sizes[number]) <= most:
            chosen[number] = True
            taken += int(sizes[number])
    return chosen[unit]

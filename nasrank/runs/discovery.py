"""What share of the top runs have found, on average."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

__all__ = ["mean_discovery"]

Key = TypeVar("Key", bound=Hashable)


def mean_discovery(
    keys: Mapping[str, Key], rows: Iterable[Mapping[str, Any]], fraction: float
) -> dict[Key, list[tuple[int, float]]]:
    """Average discovery rates over the runs that share a key.

    Args:
        keys: By ``run_id``, what a run counts for; others are left out.
        rows: Rows of ``discovery``.
        fraction: The share of the universe that counts as top.

    Returns:
        By key: evaluations after training, ascending, and the mean share of the top found in
        train or by then, in [0, 1].

    Example:
        >>> rows = [{"run_id": r, "top_fraction": 0.01, "k": 10, "discovery_rate": x}
        ...     for r, x in (("a", 0.25), ("b", 0.75))]
        >>> mean_discovery({"a": "mse", "b": "mse"}, rows, 0.01)
        {'mse': [(10, 0.5)]}
    """
    rates: dict[Key, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["top_fraction"] == fraction and row["run_id"] in keys:
            rates[keys[row["run_id"]]][row["k"]].append(row["discovery_rate"])
    return {
        key: [(k, float(np.mean(values))) for k, values in sorted(by_k.items())]
        for key, by_k in rates.items()
    }

"""Which mistakes a regulariser moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.optimal_transport.plan import PLAIN

__all__ = ["confusion_rows"]


def confusion_rows(
    rows: Sequence[Mapping[str, Any]], tree: Hierarchy, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Compare the mistakes of each method with those of plain models on the same seeds.

    Returns:
        Rows of `CONFUSIONS` for every pair that either model ever confused, those that moved
        most first within a method.
    """
    count = len(class_names)
    shares: dict[tuple[str, float, int], dict[int, Any]] = {}
    for row in rows:
        if row["confusion"] is None:
            continue
        matrix = np.array(row["confusion"], np.float64).reshape(count, count)
        share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        key = row["method"], row["weight"], row["batch_size"]
        shares.setdefault(key, {})[row["seed"]] = share
    found: list[dict[str, Any]] = []
    for (method, weight, size), own in shares.items():
        plain = shares.get((PLAIN, 0.0, size), {})
        seeds = sorted(own.keys() & plain.keys())
        if method == PLAIN or not seeds:
            continue
        before = np.mean([plain[seed] for seed in seeds], axis=0)
        after = np.mean([own[seed] for seed in seeds], axis=0)
        change = after - before
        kinds = [
            (i, j)
            for i in range(count)
            for j in range(count)
            if i != j and before[i, j] + after[i, j]
        ]
        kinds.sort(key=lambda kind: -abs(change[kind]))
        found += [
            {
                "data": rows[0]["data"],
                "method": method,
                "weight": weight,
                "batch_size": size,
                "n_seeds": len(seeds),
                "true_class": class_names[i],
                "predicted_class": class_names[j],
                "tree_distance": float(tree.distances[i, j]),
                "before": float(before[i, j]),
                "after": float(after[i, j]),
                "change": float(change[i, j]),
            }
            for i, j in kinds
        ]
    return found

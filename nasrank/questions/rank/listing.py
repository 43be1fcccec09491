"""The rows of a ranked list."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.questions.rank.explaining import (
    diverse_order,
    effects_of,
    features_of,
    nearest_of,
)
from nasrank.questions.rank.model import Model
from nasrank.questions.rank.pool import Found

__all__ = ["KEPT_FOR_EACH", "list_order", "list_rows"]

Row = dict[str, Any]

KEPT_FOR_EACH = 20
"""Candidates looked at for each that is listed."""
_LEAST_CHOICE = 200


def list_order(model: Model, found: Found, top: int, *, diverse: bool) -> NDArray[np.int64]:
    """Return which of the best candidates are listed, in order: the first, or a diverse batch."""
    if not diverse:
        return np.arange(min(top, len(found.rows)))
    best = np.arange(min(len(found.rows), max(_LEAST_CHOICE, KEPT_FOR_EACH * top)))
    features = features_of(model.case, found.graphs[best])
    return diverse_order(found.scores[best], features, top)


def list_rows(model: Model, found: Found, order: NDArray[np.int64]) -> list[Row]:
    """Return rows of :data:`~nasrank.questions.rank.tables.RANKING` for listed candidates."""
    case, scorer, calibration = model.case, model.scorer, model.calibration
    sign = case.sign
    scores = found.scores[order]
    values, reach = calibration.values(scores), calibration.reaches(scores)
    graphs = found.graphs[order]
    near = nearest_of(case, graphs)
    effects = effects_of(case, scorer, graphs, scores, calibration)
    rows = []
    for place, number in enumerate(order.tolist()):
        value, half = float(sign * values[place]), float(reach[place])
        known = near[place]
        rows.append(
            {
                "rank": place + 1,
                "id": found.ids[number],
                "score_rank": number + 1,
                "score": float(scores[place]),
                "uncertainty": None if found.spread is None else float(found.spread[number]),
                "value": value,
                "value_lower": None if np.isnan(half) else value - half,
                "value_upper": None if np.isnan(half) else value + half,
                "extrapolated": bool(
                    scores[place] > calibration.high or scores[place] < calibration.low
                ),
                "twins": int(found.twins[number]),
                "nearest": case.names[known.item],
                "nearest_label": float(sign * case.labels[known.item]),
                "distance": known.distance,
                "difference": known.difference,
                "effects": [
                    f"{name} {sign * effect + 0.0:+.3g}" for name, effect in effects[place]
                ],
                "row": None if found.of_space else int(found.rows[number]),
                "label": float(sign * case.truth[found.rows[number]])
                if case.truth is not None and found.of_space
                else None,
            }
        )
    return rows

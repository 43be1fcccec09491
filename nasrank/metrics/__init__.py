"""Metrics of a run: order of all items, discovery of the top, evaluations saved.

Every function takes labels that are higher for better architectures; the caller negates
lower-is-better metrics first.
"""

from nasrank.metrics.budget import (
    CONFIDENCES,
    budget_rows,
    random_confidence,
    random_evaluations,
    savings,
)
from nasrank.metrics.ceiling import ceiling_tau, replicate_tau
from nasrank.metrics.discovery import (
    Ranking,
    discovery_table,
    evaluation_grid,
    first_hits,
    precision_at,
    rank_items,
    rank_order,
    ranking_metrics,
)
from nasrank.metrics.tau import kendall_tau, spearman_rho, weighted_tau
from nasrank.metrics.top import TOP_FRACTIONS, ceil_share, top_threshold

__all__ = [
    "CONFIDENCES",
    "TOP_FRACTIONS",
    "Ranking",
    "budget_rows",
    "ceil_share",
    "ceiling_tau",
    "discovery_table",
    "evaluation_grid",
    "first_hits",
    "kendall_tau",
    "precision_at",
    "random_confidence",
    "random_evaluations",
    "rank_items",
    "rank_order",
    "ranking_metrics",
    "replicate_tau",
    "savings",
    "spearman_rho",
    "top_threshold",
    "weighted_tau",
]

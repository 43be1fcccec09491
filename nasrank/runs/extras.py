"""What can be kept of a run beyond its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasrank.runs.own_metrics import MetricSpec
from nasrank.runs.tables import OWN_METRICS

__all__ = ["Extras"]


@dataclass(frozen=True)
class Extras:
    """What to keep of a run beyond its row.

    Attributes:
        predictions: Every score.
        curves: Loss and tau after every epoch.
        metrics: Metrics of the user's own, with options.
    """

    predictions: bool = False
    curves: bool = False
    metrics: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts asked for."""
        asked = (
            ("predictions", self.predictions),
            ("curves", self.curves),
            (OWN_METRICS.name, bool(self.metrics)),
        )
        return tuple(name for name, wanted in asked if wanted)

    def in_row(self, row: Mapping[str, Any]) -> bool:
        """Say whether a finished row has these parts, its metrics by the code of today."""
        columns = {
            "predictions": "predictions.item",
            "curves": "curves.epoch",
            OWN_METRICS.name: f"{OWN_METRICS.name}.metric",
        }
        if any(row[columns[part]] is None for part in self.parts):
            return False
        if not self.metrics:
            return True
        names = (row[f"{OWN_METRICS.name}.{part}"] for part in ("metric", "digest"))
        known = dict(zip(*names, strict=True))
        return all(known.get(each) == MetricSpec.parse(each).digest for each in self.metrics)

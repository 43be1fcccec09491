"""Ridge regression on plain columns: the floor that other predictors have to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nasrank.graphs import GraphBatch
from nasrank.graphs.chains import ChainLayout
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.graphs.setting_columns import SettingColumns
from nasrank.predictors.predictor import Epoch, FeaturePredictor, Fitted, Member, required_proxies
from nasrank.predictors.standard import Standard
from nasrank.predictors.targets import robust_scores

__all__ = ["Ridge"]

_PENALTIES = np.logspace(-4, 4, 33)
"""Penalties that are tried, in mean squared lengths of the rows."""


class Ridge(FeaturePredictor):
    r"""Ridge regression of robust scores of the labels.

    .. math:: \min_{b, c} \; \sum_i (t_i - c - x_i^T b)^2 + \lambda \lVert b \rVert^2

    The columns are counts of operations and of edges by their ends, settings, and for chains the
    operation and attributes at each place, all standardised. The penalty has the least squared
    error with one label left out, in closed form (Allen 1974, Technometrics 16).
    """

    own_loss = "mse(targets=robust)"

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        return 0.01 + 1e-5 * n + 1e-10 * n**3

    @cached_property
    def columns(self) -> PlainColumns:
        """The columns of the graphs, computed when first needed."""
        return PlainColumns(self.graphs, self.used_proxies)

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit every member; see :meth:`Predictor.fit`. A step is a member."""
        lines = []
        for place, member in enumerate(members):
            own = self.columns.reference[member.items]
            lines.append(_Line.of(own, robust_scores(member.targets)))
            if on_step is not None:
                on_step(place + 1, len(members))
        return _Lines(self.columns, self.columns.reference, lines)


class PlainColumns:
    """Standardised columns that need no thought.

    Args:
        graphs: Canonical graphs that determine the columns.
        proxies: Those of the same graphs, or None.
    """

    def __init__(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> None:
        self._chains = ChainLayout.of(graphs)
        self._with_proxies = proxies is not None
        self._features = FeatureReference.of(graphs)
        self._places = (
            None if self._chains is None else SettingColumns.of(self._chains.settings(graphs))
        )
        raw = self._raw(graphs, proxies)
        self._standard = Standard.of(raw)
        self.reference = self._standard.apply(raw)

    def of(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Float64[np.ndarray, "items columns"]:
        """Describe graphs of the same vocabulary.

        Raises:
            UsageError: Proxies are needed and there are none.
        """
        return self._standard.apply(self._raw(graphs, proxies))

    def _raw(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None
    ) -> Float64[np.ndarray, "items columns"]:
        parts = [graph_features(graphs, self._features).astype(np.float64)]
        if self._chains is not None and self._places is not None:
            parts.append(self._places.rows(self._chains.settings(graphs)))
        if self._with_proxies:
            parts.append(required_proxies(proxies))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class _Line:
    """One member.

    Attributes:
        slope: Of each column.
        intercept: Added to all.
        loss: Mean squared error of the training set with one label left out.
    """

    slope: Float64[np.ndarray, "columns"]
    intercept: float
    loss: float

    @classmethod
    def of(
        cls, columns: Float64[np.ndarray, "n columns"], targets: Float64[np.ndarray, "n"]
    ) -> _Line:
        centre, mean = columns.mean(axis=0), float(targets.mean())
        centred, off = columns - centre, targets - mean
        values, vectors = np.linalg.eigh(centred @ centred.T)
        values = values.clip(0)
        size = float(values.mean())
        if size == 0 or len(targets) < 2:
            return cls(np.zeros(len(centre)), mean, float(np.mean(off**2)))
        drawn = vectors.T @ off
        # The intercept takes 1 / n of every label, a direction the share v / (v + penalty).
        shares = values / (values + size * _PENALTIES[:, None])
        own = np.minimum(1 / len(off) + shares @ vectors.T**2, 1 - 1e-9)
        errors = (off - (shares * drawn) @ vectors.T) / (1 - own)
        losses = np.mean(errors**2, axis=1)
        best = int(losses.argmin())
        dual = vectors @ (drawn / (values + size * _PENALTIES[best]))
        slope = centred.T @ dual
        return cls(slope, mean - float(centre @ slope), float(losses[best]))


class _Lines(Fitted):
    def __init__(
        self,
        made: PlainColumns,
        columns: Float64[np.ndarray, "items columns"],
        lines: Sequence[_Line],
    ) -> None:
        self._made, self._columns, self._lines = made, columns, lines
        self.final_loss = np.array([line.loss for line in lines])

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        return np.zeros(len(self._lines), np.bool_)

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Predicted robust scores of the labels."""
        columns = self._columns if items is None else self._columns[np.asarray(items, np.int64)]
        return np.stack([columns @ line.slope + line.intercept for line in self._lines])

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        return _Lines(self._made, self._made.of(graphs, proxies), self._lines)

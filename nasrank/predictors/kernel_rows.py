"""The architectures of a space as a kernel sees them: columns in several readings, and views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.graphs.chains import ChainLayout
from nasrank.graphs.path_statistics import path_statistics
from nasrank.graphs.settings import Settings
from nasrank.predictors.evidence import Form, Rows, distances
from nasrank.predictors.kernel_columns import column_tables
from nasrank.predictors.predictor import required_proxies
from nasrank.predictors.standard import Standard
from nasrank.predictors.views import GraphViews

__all__ = ["KernelRows"]


class KernelRows:
    """Rows of every architecture, one set for each reading of its numbers.

    The columns are settings, places of chains, statistics over paths, and proxies where given.
    Views of the graph are left out where a table describes all of it: beside one they hurt.

    Args:
        graphs: Canonical graphs that determine columns and views.
        proxies: Those of the same graphs, or None.
    """

    def __init__(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> None:
        self._chains = ChainLayout.of(graphs)
        settings = self._settings(graphs)
        self._tables = () if settings is None else column_tables(settings)
        described = graphs.attributes is not None and self._chains is not None
        self._views = None if graphs.only_settings or described else GraphViews(graphs)
        self._with_proxies = proxies is not None
        measured = self._measured(graphs, proxies)
        self._standard = [Standard.of(part) for part in measured]
        further = [int((each.spread > 0).sum()) for each in self._standard]
        self._groups, self._two_valued = self._described(further)
        known = {} if self._views is None else self._views.reference
        self.reference = self._of(graphs, proxies, known)

    def of(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> tuple[Rows, ...]:
        """Describe graphs of the same vocabulary.

        Args:
            graphs: The graphs, canonical.
            proxies: Theirs, where these rows were made with some.

        Returns:
            One set of rows for each reading.

        Raises:
            UsageError: Proxies are needed and there are none.
        """
        return self._of(graphs, proxies, {} if self._views is None else self._views.of(graphs))

    def _of(
        self,
        graphs: GraphBatch,
        proxies: Float64[np.ndarray, "items proxies"] | None,
        views: Mapping[str, Float64[Tensor, "items _"]],
    ) -> tuple[Rows, ...]:
        measured = [
            standard.apply(part)
            for standard, part in zip(self._standard, self._measured(graphs, proxies), strict=True)
        ]
        settings = self._settings(graphs)
        readings = [
            [] if settings is None else [table.rows(settings)] for table in self._tables
        ] or [[]]
        empty = np.zeros((len(graphs), 0))
        return tuple(
            Rows(torch.from_numpy(np.concatenate([*own, *measured, empty], axis=1)), views)
            for own in readings
        )

    def candidates(self, items: Int64[Tensor, "n"]) -> list[tuple[Form, Rows]]:
        """Return the rows of a training set in every reading, with the form of their kernel."""
        return [
            (Form(groups, two, _typical(rows.views, items)), rows[items])
            for rows, groups, two in zip(
                self.reference, self._groups, self._two_valued, strict=True
            )
        ]

    def _settings(self, graphs: GraphBatch) -> Settings | None:
        return graphs.settings if self._chains is None else self._chains.settings(graphs)

    def _measured(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None
    ) -> list[Float64[np.ndarray, "items columns"]]:
        parts = []
        if self._views is not None:
            parts.append(path_statistics(graphs).astype(np.float64))
        if self._with_proxies:
            parts.append(required_proxies(proxies))
        return parts

    def _described(
        self, further: Sequence[int]
    ) -> tuple[list[Int64[np.ndarray, "columns"]], list[Bool[np.ndarray, "columns"]]]:
        """Group of each column, and whether it has two values, by reading."""
        groups, two = [], []
        for table in self._tables or (None,):
            own = np.zeros(0, np.int64) if table is None else table.groups
            flags = np.zeros(0, np.bool_) if table is None else table.two_valued
            start = int(own.max(initial=-1)) + 1
            parts = [np.full(count, start + place) for place, count in enumerate(further)]
            groups.append(np.concatenate([own, *parts]).astype(np.int64))
            two.append(np.concatenate([flags, np.zeros(sum(further), np.bool_)]))
        return groups, two


def _typical(
    views: Mapping[str, Float64[Tensor, "items _"]], items: Int64[Tensor, "n"]
) -> dict[str, float]:
    """Median distance of a training set in each view in which it differs at all."""
    found = {}
    for name, view in views.items():
        apart = distances(view[items], view[items])
        if (apart > 0).any():
            found[name] = float(apart[apart > 0].median())
    return found

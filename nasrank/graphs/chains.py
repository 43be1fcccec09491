"""Chains of operations as tables of settings: one column for one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nasrank.graphs.canonical import depths
from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch
from nasrank.graphs.settings import Scale, Setting, Settings

__all__ = ["ChainLayout", "are_chains"]

_FIXED = 2
"""Operations that stand in every vocabulary: input and output."""


def are_chains(graphs: GraphBatch) -> bool:
    """Say whether every graph is a single path from its input to its output, one edge a step.

    A graph whose input never reaches its output counts as the path without a step. Architectures
    that are nothing but settings are no chains.
    """
    if graphs.only_settings or len(graphs) == 0:
        return False
    edges = graphs.adjacency.astype(np.int64)
    steps = np.maximum(graphs.sizes() - 1, 0)
    single = (edges.sum(axis=1) <= 1).all() and (edges.sum(axis=2) <= 1).all()
    total = edges.sum(axis=(1, 2))
    disconnected = (graphs.sizes() == _FIXED) & (total == 0)
    return bool(single and ((total == steps) | disconnected).all())


@dataclass(frozen=True)
class ChainLayout:
    """How chains become settings, as :func:`are_chains` knows them.

    Chains of one length have, at every position, its operation and its attributes. In chains of
    several lengths an attribute belongs to an operation and its occurrence: the learning rate of
    the second ``adam`` is one setting wherever that stands. An attribute that never differs
    within a chain is one setting. Any other has its mean too, and its sum where lengths differ.
    The number of operations, and how often each occurs, are settings as well. What a chain does
    not have is missing.

    Attributes:
        operations: Names of the operations, without input and output.
        attributes: Names of the attributes.
        longest: Most operations of a chain.
        one_length: Whether all chains have so many.
        occurrences: Most occurrences of each operation in one chain.
        shared: Whether each attribute never differs within a chain.
        least: Least value of each attribute on a log scale, which is taken where that makes the
            gaps between its values more even; None on a linear scale.
    """

    operations: tuple[str, ...]
    attributes: tuple[str, ...]
    longest: int
    one_length: bool
    occurrences: tuple[int, ...]
    shared: tuple[bool, ...]
    least: tuple[float | None, ...]

    @classmethod
    def of(cls, graphs: GraphBatch) -> ChainLayout | None:
        """Measure a space; None where its graphs are no chains."""
        if not are_chains(graphs):
            return None
        codes, values = _along(graphs)
        names = graphs.vocabulary[_FIXED:]
        lengths = (codes >= 0).sum(axis=1)
        counts = [(codes == code).sum(axis=1) for code in range(len(names))]
        shared = []
        for number in range(len(graphs.attribute_names)):
            own = values[:, :, number]
            first = np.where(np.isnan(own), np.inf, own).min(axis=1, initial=np.inf)
            last = np.where(np.isnan(own), -np.inf, own).max(axis=1, initial=-np.inf)
            shared.append(bool((first >= last).all()))
        return cls(
            operations=names,
            attributes=graphs.attribute_names,
            longest=int(lengths.max(initial=0)),
            one_length=bool(np.ptp(lengths) == 0),
            occurrences=tuple(int(each.max(initial=0)) for each in counts),
            shared=tuple(shared),
            least=tuple(_least_on_log(values[:, :, n]) for n in range(values.shape[2])),
        )

    def settings(self, graphs: GraphBatch) -> Settings:
        """Describe graphs of the same vocabulary and attributes: their own settings come first.

        Positions are those by distance from the input; what is beyond the longest chain, or the
        last known occurrence, counts towards means, sums and numbers alone.

        Raises:
            DataError: Two settings would have one name.
        """
        columns: list[Setting] = []
        values: list[Float64[np.ndarray, "items"]] = []
        for column, row in self._columns(graphs):
            columns.append(column)
            values.append(row)
        if graphs.settings is not None:
            columns = [*graphs.settings.columns, *columns]
            values = [*graphs.settings.values.T, *values]
        return Settings(tuple(columns), np.stack(values, axis=1))

    def _columns(
        self, graphs: GraphBatch
    ) -> Iterator[tuple[Setting, Float64[np.ndarray, "items"]]]:
        codes, values = _along(graphs)
        real = codes >= 0
        lengths = real.sum(axis=1).astype(np.float64)
        yield Setting("chain: operations", "number"), lengths
        for code, name in enumerate(self.operations):
            counts = (codes == code).sum(axis=1).astype(np.float64)
            yield Setting(f"chain: number of {name}", "number", series="chain: numbers"), counts
        for position in range(min(self.longest, codes.shape[1])) if self.operations else ():
            own = np.where(real[:, position], codes[:, position], np.nan)
            name = f"chain: operation {position + 1}"
            yield Setting(name, "category", levels=self.operations), own
        for number, name in enumerate(self.attributes):
            own = np.where(real, values[:, :, number], np.nan)
            least = self.least[number]
            scale: Scale = "linear"
            if least is not None:
                # Other graphs may have numbers that have no logarithm.
                scale, own = "log", np.maximum(own, least)
            known = ~np.isnan(own)
            total = np.where(known, own, 0.0).sum(axis=1)
            mean = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
            if self.shared[number]:
                yield Setting(f"chain: {name}", "number", scale), mean
                continue
            series = f"chain: all {name}"
            yield Setting(f"chain: mean {name}", "number", scale, series=series), mean
            if not self.one_length:
                yield (
                    Setting(f"chain: sum of {name}", "number", series=f"chain: all {name}"),
                    total,
                )
            for place, row in self._places(codes, own):
                column = Setting(
                    f"chain: {name} of {place}", "number", scale, series=f"chain: {name}"
                )
                yield column, row

    def _places(
        self,
        codes: Int64[np.ndarray, "items places"],
        own: Float64[np.ndarray, "items places"],
    ) -> Iterator[tuple[str, Float64[np.ndarray, "items"]]]:
        """One attribute by place: position, or operation and occurrence."""
        if self.one_length:
            for position in range(min(self.longest, own.shape[1])):
                yield f"position {position + 1}", own[:, position]
            return
        for code, name in enumerate(self.operations):
            here = codes == code
            occurrence = np.where(here, np.cumsum(here, axis=1), 0)
            for number in range(1, self.occurrences[code] + 1):
                chosen: Bool[np.ndarray, "items places"] = occurrence == number
                row = np.where(chosen, own, 0.0).sum(axis=1)
                yield f"{name} {number}", np.where(chosen.any(axis=1), row, np.nan)


def _along(
    graphs: GraphBatch,
) -> tuple[Int64[np.ndarray, "items places"], Float64[np.ndarray, "items places attributes"]]:
    """Operations, numbered without input and output, and attributes in the order of the chain.

    Returns:
        -1 and NaN beyond the end.
    """
    inner = graphs.mask & (graphs.operations != INPUT) & (graphs.operations != OUTPUT)
    depth = np.where(inner, depths(graphs.adjacency.astype(np.int32)), graphs.nodes + 1)
    order = np.argsort(depth, axis=1, kind="stable")[:, : int(inner.sum(axis=1).max(initial=0))]
    there = np.take_along_axis(inner, order, axis=1)
    codes = np.where(there, np.take_along_axis(graphs.operations, order, axis=1) - _FIXED, -1)
    attributes = np.zeros((*order.shape, len(graphs.attribute_names)))
    if graphs.attributes is not None:
        sorted_ = np.take_along_axis(graphs.attributes, order[:, :, None], axis=1)
        attributes = np.where(there[:, :, None], sorted_.astype(np.float64), np.nan)
    return codes.astype(np.int64), attributes


def _least_on_log(values: Float64[np.ndarray, "items places"]) -> float | None:
    """Return the least value if gaps between values vary less on a log scale, else None."""
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) < 3 or distinct[0] <= 0:
        return None
    plain, logs = np.diff(distinct), np.diff(np.log(distinct))
    even = logs.std() / logs.mean() < plain.std() / plain.mean()
    return float(distinct[0]) if even else None

"""Single edits: one operation, edge, attribute or setting of an architecture, changed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes, joined
from nasrank.graphs.canonical import depths
from nasrank.graphs.chains import are_chains
from nasrank.graphs.dag import INPUT, OUTPUT
from nasrank.graphs.settings import Setting, Settings
from nasrank.questions.rank.case import Case

__all__ = ["Edit", "Editor", "node_names", "wiring"]

_MOST_VALUES = 8
"""Values of a number that are tried; further ones are thinned out to quantiles."""
_MOST_NODES = 12
"""Nodes up to which edges are added: beyond, there are hundreds of them."""


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        kind: ``operation``, ``edge``, ``attribute`` or ``setting``.
        part: What it changes, such as ``2 conv3x3`` or ``lr=0.001``.
        change: What it does, such as ``2 conv3x3 -> pool``.
        name: The part without its place in this architecture, such as ``conv3x3``.
        depth: Steps of the part from the input; None where it has no place.
        replaces: Whether the result has something else in the same place. The mean over these
            is what the part is compared with.
    """

    kind: str
    part: str
    change: str
    name: str
    depth: int | None = None
    replaces: bool = True


class Editor:
    """Makes the single edits of architectures of a space.

    An operation becomes each other one that the space has, or is taken out, its sources joined
    to its targets; an edge is cut, gets an operation, or is added; an attribute or a setting
    takes each other value that the space has, of a number at most eight. Settings that no longer
    apply are taken away with the one that decides, those that begin to apply get their usual
    value. Chains stay chains, and of one length where all are. What leaves nothing between input
    and output, or changes nothing, is no edit.

    Args:
        case: The space.
    """

    def __init__(self, case: Case) -> None:
        graphs = case.graphs
        self._case = case
        counts = graphs.operation_counts().sum(axis=0)
        counts[[INPUT, OUTPUT]] = 0
        self._codes = [int(code) for code in np.flatnonzero(counts > 0)]
        self._chains = are_chains(graphs)
        self._one_length = self._chains and int(np.ptp(graphs.sizes())) == 0
        self._values = [] if graphs.settings is None else _values_of(graphs.settings)
        self._attributes = _attribute_values(graphs)

    def edits(
        self, items: Sequence[int], *, only_parts: bool = False
    ) -> list[tuple[list[Edit], GraphBatch]]:
        """Return the single edits of architectures of the space, and their canonical graphs.

        Args:
            items: Their classes.
            only_parts: Leave edges alone, and make only edits that put something else in the
                place of a part.

        Returns:
            For each the edits, and a graph for each edit; several may have the same.
        """
        graphs = self._case.graphs
        made = [self._made(graphs[[item]], only_parts=only_parts) for item in items]
        together = [graph for own in made for _, graph in own]
        if not together:
            return [([], graphs[:0]) for _ in items]
        reduction = self._case.reduction
        changed = canonicalise(joined(together), drop=reduction.drop, contract=reduction.contract)
        number = isomorphism_classes(joined([graphs[items], changed]))
        idle = changed.adjacency.sum(axis=(1, 2), dtype=np.int64) == 0
        result, start = [], 0
        for place, own in enumerate(made):
            here = np.arange(start, start + len(own))
            kept = here[(number[len(items) + here] != number[place]) & ~idle[here]]
            result.append(([own[at - start][0] for at in kept.tolist()], changed[kept]))
            start += len(own)
        return result

    def _made(self, own: GraphBatch, *, only_parts: bool) -> list[tuple[Edit, GraphBatch]]:
        made = [*self._of_operations(own), *self._of_numbers(own)]
        if only_parts:
            return [each for each in made if each[0].replaces]
        return [*made, *self._of_edges(own)]

    def found(self, graphs: GraphBatch) -> NDArray[np.int64]:
        """Return the class of the space that each canonical graph is, -1 where it is none."""
        space = self._case.graphs
        if not len(graphs):
            return np.zeros(0, np.int64)
        wanted = set(_marks(graphs))
        near = np.array(
            [place for place, mark in enumerate(_marks(space)) if mark in wanted], np.int64
        )
        number = isomorphism_classes(joined([space[near], graphs]))
        known = dict(zip(number[: len(near)].tolist(), near.tolist(), strict=True))
        return np.array([known.get(each, -1) for each in number[len(near) :].tolist()], np.int64)

    def _of_operations(self, own: GraphBatch) -> Iterator[tuple[Edit, GraphBatch]]:
        names, depth = node_names(own, 0), depths(own.adjacency.astype(np.int32))[0]
        shortens = not self._one_length
        for node in _inner(own).tolist():
            code, steps = int(own.operations[0, node]), int(depth[node])
            name = own.vocabulary[code]
            others = [other for other in self._codes if other != code]
            for other in others:
                operations = own.operations.copy()
                operations[0, node] = other
                change = f"{names[node]} -> {own.vocabulary[other]}"
                edit = Edit("operation", names[node], change, name, steps)
                yield edit, replace(own, operations=operations)
            if shortens:
                edges = own.adjacency.astype(np.int64)
                edges[0] += np.outer(edges[0, :, node], edges[0, node])
                edges[0, node] = edges[0, :, node] = 0
                edit = Edit(
                    "operation", names[node], f"without {names[node]}", name, steps, not others
                )
                yield edit, replace(own, adjacency=np.minimum(edges, 255).astype(np.uint8))

    def _of_edges(self, own: GraphBatch) -> Iterator[tuple[Edit, GraphBatch]]:
        if self._one_length or not self._codes:
            return
        names = node_names(own, 0)
        nodes = np.flatnonzero(own.mask[0]).tolist()
        full = len(nodes) >= self._case.graphs.nodes
        for source, target in zip(*np.nonzero(own.adjacency[0]), strict=True):
            what = f"{names[source]} > {names[target]}"
            if not self._chains:
                edges = own.adjacency.copy()
                edges[0, source, target] = 0
                yield Edit("edge", what, f"cut {what}", "edge"), replace(own, adjacency=edges)
            for code in () if full else self._codes:
                edit = Edit(
                    "edge", what, f"{own.vocabulary[code]} on {what}", "edge", replaces=False
                )
                yield edit, _inserted(own, int(source), int(target), code)
        if self._chains or len(nodes) > _MOST_NODES:
            return
        # Nodes of a canonical graph are in topological order.
        for place, source in enumerate(nodes):
            for target in nodes[place + 1 :]:
                ends = own.operations[0, source] == OUTPUT or own.operations[0, target] == INPUT
                if ends or own.adjacency[0, source, target]:
                    continue
                edges = own.adjacency.copy()
                edges[0, source, target] = 1
                what = f"{names[source]} > {names[target]}"
                edit = Edit("edge", what, f"add {what}", "edge", replaces=False)
                yield edit, replace(own, adjacency=edges)

    def _of_numbers(self, own: GraphBatch) -> Iterator[tuple[Edit, GraphBatch]]:
        if own.attributes is not None:
            names = node_names(own, 0)
            for node in _inner(own).tolist():
                for number, attribute in enumerate(own.attribute_names):
                    value = float(own.attributes[0, node, number])
                    tried = self._attributes.get((int(own.operations[0, node]), number), ())
                    for other in tried:
                        if other != value and not np.isnan(value):
                            attributes = own.attributes.copy()
                            attributes[0, node, number] = other
                            part = f"{names[node]} {attribute}={value:g}"
                            edit = Edit("attribute", part, f"{part} -> {other:g}", attribute)
                            yield edit, replace(own, attributes=attributes)
        if own.settings is None:
            return
        for number, column in enumerate(own.settings.columns):
            value = float(own.settings.values[0, number])
            if np.isnan(value):
                continue
            part = f"{column.name}={own.settings.brief(0, number)}"
            name = _level(column, value, self._values[number])
            for other in self._values[number].tried:
                if other != value:
                    settings = self._reset(own.settings, number, other)
                    change = f"{part} -> {settings.brief(0, number)}"
                    yield Edit("setting", part, change, name), replace(own, settings=settings)

    def _reset(self, settings: Settings, number: int, value: float) -> Settings:
        """Give one setting another value, and those that depend on it what follows."""
        column, values = settings.columns[number], settings.values.copy()
        values[0, number] = value
        for place, other in enumerate(settings.columns):
            rule = other.condition
            if rule is None or rule.setting != column.name:
                continue
            if value not in rule.values:
                values[0, place] = np.nan
            elif np.isnan(values[0, place]):
                values[0, place] = self._values[place].usual
        return replace(settings, values=values)


def node_names(graphs: GraphBatch, row: int) -> dict[int, str]:
    """Name the nodes of a graph: its operations are numbered from the input on."""
    names, count = {}, 0
    for node in np.flatnonzero(graphs.mask[row]).tolist():
        code = int(graphs.operations[row, node])
        count += code not in {INPUT, OUTPUT}
        own = graphs.vocabulary[code]
        names[node] = own if code in {INPUT, OUTPUT} else f"{count} {own}"
    return names


def wiring(graphs: GraphBatch, row: int) -> str:
    """Spell an architecture: its nodes with what they read, and its settings.

    Example:
        >>> batch = GraphBatch(
        ...     np.array([[0, 2, 1]], np.int16),
        ...     np.array([[[0, 1, 1], [0, 0, 1], [0, 0, 0]]], np.uint8),
        ...     np.ones((1, 3), bool),
        ...     ("input", "output", "conv"),
        ... )
        >>> wiring(batch, 0)
        '1 conv < input; output < input, 1 conv'
    """
    parts = []
    if not graphs.only_settings:
        names = node_names(graphs, row)
        for node, name in names.items():
            sources = [
                names[source] + (f" x{times}" if times > 1 else "")
                for source, times in enumerate(graphs.adjacency[row, :, node].tolist())
                if times
            ]
            if sources:
                parts.append(f"{name} < {', '.join(sources)}")
    if graphs.settings is not None:
        parts.append(graphs.settings.text(row))
    return "; ".join(parts) or "nothing between input and output"


@dataclass(frozen=True)
class _Values:
    """Values of a setting: those tried, all, and the usual one."""

    tried: tuple[float, ...]
    all: tuple[float, ...]
    usual: float


def _values_of(settings: Settings) -> list[_Values]:
    found = []
    for column, values in zip(settings.columns, settings.values.T, strict=True):
        known = values[~np.isnan(values)]
        distinct, counts = np.unique(known, return_counts=True)
        tried = distinct
        if column.kind == "number" and len(distinct) > _MOST_VALUES:
            shares = np.linspace(0, 1, _MOST_VALUES)
            tried = np.unique(np.quantile(known, shares, method="lower"))
        usual = float("nan")
        if len(known) and column.kind == "number":
            usual = float(np.quantile(known, 0.5, method="lower"))
        elif len(known):
            usual = float(distinct[counts.argmax()])
        found.append(_Values(tuple(tried.tolist()), tuple(distinct.tolist()), usual))
    return found


def _level(column: Setting, value: float, values: _Values) -> str:
    """Name the value of a setting, or the third of its values where a number has many."""
    if column.kind != "number" or len(values.all) <= _MOST_VALUES:
        return f"{column.name}={column.shown(value)}"
    third = min(2, 3 * values.all.index(value) // len(values.all)) if value in values.all else 1
    return f"{column.name}: {('low', 'middle', 'high')[third]} third"


def _attribute_values(graphs: GraphBatch) -> dict[tuple[int, int], tuple[float, ...]]:
    """Return values of each operation's attributes that are tried."""
    found = {}
    if graphs.attributes is not None:
        for code in np.unique(graphs.operations[graphs.mask]).tolist():
            here = (graphs.operations == code) & graphs.mask
            for number in range(len(graphs.attribute_names)):
                known = graphs.attributes[here][:, number]
                known = known[~np.isnan(known)]
                if len(known):
                    shares = np.linspace(0, 1, _MOST_VALUES)
                    tried = np.unique(np.quantile(known, shares, method="lower"))
                    found[code, number] = tuple(tried.tolist())
    return found


def _inner(own: GraphBatch) -> NDArray[np.int64]:
    ends = (own.operations[0] == INPUT) | (own.operations[0] == OUTPUT)
    return np.flatnonzero(own.mask[0] & ~ends)


def _inserted(own: GraphBatch, source: int, target: int, code: int) -> GraphBatch:
    """Put an operation on an edge; of parallel edges, on one."""
    node = own.nodes
    edges = np.pad(own.adjacency, ((0, 0), (0, 1), (0, 1)))
    edges[0, source, target] -= 1
    edges[0, source, node] = edges[0, node, target] = 1
    attributes = own.attributes
    if attributes is not None:
        attributes = np.pad(attributes, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    return replace(
        own,
        operations=np.append(own.operations, np.array([[code]], np.int16), axis=1),
        adjacency=edges,
        mask=np.append(own.mask, np.ones((1, 1), np.bool_), axis=1),
        attributes=attributes,
    )


def _marks(graphs: GraphBatch) -> Sequence[bytes]:
    """Return what equal graphs have in common, so that few have to be compared in full."""
    edges = graphs.adjacency.sum(axis=(1, 2), dtype=np.int64)[:, None]
    rows = np.concatenate([graphs.operation_counts().astype(np.int64), edges], axis=1)
    if graphs.settings is not None:
        values = np.ascontiguousarray(np.nan_to_num(graphs.settings.values) + 0.0)
        rows = np.concatenate([rows, values.view(np.int64)], axis=1)
    return [row.tobytes() for row in rows]

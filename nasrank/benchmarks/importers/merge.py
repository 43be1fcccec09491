"""Adding the content of a file to the data folder, beside earlier imports of the space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers import IMPORTABLE
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.store import (
    Provenance,
    StoredMeasurement,
    StoredSpace,
    check_size,
    cost_column,
    find_space,
    write_space,
)
from nasrank.benchmarks.importers.understood import Understood
from nasrank.benchmarks.space import Space, build_space
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes, joined
from nasrank.graphs.canonical import depths
from nasrank.graphs.settings import Setting, Settings

__all__ = ["Saved", "save"]

_CHUNK = 2**20
"""Pairs of nodes that are searched for cycles at once."""


@dataclass(frozen=True)
class Saved:
    """The outcome of an import.

    Attributes:
        stored: The space after the import.
        added: Architectures that were not known before.
        measured: ``dataset:metric`` of every imported measurement, with the number of
            architectures that had a value before, or None where the metric is new.
        understood: What was understood of a user's table; None for everything else.
    """

    stored: StoredSpace
    added: int
    measured: Mapping[str, int | None]
    understood: Understood | None = None


def save(imported: Imported, base: Space | None = None) -> Saved:
    """Add a file's content to the space's file in the data folder.

    Architectures are joined by their text. A measurement that the space has already is replaced
    as a whole, so that a metric never mixes files; architectures that the new file lacks then
    have no value. Classes of isomorphic architectures are found now and kept in the cache.

    A table of settings that holds all architectures known so far says anew what their settings
    are; and where the space was made from a file of that name alone, it is made anew. So a
    correction is to import the table again.

    Args:
        imported: What was read.
        base: The built-in space of that name, if there is one. It owns the architectures.

    Returns:
        The space after the import, and what is new in it.

    Raises:
        DataError: A graph has a cycle; an architecture is not in the built-in space; the file
            names architectures differently than an earlier one, or has another graph for one
            of them; the folder cannot be written. Nothing is changed then.
    """
    _check_graphs(imported, base)
    known = find_space(imported.space)
    before = _labelled(known)
    if known is not None and _is_correction(imported, known):
        known = None
    texts, old_rows, new_rows = _join(imported, known)
    count = len(texts)
    graphs = imported.graphs if base is None else None
    if known is not None and base is None:
        graphs = _join_graphs(imported, known, count, new_rows)
    if graphs is not None:
        # Computed and saved now, so that the first command does not wait for it.
        try:
            build_space(
                imported.space, texts, graphs, drop=imported.drop, contract=imported.contract
            )
        except DataError as error:
            raise DataError(f"{imported.source}: {error}") from error
    measured = {
        f"{each.dataset}:{each.metric.name}": (
            StoredMeasurement(
                each.dataset,
                each.metric,
                each.values.shape[1],
                Provenance(imported.source, imported.note, imported.licence, imported.citation),
                each.failed is not None,
            ),
            _spread(_with_failures(each), new_rows, count),
        )
        for each in imported.measurements
    }
    earlier: dict[str, tuple[StoredMeasurement, NDArray[np.float64]]] = {}
    costs: dict[str, NDArray[np.float64]] = {}
    parameters, chance = None, dict[str, float]()
    groups = _join_groups(imported, known, count, new_rows)
    if known is not None:
        earlier = {
            f"{each.dataset}:{each.metric.name}": (
                each,
                _spread(known.read_columns(each.columns), old_rows, count),
            )
            for each in known.measurements
        }
        costs = {
            dataset: _spread(known.read_columns([cost_column(dataset)]), old_rows, count)[:, 0]
            for dataset in known.costs
        }
        if known.parameters:
            parameters = _spread(known.read_columns(["parameters"]), old_rows, count)[:, 0]
        chance |= known.chance
    for dataset, cost in imported.cost_seconds.items():
        costs[dataset] = _updated(costs.get(dataset), cost, new_rows, count)
    if imported.parameters is not None:
        parameters = _updated(parameters, imported.parameters, new_rows, count)
    stored = write_space(
        imported.space,
        # One name for a public space, whichever part of it a file holds.
        IMPORTABLE.get(imported.space, imported.title),
        texts,
        graphs,
        list((earlier | measured).values()),
        drop=imported.drop,
        contract=imported.contract,
        costs=costs,
        parameters=parameters,
        chance=chance | dict(imported.chance),
        groups=groups,
    )
    return Saved(
        stored,
        count - (0 if known is None else known.size),
        {name: before.get(name) for name in measured},
        imported.understood,
    )


def _with_failures(each: Measurement) -> NDArray[np.float64]:
    if each.failed is None:
        return each.values
    return np.concatenate([each.values, each.failed[:, None].astype(np.float64)], axis=1)


def _is_correction(imported: Imported, known: StoredSpace) -> bool:
    """Whether a table is imported again that is all the space was made from."""
    if imported.understood is None or imported.understood.settings is None:
        return False
    again = {(each.dataset, each.metric.name) for each in imported.measurements}
    return all(
        each.provenance.source == imported.source and (each.dataset, each.metric.name) in again
        for each in known.measurements
    )


def _labelled(known: StoredSpace | None) -> dict[str, int]:
    """Count the architectures that have a value of each measurement."""
    if known is None:
        return {}
    counts = {}
    for each in known.measurements:
        values = known.read_columns(each.columns[: each.width])
        counts[f"{each.dataset}:{each.metric.name}"] = int((~np.isnan(values)).any(axis=1).sum())
    return counts


def _check_graphs(imported: Imported, base: Space | None) -> None:
    """Refuse architectures that the built-in space lacks, and invalid graphs."""
    if base is not None:
        for row, text in enumerate(imported.architectures):
            if text not in base:
                raise DataError(
                    f"{imported.source}: architecture {row}, {text[:120]!a}, is not in "
                    f"{imported.space}. Example of one: {base.architectures[0]}"
                )
        return
    graphs = imported.graphs
    if graphs is None:
        raise DataError(f"{imported.source}: it holds no graphs. Import another file first")
    check_size(len(graphs), graphs.nodes, len(graphs.attribute_names))
    step = max(1, _CHUNK // max(1, graphs.nodes**2))
    for start in range(0, len(graphs), step):
        part = graphs.adjacency[start : start + step]
        try:
            depths(part.astype(np.int32))
        except DataError as error:
            # Found again one by one: the error has the place in its chunk, but users need the id.
            row = start + next(row for row, each in enumerate(part) if _is_cyclic(each))
            raise DataError(
                f"{imported.source}: architecture {row}, {imported.architectures[row][:120]!a}, "
                "has a cycle. An architecture is an acyclic graph; repair its edges"
            ) from error


def _is_cyclic(adjacency: NDArray[np.uint8]) -> bool:
    try:
        depths(adjacency[None].astype(np.int32))
    except DataError:
        return True
    return False


def _join(
    imported: Imported, known: StoredSpace | None
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Return all texts, and where the earlier and the new architectures stand among them."""
    new = tuple(imported.architectures)
    if known is None:
        return new, np.zeros(0, np.int64), np.arange(len(new))
    old = known.read_architectures()
    place = {text: row for row, text in enumerate(old)}
    for text in new:
        place.setdefault(text, len(place))
    rows = np.fromiter((place[text] for text in new), np.int64, len(new))
    return tuple(place), np.arange(len(old)), rows


def _join_groups(
    imported: Imported, known: StoredSpace | None, count: int, new_rows: NDArray[np.int64]
) -> list[str] | None:
    """Return the groups of all architectures; a new name replaces an earlier one."""
    groups = [""] * count
    if known is not None and known.grouped:
        groups[: known.size] = known.read_groups()
    elif imported.groups is None:
        return None
    for row, name in zip(new_rows.tolist(), imported.groups or (), strict=False):
        groups[row] = name or groups[row]
    return groups


def _join_graphs(
    imported: Imported, known: StoredSpace, count: int, new_rows: NDArray[np.int64]
) -> GraphBatch:
    """Return the graphs of all architectures; those known twice must agree."""
    old, new = known.read_graphs(), imported.graphs
    if new is None:
        raise DataError(f"{imported.source}: it holds no graphs. Import another file")
    if (known.drop, known.contract) != (imported.drop, imported.contract):
        raise DataError(
            f"{imported.source}: its operations have other meanings than in the file that "
            f"{imported.space} was imported from. Delete {known.path} to start over, or choose "
            "another name"
        )
    if {*old.attribute_names} != {*new.attribute_names}:
        have = [", ".join(batch.attribute_names) or "none" for batch in (new, old)]
        raise DataError(
            f"{imported.source}: its nodes have the attributes {have[0]}, but those of "
            f"{imported.space} have {have[1]}. Give the same columns, or delete "
            f"{known.path} to start over"
        )
    if imported.understood is not None and new.settings is not None and len(new) == count:
        # The table holds every architecture: what it says of them now counts.
        order = np.empty(count, np.int64)
        order[new_rows] = np.arange(count)
        return new[order]
    vocabulary = tuple(dict.fromkeys((*old.vocabulary, *new.vocabulary)))
    nodes, names = max(old.nodes, new.nodes), old.attribute_names
    check_size(count, nodes, len(names))
    settings = _shared_settings(imported, known, new.settings)
    old, new = (_widen(batch, nodes, vocabulary, names, settings) for batch in (old, new))
    shared = np.flatnonzero(new_rows < len(old))
    ours, theirs = old[new_rows[shared]], new[shared]
    differs = _written_otherwise(ours, theirs)
    if differs.any():
        rows = np.flatnonzero(differs)
        # The order of nodes means nothing; only what is computed must be the same.
        kinds = isomorphism_classes(
            canonicalise(
                joined([ours[rows], theirs[rows]]), drop=imported.drop, contract=imported.contract
            )
        )
        wrong = np.flatnonzero(kinds[: len(rows)] != kinds[len(rows) :])
        if len(wrong):
            row = int(shared[rows[wrong[0]]])
            raise DataError(
                f"{imported.source}: architecture {row}, {imported.architectures[row][:120]!a}, "
                f"is another one than in {imported.space}, imported earlier. Delete "
                f"{known.path} to start over, or choose another name"
            )
    both = joined([old, new[np.flatnonzero(new_rows >= len(old))]])
    if not len(shared):
        _refuse_other_names(imported, known, both)
    return both


def _written_otherwise(ours: GraphBatch, theirs: GraphBatch) -> NDArray[np.bool_]:
    """``[items]`` True where two batches of one padding do not hold the same numbers."""
    differs: NDArray[np.bool_] = (
        (ours.operations != theirs.operations).any(axis=1)
        | (ours.mask != theirs.mask).any(axis=1)
        | (ours.adjacency != theirs.adjacency).any(axis=(1, 2))
    )
    if ours.attributes is not None and theirs.attributes is not None:
        same = _equal(ours.attributes, theirs.attributes)
        differs |= ~same.all(axis=(1, 2))
    if ours.settings is not None and theirs.settings is not None:
        differs |= ~_equal(ours.settings.values, theirs.settings.values).all(axis=1)
    return differs


def _equal(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return same


def _shared_settings(
    imported: Imported, known: StoredSpace, new: Settings | None
) -> tuple[Setting, ...]:
    """Return settings that fit both: as they were found first, with the levels of both."""
    ours = {column.name: column for column in known.settings}
    theirs = {column.name: column for column in (new.columns if new else ())}
    if {*ours} != {*theirs}:
        have = [", ".join(names) or "none" for names in (theirs, ours)]
        raise DataError(
            f"{imported.source}: it has the settings {have[0][:200]}, but those of "
            f"{imported.space} are {have[1][:200]}. Give the same columns, or delete "
            f"{known.path} to start over"
        )
    for name, column in ours.items():
        if theirs[name].kind != column.kind:
            raise DataError(
                f"{imported.source}: setting {name!a} is {theirs[name].kind} here and "
                f"{column.kind} in {imported.space}, imported earlier. Say which with "
                f"--setting {name}={column.kind}, or delete {known.path} to start over"
            )
    return tuple(
        replace(column, levels=tuple(dict.fromkeys((*column.levels, *theirs[name].levels))))
        for name, column in ours.items()
    )


def _refuse_other_names(imported: Imported, known: StoredSpace, both: GraphBatch) -> None:
    """Refuse a file that has the architectures of an earlier one under other names."""
    kinds = isomorphism_classes(canonicalise(both, drop=imported.drop, contract=imported.contract))
    again = np.flatnonzero(np.isin(kinds[known.size :], kinds[: known.size]))
    if len(again):
        old = known.read_architectures()
        row = int(again[0])
        twin = int((kinds == kinds[known.size + row]).argmax())
        raise DataError(
            f"{imported.source}: architecture {row}, {imported.architectures[row][:80]!a}, is "
            f"{old[twin][:80]!a} in {imported.space}, imported earlier, and no name is "
            f"shared. Delete {known.path} to start over, or choose another name"
        )


def _widen(
    graphs: GraphBatch,
    nodes: int,
    vocabulary: Sequence[str],
    names: tuple[str, ...],
    settings: tuple[Setting, ...],
) -> GraphBatch:
    """Recode by another vocabulary, attributes and settings, and pad to ``nodes`` nodes."""
    numbers: Mapping[str, int] = {name: code for code, name in enumerate(vocabulary)}
    code = np.array([numbers[name] for name in graphs.vocabulary], np.int16)
    more = nodes - graphs.nodes
    operations = np.where(graphs.mask, code[graphs.operations], 0).astype(np.int16)
    attributes = graphs.attributes
    if attributes is not None:
        order = [graphs.attribute_names.index(name) for name in names]
        padding = ((0, 0), (0, more), (0, 0))
        attributes = np.pad(attributes[:, :, order], padding, constant_values=np.nan)
    return GraphBatch(
        np.pad(operations, ((0, 0), (0, more))),
        np.pad(graphs.adjacency, ((0, 0), (0, more), (0, more))),
        np.pad(graphs.mask, ((0, 0), (0, more))),
        tuple(vocabulary),
        attributes,
        names,
        None if graphs.settings is None else graphs.settings.recoded(settings),
    )


def _updated(
    earlier: NDArray[np.float64] | None,
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    count: int,
) -> NDArray[np.float64]:
    """Take new values where there are any: unlike labels these belong to the architecture."""
    fresh = _spread(values[:, None], rows, count)[:, 0]
    return fresh if earlier is None else np.where(np.isnan(fresh), earlier, fresh)


def _spread(
    values: NDArray[np.float64], rows: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    spread = np.full((count, values.shape[1]), np.nan)
    spread[rows] = values
    return spread

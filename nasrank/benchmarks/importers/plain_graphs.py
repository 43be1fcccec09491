"""Graphs from columns of plain text, by operations on whole columns of Arrow.

What is read here is read by :mod:`nasrank.benchmarks.importers.user` row by row in the same way;
anything out of the ordinary is left to it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.store import MOST_NODES
from nasrank.benchmarks.nb201 import architecture_string, cell_graphs, official_order
from nasrank.graphs import GraphBatch

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CELLS", "FORMS", "GRAPHS", "NotPlainError", "plain_graphs", "recoded"]

CELLS, GRAPHS = ("arch_str",), ("operations", "edges")
FORMS = (GRAPHS, CELLS)
"""Columns that write graphs in one of the ways that are read here."""

_OPERATION = re.compile(r"[A-Za-z0-9_][\w.+:/-]{0,63}", re.ASCII)
_EDGE = re.compile(r"(\d{1,3})-(\d{1,3})", re.ASCII)
_ENDS = ("input", "output")
_MOST_PARALLEL = 255
_MOST_WORDS = 2**15 - 2
_PART = 2**28
"""Most entries of the adjacency matrices that are made at once."""


class NotPlainError(Exception):
    """Something that only the reader of rows understands, or refuses in words."""


def recoded(graphs: GraphBatch, vocabulary: Sequence[str]) -> GraphBatch:
    """Recode operations by another vocabulary.

    Raises:
        NotPlainError: An operation that is used is not in it.
    """
    code = {name: number for number, name in enumerate(vocabulary)}
    used = np.unique(graphs.operations[graphs.mask])
    if any(graphs.vocabulary[number] not in code for number in used.tolist()):
        raise NotPlainError
    numbers = np.array([code.get(name, 0) for name in graphs.vocabulary], np.int16)
    operations = np.where(graphs.mask, numbers[graphs.operations], 0).astype(np.int16)
    return GraphBatch(operations, graphs.adjacency, graphs.mask, tuple(vocabulary))


def plain_graphs(columns: Mapping[str, "pa.StringArray"]) -> GraphBatch:
    """Read graphs as `nasrank.benchmarks.importers.user` describes them.

    Args:
        columns: ``[rows]`` texts of the columns of one of `FORMS`, at least one row.

    Returns:
        The graphs, unreduced. Of `GRAPHS` their vocabulary is that of these rows, in the order in
        which operations occur after the two ends.

    Raises:
        NotPlainError: A row is not of the plainest form.
    """
    if any(column.null_count for column in columns.values()):
        raise NotPlainError
    if tuple(columns) == CELLS:
        return _cells(columns["arch_str"])
    return _graphs(columns["operations"], columns["edges"])


@lru_cache(maxsize=1)
def _known_cells() -> "pa.StringArray":
    import pyarrow as pa

    return pa.array([architecture_string(cell) for cell in official_order().tolist()])


def _cells(texts: "pa.StringArray") -> GraphBatch:
    """Read cells of NAS-Bench-201."""
    import pyarrow.compute as pc

    found = pc.index_in(texts, value_set=_known_cells())
    if found.null_count:
        raise NotPlainError
    return cell_graphs(official_order()[found.to_numpy()])


def _graphs(operations: "pa.StringArray", edges: "pa.StringArray") -> GraphBatch:
    words, of_node, size = _split(operations)
    if not all(map(_OPERATION.fullmatch, words)):
        raise NotPlainError
    nodes = int(size.max())
    if nodes > MOST_NODES or len(size) * nodes**2 > _PART or len(words) >= _MOST_WORDS:
        raise NotPlainError
    mask = np.arange(nodes) < size[:, None]
    vocabulary = {name: code for code, name in enumerate(dict.fromkeys((*_ENDS, *words)))}
    table = np.zeros((len(size), nodes), np.int16)
    table[mask] = np.array([vocabulary[word] for word in words], np.int16)[of_node]
    is_input, is_output = (mask & (table == vocabulary[end]) for end in _ENDS)
    if not (is_input.any(axis=1) & is_output.any(axis=1)).all():
        raise NotPlainError

    pairs, of_edge, count = _split(edges)
    read = [_EDGE.fullmatch(pair) for pair in pairs]
    if not all(read):
        raise NotPlainError
    ends = np.array([[int(each) for each in found.groups()] for found in read if found])[of_edge]
    row = np.repeat(np.arange(len(count)), count)
    source, target = ends[:, 0], ends[:, 1]
    if (np.maximum(source, target) >= size[row]).any():
        raise NotPlainError
    if is_input[row, target].any() or is_output[row, source].any():
        raise NotPlainError
    many = np.bincount((row * nodes + source) * nodes + target, minlength=len(size) * nodes**2)
    if many.max(initial=0) > _MOST_PARALLEL:
        raise NotPlainError
    adjacency = many.astype(np.uint8).reshape(len(size), nodes, nodes)
    return GraphBatch(table, adjacency, mask, tuple(vocabulary))


def _split(
    texts: "pa.StringArray",
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Cut texts at semicolons: the different pieces, which one each piece is, pieces a text."""
    import pyarrow.compute as pc

    lists = pc.split_pattern(texts, ";")
    pieces = lists.flatten().dictionary_encode()
    counts = np.asarray(lists.value_lengths(), np.int64)
    return pieces.dictionary.to_pylist(), np.asarray(pieces.indices, np.int64), counts

"""Cells of NAS-Bench-101 as text, their official hash, and their graphs."""

import hashlib
from collections.abc import Sequence
from math import isqrt
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch

__all__ = [
    "MOST_EDGES",
    "MOST_VERTICES",
    "VOCABULARY",
    "cell_graphs",
    "cell_hash",
    "cell_text",
    "check_cell",
]

MOST_VERTICES = 7
"""Maximum number of vertices of a cell, input and output included."""
MOST_EDGES = 9
"""Maximum number of edges of a cell."""
VOCABULARY = ("input", "output", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""Operations of the vertices, as the benchmark names them."""

# Copying the empty state takes half the time of making a new one.
_EMPTY = hashlib.md5(usedforsecurity=False)

# The code of each operation in the official hash.
_LABELS = {"input": -1, "output": -2, **{name: code for code, name in enumerate(VOCABULARY[2:])}}


def check_cell(matrix: str, operations: str) -> None:
    """Refuse what is not a cell of the search space.

    Args:
        matrix: The rows of the adjacency matrix, one after another, as digits 0 and 1.
        operations: The operations of the vertices, separated by commas.

    Raises:
        ValueError: Not a square matrix of 2 to 7 rows with digits 0 and 1, an edge that does not
            lead to a later vertex, more than 9 edges, or operations that do not fit.
    """
    size = isqrt(len(matrix))
    names = operations.split(",")
    if size * size != len(matrix) or not 2 <= size <= MOST_VERTICES:
        _refuse(f"{len(matrix)} digits are not a matrix of 2 to {MOST_VERTICES} vertices")
    if matrix.strip("01"):
        _refuse("its matrix has digits other than 0 and 1")
    if any("1" in matrix[row * size : row * size + row + 1] for row in range(size)):
        _refuse("an edge does not lead to a later vertex, so the cell may have a cycle")
    if matrix.count("1") > MOST_EDGES:
        _refuse(f"it has more than {MOST_EDGES} edges")
    if len(names) != size:
        _refuse(f"it has {len(names)} operations for {size} vertices")
    if names[0] != "input" or names[-1] != "output":
        _refuse("it does not start with input and end with output")
    for name in names[1:-1]:
        if name not in VOCABULARY[2:]:
            _refuse(f"operation {name[:40]!a} is unknown")


def cell_hash(matrix: str, operations: str) -> str:
    r"""Return the official hash of a cell, the same for isomorphic cells.

    Each vertex starts with the MD5 digest of its out-degree, in-degree and operation. In as many
    rounds as there are vertices it takes the digest of the sorted digests of its sources, those
    of its targets, and its own; the hash is the digest of the sorted digests:

    .. math:: h_v^{t+1} = \mathrm{md5}\bigl(\mathrm{sort}\{h_u^t : u \to v\} \,|\,
        \mathrm{sort}\{h_w^t : v \to w\} \,|\, h_v^t\bigr)

    Args:
        matrix: As for `check_cell`, which the cell must have passed.
        operations: Likewise.

    Returns:
        32 hexadecimal digits.

    Reference:
        Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019.

    Example:
        The smallest cell, an input joined to the output:

        >>> cell_hash("0100", "input,output")
        '043721b9c7fe8c5fad811d47d83132ec'
    """
    size = isqrt(len(matrix))
    sources: list[list[int]] = [[] for _ in range(size)]
    targets: list[list[int]] = [[] for _ in range(size)]
    edge = matrix.find("1")
    while edge >= 0:
        u, v = divmod(edge, size)
        targets[u].append(v)
        sources[v].append(u)
        edge = matrix.find("1", edge + 1)
    vertices = [*zip(sources, targets, range(size), strict=True)]
    digests = [
        _md5(f"({len(after)}, {len(before)}, {_LABELS[name]})")
        for (before, after, _), name in zip(vertices, operations.split(","), strict=True)
    ]
    # Most of the time of an import is spent here; most vertices have one source and one target.
    for _ in range(size):
        renewed = []
        for before, after, own in vertices:
            left = _joined(digests, before) if len(before) != 1 else digests[before[0]]
            right = _joined(digests, after) if len(after) != 1 else digests[after[0]]
            renewed.append(_md5(f"{left}|{right}|{digests[own]}"))
        digests = renewed
    return _md5(str(sorted(digests)))


def cell_text(matrix: str, operations: str) -> str:
    """Return a cell as one readable text: its matrix by rows, then its operations.

    Args:
        matrix: As for `check_cell`, which the cell must have passed.
        operations: Likewise.

    Example:
        >>> cell_text("011001000", "input,maxpool3x3,output")
        '011/001/000 input,maxpool3x3,output'
    """
    size = isqrt(len(matrix))
    rows = [matrix[begin : begin + size] for begin in range(0, len(matrix), size)]
    return f"{'/'.join(rows)} {operations}"


def cell_graphs(matrices: Sequence[str], operations: Sequence[str]) -> GraphBatch:
    """Return the graphs of cells: a vertex is a node that carries its operation.

    Args:
        matrices: ``[N]``, each as for `check_cell`, which the cells must have passed.
        operations: ``[N]``, likewise.

    Returns:
        ``[N]`` graphs in the width of the largest cell; smaller ones are padded at the end.
    """
    sizes = np.array([isqrt(len(matrix)) for matrix in matrices], np.int64)
    width = int(sizes.max(initial=2))
    codes = np.zeros((len(sizes), width), np.int16)
    adjacency = np.zeros((len(sizes), width, width), np.uint8)
    known: dict[str, NDArray[np.int16]] = {}
    for row, names in enumerate(operations):
        code = known.get(names)
        if code is None:
            code = known[names] = np.array(
                [VOCABULARY.index(name) for name in names.split(",")], np.int16
            )
        codes[row, : len(code)] = code
    for size in range(2, width + 1):
        rows = np.flatnonzero(sizes == size)
        digits = "".join([matrices[row] for row in rows.tolist()]).encode("ascii")
        adjacency[rows, :size, :size] = (np.frombuffer(digits, np.uint8) - ord("0")).reshape(
            len(rows), size, size
        )
    mask = np.arange(width) < sizes[:, None]
    return GraphBatch(codes, adjacency, mask, VOCABULARY)


def _joined(digests: list[str], which: list[int]) -> str:
    return "".join(sorted([digests[vertex] for vertex in which]))


def _md5(text: str) -> str:
    state = _EMPTY.copy()
    state.update(text.encode())
    return state.hexdigest()


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)

"""DARTS architectures as text and as graphs.

An architecture is a normal and a reduction cell. A cell takes the outputs 0 and 1 of the two
cells before it and has nodes 2 to 5, each the sum of two operations on earlier ones; its output
concatenates the listed nodes. The text is the field's own ``Genotype(...)``.

References:
    Liu et al. (2019), "DARTS: Differentiable Architecture Search", ICLR.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import INPUT, OUTPUT, GraphBatch

__all__ = [
    "CONTRACT",
    "DROP",
    "NONE",
    "OPERATIONS",
    "VOCABULARY",
    "Genotype",
    "genotype_graphs",
    "genotype_of_fields",
    "genotype_text",
    "parse_genotype",
]

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""What an edge of a cell can do."""
NONE = "none"
"""What an edge without a signal is called; genotypes of real trainings have it."""

_INPUTS = 2
_NODES = 4
_EDGES = 2 * _NODES
_LONGEST = 4_000
_SKIP = OPERATIONS.index("skip_connect")
_FACTORISED = "r-factorized_reduce"

VOCABULARY = (
    "input",
    "output",
    *(
        f"{cell}-{operation}"
        for cell in "nr"
        for operation in ("c_{k-2}", "c_{k-1}", "sum", *OPERATIONS)
    ),
    _FACTORISED,
)
"""Operations of the graphs' nodes: ``n-`` in the normal cell, ``r-`` in the reduction cell."""

DROP: tuple[str, ...] = ()
"""Empty: an edge that is ``none`` is left out when a graph is made."""
CONTRACT = ("n-skip_connect", "r-skip_connect")
"""Operations that return their input. A skip connection from an input of the reduction cell halves
the resolution by strided convolutions; it is ``r-factorized_reduce`` and stays."""

# All white space is removed from a text before it is matched with these.
_PAIR = r"[(\[](?:\"\w{1,40}\"|'\w{1,40}'),\d{1,3},?[)\]]"
_CELL = rf"[(\[]((?:{_PAIR},?){{0,64}})[)\]]"
_CONCAT = r"(?:[(\[]((?:\d{1,3},?){0,64})[)\]]|range\((\d{1,3}),(\d{1,3})\))"
_GENOTYPE = re.compile(
    rf"(?:[\w.]{{1,80}}=)?(?:\w{{1,80}}\.){{0,4}}(?:Genotype)?\(normal={_CELL},normal_concat={_CONCAT},"
    rf"reduce={_CELL},reduce_concat={_CONCAT},?\)"
)
_RANGE = re.compile(r"range\((\d{1,3}),(\d{1,3})\)")
_EDGE = re.compile(r"[\"'](\w+)[\"'],(\d+)")


class Genotype(NamedTuple):
    """One architecture.

    Attributes:
        normal: Eight pairs of operation and input; pairs 2 i and 2 i + 1 make node 2 + i.
        normal_concat: The nodes whose outputs the normal cell concatenates.
        reduce: The same for the reduction cell.
        reduce_concat: Likewise.
    """

    normal: tuple[tuple[str, int], ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[tuple[str, int], ...]
    reduce_concat: tuple[int, ...]


def parse_genotype(text: str) -> Genotype:
    """Read a genotype as Python prints it, without evaluating it.

    Args:
        text: Such as ``Genotype(normal=[('skip_connect', 0), ...], normal_concat=range(2, 6),
            reduce=[...], reduce_concat=[2, 3, 4, 5])``, with any white space; also as a line of a
            module, ``NAME = Genotype(...)``, or ``genotypes.Genotype(...)``.

    Returns:
        The architecture.

    Raises:
        ValueError: The text is not a genotype, or not of a DARTS architecture.
    """
    found = _GENOTYPE.fullmatch("".join(text.split())) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{text[:60]!a} is not a genotype such as Genotype(normal=[...], ...)")
    cells = []
    parts = found.groups()
    for cell, concat, start, stop in (parts[:4], parts[4:]):
        edges = [(name, int(source)) for name, source in _EDGE.findall(cell)]
        if concat is None:
            nodes = list(range(int(start), int(stop)))
        else:
            nodes = [int(node) for node in concat.split(",") if node]
        cells.append((edges, nodes))
    (normal, normal_concat), (reduce, reduce_concat) = cells
    return _checked(normal, normal_concat, reduce, reduce_concat)


def genotype_of_fields(fields: object) -> Genotype:
    """Read a genotype that JSON holds as an object, or a table in columns.

    Args:
        fields: A dict with ``normal`` and ``reduce``, lists of pairs of operation and input, and
            optionally ``normal_concat`` and ``reduce_concat``, lists of nodes or a text such as
            ``range(2, 6)`` (2 to 5 if absent or None).

    Returns:
        The architecture.

    Raises:
        ValueError: It is not such a dict, or not of a DARTS architecture.
    """
    if not isinstance(fields, dict):
        raise ValueError("it has no genotype with the keys normal and reduce")
    cells = []
    for name in ("normal", "reduce"):
        edges = fields.get(name)
        if not isinstance(edges, list) or not all(map(_is_pair, edges)):
            raise ValueError(f"its {name} cell is not a list of pairs of operation and input")
        nodes = fields.get(f"{name}_concat")
        if nodes is None:
            nodes = [*range(_INPUTS, _INPUTS + _NODES)]
        if isinstance(nodes, str) and (span := _RANGE.fullmatch("".join(nodes.split()))):
            nodes = [*range(int(span[1]), int(span[2]))]
        if not isinstance(nodes, list) or not all(type(node) is int for node in nodes):
            raise ValueError(f"its {name}_concat is not a list of nodes")
        cells.append(([(edge[0], edge[1]) for edge in edges], nodes))
    (normal, normal_concat), (reduce, reduce_concat) = cells
    return _checked(normal, normal_concat, reduce, reduce_concat)


def genotype_text(genotype: Genotype) -> str:
    """Spell an architecture in its canonical form.

    Args:
        genotype: The architecture.

    Returns:
        Its ``Genotype(...)`` with lists, which `parse_genotype` reads.
    """
    normal, normal_concat, reduce, reduce_concat = map(list, genotype)
    return (
        f"Genotype(normal={normal}, normal_concat={normal_concat}, "
        f"reduce={reduce}, reduce_concat={reduce_concat})"
    )


def genotype_graphs(genotypes: Sequence[Genotype]) -> GraphBatch:
    """Turn architectures into graphs whose nodes carry operations.

    Input feeds the two inputs of each cell, which are nodes of their own (``c_{k-2}``,
    ``c_{k-1}``); every edge of a cell is a node that feeds the sum it belongs to; sums feed the
    edges that start there and, where they are concatenated, the output. Sums are nodes, so sums
    are not confused with concatenations. An edge that is ``none`` produces nothing and is no node.

    Args:
        genotypes: ``[items]`` architectures.

    Returns:
        ``[items]`` graphs of 30 nodes, input, output and 14 of each cell, less one for every
        ``none``.
    """
    items = len(genotypes)
    per_cell = _INPUTS + _NODES + _EDGES
    width = 2 + 2 * per_cell
    operations = np.zeros((items, width), np.int16)
    adjacency = np.zeros((items, width, width), np.uint8)
    mask = np.ones(operations.shape, np.bool_)
    operations[:, :2] = INPUT, OUTPUT
    every = np.arange(items)
    for cell, prefix in enumerate("nr"):
        base = 2 + cell * per_cell
        first_edge = base + _INPUTS + _NODES
        codes, sources, concatenated = _cell_arrays(genotypes, cell)
        operations[:, base] = VOCABULARY.index(f"{prefix}-c_{{k-2}}")
        operations[:, base + 1] = VOCABULARY.index(f"{prefix}-c_{{k-1}}")
        operations[:, base + _INPUTS : first_edge] = VOCABULARY.index(f"{prefix}-sum")
        adjacency[:, INPUT, base : base + _INPUTS] = 1
        adjacency[:, base + _INPUTS : first_edge, OUTPUT] = concatenated
        offset = VOCABULARY.index(f"{prefix}-{OPERATIONS[0]}")
        for edge in range(_EDGES):
            node = first_edge + edge
            there = codes[:, edge] >= 0
            strided = (codes[:, edge] == _SKIP) & (sources[:, edge] < _INPUTS) & (cell == 1)
            operations[:, node] = there * np.where(
                strided, VOCABULARY.index(_FACTORISED), offset + codes[:, edge]
            )
            adjacency[every, base + sources[:, edge], node] = there
            adjacency[:, node, base + _INPUTS + edge // 2] = there
            mask[:, node] = there
    return GraphBatch(operations, adjacency, mask, VOCABULARY)


def _cell_arrays(
    genotypes: Sequence[Genotype], cell: int
) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.uint8]]:
    """Return operation, -1 for none, and source of each edge, and which nodes are concatenated."""
    code_of = {name: code for code, name in enumerate(OPERATIONS)} | {NONE: -1}
    items = len(genotypes)
    codes = np.empty((items, _EDGES), np.int16)
    sources = np.empty((items, _EDGES), np.int64)
    concatenated = np.zeros((items, _NODES), np.uint8)
    for item, genotype in enumerate(genotypes):
        edges = genotype.reduce if cell else genotype.normal
        nodes = genotype.reduce_concat if cell else genotype.normal_concat
        codes[item] = [code_of[name] for name, _ in edges]
        sources[item] = [source for _, source in edges]
        concatenated[item, [node - _INPUTS for node in nodes]] = 1
    return codes, sources, concatenated


def _is_pair(edge: object) -> bool:
    return isinstance(edge, list) and [type(part) for part in edge] == [str, int]


def _checked(
    normal: Sequence[tuple[str, int]],
    normal_concat: Sequence[int],
    reduce: Sequence[tuple[str, int]],
    reduce_concat: Sequence[int],
) -> Genotype:
    last = _INPUTS + _NODES
    cells = (("normal", normal, normal_concat), ("reduce", reduce, reduce_concat))
    for name, edges, nodes in cells:
        if len(edges) != _EDGES:
            raise ValueError(f"its {name} cell has {len(edges)} edges, not {_EDGES}")
        for edge, (operation, source) in enumerate(edges):
            if operation not in (*OPERATIONS, NONE):
                raise ValueError(f"its {name} cell has the unknown operation {operation[:40]!a}")
            if not 0 <= source < _INPUTS + edge // 2:
                raise ValueError(
                    f"node {_INPUTS + edge // 2} of its {name} cell takes node {source}, which "
                    "is not an earlier one"
                )
        if not nodes or len({*nodes}) != len(nodes) or not all(_INPUTS <= n < last for n in nodes):
            raise ValueError(f"its {name} cell does not concatenate different nodes of 2 to 5")
    return Genotype(tuple(normal), tuple(normal_concat), tuple(reduce), tuple(reduce_concat))

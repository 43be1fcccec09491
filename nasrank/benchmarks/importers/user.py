"""A user's own space from a CSV, JSON Lines or Parquet file.

Every row is an architecture. Columns that are not named here, and not chosen as labels, are
passed over.

``id``
    Its name, unique in the file. May be left out beside ``arch_str``.
``operations`` and ``edges``
    The operations of its nodes, ``input;conv3x3;output``, and the edges between them by position
    from 0, ``0-1;1-2``. An edge given twice counts twice. In JSON and Parquet lists do as well:
    ``["input", "conv3x3", "output"]`` and ``[[0, 1], [1, 2]]``.
``operations`` and ``matrix``
    The same with an adjacency matrix, as NAS-Bench-101 has it: ``010;001;000``.
``layers``
    The operations of a chain from input to output, which are not written: ``mb3;mb6;mb6``.
``arch_str``
    A NAS-Bench-201 string, ``|none~0|+|none~0|none~1|+|none~0|none~1|none~2|``.
``label``, ``label_0``, ``label_1``, ...
    What it is worth; several columns are several training seeds. Empty where it was not
    evaluated: such rows are the candidates.
``cost_seconds``, ``parameters``
    GPU-seconds of its training and number of its weights; may be empty.

A file has one way to write graphs, for all rows. Nodes named ``input`` and ``output`` are where
data enters and leaves. An operation named ``none`` produces nothing and one named
``skip_connect`` returns its input; two architectures that then compute the same are one class.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.records import SUFFIXES, Records, read_records
from nasrank.benchmarks.importers.store import MOST_NODES, check_size
from nasrank.benchmarks.nb201 import OPERATIONS, cell_graphs, official_order
from nasrank.benchmarks.nb201 import architecture_string as nb201_string
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.registry import unknown_name

__all__ = ["DATASET", "read", "recognises"]

DATASET = "own"
"""The dataset of a user's own space, unless another is named."""

_ENDS = ("input", "output")
_FORMS = (("operations", "edges"), ("operations", "matrix"), ("layers",), ("arch_str",))
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_DEFAULT_LABEL = re.compile(r"label(_.*)?")
_MOST_PARALLEL = 255
_LONGEST_NAME = 256

Graph = tuple[list[str], list[tuple[int, int]]]


def recognises(path: Path) -> bool:
    """Say by its ending whether a file may hold a user's own space."""
    return path.suffix.lower() in SUFFIXES


def read(
    path: Path,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
    space: str = "own",
    built_in: bool = False,
    label: Sequence[str] = (),
    dataset: str = DATASET,
    lower_is_better: bool = False,
    unit: str = "1",
) -> Imported:
    """Read a file of the form that this module describes.

    Args:
        path: The file.
        on_progress: Told the number of rows read so far, and of all rows where it is known.
        space: Name of the space.
        built_in: Whether that is a built-in space. Its architectures are then named in
            ``arch_str``, and no other columns are looked at for graphs.
        label: Label columns, one a training seed; ``label`` and ``label_*`` by default.
        dataset: What the architectures were trained on.
        lower_is_better: Direction of the label.
        unit: Unit of the label.

    Raises:
        UsageError: A label column is not in the file.
        DataError: The file or a row is not of that form; the message names the row.
    """
    records = read_records(path, on_progress=on_progress)
    if "attributes" in records.columns:
        raise DataError(
            f"{path}: numeric attributes of nodes are not supported yet. Write them into the "
            "names of operations, such as conv_64, or drop the column 'attributes'"
        )
    labels = _label_columns(records, label)
    graphs = None if built_in else _graphs(records)
    names = _names(records, built_in=built_in)
    values = np.stack([_numbers(records, column) for column in labels], axis=1)
    if np.isnan(values).all():
        raise DataError(f"{path}: no row has a label. Fill the column {labels[0]}")
    metric = Metric(
        _metric_name(labels),
        unit,
        not lower_is_better,
        f"{', '.join(labels)} as given by the user",
        replicates=len(labels) > 1,
    )
    costs = (
        _numbers(records, "cost_seconds", least=0) if "cost_seconds" in records.columns else None
    )
    return Imported(
        space=space,
        title=f"{path.name}, imported by the user",
        architectures=names,
        graphs=graphs,
        drop=("none",),
        contract=("skip_connect",),
        measurements=(Measurement(dataset, metric, values),),
        cost_seconds={} if costs is None else {dataset: costs},
        parameters=(
            _numbers(records, "parameters", least=0) if "parameters" in records.columns else None
        ),
        chance={},
        note="",
        source=path.name,
        licence="the user's own",
        citation="",
    )


def _label_columns(records: Records, chosen: Sequence[str]) -> list[str]:
    for name in chosen:
        if name not in records.columns:
            raise unknown_name("label column", name, records.columns)
    if len(set(chosen)) != len(chosen):
        raise UsageError(f"--label names a column twice: {','.join(chosen)}")
    found = list(chosen) or [name for name in records.columns if _DEFAULT_LABEL.fullmatch(name)]
    if not found:
        raise DataError(
            f"{records.path}: it has no column label. Choose another with --label, one of: "
            f"{', '.join(records.columns)[:200]}"
        )
    return found


def _metric_name(labels: Sequence[str]) -> str:
    """Name the metric like its column, or like what several columns begin with."""
    first = labels[0]
    if len(labels) > 1:
        shared = 0
        while all(name[: shared + 1] == first[: shared + 1] for name in labels) and shared < len(
            first
        ):
            shared += 1
        first = first[:shared]
    name = re.sub(r"[^A-Za-z0-9+.-]+", "_", first)
    name = (name if len(labels) == 1 else name.rstrip("0123456789")).strip("+._-")[:64]
    return name or "label"


def _names(records: Records, *, built_in: bool) -> tuple[str, ...]:
    column = "id" if "id" in records.columns and not built_in else "arch_str"
    if column not in records.columns:
        missing = "arch_str, the architectures of the space" if built_in else "id"
        raise DataError(f"{records.path}: it has no column {missing}. Add it")
    rows: dict[str, int] = {}
    for row, record in enumerate(records.rows):
        value = record.get(column)
        whole = isinstance(value, int) and not isinstance(value, bool)
        text = str(value).strip() if whole or isinstance(value, str) else ""
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            raise records.error(row, f"{column} is no name of 1 to {_LONGEST_NAME} characters")
        if text in rows:
            place = records.places[rows[text]]
            raise records.error(
                row, f"{column} {text[:60]!a} is that of {records.unit} {place} too"
            )
        rows[text] = row
    return tuple(rows)


def _numbers(records: Records, column: str, *, least: float = -math.inf) -> NDArray[np.float64]:
    values = np.full(len(records.rows), np.nan)
    for row, record in enumerate(records.rows):
        given = record.get(column)
        if given is None or (isinstance(given, str) and given.strip().lower() in _MISSING):
            continue
        try:
            number = math.inf if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.inf
        if math.isinf(number) or number < least:
            shown = str(given)[:40]
            what = "a finite number" if least < 0 else f"a finite number of at least {least:g}"
            raise records.error(row, f"{column} is {shown!a} and not {what}")
        values[row] = number
    return values


def _graphs(records: Records) -> GraphBatch:
    forms = [form for form in _FORMS if set(form) <= set(records.columns)]
    if len(forms) != 1:
        known = "; ".join(" and ".join(form) for form in _FORMS)
        found = "none" if not forms else "several"
        raise DataError(
            f"{records.path}: it has {found} of the ways to write graphs. Keep the columns of "
            f"exactly one: {known}"
        )
    (form,) = forms
    if form == ("arch_str",):
        return _nb201_graphs(records)
    graphs: list[Graph] = []
    for row, record in enumerate(records.rows):
        try:
            graphs.append(_graph(form, record.get(form[0]), record.get(form[-1])))
        except ValueError as error:
            raise records.error(row, str(error)) from error
    return _batch(graphs)


def _graph(form: Sequence[str], operations: object, wiring: object) -> Graph:
    """Read a graph; raises ValueError with a clause that says what is wrong."""
    names = [_operation(name) for name in _items(operations, form[0])]
    if form == ("layers",):
        if set(names) & {*_ENDS}:
            raise ValueError("layers lists input or output, which a chain has anyway")
        names = [_ENDS[0], *names, _ENDS[1]]
        _check_count(names)
        return names, [(node, node + 1) for node in range(len(names) - 1)]
    _check_count(names)
    for end in _ENDS:
        if end not in names:
            raise ValueError(f"operations lacks a node named {end}")
    read_wiring = _matrix if form[1] == "matrix" else _edges
    edges = read_wiring(wiring, len(names))
    for source, target in edges:
        if names[target] == "input" or names[source] == "output":
            raise ValueError(f"edge {source}-{target} enters an input or leaves an output")
    return names, edges


def _check_count(names: Sequence[str]) -> None:
    if len(names) > MOST_NODES:
        raise ValueError(f"{len(names)} nodes are more than {MOST_NODES}")


def _operation(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > 64 or not text.isprintable():
        raise ValueError(f"{str(name)[:40]!a} is no name of an operation of 1 to 64 characters")
    return text


def _items(value: object, column: str) -> list[object]:
    """Read a list, or a text with semicolons."""
    if isinstance(value, str):
        text = value.strip().strip(";")
        return [*text.split(";")] if text else []
    if isinstance(value, list):
        return value
    raise ValueError(f"{column} is {'empty' if value is None else 'no text and no list'}")


def _edges(value: object, nodes: int) -> list[tuple[int, int]]:
    edges = []
    for item in _items(value, "edges"):
        ends = item.split("-") if isinstance(item, str) else item
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise ValueError(f"{str(item)[:40]!a} is no edge, such as 0-1")
        edges.append((_position(ends[0], nodes), _position(ends[1], nodes)))
    return _parallel(edges)


def _matrix(value: object, nodes: int) -> list[tuple[int, int]]:
    rows = _items(value, "matrix")
    edges = []
    for source, row in enumerate(rows):
        entries = [*re.sub(r"[\s,]", "", row)] if isinstance(row, str) else row
        if not isinstance(entries, list | tuple) or len(entries) != nodes or len(rows) != nodes:
            raise ValueError(f"matrix is not {nodes} by {nodes}, one row for each operation")
        edges += [
            (source, target)
            for target, entry in enumerate(entries)
            for _ in range(_position(entry, _MOST_PARALLEL + 1))
        ]
    if len(rows) != nodes:
        raise ValueError(f"matrix is not {nodes} by {nodes}, one row for each operation")
    return edges


def _parallel(edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(edges) > _MOST_PARALLEL and any(
        edges.count(edge) > _MOST_PARALLEL for edge in set(edges)
    ):
        raise ValueError(f"an edge is there more than {_MOST_PARALLEL} times")
    return edges


def _position(value: object, count: int) -> int:
    if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= 6:
        value = int(value)
    whole = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    if not whole or not 0 <= value < count:  # type: ignore[operator]
        raise ValueError(f"{str(value)[:40]!a} is no whole number from 0 to {count - 1}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _batch(graphs: Sequence[Graph]) -> GraphBatch:
    vocabulary = tuple(dict.fromkeys((*_ENDS, *_each_name(graphs))))
    code = {name: number for number, name in enumerate(vocabulary)}
    nodes = max(len(names) for names, _ in graphs)
    check_size(len(graphs), nodes)
    if len(vocabulary) > np.iinfo(np.int16).max:
        raise DataError(f"{len(vocabulary):,} different operations are too many to be classes")
    operations = np.zeros((len(graphs), nodes), np.int16)
    adjacency = np.zeros((len(graphs), nodes, nodes), np.uint8)
    mask = np.zeros(operations.shape, np.bool_)
    for row, (names, edges) in enumerate(graphs):
        operations[row, : len(names)] = [code[name] for name in names]
        mask[row, : len(names)] = True
        for edge in edges:
            adjacency[row][edge] += 1
    return GraphBatch(operations, adjacency, mask, vocabulary)


def _each_name(graphs: Iterable[Graph]) -> Iterable[str]:
    for names, _ in graphs:
        yield from names


def _nb201_graphs(records: Records) -> GraphBatch:
    digits = official_order()
    cells = []
    for row, record in enumerate(records.rows):
        text = record.get("arch_str")
        cell = _nb201_cells().get(text.strip()) if isinstance(text, str) else None
        if cell is None:
            example = nb201_string((OPERATIONS.index("nor_conv_3x3"),) * 6)
            raise records.error(row, f"arch_str is no NAS-Bench-201 cell, such as {example}")
        cells.append(cell)
    return cell_graphs(digits[cells])


@lru_cache(maxsize=1)
def _nb201_cells() -> dict[str, int]:
    return {nb201_string(cell): row for row, cell in enumerate(official_order().tolist())}

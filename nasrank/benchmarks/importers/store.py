"""The user's data folder: one Parquet file for each imported space.

A file holds the architectures of a space once and all their measurements, from any number of
imports. Graphs are two columns of short integers, so that hundreds of thousands of them open at
once. A header in the file's metadata has the meaning and the digest of each column.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import NAME, out_of_range
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.tables import read_parquet, read_schema, write_parquet
from nasrank.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import TypeAdapter

__all__ = [
    "MOST_NODES",
    "Provenance",
    "StoredMeasurement",
    "StoredSpace",
    "check_size",
    "data_folder",
    "find_space",
    "open_space",
    "signature",
    "space_path",
    "stored_names",
    "write_space",
]

FORMAT_VERSION = 1
"""Increased when the layout of the files changes."""
MOST_NODES = 256
"""Maximum number of nodes of an architecture."""
MOST_CELLS = 2**30
"""Maximum number of adjacency entries of all architectures: a byte each in memory."""
MOST_ATTRIBUTES = 2**28
"""Maximum number of attributes of all nodes together: four bytes each in memory."""
_GRAPHS = {"operations": "int16", "edges": "int16", "attributes": "float", "settings": "double"}
"""Columns that hold lists, with the type of their entries; the last two may be missing."""
_TEXTS = ("architecture", "group")

Array = NDArray[Any]


@dataclass(frozen=True)
class Provenance:
    """Where a measurement comes from.

    Attributes:
        source: Name of the file or folder it was read from.
        note: What the numbers are, in one line.
        licence: Licence of the data.
        citation: What to cite.
    """

    source: str
    note: str
    licence: str
    citation: str


@dataclass(frozen=True)
class StoredMeasurement:
    """One metric of one dataset, without its values.

    Attributes:
        dataset: What the architectures were trained on.
        metric: What the values mean.
        width: Number of training seeds.
        provenance: Where it comes from.
        failures: Whether it is known which architectures failed.
    """

    dataset: str
    metric: Metric
    width: int
    provenance: Provenance
    failures: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in the file: one per seed, then 1 for failures, if any."""
        names = [*map(str, range(self.width)), *(["failed"] if self.failures else [])]
        return tuple(f"{self.dataset}:{self.metric.name}:{name}" for name in names)


@dataclass(frozen=True, eq=False)
class StoredSpace:
    """Content of a file of the data folder; values are read on demand.

    Attributes:
        path: The file.
        name: Name of the space.
        title: What it is, in one line.
        size: Number of architectures.
        vocabulary: Operation names of the graphs; None where the space is built in.
        attributes: Names of the nodes' attributes; empty where they have none.
        settings: What the settings of the whole mean; empty where there are none.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
        measurements: What was measured, in the order of import.
        costs: Datasets whose training cost is known.
        parameters: Whether numbers of weights are known.
        grouped: Whether groups of architectures are known.
        chance: What guessing scores, by dataset.
        digests: Hexadecimal digest of every column.
        sealed: Whether the file holds a digest of itself.
        digest: Digest of all of the above.
    """

    path: Path
    name: str
    title: str
    size: int
    vocabulary: tuple[str, ...] | None
    attributes: tuple[str, ...]
    settings: tuple[Setting, ...]
    drop: tuple[str, ...]
    contract: tuple[str, ...]
    measurements: tuple[StoredMeasurement, ...]
    costs: tuple[str, ...]
    parameters: bool
    grouped: bool
    chance: Mapping[str, float]
    digests: Mapping[str, str]
    sealed: bool
    digest: str

    @property
    def numbers(self) -> frozenset[str]:
        """Names of its columns of numbers."""
        return frozenset(self.digests) - {*_TEXTS, *_GRAPHS}

    @property
    def datasets(self) -> tuple[str, ...]:
        """Its datasets, in the order of import."""
        return tuple(dict.fromkeys(each.dataset for each in self.measurements))

    def read_architectures(self) -> tuple[str, ...]:
        """Read the architectures as text, ``[N]``.

        Raises:
            DataError: The file is damaged.
        """
        texts = self._texts("architecture")
        if len({*texts}) < len(texts) or "" in texts:
            raise self.error("an architecture has no name of its own")
        return texts

    def read_groups(self) -> tuple[str, ...]:
        """Read the name of each architecture's group, ``[N]``, empty where it has none.

        Raises:
            DataError: The file is damaged, or holds no groups.
        """
        return self._texts("group")

    def read_graphs(self) -> GraphBatch:
        """Read the graphs, ``[N]``, as the benchmark defines them.

        Raises:
            DataError: The file is damaged, or belongs to a built-in space and has no graphs.
        """
        if self.vocabulary is None:
            raise self.error("it holds no graphs")
        absent = {
            *(() if self.attributes else ("attributes",)),
            *(() if self.settings else ("settings",)),
        }
        names = [name for name in _GRAPHS if name not in absent]
        table = self._read(names)
        lists = {name: _lists(table, name) for name in names}
        for name, (counts, values) in lists.items():
            self._check(name, _digest(counts, values))
        try:
            return _unpack(lists, self.vocabulary, self.attributes, self.settings)
        except (ValueError, IndexError, DataError) as error:
            raise self.error(str(error)) from error

    def read_columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Read numbers.

        Args:
            names: Names of columns.

        Returns:
            ``[N, names]``.

        Raises:
            DataError: The file is damaged.
        """
        table = self._read(names)
        columns = [_numbers(table, name) for name in names]
        for name, column in zip(names, columns, strict=True):
            self._check(name, _digest(column))
            if out_of_range(column[~np.isnan(column)]):
                raise self.error(f"its column {name} has values out of range")
        return np.stack(columns, axis=1)

    def error(self, complaint: str) -> DataError:
        """Make the error for unexpected content.

        Args:
            complaint: What is wrong, as a clause.
        """
        return _damaged(self.path, self.name, complaint)

    def _texts(self, name: str) -> tuple[str, ...]:
        texts = tuple(self._read([name]).column(name).to_pylist())
        self._check(name, _text_digest(texts))
        return texts

    def _read(self, names: Sequence[str]) -> "pa.Table":
        try:
            table = read_parquet(self.path, names)
        except DataError as error:
            raise self.error(str(error).partition(". Delete")[0]) from error
        fits = table.num_rows == self.size and set(table.schema.names) == set(names)
        if not fits or not all(_is_sound(table, name) for name in names):
            raise self.error("its columns differ from its header")
        return table

    def _check(self, name: str, digest: str) -> None:
        if self.digests.get(name) != digest:
            raise self.error(f"its column {name} does not match its digest")


def data_folder() -> Path:
    """Return the folder for imported data.

    This is ``NASRANK_DATA`` if set, else ``nasrank`` in ``XDG_DATA_HOME``, else
    ``~/.local/share/nasrank``. The folder need not exist.

    Raises:
        DataError: There is no home folder and neither variable is set.
    """
    if own := os.environ.get("NASRANK_DATA"):
        return Path(own).absolute()
    shared = os.environ.get("XDG_DATA_HOME", "")
    # A relative XDG path is to be ignored, says the standard that defines it.
    if Path(shared).is_absolute():
        return Path(shared) / "nasrank"
    try:
        return Path.home() / ".local" / "share" / "nasrank"
    except RuntimeError as error:
        raise DataError(
            "no data folder: there is no home folder. Set NASRANK_DATA to a folder"
        ) from error


def space_path(name: str) -> Path:
    """Return the file of a space; it need not exist.

    Raises:
        UsageError: The text is not a valid name of a space.
    """
    if not NAME.fullmatch(name) or name != name.lower():
        raise UsageError(
            f"{name[:60]!a} is not a valid name of a space: use at most 64 lower-case letters, "
            "digits and + _ . -, with a letter or digit first"
        )
    return data_folder() / "spaces" / f"{name}.parquet"


def stored_names() -> list[str]:
    """List the imported spaces by name, in alphabetical order; opens no file."""
    try:
        names = sorted(path.stem for path in (data_folder() / "spaces").glob("*.parquet"))
    except (OSError, DataError):  # nothing can have been imported
        return []
    return [name for name in names if NAME.fullmatch(name) and name == name.lower()]


def signature(name: str) -> tuple[object, ...]:
    """Return a value that changes with every import of a space; empty if not imported."""
    try:
        path = space_path(name)
        state = path.stat()
    except (OSError, DataError, UsageError):
        return ()
    return str(path), state.st_ino, state.st_size, state.st_mtime_ns


def find_space(name: str) -> StoredSpace | None:
    """Open a space of the data folder, or return None where it is not imported.

    Raises:
        DataError: Its file is damaged.
    """
    state = signature(name)
    return _open(name, state) if state else None


def open_space(name: str) -> StoredSpace:
    """Open a space of the data folder.

    Raises:
        DataError: It is not imported, or its file is damaged.
    """
    found = find_space(name)
    if found is None:
        raise DataError(f"{name} is not imported. Import it with: nasrank data import {name} PATH")
    return found


@lru_cache(maxsize=64)
def _open(name: str, state: tuple[object, ...]) -> StoredSpace:
    path = Path(str(state[0]))
    try:
        metadata = read_schema(path).metadata or {}
    except DataError as error:
        raise _damaged(path, name, str(error).partition(". Delete")[0]) from error
    header = metadata.get(b"nasrank.header", b"")
    digest = hashlib.sha256(header).hexdigest()
    if metadata.get(b"nasrank.digest") != digest.encode():
        raise _damaged(path, name, "its header does not match its digest")
    try:
        return _read_header(path, header, digest, name)
    except ValueError as error:
        raise _damaged(path, name, "its header is of another version of nasrank") from error
    except DataError as error:
        raise _damaged(path, name, str(error)) from error


@dataclass(frozen=True)
class _Header:
    """The header as it is written; see `StoredSpace`."""

    format: int
    name: str
    title: str
    size: int
    vocabulary: tuple[str, ...] | None
    drop: tuple[str, ...]
    contract: tuple[str, ...]
    measurements: tuple[StoredMeasurement, ...]
    costs: tuple[str, ...]
    parameters: bool
    chance: dict[str, float]
    digests: dict[str, str]
    attributes: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    grouped: bool = False
    sealed: bool = False

    def complaints(self) -> Iterator[str]:
        """Yield what no import can have written."""
        measured = [(each.dataset, each.metric.name) for each in self.measurements]
        # First, since the names of 2^62 columns are not to be made.
        if not all(1 <= each.width <= len(self.digests) for each in self.measurements):
            yield "its columns differ from its measurements"
        columns = {name for each in self.measurements for name in each.columns}
        columns |= {cost_column(dataset) for dataset in self.costs}
        columns |= {*(["parameters"] if self.parameters else [])}
        if self.size < 1 or not measured:
            yield "it has no architectures or no measurements"
        for name in (*(part for pair in measured for part in pair), *self.costs, *self.chance):
            if not NAME.fullmatch(name):
                yield f"{name[:60]!a} is not a valid name of a dataset or metric"
        datasets = {dataset for dataset, _ in measured}
        if len({*measured}) < len(measured) or {*self.costs, *self.chance} - datasets:
            yield "its measurements contradict each other"
        if not all(math.isfinite(value) for value in self.chance.values()):
            yield "what guessing scores is not a number"
        if self.digests.keys() - {*_TEXTS, *_GRAPHS} != columns:
            yield "its columns differ from its measurements"


@cache
def _parser() -> "TypeAdapter[_Header]":
    from pydantic import TypeAdapter

    return TypeAdapter(_Header)


def _read_header(path: Path, content: bytes, digest: str, name: str) -> StoredSpace:
    header = _parser().validate_json(content, strict=True)
    if header.format != FORMAT_VERSION or header.name != name:
        raise ValueError(header.format)
    for complaint in header.complaints():
        raise DataError(complaint)
    fields = {each.name: getattr(header, each.name) for each in dataclass_fields(header)}
    del fields["format"]
    return StoredSpace(path=path, digest=digest, **fields)


def write_space(
    name: str,
    title: str,
    architectures: Sequence[str],
    graphs: GraphBatch | None,
    measurements: Sequence[tuple[StoredMeasurement, NDArray[np.float64]]],
    *,
    drop: Sequence[str],
    contract: Sequence[str],
    costs: Mapping[str, NDArray[np.float64]],
    parameters: NDArray[np.float64] | None,
    chance: Mapping[str, float],
    groups: Sequence[str] | None = None,
) -> StoredSpace:
    """Write a space to the data folder, replacing an earlier file.

    Args:
        name: Name of the space.
        title: What it is, in one line.
        architectures: ``[N]`` unique texts.
        graphs: ``[N]`` graphs, or None for a built-in space.
        measurements: What was measured, with values by :attr:`StoredMeasurement.columns`.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
        costs: ``[N]`` GPU-seconds of one training, by dataset.
        parameters: ``[N]`` numbers of weights, or None.
        chance: What guessing scores, by dataset.
        groups: ``[N]`` names of groups, empty for an architecture without one; or None.

    Returns:
        The space as it can be opened from now on.

    Raises:
        DataError: The folder cannot be written, or the graphs are too large.
    """
    import pyarrow as pa

    columns: dict[str, pa.Array] = {"architecture": pa.array(architectures, pa.string())}
    digests = {"architecture": _text_digest(architectures)}
    if graphs is not None:
        check_size(len(graphs), graphs.nodes, len(graphs.attribute_names))
        for column, (counts, values) in _pack(graphs).items():
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
            columns[column] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
            digests[column] = _digest(counts, values)
    numbers = {
        column: values[:, place]
        for each, values in measurements
        for place, column in enumerate(each.columns)
    }
    numbers |= {cost_column(dataset): cost for dataset, cost in costs.items()}
    if parameters is not None:
        numbers["parameters"] = parameters
    for column, values in numbers.items():
        columns[column] = pa.array(np.ascontiguousarray(values))
        digests[column] = _digest(values)
    if groups is not None:
        columns["group"] = pa.array(groups, pa.string())
        digests["group"] = _text_digest(groups)
    header = json.dumps(
        {
            "format": FORMAT_VERSION,
            "name": name,
            "title": title,
            "size": len(architectures),
            "vocabulary": None if graphs is None else graphs.vocabulary,
            "attributes": [] if graphs is None else graphs.attribute_names,
            "settings": [
                asdict(each)
                for each in (graphs.settings.columns if graphs and graphs.settings else ())
            ],
            "drop": list(drop),
            "contract": list(contract),
            "measurements": [asdict(each) for each, _ in measurements],
            "costs": list(costs),
            "parameters": parameters is not None,
            "grouped": groups is not None,
            "chance": dict(chance),
            "digests": digests,
            "sealed": True,
        }
    )
    table = pa.table(columns).replace_schema_metadata(
        {
            "nasrank.version": __version__,
            "nasrank.header": header,
            "nasrank.digest": hashlib.sha256(header.encode()).hexdigest(),
        }
    )
    write_parquet(table, space_path(name), seal=True)
    return open_space(name)


def cost_column(dataset: str) -> str:
    """Return the name of the column of a dataset's training cost."""
    return f"{dataset}:cost_seconds"


def check_size(items: int, nodes: int, attributes: int = 0) -> None:
    """Refuse graphs that would not fit in memory as a batch.

    Args:
        items: Number of architectures.
        nodes: Maximum number of nodes of one.
        attributes: Attributes of a node.

    Raises:
        DataError: They are too many or too large.
    """
    if nodes > MOST_NODES or items * nodes**2 > MOST_CELLS:
        raise DataError(
            f"{items:,} architectures of up to {nodes:,} nodes are too large: at most "
            f"{MOST_NODES} nodes and {MOST_CELLS:,} pairs of nodes in all. Import fewer "
            "architectures or write blocks of layers as one operation"
        )
    if items * nodes * attributes > MOST_ATTRIBUTES:
        raise DataError(
            f"{items:,} architectures of up to {nodes:,} nodes with {attributes} attributes are "
            f"too large: at most {MOST_ATTRIBUTES:,} numbers in all. Import fewer attributes"
        )


def _damaged(path: Path, name: str, complaint: str) -> DataError:
    where = "" if complaint.startswith(str(path)) else f"{path}: "
    return DataError(
        f"{where}{complaint}. Delete it and import it again with: nasrank data import {name} PATH"
    )


def _pack(graphs: GraphBatch) -> dict[str, tuple[Array, Array]]:
    """Write graphs as lists, with the length of each: operations, ends of edges, attributes."""
    mask = graphs.mask
    # Positions among an architecture's own nodes, whatever padding lies between them.
    place = (np.cumsum(mask, axis=1) - 1).astype(np.int16)
    item, source, target = np.nonzero(graphs.adjacency)
    if not (mask[item, source] & mask[item, target]).all():
        raise DataError("an edge does not end at a node. Rebuild the graphs from their source")
    times = graphs.adjacency[item, source, target]
    edges = np.stack([place[item, source], place[item, target]], axis=1)
    counts = np.bincount(item, weights=times, minlength=len(graphs)).astype(np.int32)
    sizes = graphs.sizes().astype(np.int32)
    packed: dict[str, tuple[Array, Array]] = {
        "operations": (sizes, graphs.operations[mask]),
        "edges": (counts * 2, np.repeat(edges, times, axis=0).reshape(-1)),
    }
    if graphs.attributes is not None:
        numbers = graphs.attributes[mask]
        packed["attributes"] = (sizes * np.int32(numbers.shape[1]), numbers.reshape(-1))
    if graphs.settings is not None:
        values = graphs.settings.values
        each = np.full(len(values), values.shape[1], np.int32)
        packed["settings"] = (each, values.reshape(-1))
    return packed


def _unpack(
    lists: Mapping[str, tuple[Array, Array]],
    vocabulary: tuple[str, ...],
    names: tuple[str, ...],
    settings: tuple[Setting, ...],
) -> GraphBatch:
    (sizes, operations), (ends, edges) = lists["operations"], lists["edges"]
    items, nodes = len(sizes), int(sizes.max(initial=0))
    check_size(items, nodes, len(names))
    mask = np.arange(nodes) < sizes[:, None]
    codes = np.zeros(mask.shape, np.int16)
    codes[mask] = operations
    if codes.min(initial=0) < 0 or codes.max(initial=0) >= len(vocabulary):
        raise ValueError("it uses operations that have no name")
    item = np.repeat(np.arange(items, dtype=np.int64), ends // 2)
    source, target = edges.reshape(-1, 2).T
    limit = sizes[item]
    if ((source < 0) | (target < 0) | (source >= limit) | (target >= limit)).any():
        raise ValueError("an edge does not end at a node")
    adjacency = np.zeros(items * nodes**2, np.uint8)
    # Parallel edges are written one after another, so a plain assignment would lose them.
    np.add.at(adjacency, (item * nodes + source) * nodes + target, 1)
    attributes = None
    if names:
        attributes = np.full((items, nodes, len(names)), np.nan, np.float32)
        attributes[mask] = lists["attributes"][1].reshape(-1, len(names))
    shaped = adjacency.reshape(items, nodes, nodes)
    table = None
    if settings:
        table = Settings(settings, lists["settings"][1].reshape(items, len(settings)))
    return GraphBatch(codes, shaped, mask, vocabulary, attributes, names, table)


def _is_sound(table: "pa.Table", name: str) -> bool:
    """Return whether a column has the type that was written, and no nulls."""
    import pyarrow as pa

    column = table.column(name)
    if column.null_count:
        return False
    if name in _TEXTS:
        return bool(pa.types.is_string(column.type))
    if name not in _GRAPHS:
        return bool(pa.types.is_float64(column.type))
    if not pa.types.is_list(column.type) or str(column.type.value_type) != _GRAPHS[name]:
        return False
    return not any(chunk.flatten().null_count for chunk in column.chunks)


def _lists(table: "pa.Table", name: str) -> tuple[Array, Array]:
    column = table.column(name).combine_chunks()
    return np.diff(np.from_dlpack(column.offsets)), np.from_dlpack(column.flatten())


def _numbers(table: "pa.Table", name: str) -> NDArray[np.float64]:
    # DLPack, since Arrow's own conversion to numpy imports pandas, which is slow.
    values: Any = np.from_dlpack(table.column(name).combine_chunks())
    numbers: NDArray[np.float64] = values
    return numbers


def _digest(*arrays: Array) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _text_digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()

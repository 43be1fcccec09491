"""A file of candidates, read a chunk at a time, whole or in parts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.plain_files import Span, plain_spans
from nasrank.benchmarks.importers.plain_tables import NotPlainError, PlainRows, plain_chunks
from nasrank.benchmarks.importers.records import Records, record_chunks
from nasrank.benchmarks.importers.user import candidate_graphs, candidate_names, spells_names
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch, canonicalise, joined
from nasrank.graphs.settings import Setting
from nasrank.questions.rank.case import Reduction
from nasrank.tables import open_parquet

__all__ = ["CHUNK", "PoolFile", "Rows"]

CHUNK = 16_384
"""Rows that are read, scored and kept together."""
_FIRST = 100
"""Rows that are read to see what a file is."""
_REMEDY = "Correct the pool, or import what is new with: nasrank data import"

_PART = 2**21
"""Entries of the adjacency matrices that are reduced at once."""
_MOST_CHUNKS, _FEWEST_PARTS = 16, 32
"""Chunks of a part, and parts of a long file."""

Rows = Records | PlainRows


@dataclass(frozen=True, eq=False)
class PoolFile:
    """Candidates in a file, read a chunk at a time.

    Attributes:
        path: A table such as ``.csv`` or ``.parquet``, as ``nasrank data import`` reads it,
            without labels.
        vocabulary: Operations of the space they belong to.
        attributes: Attributes of its nodes.
        reduction: How its graphs become canonical.
        chunk: Rows of a chunk.
        settings: Settings of the space, each a column of the file.
    """

    path: Path
    vocabulary: tuple[str, ...]
    attributes: tuple[str, ...]
    reduction: Reduction
    chunk: int = CHUNK
    settings: tuple[Setting, ...] = ()

    @property
    def digest(self) -> str:
        """Hexadecimal digest of its size, time of change, first and last megabyte."""
        content = self.content
        changed = self.path.stat().st_mtime_ns
        return hashlib.sha256(f"{content} {changed}".encode()).hexdigest()

    @property
    def content(self) -> str:
        """Hexadecimal digest of its size, first and last megabyte: the same for a copy."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: not a file. Check the path")
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                head = file.read(2**20)
                file.seek(max(0, size - 2**20))
                tail = file.read(2**20)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read ({error.strerror}). Check the path"
            ) from error
        digest = hashlib.sha256(str(size).encode())
        digest.update(head)
        digest.update(tail)
        return digest.hexdigest()

    def check(self) -> None:
        """Read the first rows, so that a wrong file is refused before anything is trained.

        Raises:
            DataError: It cannot be read, or these rows are no architectures of the space.
        """
        _ = self.digest
        first = replace(self, chunk=_FIRST)
        for _, records in first.chunks((0).__eq__):
            for _graphs in first.graphs(records):
                pass
            # What follows is not wanted, but would be read.
            break

    @property
    def length(self) -> int | None:
        """Number of rows where the file says it, as Parquet does."""
        if self.path.suffix.lower() != ".parquet":
            return None
        with open_parquet(self.path) as file:
            return int(file.metadata.num_rows)

    def spans(self) -> tuple[list[Span], int] | None:
        """Cut it into parts that can be read in any order, and count its rows.

        Returns:
            The parts and the number of rows; None for files that can only be read from the start,
            such as compressed ones.
        """
        if self.path.suffix.lower() != ".parquet":
            # Text that is not plain is read from its start for every part.
            plain = plain_chunks(self.path, self.chunk, self.vocabulary)
            try:
                if self.settings or self.attributes:
                    return None
                next(plain, None)
            except NotPlainError:
                return None
        with contextlib.suppress(NotPlainError):
            return plain_spans(self.path, self.chunk, _MOST_CHUNKS, _FEWEST_PARTS)
        return None

    def chunks(
        self,
        wanted: Callable[[int], bool] = lambda _: True,
        *,
        span: Span | None = None,
        chosen: Mapping[int, Sequence[int]] | None = None,
    ) -> Iterator[tuple[int, Rows]]:
        """Yield the number of each wanted chunk and its rows.

        Plain tables of graphs are read by column; from the first row on that is not plain, or is
        wrong, they are read row by row.

        Args:
            wanted: Whether a chunk is needed.
            span: One of :meth:`spans`; all of it by default.
            chosen: The only rows needed, by the number of their chunk, counted within it.
        """
        done = -1
        if not (self.settings or self.attributes):
            with contextlib.suppress(NotPlainError):
                for rows in plain_chunks(
                    self.path, self.chunk, self.vocabulary, wanted, span=span, chosen=chosen
                ):
                    yield rows.number, rows
                    done = rows.number
                return

        def left(number: int) -> bool:
            inside = (span is None or number in span.numbers) and (
                chosen is None or number in chosen
            )
            return number > done and inside and wanted(number)

        last = None if span is None else span.stop - 1
        for number, records in self._row_by_row(left):
            yield number, records if chosen is None else records.take(chosen[number])
            if number == last:
                break

    def _row_by_row(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, Records]]:
        return record_chunks(self.path, self.chunk, wanted, remedy=_REMEDY)

    def graphs(self, records: Rows) -> Iterator[GraphBatch]:
        """Yield the canonical graphs of rows, part by part.

        Raises:
            DataError: A row is no graph of the space; the message names it.
        """
        if isinstance(records, PlainRows):
            yield from self._plain_graphs(records)
            return
        start = 0
        for batch in self._written(records):
            yield self._canonical(batch, records, start)
            start += len(batch)

    def _plain_graphs(self, rows: PlainRows) -> Iterator[GraphBatch]:
        step = max(1, _PART // rows.graphs.nodes**2)
        reduction = self.reduction
        for start in range(0, len(rows), step):
            part = rows.graphs[start : start + step]
            try:
                yield canonicalise(part, drop=reduction.drop, contract=reduction.contract)
            except DataError:
                # The reader of rows can say which one it is.
                for _, records in self._row_by_row(rows.number.__eq__):
                    yield from self.graphs(records)
                raise

    def read_rows(self, rows: NDArray[np.int64]) -> GraphBatch:
        """Read the canonical graphs of some rows, in the order given."""
        chosen: dict[int, list[int]] = {}
        for row in sorted({*rows.tolist()}):
            chosen.setdefault(row // self.chunk, []).append(row % self.chunk)
        places: dict[int, int] = {}
        parts = []
        for number, records in self.chunks(chosen=chosen):
            for row in chosen[number]:
                places[number * self.chunk + row] = len(places)
            parts += list(self.graphs(records))
        return joined(parts)[[places[row] for row in rows.tolist()]]

    def find(self, names: Collection[str]) -> dict[str, GraphBatch]:
        """Return graphs by name, as they are written, of the architectures that are there."""
        found: dict[str, GraphBatch] = {}
        for _, records in self.chunks():
            ids = self.names(records)
            here = [place for place, name in enumerate(ids) if name in names]
            if here:
                chosen = records.take(here)
                graphs = joined([*self._written(chosen)])
                found |= {ids[place]: graphs[[row]] for row, place in enumerate(here)}
            if len(found) == len(names):
                break
        return found

    def error(self, number: int, row: int, complaint: str) -> DataError:
        """Make the error for a row of a chunk; see `Records.error`."""
        records = next(found for _, found in self._row_by_row(number.__eq__))
        return records.error(row, complaint)

    def names(self, records: Rows) -> tuple[str, ...]:
        """Return the names of rows; without an id, rows of equal settings have the same."""
        if isinstance(records, PlainRows):
            return records.names
        return candidate_names(records, self._names_of)

    def spells_names(self, records: Rows) -> bool:
        """Whether rows have no names but their settings."""
        return isinstance(records, Records) and spells_names(records, self._names_of)

    @property
    def _names_of(self) -> tuple[Setting, ...]:
        """Settings that can stand for a name: all that there is of an architecture."""
        return self.settings if len(self.vocabulary) == 2 else ()

    def _written(self, records: Rows) -> Iterator[GraphBatch]:
        if isinstance(records, PlainRows):
            return iter([records.graphs])
        return candidate_graphs(records, self.vocabulary, self.attributes, self.settings)

    def _canonical(self, batch: GraphBatch, records: Records, start: int) -> GraphBatch:
        reduction = self.reduction
        try:
            return canonicalise(batch, drop=reduction.drop, contract=reduction.contract)
        except DataError:
            # One by one: a row has to be named by its own number.
            for row in range(len(batch)):
                try:
                    canonicalise(batch[[row]], drop=reduction.drop, contract=reduction.contract)
                except DataError as error:
                    clause = str(error).partition(";")[0]
                    raise records.error(start + row, f"its graph is none: {clause}") from error
            raise

"""Scoring pools of any length: a file in chunks, or the unlabelled part of a space."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.plain_tables import NotPlainError, PlainRows, plain_chunks
from nasrank.benchmarks.importers.records import Records, record_chunks
from nasrank.benchmarks.importers.user import candidate_graphs, candidate_names, spells_names
from nasrank.errors import DataError
from nasrank.files import Scratch, remove_stale_parts
from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes, joined
from nasrank.graphs.settings import Setting
from nasrank.questions.rank.case import Case, Reduction
from nasrank.questions.rank.model import Model
from nasrank.questions.rank.tables import SCORES
from nasrank.tables import open_parquet, read_parquet, write_parquet

__all__ = ["CHUNK", "Found", "PoolFile", "rank_pool", "rank_space", "scratch_of"]

CHUNK = 16_384
"""Rows that are read, scored and kept together."""
_FIRST = 100
"""Rows that are read to see what a file is."""
_REMEDY = "Correct the pool, or import what is new with: nasrank data import"

_PART = 2**21
"""Entries of the adjacency matrices that are reduced at once."""

Rows = Records | PlainRows
Progress = Callable[[int, int | None], None]
Scores = tuple[NDArray[np.float64], NDArray[np.float64] | None]


@dataclass(frozen=True, eq=False)
class Found:
    """The best candidates, best first, one for each isomorphism class.

    Attributes:
        rows: ``[k]`` row of the pool, or number among the candidates of the space.
        ids: ``[k]`` names.
        scores: ``[k]`` scores, falling.
        spread: ``[k]`` their uncertainty, or None.
        twins: ``[k]`` other candidates found that are the same graph.
        graphs: ``[k]`` canonical graphs.
        seen: Candidates scored.
        evaluated: Candidates skipped because they, or the same graph, are evaluated.
        of_space: Whether they are the candidates of the space itself.
    """

    rows: NDArray[np.int64]
    ids: tuple[str, ...]
    scores: NDArray[np.float64]
    spread: NDArray[np.float64] | None
    twins: NDArray[np.int64]
    graphs: GraphBatch
    seen: int
    evaluated: int
    of_space: bool

    def part(self, chosen: NDArray[np.int64]) -> Found:
        """Return some of them, in the order given."""
        return replace(
            self,
            rows=self.rows[chosen],
            ids=tuple(self.ids[place] for place in chosen.tolist()),
            scores=self.scores[chosen],
            spread=None if self.spread is None else self.spread[chosen],
            twins=self.twins[chosen],
            graphs=self.graphs[chosen],
        )


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
        if not self.path.is_file():
            raise DataError(f"{self.path}: not a file. Check the path")
        try:
            state = self.path.stat()
            with self.path.open("rb") as file:
                head = file.read(2**20)
                file.seek(max(0, state.st_size - 2**20))
                tail = file.read(2**20)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read ({error.strerror}). Check the path"
            ) from error
        digest = hashlib.sha256(f"{state.st_size} {state.st_mtime_ns}".encode())
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

    @property
    def length(self) -> int | None:
        """Number of rows where the file says it, as Parquet does."""
        if self.path.suffix.lower() != ".parquet":
            return None
        with open_parquet(self.path) as file:
            return int(file.metadata.num_rows)

    def chunks(self, wanted: Callable[[int], bool] = lambda _: True) -> Iterator[tuple[int, Rows]]:
        """Yield the number of each wanted chunk and its rows.

        Plain tables of graphs are read by column; from the first row on that is not plain, or is
        wrong, they are read row by row.
        """
        done = -1
        if not (self.settings or self.attributes):
            with contextlib.suppress(NotPlainError):
                for rows in plain_chunks(self.path, self.chunk, self.vocabulary, wanted):
                    yield rows.number, rows
                    done = rows.number
                if done >= 0:
                    return
        yield from self._row_by_row(lambda number: number > done and wanted(number))

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
        asked = {int(row) // self.chunk for row in rows}
        places: dict[int, int] = {}
        parts = []
        for number, records in self.chunks(asked.__contains__):
            start = number * self.chunk
            inside = (rows >= start) & (rows < start + len(self.names(records)))
            here = np.sort(rows[inside]).tolist()
            chosen = records.take([row - start for row in here])
            places |= {row: len(places) + place for place, row in enumerate(here)}
            parts += list(self.graphs(chosen))
        return joined(parts)[[places[int(row)] for row in rows]]

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

    def error(self, records: Rows, row: int, complaint: str) -> DataError:
        """Make the error for one of the rows; see `Records.error`."""
        if isinstance(records, PlainRows):
            ((_, records),) = self._row_by_row(records.number.__eq__)
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


class _Best:
    """The best rows so far; equal scores are ordered by name, so rows may come in any order."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = np.zeros(0, np.int64)
        self.ids = np.zeros(0, np.str_)
        self.scores = np.zeros(0)
        self.spread: NDArray[np.float64] | None = np.zeros(0)

    def add(
        self,
        rows: NDArray[np.int64],
        ids: Sequence[str],
        scores: NDArray[np.float64],
        spread: NDArray[np.float64] | None,
    ) -> None:
        if len(self.scores) == self.most:
            # Only what can still get in has to be sorted.
            in_reach = np.flatnonzero(scores >= self.scores[-1])
        else:
            in_reach = np.arange(len(scores))
        self.rows = np.concatenate([self.rows, rows[in_reach]])
        self.ids = np.concatenate(
            [self.ids, np.array([ids[place] for place in in_reach.tolist()], np.str_)]
        )
        self.scores = np.concatenate([self.scores, scores[in_reach]])
        if spread is None or self.spread is None:
            self.spread = None
        else:
            self.spread = np.concatenate([self.spread, spread[in_reach]])
        order = np.lexsort((self.ids, -self.scores))[: self.most]
        self.rows, self.ids, self.scores = self.rows[order], self.ids[order], self.scores[order]
        if self.spread is not None:
            self.spread = self.spread[order]


class _Names:
    """Notices a name that comes twice, in eight bytes a name."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.int64]] = []

    def add(self, ids: Sequence[str]) -> int | None:
        """Take more names; return the place of one that was there before, or None."""
        new = np.fromiter((hash(name) for name in ids), np.int64, len(ids))
        for run in self._runs:
            place = np.searchsorted(run, new)
            again = run[np.minimum(place, len(run) - 1)] == new
            if again.any():
                return int(again.argmax())
        run = np.sort(new)
        # Runs of about equal length are merged, so that few are searched.
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
        return None


def rank_pool(
    model: Model,
    pool: PoolFile,
    kept: int,
    folder: Path,
    *,
    keep_scores: bool,
    on_progress: Progress,
) -> Found:
    """Score a file of candidates and return the best.

    Every chunk's scores are written when it is done; where they are there already, as after a
    run that was stopped, they are read. Memory does not grow with the file, but for eight bytes
    a row.

    Args:
        model: What scores them.
        pool: The file.
        kept: Candidates to keep while reading; then one of each graph is returned, and none that
            is evaluated.
        folder: Folder of chunks, which has to belong to this file and scorer alone.
        keep_scores: Leave the chunks there in the end.
        on_progress: Told the rows done, and all of them where known.

    Raises:
        DataError: A row is no graph of the space, a name comes twice, or the file changed.
    """
    before = pool.digest
    total = pool.length
    scratch = scratch_of(folder)
    scratch.claim()
    remove_stale_parts(folder)
    best, names = _Best(kept), _Names()
    case = model.case
    evaluated = _labelled_names(case)
    seen = passed = 0
    for number, records in pool.chunks():
        start = number * pool.chunk
        ids = pool.names(records)
        # Names that are spelt settings say that rows are alike, which is no mistake.
        again = None if pool.spells_names(records) else names.add(ids)
        if again is not None:
            raise pool.error(records, again, f"id {ids[again][:60]!a} comes twice")
        rows = start + np.arange(len(ids))
        path = folder / f"part-{number:06d}.parquet"
        stored = _read(path, start, ids)
        if stored is None:
            stored = _score(model, pool.graphs(records))
            _write(path, rows, ids, stored, case.sign * model.calibration.values(stored[0]))
        scores, spread = stored
        new = np.array([name not in evaluated for name in ids])
        best.add(
            rows[new],
            [name for name, is_new in zip(ids, new, strict=True) if is_new],
            scores[new],
            None if spread is None else spread[new],
        )
        seen += len(ids)
        passed += int((~new).sum())
        on_progress(seen, total)
    if pool.digest != before:
        raise DataError(f"{pool.path}: it changed while it was read. Run the command again")
    found = _one_of_each_graph(case, best, pool, seen, passed)
    if not keep_scores:
        scratch.remove()
    return found


def scratch_of(folder: Path) -> Scratch:
    """Return a folder of scores, as what may be removed."""
    return Scratch(folder, "part-*.parquet")


def _labelled_names(case: Case) -> frozenset[str]:
    space, own = case.task.space, set(case.items.tolist())
    return frozenset(
        name
        for name, number in zip(space.architectures, space.class_of.tolist(), strict=True)
        if number in own
    )


def rank_space(model: Model, folder: Path, *, keep_scores: bool) -> Found:
    """Score the candidates of the space itself and return all of them, best first.

    Args:
        model: What scores them.
        folder: Where scores are kept if they are to be.
        keep_scores: Write them.
    """
    case = model.case
    graphs = case.graphs[case.candidates]
    scores, spread = model.scorer.score(graphs)
    scratch = scratch_of(folder)
    if keep_scores:
        scratch.claim()
        values = case.sign * model.calibration.values(scores)
        path = folder / "part-000000.parquet"
        _write(path, case.candidates, case.candidate_names, (scores, spread), values)
    else:
        # Scores of an earlier list would pass for those of this one.
        scratch.remove()
    order = np.lexsort((np.array(case.candidate_names), -scores))
    found = Found(
        np.arange(len(scores)),
        case.candidate_names,
        scores,
        spread,
        case.twins,
        graphs,
        seen=len(scores),
        evaluated=0,
        of_space=True,
    )
    return found.part(order)


def _score(model: Model, batches: Iterator[GraphBatch]) -> Scores:
    parts = [model.scorer.score(graphs) for graphs in batches]
    spreads = [spread for _, spread in parts if spread is not None]
    scores = np.concatenate([part for part, _ in parts])
    return scores, np.concatenate(spreads) if spreads else None


def _write(
    path: Path,
    rows: NDArray[np.int64],
    ids: Sequence[str],
    scored: Scores,
    values: NDArray[np.float64],
) -> None:
    import pyarrow as pa

    scores, spread = scored
    columns = {
        "row": pa.array(rows),
        "id": pa.array(list(ids), pa.string()),
        "score": pa.array(scores),
        "uncertainty": pa.nulls(len(ids), pa.float64()) if spread is None else pa.array(spread),
        "value": pa.array(values),
    }
    table = pa.Table.from_pydict(columns, schema=SCORES.schema)
    write_parquet(table.replace_schema_metadata({"nasrank.table": SCORES.name}), path)


def _read(path: Path, start: int, ids: Sequence[str]) -> Scores | None:
    """Read a finished chunk; None where there is none that fits."""
    if not path.exists():
        return None
    try:
        table = read_parquet(path)
    except DataError:  # what cannot be read is scored again
        return None
    if table.num_rows != len(ids) or table.column("id").to_pylist() != list(ids):
        return None
    if table.column("row")[0].as_py() != start:
        return None
    scores = np.array(table.column("score").to_pylist(), np.float64)
    spread = table.column("uncertainty")
    return scores, None if spread.null_count else np.array(spread.to_pylist(), np.float64)


def _one_of_each_graph(case: Case, best: _Best, pool: PoolFile, seen: int, passed: int) -> Found:
    if not len(best.rows):
        raise DataError(f"{pool.path}: every architecture of it is evaluated. Give another --pool")
    graphs = pool.read_rows(best.rows)
    count = len(case.items)
    kinds = isomorphism_classes(joined([case.graphs[case.items], graphs]))
    own = kinds[count:]
    known = np.isin(own, kinds[:count])
    _, first, sizes = np.unique(own, return_index=True, return_counts=True)
    kept = np.sort(first[~known[first]])
    if not len(kept):
        raise DataError(
            f"{pool.path}: the best {len(own):,} of it have the same {case.told_by} as evaluated "
            "architectures. Give another --pool"
        )
    size_of = dict(zip(first.tolist(), sizes.tolist(), strict=True))
    found = Found(
        best.rows,
        tuple(best.ids.tolist()),
        best.scores,
        best.spread,
        np.array([size_of.get(place, 1) - 1 for place in range(len(own))]),
        graphs,
        seen,
        passed + int(known.sum()),
        of_space=False,
    )
    return found.part(kept)

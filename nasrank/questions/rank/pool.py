"""Scoring pools of any length: a file in chunks, or the unlabelled part of a space."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.plain_files import Span
from nasrank.errors import DataError
from nasrank.files import Scratch, remove_stale_parts
from nasrank.graphs import GraphBatch, isomorphism_classes, joined
from nasrank.questions.rank.case import Case
from nasrank.questions.rank.model import Model
from nasrank.questions.rank.pool_file import PoolFile
from nasrank.questions.rank.scorer import Scorer
from nasrank.questions.rank.tables import SCORES
from nasrank.study.engines.engine import Engine, OnWork
from nasrank.study.engines.local import LocalEngine
from nasrank.tables import read_parquet, write_parquet

__all__ = ["Found", "rank_pool", "rank_space", "scratch_of"]

_FILES = "part-*.parquet"
_NUMBER = re.compile(r"part-([0-9]{6,})\.parquet")
_SPELLED, _POOL = "nasrank.spelled", "nasrank.pool"
"""Metadata of a chunk: whether its names are spelt settings, and the digest of its pool."""
Progress = Callable[[int, int | None], None]


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


class _Best:
    """The best rows so far; equal scores are ordered by name, so rows may come in any order.

    Rows of one name are in their own order.
    """

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
        order = np.lexsort((self.rows, self.ids, -self.scores))[: self.most]
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


@dataclass(frozen=True, eq=False)
class ChunkScores:
    """The scores of one chunk of a pool.

    Attributes:
        number: Its number.
        ids: ``[rows]`` names.
        scores: ``[rows]`` scores.
        spread: ``[rows]`` their uncertainty, or None.
        spelled: Whether the names are spelt settings, which rows may share.
    """

    number: int
    ids: tuple[str, ...]
    scores: NDArray[np.float64]
    spread: NDArray[np.float64] | None
    spelled: bool


@dataclass(frozen=True)
class Part:
    """Chunks of a pool to score.

    Attributes:
        span: Where they are; None for all of the pool.
        done: Numbers of those that are scored already.
    """

    span: Span | None
    done: frozenset[int]


@dataclass(frozen=True, eq=False)
class PartScorer:
    """Scores parts of a pool, here or in another process.

    Attributes:
        scorer: What scores graphs.
        pool: The pool.
        content: Digest of the pool's content, which a copy elsewhere must have too.
    """

    scorer: Scorer
    pool: PoolFile
    content: str

    def chunks(self, part: Part) -> Iterator[ChunkScores]:
        """Yield the chunks of a part that are not done, each when it is scored.

        Raises:
            DataError: A row is no graph of the space, or two of a chunk have one name.
        """
        pool = self.pool
        wanted = (lambda number: number not in part.done) if part.done else (lambda _: True)
        for number, records in pool.chunks(wanted, span=part.span):
            found = [self.scorer.score(graphs) for graphs in pool.graphs(records)]
            spreads = [spread for _, spread in found if spread is not None]
            yield ChunkScores(
                number,
                pool.names(records),
                np.concatenate([scores for scores, _ in found]),
                np.concatenate(spreads) if spreads else None,
                pool.spells_names(records),
            )

    def __call__(self, part: Part, on_work: OnWork | None) -> list[ChunkScores]:
        """Score a part, as an engine asks.

        Raises:
            DataError: As :meth:`chunks`; or the file is another one here.
        """
        if self.pool.content != self.content:
            raise DataError(
                f"{self.pool.path}: it is not the pool that the command was given. Copy that here"
            )
        return [*self.chunks(part)]


class _Gathered:
    """What is known of a pool from the chunks that are scored, in whatever order they come."""

    def __init__(self, model: Model, pool: PoolFile, digest: str, kept: int, folder: Path) -> None:
        self._pool, self._digest, self._folder = pool, digest, folder
        self._evaluated = _labelled_names(model.case)
        self._names = _Names()
        self.best = _Best(kept)
        self.done: set[int] = set()
        self.seen = self.passed = 0

    def add(self, chunk: ChunkScores) -> None:
        """Take the scores of a chunk, which is written already.

        Raises:
            DataError: A name came before.
        """
        ids, number = chunk.ids, chunk.number
        # Names that are spelt settings say that rows are alike, which is no mistake.
        again = None if chunk.spelled else self._names.add(ids)
        if again is not None:
            raise self._twice(ids[again])
        new = np.array([name not in self._evaluated for name in ids])
        self.best.add(
            (number * self._pool.chunk + np.arange(len(ids)))[new],
            [name for name, is_new in zip(ids, new, strict=True) if is_new],
            chunk.scores[new],
            None if chunk.spread is None else chunk.spread[new],
        )
        self.done.add(number)
        self.seen += len(ids)
        self.passed += int((~new).sum())

    def _twice(self, name: str) -> DataError:
        """Make the error for the second row of a name, whichever was scored first."""
        size, rows = self._pool.chunk, []
        for number in _numbers(self._folder):
            chunk = _read(self._folder, number, size, self._digest)
            ids = () if chunk is None else chunk.ids
            rows += [number * size + row for row, each in enumerate(ids) if each == name]
        number, row = divmod(sorted(rows)[1], size)
        return self._pool.error(number, row, f"id {name[:60]!a} comes twice")


def rank_pool(
    model: Model,
    pool: PoolFile,
    kept: int,
    folder: Path,
    *,
    keep_scores: bool,
    on_progress: Progress,
    engine: Engine | None = None,
) -> Found:
    """Score a file of candidates and return the best.

    Every chunk's scores are written when it is done; where they are there already, as after a
    run that was stopped, they are read. Memory does not grow with the file, but for eight bytes
    a row. The result is the same whatever engine executes it.

    Args:
        model: What scores them.
        pool: The file.
        kept: Candidates to keep while reading; then one of each graph is returned, and none that
            is evaluated.
        folder: Folder of chunks, which has to belong to this file and scorer alone.
        keep_scores: Leave the chunks there in the end.
        on_progress: Told the rows done, and all of them where known.
        engine: Where parts of the pool are scored; one after another in this process by default.
            Files that can only be read from the start are one part.

    Raises:
        DataError: A row is no graph of the space, a name comes twice, or the file changed.
    """
    engine = engine or LocalEngine()
    before = pool.digest
    total, spans = pool.length, None
    cut = pool.spans() if engine.parallel else None
    if cut is not None:
        spans, total = cut
    scratch = scratch_of(folder)
    scratch.claim()
    remove_stale_parts(folder)
    gathered = _Gathered(model, pool, before, kept, folder)
    for number in _numbers(folder):
        chunk = _read(folder, number, pool.chunk, before)
        if chunk is not None:
            gathered.add(chunk)
    done = frozenset(gathered.done)
    if gathered.seen:
        on_progress(gathered.seen, total)
    parts = [Part(None, done)]
    if spans is not None:
        left = (span for span in spans if not done >= {*span.numbers})
        parts = [Part(span, done & {*span.numbers}) for span in left]
    scorer = PartScorer(model.scorer, pool, pool.content)
    with contextlib.closing(_scored(engine, scorer, parts)) as chunks:
        for chunk in chunks:
            rows = chunk.number * pool.chunk + np.arange(len(chunk.ids))
            values = model.case.sign * model.calibration.values(chunk.scores)
            _write(folder, chunk, rows, values, before)
            gathered.add(chunk)
            on_progress(gathered.seen, total)
    if pool.digest != before or (total is not None and gathered.seen != total):
        raise DataError(f"{pool.path}: it changed while it was read. Run the command again")
    found = _one_of_each_graph(model.case, gathered, pool)
    if not keep_scores:
        scratch.remove()
    return found


def _scored(
    engine: Engine, scorer: PartScorer, parts: Sequence[Part]
) -> Generator[ChunkScores, None, None]:
    if not engine.parallel:
        # Chunk by chunk: a stop loses no more than one.
        for part in parts:
            yield from scorer.chunks(part)
        return
    # Workers may have another working folder.
    pool = replace(scorer.pool, path=scorer.pool.path.absolute())
    with contextlib.closing(engine.map(replace(scorer, pool=pool), parts)) as results:
        for _, chunks in results:
            yield from chunks


def scratch_of(folder: Path) -> Scratch:
    """Return a folder of scores, as what may be removed."""
    return Scratch(folder, _FILES)


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
        chunk = ChunkScores(0, case.candidate_names, scores, spread, spelled=False)
        _write(folder, chunk, case.candidates, values)
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


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"


def _numbers(folder: Path) -> list[int]:
    """List the chunks that were written."""
    found = (_NUMBER.fullmatch(path.name) for path in folder.glob(_FILES))
    return sorted(int(each[1]) for each in found if each)


def _write(
    folder: Path,
    chunk: ChunkScores,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    pool: str = "",
) -> None:
    import pyarrow as pa

    size, spread = len(chunk.ids), chunk.spread
    columns = {
        "row": pa.array(rows),
        "id": pa.array(list(chunk.ids), pa.string()),
        "score": pa.array(chunk.scores),
        "uncertainty": pa.nulls(size, pa.float64()) if spread is None else pa.array(spread),
        "value": pa.array(values),
    }
    table = pa.Table.from_pydict(columns, schema=SCORES.schema)
    about = {"nasrank.table": SCORES.name, _SPELLED: str(chunk.spelled), _POOL: pool}
    write_parquet(table.replace_schema_metadata(about), _path(folder, chunk.number))


def _read(folder: Path, number: int, size: int, pool: str) -> ChunkScores | None:
    """Read a finished chunk of so many rows or, the last one, fewer; None where none fits."""
    try:
        table = read_parquet(_path(folder, number))
        about = table.schema.metadata or {}
        rows, ids, scores, spread = (
            table.column(name).to_pylist() for name in ("row", "id", "score", "uncertainty")
        )
    except (DataError, KeyError):  # what cannot be read is scored again
        return None
    sound = 0 < len(rows) <= size and rows == [*range(number * size, number * size + len(rows))]
    if not sound or None in ids or None in scores or about.get(_POOL.encode()) != pool.encode():
        return None
    return ChunkScores(
        number,
        tuple(ids),
        np.array(scores, np.float64),
        None if None in spread else np.array(spread, np.float64),
        about.get(_SPELLED.encode()) == b"True",
    )


def _one_of_each_graph(case: Case, gathered: _Gathered, pool: PoolFile) -> Found:
    best = gathered.best
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
        gathered.seen,
        gathered.passed + int(known.sum()),
        of_space=False,
    )
    return found.part(kept)

"""A pool in parts: whatever their number and the order in which they end, the list is the same."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrank.errors import DataError, UsageError
from nasrank.graphs import joined
from nasrank.questions.rank import pool_file
from nasrank.questions.rank.case import Reduction
from nasrank.questions.rank.options import RankConfig
from nasrank.questions.rank.pool import rank_pool
from nasrank.questions.rank.pool_file import PoolFile
from nasrank.study.engines.engine import Engine
from nasrank.study.engines.processes import ProcessEngine

VOCABULARY = ("input", "output", "conv3x3", "pool", "skip", "none")
NAMES = ("id", "operations", "edges")
FORMS = ["csv", "parquet", "jsonl"]


def copied(value):
    """What arrives in another process."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


class Shuffled(Engine):
    """Executes pickled items in any order, and may be stopped after some."""

    parallel = True

    def __init__(self, seed, most=None):
        self.order, self.most, self.items = np.random.default_rng(seed), most, 0

    def map(self, function, items, on_work=None):
        self.items = len(items)
        for done, place in enumerate(self.order.permutation(len(items)).tolist()):
            if done == self.most:
                raise KeyboardInterrupt
            there, item = copied((function, items[place]))
            yield place, copied(there(item, None))


@pytest.fixture(name="model", scope="module")
def _model(own_model):
    return own_model()


def written(path, form, rows, group=7):
    path = path / f"pool.{form}"
    if form == "parquet":
        columns = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
        pq.write_table(pa.table(columns, NAMES), path, row_group_size=group)
    elif form == "csv":
        path.write_text("".join(",".join(row) + "\n" for row in [NAMES, *rows]))
    else:
        path.write_text("".join(json.dumps(dict(zip(NAMES, r, strict=True))) + "\n" for r in rows))
    return path


def ranked(model, path, folder, chunk, kept, engine=None, **options):
    graphs = model.case.graphs
    pool = PoolFile(path, graphs.vocabulary, (), model.case.reduction, chunk)
    return rank_pool(
        model, pool, kept, folder, keep_scores=options.get("keep", False), engine=engine,
        on_progress=options.get("tell", lambda _done, _of: None),
    )  # fmt: skip


def assert_same(found, expected):
    assert found.ids == expected.ids
    for name in ("rows", "scores", "twins"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.spread is None) == (expected.spread is None)
    assert (found.seen, found.evaluated) == (expected.seen, expected.evaluated)
    for name in ("operations", "adjacency", "mask"):
        np.testing.assert_array_equal(getattr(found.graphs, name), getattr(expected.graphs, name))


@given(
    form=st.sampled_from(FORMS),
    chunk=st.integers(3, 40),
    parts=st.integers(1, 9),
    kept=st.integers(1, 60),
    group=st.integers(1, 50),
    seed=st.integers(0, 99),
    stopped=st.integers(0, 9),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None
)
def test_parts_and_their_order_change_nothing(
    model, networks, tmp_path, form, chunk, parts, kept, group, seed, stopped
):
    """With ties, since every graph comes three times; stopped and gone on elsewhere as well."""
    rows = [
        (f"{prefix}{row['id']}", row["operations"], row["edges"])
        for prefix in ("b", "a", "c")
        for row in networks(25, seed=9, prefix="pool")
    ]
    rows = [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]
    path = written(tmp_path, form, rows, group)
    expected = ranked(model, path, tmp_path / "one", chunk, kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_file, "_FEWEST_PARTS", parts)
        engine = Shuffled(seed)
        assert_same(ranked(model, path, tmp_path / "two", chunk, kept, engine), expected)
        assert engine.items >= min(parts, -(-len(rows) // chunk))
        folder = tmp_path / "three"
        try:
            found = ranked(model, path, folder, chunk, kept, Shuffled(seed, stopped))
        except KeyboardInterrupt:
            left = Shuffled(seed)
            found = ranked(model, path, folder, chunk, kept, left if seed % 2 else None)
            assert left.items <= engine.items - stopped
        assert_same(found, expected)
    assert not folder.exists()


@given(
    start=st.sampled_from(
        ["id,operations,edges", '"id","operations","edges"', "id,operations,edges,x"]
    ),
    lines=st.lists(
        st.sampled_from(
            ["A,input;output,0-1", 'A,"input;output",0-1', '"A","input;output","0-1"',
             "A,input;output,0-1,", 'A,input;output,0-1,"', 'A,input;output,0-1,"b\n"', "", " ",
             ",,", '""', "A,input; output,0-1", "A,input;output,0-9", "A,input;swish;output,0-2"]
        ),
        max_size=9,
    ),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "\n", " ", ",,", '"']),
    block=st.integers(1, 50),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_text_is_cut_where_rows_are(tmp_path, start, lines, end, last, block):
    """What the parts hold, one after another, is what the whole file holds."""
    path = tmp_path / "pool.csv"
    plain = ["Z,input;output,0-1" + (",y" if start.endswith("x") else "")] * 2
    named = [line.replace("A", f"a{row}").replace("Z", f"z{row}")
             for row, line in enumerate([*plain, *lines])]  # fmt: skip
    path.write_bytes((end.join([start, *named]) + last).encode())
    source = PoolFile(path, VOCABULARY, (), Reduction(("none",), ("skip",)), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasrank.benchmarks.importers.plain_files._SCANNED", block)
        cut = source.spans()
    if cut is None:
        return
    spans, count = cut
    whole = outcome(source, source._row_by_row(lambda _: True))
    parts = [outcome(source, source.chunks(span=span)) for span in spans]
    if isinstance(whole, str):
        assert whole in parts
        return
    assert [each for part in parts for each in part] == whole
    assert sum(len(names) for _, names, _ in whole) == count


def outcome(source, chunks):
    """Numbers, names and edges of chunks, or what is wrong with the first that is bad."""
    try:
        return [
            (number, source.names(rows), joined([*source.graphs(rows)]).adjacency.tolist())
            for number, rows in chunks
        ]
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("form", FORMS)
def test_a_part_reads_no_other(form, tmp_path, monkeypatch):
    """Or every worker would read the whole file."""
    rows = [(f"a{row}", "input;pool;output", "0-1;1-2") for row in range(100)]
    path = written(tmp_path, form, rows, 10)
    source = PoolFile(path, VOCABULARY, (), Reduction(("none",), ("skip",)), 10)
    spans, count = source.spans()
    assert (len(spans), count) == (10, 100)
    size = path.stat().st_size
    if form == "parquet":
        asked = []
        real = pq.ParquetFile.iter_batches

        def iter_batches(file, **options):
            asked.append(options["row_groups"])
            return real(file, **options)

        monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
        ((number, found),) = source.chunks(span=spans[4])
        assert asked == [[4]]
    else:
        assert (spans[4].end - spans[4].start) * 8 < size
        ((number, found),) = source.chunks(span=spans[4])
    assert (number, found.names[0], len(found)) == (4, "a40", 10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_second_row_of_a_name_is_named_whatever_came_first(model, tmp_path, seed):
    rows = [(f"a{row % 23}", "input;pool;output", "0-1;1-2") for row in range(24)]
    path = written(tmp_path, "csv", rows)
    with pytest.raises(DataError, match="line 25: id 'a0' comes twice"):
        ranked(model, path, tmp_path / "scores", 4, 9, Shuffled(seed))


def test_a_pool_that_is_another_one_elsewhere_is_refused(model, tmp_path):
    rows = [(f"a{row}", "input;pool;output", "0-1;1-2") for row in range(24)]
    path = written(tmp_path, "csv", rows)

    class Elsewhere(Shuffled):
        def map(self, function, items, on_work=None):
            written(tmp_path, "csv", [*rows, ("b", *rows[0][1:])])
            return super().map(function, items, on_work)

    with pytest.raises(DataError, match="not the pool that the command was given"):
        ranked(model, path, tmp_path / "scores", 4, 9, Elsewhere(0))


def test_a_file_that_is_read_from_its_start_is_one_part(model, networks, tmp_path):
    rows = [
        (each["id"] + " é", each["operations"], each["edges"]) for each in networks(30, 9, "q")
    ]
    path = written(tmp_path, "csv", rows)
    engine = Shuffled(0)
    found = ranked(model, path, tmp_path / "scores", 4, 9, engine)
    assert engine.items == 1
    assert_same(found, ranked(model, path, tmp_path / "scores", 4, 9))


def test_engines_are_for_pools():
    with pytest.raises(UsageError, match="--engine processes is for a --pool"):
        RankConfig(space="my-space", engine="processes")


@pytest.mark.long
def test_processes_rank_as_one_does(model, networks, tmp_path):
    rows = [(each["id"], each["operations"], each["edges"]) for each in networks(300, 9, "q")]
    path = written(tmp_path, "parquet", rows, 50)
    expected = ranked(model, path, tmp_path / "one", 16, 50)
    assert_same(ranked(model, path, tmp_path / "two", 16, 50, ProcessEngine(2)), expected)
    assert_same(ranked(replace(model), path, tmp_path / "two", 16, 50, ProcessEngine(1)), expected)

"""A pool read by column and the same pool read row by row."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrank.benchmarks.importers.plain_files import _Watched
from nasrank.benchmarks.importers.plain_tables import NotPlainError, plain_chunks
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.errors import DataError
from nasrank.graphs import joined
from nasrank.questions.rank.case import Reduction
from nasrank.questions.rank.pool_file import PoolFile

VOCABULARY = ("input", "output", "conv3x3", "pool", "skip", "none")
ROWS = [
    ("a", "input;conv3x3;output", "0-1;1-2"),
    ("b", "input;pool;conv3x3;output", "0-1;1-2;2-3;0-3;0-3"),
    ("c 7", "output;input", "1-0"),
]
ODD = [
    ("a", "input;conv3x3;output", "0-1;1-2"),
    (" d", "input ; pool;output;", "0-1; 1-2"),
    ("é", "input;pool;output", ""),
    ("'=e", "['input', 'pool', 'output']", "[[0, 1], [1, 2]]"),
    ("f", "input,pool,output", "0-1"),
    ('g"', "input;swish;output", "0-1;1-2"),
    ("", "input;pool;output", "0-1"),
    ("h", "input;pool", "0-1"),
    ("i", "input;pool;output", "0-7"),
    ("j", "input;pool;output", "1-0"),
    ("k", "input;pool;pool;output", "1-2;2-1;0-1;2-3"),
    ("l", "input;output", ";".join(["0-1"] * 300)),
    ("m\rn", "input;output", "0-1"),
    ("o\n", "input;output", "0-1"),
    ("p", "input;output", "+0-1"),
    ("q", "input;output", "0-1-1"),
    ("r", "input;output;pool", "1-2"),
]


def pool(path, chunk):
    return PoolFile(path, VOCABULARY, (), Reduction(("none",), ("skip",)), chunk)


def written(folder, rows, form):
    path = folder / f"pool.{form}"
    names = ("id", "operations", "edges")
    if form == "parquet":
        columns = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
        pq.write_table(pa.table(columns, names), path, row_group_size=2)
    elif form == "csv":
        text = "".join(",".join(row) + "\n" for row in [names, *rows])
        path.write_bytes(text.encode())
    else:
        path.write_text("".join(json.dumps(dict(zip(names, r, strict=True))) + "\n" for r in rows))
    return path


def read(source, chunks):
    """Names and graphs of every chunk, or what is wrong with the first that is bad."""
    found = []
    try:
        for number, rows in chunks:
            graphs = joined([*source.graphs(rows)])
            found.append((number, source.names(rows), graphs))
    except DataError as error:
        found.append(str(error))
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        if isinstance(theirs, str):
            assert mine == theirs
            continue
        assert mine[:2] == theirs[:2]
        for array in ("operations", "adjacency", "mask"):
            np.testing.assert_array_equal(getattr(mine[2], array), getattr(theirs[2], array))
        assert mine[2].vocabulary == theirs[2].vocabulary


@given(
    plain=st.lists(st.sampled_from(ROWS), max_size=9),
    odd=st.lists(st.sampled_from(ODD), max_size=2),
    place=st.integers(0, 9),
    chunk=st.integers(1, 5),
    form=st.sampled_from(["csv", "parquet", "jsonl"]),
    numbered=st.booleans(),
    quoted=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_both_readers_say_the_same(tmp_path, plain, odd, place, chunk, form, numbered, quoted):
    """Whatever a table holds, and however it is written: names, graphs, chunks and complaints."""
    rows = [*plain[:place], *odd, *plain[place:]]
    if numbered:
        rows = [(f"{name}{number}", *graph) for number, (name, *graph) in enumerate(rows)]
    if not rows:
        rows = [("z", *ROWS[0][1:])]
    if quoted and form == "csv":
        rows = [tuple(f'"{cell}"' for cell in row) for row in rows]
    source = pool(written(tmp_path, rows, form), chunk)
    assert_same(read(source, source.chunks()), read(source, source._row_by_row(lambda _: True)))


@given(
    start=st.sampled_from(
        ["id,operations,edges", "ID,operations,edges", "id;operations;edges", "", "sep=,",
         "id,operations,edges,layers", "id,operations,edges,", "id,operations,edges,note",
         "arch_str,operations,edges", "id,arch_str", "id,operations,matrix"]
    ),
    rest=st.text("ab10-;,input output\"'\r\n{[\0", max_size=60),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_text_is_read_alike(tmp_path, start, rest):
    path = tmp_path / "pool.csv"
    path.write_bytes(f"{start}\n{rest}".encode())
    source = pool(path, 2)
    assert_same(read(source, source.chunks()), read(source, source._row_by_row(lambda _: True)))


@given(
    pieces=st.lists(
        st.sampled_from(
            [*(json.dumps({"id": name, "operations": "input;output", "edges": "0-1"})
               for name in "abc"),
             "\n", "\n", "\n", "\r\n", "\r", " ", ",", "{", "}", '"', "[1]", ',"x":{}}']
        ),
        max_size=8,
    ),
    size=st.integers(1, 60),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_lines_are_read_alike(tmp_path, pieces, size):
    """Several objects on a line, or one on several, are no rows for either reader."""
    path = tmp_path / "pool.jsonl"
    first = json.dumps({"id": "z", "operations": "input;output", "edges": "0-1"})
    path.write_bytes("".join([first, "\n", *pieces]).encode())
    source = pool(path, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasrank.benchmarks.importers.plain_files._BLOCK", 64 + size)
        found = read(source, source.chunks())
    assert_same(found, read(source, source._row_by_row(lambda _: True)))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_plain_rows_are_read_by_column(tmp_path, form):
    """Or the fast reader could be lost without a word."""
    path = written(tmp_path, ROWS, form)
    first, second = plain_chunks(path, 2, VOCABULARY)
    assert (first.names, second.names) == (("a", "b"), ("c 7",))
    assert first.graphs.adjacency[1, 0, 3] == 2
    with pytest.raises(NotPlainError):
        [*plain_chunks(written(tmp_path, [*ROWS, ODD[1]], form), 2, VOCABULARY)]


def test_cells_of_nas_bench_201(tmp_path):
    texts = [architecture_string(cell) for cell in official_order()[:50].tolist()]
    path = tmp_path / "pool.csv"
    path.write_text("arch_str\n" + "\n".join(texts))
    vocabulary = ("input", "output", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1",
                  "nor_conv_3x3")  # fmt: skip
    source = PoolFile(path, vocabulary, (), Reduction(("none",), ("skip_connect",)), 20)
    assert [len(rows) for rows in plain_chunks(path, 20, vocabulary)] == [20, 20, 10]
    assert_same(read(source, source.chunks()), read(source, source._row_by_row(lambda _: True)))


def test_a_file_with_quotes_around_its_cells_is_plain_too(tmp_path):
    path = tmp_path / "pool.csv"
    names = ("id", "operations", "edges")
    lines = [",".join(f'"{cell}"' for cell in row) for row in [names, *ROWS * 3]]
    path.write_text("\n".join(lines))
    with pytest.raises(NotPlainError):  # names come twice within a chunk
        [*plain_chunks(path, 9, VOCABULARY)]
    assert [len(rows) for rows in plain_chunks(path, 3, VOCABULARY)] == [3, 3, 3]


@given(st.text('ab",\r\n', max_size=40), st.integers(1, 7))
@settings(max_examples=300)
def test_bytes_are_judged_alike_however_they_are_cut(text, size):
    def accepted(size):
        file = _Watched(io.BytesIO(text.encode()))
        try:
            while file.read(size):
                pass
        except NotPlainError:
            return False
        return True

    assert accepted(size) == accepted(1000)


def test_a_windows_file_is_plain_too(tmp_path):
    path = written(tmp_path, ROWS, "csv")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert sum(map(len, plain_chunks(path, 2, VOCABULARY))) == 3

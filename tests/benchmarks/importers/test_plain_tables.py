"""A table for import read by column and the same table read row by row."""

import csv
import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrank.benchmarks.importers import user
from nasrank.benchmarks.importers.plain_graphs import NotPlainError
from nasrank.benchmarks.importers.plain_tables import plain_records
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.errors import NasrankError

GRAPHS = [
    ("input;conv3x3;output", "0-1;1-2"),
    ("input;pool;conv3x3;output", "0-1;1-2;2-3;0-3;0-3"),
    ("output;input", "1-0"),
    ("input;none;skip_connect;pool;output", "0-1;0-2;1-3;2-3;3-4"),
]
ODD_GRAPHS = [
    ("input ; pool;output;", "0-1; 1-2"),
    ("input;pool;output", ""),
    ("['input', 'pool', 'output']", "[[0, 1], [1, 2]]"),
    ("input;pool;output", "0-7"),
    ("input;pool", "0-1"),
    ("input;pool;pool;output", "1-2;2-1;0-1;2-3"),
]
CELLS = [architecture_string(cell) for cell in official_order()[:9].tolist()]
LABELS = ["91.5", "7", "-1e-3", "", "nan", "failed", "inf", "NA"]
ODD = [
    *("93.5%", "1,5", "1,234", "9 ± 1", "yes", "True", "2024-01-02", " 5", "5 ", "é", "'7"),
    *("[1, 2]", "{'a': 1}", "{", "007", "x\ty", '"', "-", "status ok", "COMPLETE", "a\nb"),
]  # fmt: skip
NUMBERS = [1.5, 7, None, float("nan"), float("inf"), 2**70, True]
EXTRAS = ["note", "status", "group", "cost_seconds", "parameters", "diverged", "Unnamed: 0",
          "label_1", "layers", "attribute_width", "config.lr", "__index_level_0__"]  # fmt: skip


@st.composite
def tables(draw):
    """Columns and rows of text, and of numbers too where the form has them."""
    form = draw(st.sampled_from(["csv", "parquet", "jsonl"]))
    size = draw(st.integers(1, 6))
    kinds = LABELS if form == "csv" else LABELS[:0] + NUMBERS
    plain = st.sampled_from(draw(st.sampled_from([LABELS[:3], kinds, [*kinds, *ODD]])))
    columns = {}
    cells = draw(st.booleans())
    graphs = draw(
        st.lists(
            st.sampled_from(GRAPHS if draw(st.booleans()) else [*GRAPHS, *ODD_GRAPHS]),
            min_size=size,
            max_size=size,
        )
    )
    if not cells or draw(st.booleans()):
        repeat = draw(st.booleans())
        columns["id"] = [f"net{row // (2 if repeat else 1)}" for row in range(size)]
    if cells:
        columns["arch_str"] = draw(st.permutations(CELLS))[:size]
    else:
        columns["operations"], columns["edges"] = (
            list(column) for column in zip(*graphs, strict=True)
        )
    columns["label"] = draw(st.lists(plain, min_size=size, max_size=size))
    for name in draw(st.lists(st.sampled_from(EXTRAS), max_size=2, unique=True)):
        cell = st.sampled_from([*LABELS, *ODD] if draw(st.booleans()) else ["4", "a1", "ok", ""])
        columns[name] = draw(st.lists(cell, min_size=size, max_size=size))
    order = draw(st.permutations([*columns]))
    upper = draw(st.sampled_from([None, None, *columns]))
    written = {name: name.upper() if name == upper else name for name in order}
    return form, {written[name]: columns[name] for name in order}


def write(folder, form, columns):
    path = folder / f"table.{form}"
    if form == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerows([columns, *zip(*columns.values(), strict=True)])
    elif form == "jsonl":
        rows = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(
            pa.table({name: column_of(cells) for name, cells in columns.items()}), path,
            row_group_size=2,
        )  # fmt: skip
    return path


def column_of(cells):
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds <= {int, float}:
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())
    return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())


def outcome(read):
    """Everything that an import holds, or what is wrong."""
    try:
        return read()
    except NasrankError as error:
        return f"{type(error).__name__}: {error}"


def assert_same(found, expected):
    """Compare by value, arrays by their bytes."""
    assert type(found) is type(expected)
    if dataclasses.is_dataclass(expected):
        for each in dataclasses.fields(expected):
            assert_same(getattr(found, each.name), getattr(expected, each.name))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert [*found] == [*expected]
        assert_same([*found.values()], [*expected.values()])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert_same(mine, theirs)
    else:
        assert found == expected


def both(path, **asked):
    """Read a table, and again where nothing is plain."""
    fast = outcome(lambda: user.read(path, **asked))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user, "plain_records", refuse)
        slow = outcome(lambda: user.read(path, **asked))
    return fast, slow


def refuse(*_args, **_options):
    raise NotPlainError


@given(
    table=tables(),
    asked=st.sampled_from([
        {}, {"built_in": True}, {"label": ["label"]}, {"renamed": {"cell": "note"}},
        {"renamed": {"label": "note"}}, {"renamed": {"id": "note"}}, {"unit": "%"},
    ]),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
def test_both_readers_import_the_same(tmp_path, table, asked):
    """Names, graphs, labels, failures, costs, notes and complaints, whatever a table holds."""
    assert_same(*both(write(tmp_path, *table), **asked))


@given(
    start=st.sampled_from(
        ["id,operations,edges,label", "ID,operations,edges,label", "id;operations;edges;label",
         "", "sep=,", "id,operations,edges,label,", "arch_str,label", "id,arch_str,label,note"]
    ),
    first=st.sampled_from(
        ["", "a,input;output,0-1,5\n", f"{CELLS[0]},5\n", f"b,{CELLS[1]},5,x\n"]
    ),
    rest=st.text("ab10-;,input output\"'\r\n{[\0", max_size=40),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
def test_any_text_is_imported_alike(tmp_path, start, first, rest):
    path = tmp_path / "table.csv"
    path.write_bytes(f"{start}\n{first}{rest}".encode())
    assert_same(*both(path))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_plain_tables_are_read_by_column(tmp_path, form, monkeypatch):
    """In chunks that do not share their operations, or the fast reader could be lost."""
    graphs = [GRAPHS[2], GRAPHS[0], GRAPHS[1], GRAPHS[3]] * 3
    columns = {
        "note": ["x"] * 12,
        "id": [f"net{row}" for row in range(12)],
        "operations": [each[0] for each in graphs],
        "edges": [each[1] for each in graphs],
        "label": ["1.5", "failed", "", "4"] * 3,
    }
    path = write(tmp_path, form, columns)
    monkeypatch.setattr("nasrank.benchmarks.importers.plain_tables._CHUNK", 3)
    told = []
    found = plain_records(path, on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)
    assert len(told) > 4
    assert found.graphs.vocabulary == (
        "input",
        "output",
        "conv3x3",
        "pool",
        "none",
        "skip_connect",
    )
    assert found.graphs.adjacency[2, 0, 3] == 2
    assert_same(*both(path))


def test_a_chunk_holds_no_more_than_its_texts(tmp_path):
    """Beside the graphs and the other cells, which the import consists of."""
    columns = {
        "id": [f"net{row}" for row in range(200)],
        "operations": ["input;conv3x3;output"] * 200,
        "edges": ["0-1;1-2"] * 200,
        "label": ["1"] * 200,
    }
    found = plain_records(write(tmp_path, "csv", columns))
    assert {*found.cells["operations"], *found.cells["edges"]} == {None}
    assert len(found.graphs) == 200

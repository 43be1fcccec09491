"""One made-up table in every form that programs write it, and what no form may do."""

import ast
import csv
import gzip
import io
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.benchmarks.importers import dialect, json_rows, records
from nasrank.benchmarks.importers.columns import stray_cell
from nasrank.benchmarks.importers.records import read_records, record_chunks
from nasrank.errors import DataError, NasrankError, UsageError

COLUMNS = ("id", "layers", "lr", "depth", "optimizer", "nesterov", "widths", "label")
# The label of net3 is missing, net4 failed; net2 has no optimizer.
TABLE = [
    ("net0", ["conv", "pool"], 0.1, 12, "adam", True, [16, 32], 76.06),
    ("net1", ["conv", "conv", "skip"], 0.001, 14, "sgd", False, [64, 8], 78.3),
    ("net2", ["pool", "conv"], 2e-05, 13, None, False, [32, 32], 77.99),
    ("net3", ["skip", "pool"], 0.25, 12, "none", True, [16, 64], None),
    ("net4", ["conv", "skip"], 1.5, 10, "adam", True, [8, 8], "diverged"),
]
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in TABLE]


def text_of(value, *, gap="", decimal=".", show=str, yes=str):
    """A cell as a program prints it; lists by ``show``, True and False by ``yes``."""
    if value is None:
        return gap
    if isinstance(value, list):
        return show(value)
    if isinstance(value, bool):
        return yes(value)
    if isinstance(value, float):
        return str(value).replace(".", decimal)
    return str(value)


def table_of(separator=",", *, index=False, names=COLUMNS, end="\n", label=text_of, **how):
    """The table as text."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerow([*([""] if index else []), *names])
    for number, row in enumerate(TABLE):
        cells = [*(text_of(cell, **how) for cell in row[:-1]), label(row[-1], **how)]
        writer.writerow([*([number] if index else []), *cells])
    return out.getvalue()


def json_list(value):
    return json.dumps(value)


def numpy_list(value):
    """As numpy prints an array: without commas."""
    return "[" + " ".join(map(repr, value)) + "]"


def semicolons(value):
    return ";".join(map(str, value))


def columns_of(rows):
    return {name: [row[name] for row in rows] for name in COLUMNS}


def signed(sign):
    """Labels that carry something behind their numbers."""

    def label(value, **how):
        return text_of(value, **how) + (sign if isinstance(value, float) else "")

    return label


TEXTS = {
    "comma.csv": table_of(),
    "semicolon.csv": table_of(";", show=json_list),
    "tab.csv": table_of("\t"),
    "tab.tsv": table_of("\t", yes=lambda value: str(value).upper()),
    "bar.csv": table_of("|"),
    "windows.csv": "\ufeff" + table_of(end="\r\n"),
    "excel.csv": "sep=;\r\n" + table_of(";", end="\r\n"),
    "blank lines.csv": "\n" + table_of(end="\n\n"),
    "spaces.csv": table_of().replace(",net", ", net").replace("0.1,", "0.1 ,"),
    "trailing.csv": table_of(end=",\n"),
    "european.csv": table_of(";", decimal=","),
    "quoted comma.csv": table_of(decimal=","),
    "index.csv": table_of(index=True),
    "caps.csv": table_of(names=("ID", "Layers", *COLUMNS[2:-1], "Label")),
    "json lists.csv": table_of(show=json_list, yes=json_list),
    "python lists.csv": table_of(show=lambda value: str(tuple(value))),
    "numpy lists.csv": table_of(show=numpy_list),
    "semicolon lists.csv": table_of(show=semicolons),
    "NA.csv": table_of(gap="NA"),
    "N-A.csv": table_of(gap="N/A"),
    "dash.csv": table_of(gap="-"),
    "null.csv": table_of(gap="null"),
    "None.csv": table_of(gap="None"),
    "percent.csv": table_of(label=signed("%")),
    "spread.csv": table_of(label=signed(" ± 0.2")),
    "spread ascii.csv": table_of(label=signed("+-0.2")),
    "spread european.csv": table_of(";", decimal=",", label=signed(" ± 0,2 %")),
    "lines.jsonl": "\n".join(map(json.dumps, ROWS)),
    "lines.ndjson": "\r\n\r\n".join(map(json.dumps, ROWS)),
    "lines.json": "\n".join(map(json.dumps, ROWS)),
    "array.json": json.dumps(ROWS, indent=1),
    "split.json": json.dumps(
        {"columns": COLUMNS, "index": [*range(len(TABLE))], "data": TABLE},
    ),
    "table.json": json.dumps({"schema": {"fields": []}, "data": ROWS}),
    "columns.json": json.dumps(
        {name: dict(enumerate(cells)) for name, cells in columns_of(ROWS).items()}
    ),
    "lists.json": json.dumps(columns_of(ROWS)),
    "index.json": json.dumps(dict(enumerate(ROWS))),
    "names.json": json.dumps(
        {row["id"]: {name: row[name] for name in COLUMNS[1:]} for row in ROWS}
    ),
}
BYTES = {
    **{name: text.encode() for name, text in TEXTS.items()},
    "utf16.csv": table_of().encode("utf-16"),
    "utf16 big.csv": "\ufeff".encode("utf-16-be") + table_of().encode("utf-16-be"),
    "utf16 unmarked.csv": table_of("\t").encode("utf-16-le"),
    "zipped.csv.gz": gzip.compress(table_of().encode()),
    "two pieces.tsv.gz": b"".join(
        gzip.compress(part.encode()) for part in table_of("\t").partition("net2")
    ),
    "zipped without saying.csv": gzip.compress(table_of(";").encode()),
    "zipped.jsonl.gz": gzip.compress(TEXTS["lines.jsonl"].encode()),
    "zipped.json.gz": gzip.compress(TEXTS["array.json"].encode()),
}


def write(folder, name):
    path = folder / name
    path.write_bytes(BYTES[name])
    return path


@pytest.mark.parametrize("name", BYTES)
def test_every_form_gives_the_same_rows(name, tmp_path):
    found = read_records(write(tmp_path, name))
    assert found.columns == COLUMNS
    assert found.rows == ROWS


@pytest.mark.parametrize("name", BYTES)
def test_chunks_of_every_form_are_the_rows(name, tmp_path):
    path = write(tmp_path, name)
    parts = [*record_chunks(path, 2, lambda number: number != 1)]
    assert [number for number, _ in parts] == [0, 2]
    assert [row["id"] for _, part in parts for row in part.rows] == ["net0", "net1", "net4"]
    assert [row["layers"] for row in parts[0][1].rows] == [row[1] for row in TABLE[:2]]


def test_parquet_of_pandas_gives_the_same_rows(tmp_path):
    """An index becomes a column of its own there; lists and categories are types."""
    path = tmp_path / "table.parquet"
    columns = columns_of(ROWS) | {"label": [str(row[-1] or "") for row in TABLE]}
    columns["optimizer"] = pa.array(columns["optimizer"]).dictionary_encode()
    pq.write_table(pa.table(columns | {"__index_level_0__": [7, 5, 3, 1, 0]}), path)
    found = read_records(path)
    assert found.columns == COLUMNS
    assert found.rows == ROWS
    assert found.notes == ("the column __index_level_0__ is an index and was left out",)
    (_, part), *_ = record_chunks(path, 3)
    assert part.rows == ROWS[:3]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("caps.csv", "the column Label is taken for label"),
        ("european.csv", "lr is written with a decimal comma"),
        ("percent.csv", "label is written in percent"),
        (
            "spread.csv",
            "label is written as value ± spread; the value counts, the spread does not",
        ),
        ("index.csv", "the column Unnamed: 0 is an index and was left out"),
    ],
)
def test_what_was_understood_is_said(name, note, tmp_path):
    found = read_records(write(tmp_path, name))
    assert note in found.notes
    assert read_records(write(tmp_path, "comma.csv")).notes == ()
    assert found.percents == ({"label"} if name == "percent.csv" else frozenset())


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (",lr,label\na,1,2\nb,3,4\n", ["a", "b"]),
        (",lr,label\n5,1,2\n3,3,4\n", ["5", "3"]),
        ("Unnamed: 0,lr,label\n0,1,2\n1,3,4\n", ["0", "1"]),
        # An index that repeats itself, as after joining tables, names nothing.
        (",lr,label\n0,1,2\n0,3,4\n", [None, None]),
        ("lr,label\n1,2\n3,4\n", [None, None]),
    ],
)
def test_an_index_names_rows_where_nothing_else_does(text, ids, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    assert [row.get("id") for row in read_records(tmp_path / "a.csv").rows] == ids


def test_objects_within_a_row_are_columns(tmp_path):
    row = {"id": "a", "net": {"lr": 0.1, "stem": {"depth": 3}}, "rest": {}, "label": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    (found,) = read_records(tmp_path / "a.jsonl").rows
    assert found == {
        "id": "a",
        "net.lr": 0.1,
        "net.stem.depth": 3,
        "rest": {},
        "label": 1,
    }


def test_dates_and_decimals_of_parquet_are_text_and_numbers(tmp_path):
    import datetime
    from decimal import Decimal

    table = {
        "id": ["a"],
        "when": [datetime.date(2024, 5, 1)],
        "long": [datetime.timedelta(hours=1)],
        "price": [Decimal("1.5")],
        "blob": [b"\x00\x01"],
        "label": [1.0],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (row,) = read_records(tmp_path / "a.parquet").rows
    assert row == {
        "id": "a",
        "when": "2024-05-01",
        "long": "1:00:00",
        "price": 1.5,
        "blob": "a bytes",
        "label": 1.0,
    }


NB201 = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_bars_within_cells_separate_nothing(tmp_path):
    for header in ("arch_str\n", "arch_str,label\n", "arch_str|label\n"):
        separator = header.strip()[8:9]
        row = f"{NB201}{',1' if separator == ',' else ''}\n"
        (tmp_path / "a.csv").write_text(header + row)
        if separator == "|":
            # The rows have other numbers of fields than the header: it is one column.
            found = read_records(tmp_path / "a.csv")
            assert found.columns == ("arch_str|label",)
        else:
            assert read_records(tmp_path / "a.csv").rows[0]["arch_str"] == NB201


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,é\n".encode("latin-1"), r"not UTF-8 text, it has the byte 0xe9.*iconv -f"),
        ("a.csv", "id\n".encode("utf-32"), "UTF-32 text. Save it as UTF-8"),
        ("a.csv", b"PK\x03\x04rest", "an Excel workbook. Save the sheet as CSV UTF-8"),
        ("a.csv", b"BZh9rest", "compressed by bzip2. Unpack it first: bunzip2 -k a.csv"),
        ("a.csv", b"PAR1rest", "a Parquet table. Give its name the ending .parquet"),
        ("a.csv.gz", b"\x1f\x8brest", "damaged, not a readable gzip file"),
        ("a.csv.gz", gzip.compress(b"id,label\n" * 99, mtime=0)[:-9], "ends early"),
        ("a.xlsx", b"PK", "not one of .csv, .tsv"),
        ("a.parquet.gz", b"PAR1", "not one of .csv, .tsv"),
        ("a.csv", b"id,label\na,1,5\n", "3 fields under 2 columns. Put cells that hold a , in"),
        ("a.csv", b"id;label\na;1;5\n", "Put cells that hold a ; in quotes"),
        ("a.csv", b"id,label\na\n", "1 fields under 2 columns. Repair"),
        ("a.csv", b"id,id\na,1\n", "two columns of the same name"),
        ("a.csv", b"id,,label\na,1,2\n", "a column without a name"),
        ("a.csv", b"ID,id\na,1\n", None),
        ("a.json", b"{", "not JSON at line 1, column 2"),
        ("a.json", b"3", "not an array of objects"),
        ("a.json", b"[3]", "row 0: not a JSON object"),
        ("a.json", b'{"a": [1], "b": [1, 2]}', "not an array of objects"),
        ("a.json", b'[{"a": 1, "a": 2}]', "the key 'a' occurs twice"),
        ("a.json", b"[]", "holds no architecture"),
        ("a.json", b"[" * 100_000, "too deeply nested"),
        ("a.jsonl", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not JSON"),
        ("a.jsonl", b'{"a":' * 20 + b"1" + b"}" * 20, "line 1: too deeply nested"),
    ],
)
def test_what_cannot_be_read_names_the_cure(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    if message is None:
        assert read_records(path).columns == ("ID", "id")
        return
    with pytest.raises(DataError, match=message) as caught:
        read_records(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_read_prints_safely(tmp_path):
    """Escapes of terminals are spelt out; formulas and markup are text like any other."""
    rows = (
        'id,"act\x1b[31m",label\na,"\x1b]0;owned\x07",1\nb,"=cmd|\'/C calc\'!A0",2\nc,[red]x,3\n'
    )
    (tmp_path / "a.csv").write_text(rows)
    found = read_records(tmp_path / "a.csv")
    name = found.columns[1]
    assert name == "act\\x1b[31m"
    words = [row[name] for row in found.rows]
    assert words == ["\\x1b]0;owned\\x07", "=cmd|'/C calc'!A0", "[red]x"]
    assert all(word.isprintable() for word in words)


def test_names_that_a_spreadsheet_would_compute_are_read_back(tmp_path):
    (tmp_path / "a.csv").write_text("id,label\n'=a,1\n=b,2\n'c,3\n")
    assert [row["id"] for row in read_records(tmp_path / "a.csv").rows] == ["=a", "=b", "'c"]


RENAMED = "trial,net,net_acc,label\nt1,conv;pool,1.5,9\nt2,pool,2.5,8\n"


def test_columns_get_the_names_that_the_user_gives(tmp_path):
    (tmp_path / "a.csv").write_text(RENAMED)
    renamed = {"id": "trial", "layers": "Net", "label": "net_acc"}
    found = read_records(tmp_path / "a.csv", renamed=renamed)
    assert found.columns == ("id", "layers", "label")
    assert found.rows[0] == {"id": "t1", "layers": ["conv", "pool"], "label": 1.5}
    assert found.notes == ("the file's own column label was left out",)
    (tmp_path / "b.csv").write_text(f"net_str,label\n{NB201},1\n")
    found = read_records(tmp_path / "b.csv", renamed={"cell": "net_str"})
    assert found.rows == [{"arch_str": NB201, "label": 1}]


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        ({"id": "trail"}, "unknown column 'trail'. Did you mean 'trial'"),
        ({"layer": "net"}, "unknown name of a column for --column 'layer'. Did you mean 'layers'"),
        ({"id": "net", "layers": "net"}, "--column layers=net: it names a column twice"),
        ({"cell": "net", "arch_str": "trial"}, "it names a column twice"),
    ],
)
def test_wrong_names_are_refused(renamed, message, tmp_path):
    (tmp_path / "a.csv").write_text(RENAMED)
    with pytest.raises(UsageError, match=message):
        read_records(tmp_path / "a.csv", renamed=renamed)


def test_bombs_end_within_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(dialect, "CONTENT_LIMIT", 2**22)
    monkeypatch.setattr(dialect, "EMPTY_LINES", 1_000)
    monkeypatch.setattr(json_rows, "SIZE_LIMIT", 2**20)
    header = b"id,label\n"
    bombs = {
        "rows.csv.gz": (gzip.compress(header + b"a,1\n" * 2**21), "holds more than 4,194,304"),
        "line.csv.gz": (gzip.compress(bytes(2**26)), "line 1: longer than"),
        "empty.csv.gz": (gzip.compress(header + b"\n" * 2**20), "nothing but empty lines"),
        "pieces.csv.gz": (gzip.compress(b"") * 70_000, "in more than 65,536 pieces"),
        "wide.csv": (b",".join(b"c%d" % n for n in range(20_000)) + b"\n1\n", "10,000 columns"),
        "cell.csv": (header + b'a,"' + b"x" * 300_000 + b'"\n', "line 2: not CSV .field larger"),
        "array.json.gz": (gzip.compress(b"[" + b" " * 2**21), "larger than 1,048,576 bytes"),
        "keys.jsonl": (
            json.dumps({f"k{n}": {"a": 1} for n in range(20_000)}).encode(),
            "more than 10,000 columns",
        ),
    }
    for name, (content, message) in bombs.items():
        (tmp_path / name).write_bytes(content)
        started = time.process_time()
        with pytest.raises(DataError, match=message):
            read_records(tmp_path / name)
        assert time.process_time() - started < 5


def test_lists_are_never_evaluated(tmp_path):
    hostile = "[__import__('os').system('true')]"
    deep = "[" * 5000 + "]" * 5000
    long = "[" + "'x'," * 40_000 + "]"
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"id": n, "x": cell}) for n, cell in enumerate((hostile, deep, long)))
    )
    found = read_records(tmp_path / "a.jsonl")
    assert [row["x"] for row in found.rows] == [hostile, deep, long]


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROW_LIMIT", 2)
    for name in ("comma.csv", "array.json", "lines.jsonl"):
        with pytest.raises(DataError, match="more than 2 rows"):
            read_records(write(tmp_path, name))


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["1", "1,5", "1.5", "-", "nan", "inf", "[1]", "['a']", "5%", "1±2", "\t", '"']
    ),
)


@settings(max_examples=150, deadline=2000)
@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=6),
    st.sampled_from(",;\t| "),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.json", "a.csv.gz"]),
)
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, rows, separator, code, name):
    path = tmp_path_factory.mktemp("fuzz") / name
    text = "\n".join(separator.join(row) for row in rows)
    path.write_bytes(text.encode(code, errors="replace"))
    check_read_or_refused(path)


@settings(max_examples=150, deadline=2000)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.csv.gz"]))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, content, name):
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(content)
    check_read_or_refused(path)


def check_read_or_refused(path):
    refusals = []
    try:
        found = read_records(path)
        assert len(found.rows) == len(found.places)
        assert all(row.keys() == {*found.columns} for row in found.rows)
        assert all(column.isprintable() for column in found.columns)
        for column in found.columns:
            stray_cell([row[column] for row in found.rows])
    except NasrankError as error:
        refusals.append(str(error))
    assert all(str(path) in refusal and "\n" not in refusal for refusal in refusals)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=2000)
@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=4), max_size=4), st.booleans())
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, rows, lines):
    path = tmp_path_factory.mktemp("fuzz") / ("a.jsonl" if lines else "a.json")
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows))
    check_read_or_refused(path)


def test_the_generator_writes_what_python_prints():
    """The forms above are what the programs really write."""
    assert ast.literal_eval(text_of(["conv", "pool"])) == ["conv", "pool"]
    assert text_of(2e-05, decimal=",") == "2e-05"
    assert TEXTS["european.csv"].splitlines()[1] == (
        "net0;['conv', 'pool'];0,1;12;adam;True;[16, 32];76,06"
    )

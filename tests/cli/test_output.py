import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from nasrank.cli.output import (
    FORMATS,
    known_format,
    print_json,
    print_parts,
    print_result,
    print_rows,
    show_record,
    show_rows,
)
from nasrank.errors import UsageError
from nasrank.study.view import Field, Sheet, number

ROWS = [
    {"loss": "hr(margin=0.5)", "n_train": 78, "tau": 0.8123456, "best": None},
    {"loss": "pw(hr,mape,50)", "n_train": 15625, "tau": float("nan"), "best": True},
]


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (True, "yes"),
        (np.False_, "no"),
        (0, "0"),
        (15625, "15,625"),
        (np.int64(15625), "15,625"),
        (0.123456, "0.1235"),
        (91.606667, "91.61"),
        (1828.3, "1,828"),
        (28_561_234.5, "28,561,234"),
        ("nb201/cifar10:val_acc", "nb201/cifar10:val_acc"),
        ([1, None], "1, -"),
        ([], "-"),
    ],
)
def test_a_value_as_people_read_it(value, text):
    assert number(value) == text


def test_json_holds_every_key_and_no_nan(capsys):
    print_rows(ROWS, "json")
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == [ROWS[0], {**ROWS[1], "tau": None}]


def test_json_takes_numpy_and_nested_values(capsys):
    print_json({"a": np.arange(3), "b": {"c": np.float32(0.5)}, "d": (1, "x"), 2: np.inf})
    assert json.loads(capsys.readouterr().out) == {
        "a": [0, 1, 2],
        "b": {"c": 0.5},
        "d": [1, "x"],
        "2": None,
    }


def test_csv_holds_every_key_and_leaves_null_empty(capsys):
    print_rows(ROWS, "csv")
    text = capsys.readouterr().out
    assert list(csv.reader(io.StringIO(text))) == [
        ["loss", "n_train", "tau", "best"],
        ["hr(margin=0.5)", "78", "0.8123456", ""],
        ["pw(hr,mape,50)", "15625", "", "true"],
    ]
    assert "\r" not in text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+cmd", "'+1+cmd"),
        ("-2+3", "'-2+3"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        ("-", "-"),
        ("a=b", "a=b"),
    ],
)
def test_csv_gives_a_spreadsheet_nothing_to_compute(text, cell, capsys):
    print_rows([{"name": text, "=x": 1.5}], "csv")
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert lines == [["name", "'=x"], [cell, "1.5"]]


def test_no_rows(capsys):
    for output_format in ("csv", "markdown", "latex"):
        print_rows([], output_format)
        assert capsys.readouterr().out == ""
    print_rows([], "json")
    assert json.loads(capsys.readouterr().out) == []
    show_rows("a b", "rows", [], "table", fields=[Field("loss")])
    assert "loss" in capsys.readouterr().out


def test_rows_of_a_command_stand_in_the_one_envelope(capsys):
    show_rows("data list", "tasks", ROWS, "json", fields=[Field("loss")])
    found = json.loads(capsys.readouterr().out)
    assert (found["command"], list(found["tables"])) == ("data list", ["tasks"])
    assert found["tables"]["tasks"] == [ROWS[0], {**ROWS[1], "tau": None}]


def test_table_shows_the_fields_asked_for_in_their_order(capsys):
    fields = [Field("n_train", right=True), Field("loss", "of", show=str.upper)]
    print_parts([Sheet(ROWS, fields, "two runs"), "a caption"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "two runs"
    assert lines[1].split() == ["n", "train", "of"]
    assert lines[3].split() == ["78", "HR(MARGIN=0.5)"]
    assert lines[4].split() == ["15,625", "PW(HR,MAPE,50)"]
    assert lines[-1] == "a caption"


def test_numbers_stand_to_the_right_by_default():
    assert [field.right for field in Sheet.of(ROWS).fields] == [False, True, True, False]


MARKDOWN = r"""| a\_b | c |
| --- | --- |
| x\|y | 1.5 |
"""
LATEX = r"""\begin{tabular}{lr}
\hline
a\_b & c \\
\hline
x|y & 1.5 \\
\hline
\end{tabular}
"""


@pytest.mark.parametrize(("output_format", "text"), [("markdown", MARKDOWN), ("latex", LATEX)])
def test_tables_for_papers_are_escaped(output_format, text, capsys):
    print_rows([{"a_b": "x|y", "c": 1.5}], output_format)
    assert capsys.readouterr().out == text


def test_a_pipe_gets_whole_lines_without_codes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    wide = {f"column_{number}": "x" * 30 for number in range(10)}
    print_rows([wide], "table")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["x" * 30] * 10
    assert "\x1b" not in "".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_a_narrow_terminal_folds_and_loses_nothing(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm-256color")
    print_rows([{"a": "abcdefghijklmnopqrstuvwxyz"}], "table")
    out = capsys.readouterr().out
    assert "\x1b[3" not in out  # no colours, whatever is bold
    assert "…" not in out
    assert "abcdefghijklmnopqrstuvwxyz" in "".join(out.split())


def test_names_are_not_markup_nor_smileys(capsys):
    print_rows([{"path": "/a/[bold]/b", "task": "x/y:smile:"}], "table")
    assert capsys.readouterr().out.splitlines()[2].split() == ["/a/[bold]/b", "x/y:smile:"]


def test_a_stream_of_few_characters(monkeypatch):
    bytes_ = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(bytes_, encoding="ascii"))
    print_parts(["é", Sheet.of([{"a": 1}])])
    assert bytes_.getvalue().decode("ascii").splitlines()[0] == "?"


def test_record_in_every_format(capsys):
    record = {"task": "a/b", "spread": {"min": 1.5}, "best": [{"label": 2}], "cost": None}
    show_record("data info", record, "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["command"], found["answer"]) == ("data info", record)
    show_record("data info", record, "csv")
    assert capsys.readouterr().out.splitlines() == [
        "name,value",
        "task,a/b",
        "spread.min,1.5",
        "best.0.label,2",
        "cost,",
    ]
    show_record("data info", record, "table")
    assert capsys.readouterr().out.splitlines()[1].split() == ["spread.min", "1.5"]
    show_record("data info", record, "table", ["a view of its own"])
    assert capsys.readouterr().out == "a view of its own\n"


def test_any_table_in_any_format(capsys):
    tables = {"a": [{"x": 1}], "b": [{"y_1": 2.5}, {"y_1": None}]}
    result = SimpleNamespace(tables=tables, main="a")
    found = {}
    for output_format in FORMATS:
        print_result(result, lambda _: ["page"], output_format, "b")
        found[output_format] = capsys.readouterr().out
    assert json.loads(found["json"]) == tables["b"]
    assert list(csv.reader(found["csv"].splitlines())) == [["y_1"], ["2.5"], [""]]
    assert r"y\_1 \\" in found["latex"]
    assert found["markdown"].startswith(r"| y\_1 |")
    assert "2.5" in found["table"]
    assert "page" not in found["table"]
    with pytest.raises(UsageError, match="unknown table 'c'"):
        print_result(result, lambda _: ["page"], "latex", "c")


def test_unknown_format():
    assert [known_format(name) for name in FORMATS] == list(FORMATS)
    with pytest.raises(UsageError, match=r"unknown format 'jsn'\. Did you mean 'json'\?"):
        known_format("jsn")
    with pytest.raises(UsageError):
        print_rows(ROWS, "xml")
    with pytest.raises(UsageError):
        show_record("data info", {}, "xml")

"""Studies of Optuna, read without Optuna."""

import json
import math
import time

import pytest
from benchmarks.importers.studies import journal_entries, write_database, write_journal
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.benchmarks.importers import optuna_database, optuna_study, user
from nasrank.benchmarks.importers.optuna_journal import is_journal
from nasrank.benchmarks.importers.records import read_records, record_chunks
from nasrank.benchmarks.importers.setting_kinds import Wish
from nasrank.benchmarks.importers.understood import Wishes
from nasrank.errors import DataError, NasrankError, UsageError

ROWS = [
    # id, lr, depth, opt, nesterov, layers, label, status, seconds, note
    ("trial 0", 0.01, 3, "None", None, None, 0.5, "complete", 90.0, "=cmd"),
    ("trial 1", 0.001, 4, "sgd", False, 0.5, 0.25, "complete", 10.0, "x\\x1b[1m"),
    ("trial 2", 0.1, None, None, None, None, None, "pruned", 1.0, None),
    ("trial 3", 0.05, None, None, None, None, None, "fail", 1.0, None),
    ("trial 4", 0.02, None, None, None, None, None, "running", None, None),
    ("trial 6", 0.03, None, None, None, None, math.inf, "complete", 2.0, None),
]
COLUMNS = (
    *("id", "lr", "depth", "opt", "nesterov", "params.layers", "label", "status"),
    *("cost_seconds", "user_attrs.note"),
)
WRITERS = {
    "study.log": write_journal,
    "study.jsonl": write_journal,
    "study.txt": write_journal,
    "study.db": write_database,
    "study.sqlite3": write_database,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_study_is_a_table(name, tmp_path):
    path = WRITERS[name](tmp_path / name, ["first"])
    found = read_records(path)
    assert found.columns == COLUMNS
    assert found.rows == [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    assert found.places == [0, 1, 2, 3, 4, 6]
    assert found.lower == {"label": True}
    assert found.scales == {"lr": "log", "depth": "linear", "params.layers": "linear"}
    assert found.results == {"id", "label", "status", "cost_seconds", "user_attrs.note"}
    assert found.notes == (
        "1 trials without parameters were left out",
        "the time that a trial took is its cost",
    )
    assert str(found.error(5, "it is odd")).startswith(f"{path}: trial 6: it is odd")


@pytest.mark.parametrize("name", WRITERS)
def test_a_study_becomes_a_space(name, tmp_path):
    imported = user.read(WRITERS[name](tmp_path / name), study="first")
    (measured,) = imported.measurements
    assert not measured.metric.higher_is_better
    assert measured.values[:2, 0].tolist() == [0.5, 0.25]
    assert measured.failed.tolist() == [False, False, True, True, False, True]
    columns = {each.name: each for each in imported.graphs.settings.columns}
    assert columns.keys() >= {"lr", "depth", "opt"}
    assert "user_attrs.note" not in columns
    # As the study has it: values of five to a hundred times the smallest do not tell.
    assert (columns["lr"].scale, columns["depth"].scale) == ("log", "linear")
    wishes = Wishes(kinds={"lr": Wish("linear")})
    asked = user.read(tmp_path / name, study="first", wishes=wishes).graphs.settings
    assert [each.scale for each in asked.columns if each.name == "lr"] == ["linear"]
    imported = user.read(tmp_path / name, study="first", lower_is_better=False)
    assert imported.measurements[0].metric.higher_is_better


@pytest.mark.parametrize("name", WRITERS)
def test_of_several_studies_and_objectives_one_is_chosen(name, tmp_path):
    path = WRITERS[name](tmp_path / name)
    with pytest.raises(
        UsageError, match=r"it holds 2 studies: first, second. Name one with --stu"
    ):
        read_records(path)
    with pytest.raises(UsageError, match=r"unknown study 'secnd'. Did you mean 'second'"):
        read_records(path, study="secnd")
    found = read_records(path, study="second")
    assert [row["values_1"] for row in found.rows] == [0, -1, -2]
    assert found.lower == {"values_0": False, "values_1": True}
    with pytest.raises(DataError, match=r"no column label. Choose another with --label"):
        user.read(path, study="second")
    for label, higher in (("values_0", True), ("values_1", False)):
        metric = user.read(path, study="second", label=[label]).measurements[0].metric
        assert metric.higher_is_better is higher
    found = read_records(path, study="second", renamed={"label": "values_1"})
    assert found.lower == {"values_0": False, "label": True}


def test_objectives_have_the_names_that_the_study_gives(tmp_path):
    names = json.dumps(["accuracy", "size"])
    values = f"(1, 2, 'study:metric_names', '{names}')"
    after = f"INSERT INTO study_system_attributes VALUES {values}"  # noqa: S608 - our own words
    database = write_database(tmp_path / "a.db", after=after)
    assert read_records(database, study="second").lower == {"accuracy": False, "size": True}
    entry = {"op_code": 3, "study_id": 1, "system_attr": {"study:metric_names": json.loads(names)}}
    entries = [*journal_entries(), entry]
    (tmp_path / "a.log").write_text("\n".join(map(json.dumps, entries)))
    assert read_records(tmp_path / "a.log", study="second").lower["size"]


def test_a_study_that_was_deleted_is_not_there(tmp_path):
    entries = [*journal_entries(), {"op_code": 1, "study_id": 0}, {"op_code": 99, "odd": 1}]
    (tmp_path / "a.log").write_text("\n".join(map(json.dumps, entries)))
    assert len(read_records(tmp_path / "a.log").rows) == 3


def test_a_journal_whose_end_is_cut_off_is_read(tmp_path):
    path = write_journal(tmp_path / "a.log", ["first"])
    text = path.read_text()
    path.write_text(text[: text.rindex("\n", 0, -1) + 20])
    assert len(read_records(path).rows) == len(ROWS)


def test_a_table_is_no_journal(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "op_code": "x", "label": 2}\n')
    assert not is_journal(tmp_path / "a.jsonl")
    assert read_records(tmp_path / "a.jsonl").columns == ("id", "op_code", "label")
    with pytest.raises(UsageError, match=r"--study first: .* is no study of Optuna. Leave it out"):
        read_records(tmp_path / "a.jsonl", study="first")
    with pytest.raises(DataError, match="is no list of candidates"):
        next(record_chunks(write_journal(tmp_path / "b.log"), 5))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not an entry of an Optuna journal"),
        ('{"op_code": 5, "trial_id": 0}', None),
        ('{"op_code": 4}', "line 2: not an entry"),
        ('{"op_code": 4, "study_id": 0, "state": 7}', "line 2: not an entry"),
        ('{"op_code": 0, "study_name": "b", "directions": [5]}', "line 2: not an entry"),
        ('{"op_code": "x"}', "line 2: not an entry"),
        (
            '{"op_code": 4, "study_id": 0, "params": {"a": 1}, "distributions": {"a": "{}"}}',
            "line 2: 'None' is no known distribution",
        ),
        (
            json.dumps(
                {"op_code": 4, "study_id": 0, "params": {"a": 3}, "distributions": {
                    "a": json.dumps({"name": "CategoricalDistribution",
                                     "attributes": {"choices": [1]}})}}
            ),
            "line 2: a parameter is none of its choices",
        ),
    ],
)  # fmt: skip
def test_bad_entries_are_named(line, message, tmp_path):
    path = tmp_path / "a.log"
    path.write_text('{"op_code": 0, "study_name": "a", "directions": [1]}\n' + line + "\n")
    with pytest.raises(DataError, match=message or "the study 'a' has no trial") as caught:
        read_records(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT x AS trial_id, 'a' AS param_name, 1 AS param_value, '' AS distribution_json FROM n"
)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("DROP TABLE trials;", "an SQLite database, but not one of Optuna"),
        (
            "DROP TABLE trial_values; CREATE TABLE trial_values (trial_id INTEGER, value FLOAT);",
            "its table trial_values is not that of Optuna 3.*optuna storage upgrade --storage",
        ),
        (
            f"DROP TABLE trial_params; CREATE VIEW trial_params AS {ENDLESS};",
            "its table trial_params is not that",
        ),
        (
            "DROP TABLE studies; CREATE TABLE studies (study_id, study_name TEXT AS (hex(1)));",
            "its table studies is not that",
        ),
        (
            'UPDATE trial_params SET distribution_json = \'{"name": "x"}\';',
            "trial 0: parameter 'lr' cannot be read",
        ),
        ("UPDATE trial_params SET param_value = 'text';", "parameter 'lr' cannot be read"),
        ("DELETE FROM trial_params;", "the study 'first' has no trial"),
        ("DELETE FROM studies;", "it holds no study"),
        (
            "UPDATE studies SET study_name = cast(x'ff' as text);",
            "not a readable SQLite database",
        ),
        (
            "INSERT INTO studies VALUES (99, replace(hex(zeroblob(1000000)), '0', 'a'));",
            "not a readable SQLite database .string or blob too big",
        ),
    ],
)
def test_bad_databases_are_refused_in_one_line(after, message, tmp_path):
    path = write_database(tmp_path / "a.db", ["first"], after)
    started = time.process_time()
    with pytest.raises(DataError, match=message) as caught:
        read_records(path)
    assert time.process_time() - started < 5
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_is_never_changed_nor_read_while_written(tmp_path):
    path = write_database(tmp_path / "a.db", ["first"])
    before = path.read_bytes()
    read_records(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.db"]
    (tmp_path / "a.db-wal").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a.db-wal beside it holds changes that are not in it"):
        read_records(path)


def test_limits_of_databases(tmp_path, monkeypatch):
    path = write_database(tmp_path / "a.db", ["first"])
    monkeypatch.setattr(optuna_database, "STEP_LIMIT", 0)
    rows = f"SELECT NULL, trial_id, param_name, '1' FROM ({ENDLESS} LIMIT 5000)"  # noqa: S608
    after = f"INSERT INTO trial_user_attributes {rows}"
    many = write_database(tmp_path / "b.db", ["first"], after)
    with pytest.raises(DataError, match=r"not a readable SQLite database .interrupted"):
        read_records(many)
    monkeypatch.setattr(optuna_database, "SIZE_LIMIT", 10)
    with pytest.raises(DataError, match="larger than 10 bytes"):
        read_records(path)
    monkeypatch.undo()
    monkeypatch.setattr(optuna_database, "TRIAL_LIMIT", 3)
    with pytest.raises(DataError, match="trials has more than 3 rows"):
        read_records(path)
    assert optuna_study.TRIAL_LIMIT > 3


@settings(max_examples=200, deadline=2000)
@given(st.data())
def test_damaged_studies_are_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    name = data.draw(st.sampled_from(["a.log", "a.db"]))
    path = (write_journal if name == "a.log" else write_database)(folder / name, ["first"])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    refusals = []
    try:
        found = read_records(path)
        assert all(row.keys() == {*found.columns} for row in found.rows)
    except NasrankError as error:
        refusals.append(str(error))
    assert all(str(path) in each and "\n" not in each for each in refusals)


def test_any_entry_is_read_or_refused(tmp_path):
    path = tmp_path / "a.log"
    values = [None, True, -1, 0, 1.5, "x", [], [1], {}, {"a": 1}]
    for entry in journal_entries(["first"])[:12]:
        for key in entry:
            for value in values:
                changed = [entry | {key: value}, *journal_entries(["first"])]
                path.write_text("\n".join(map(json.dumps, changed)))
                try:
                    read_records(path)
                except NasrankError as error:
                    refusal = str(error)
                    assert "\n" not in refusal

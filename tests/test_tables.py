import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank import __version__, tables
from nasrank.errors import DataError
from nasrank.tables import (
    Column,
    Table,
    count,
    is_sealed,
    read_parquet,
    spelling,
    text,
    write_json,
    write_parquet,
)

TABLE = Table(
    "dishes",
    "One dish",
    (
        Column("name", "string", "", "Its name"),
        Column("price", "double", "EUR", "What it costs, lower is better", "market price"),
        Column("served", "int64", "plates", "How often it was served"),
        Column("ratings", "list<int64>", "stars", "One a guest"),
    ),
)
ROW = {"name": "soup", "price": 4.5, "served": 3, "ratings": [5, 4]}


def test_what_is_written_is_read(tmp_path):
    rows = [ROW, {"name": "fish", "price": None, "served": 0, "ratings": []}]
    TABLE.write(rows, tmp_path / "new" / "folder" / "dishes.parquet")
    assert TABLE.read(tmp_path / "new" / "folder" / "dishes.parquet") == rows


def test_no_rows_are_a_table_too(tmp_path):
    TABLE.write([], tmp_path / "dishes.parquet")
    assert TABLE.read(tmp_path / "dishes.parquet") == []


def test_the_order_of_keys_does_not_matter():
    backwards = dict(reversed(ROW.items()))
    assert TABLE.build([backwards]).equals(TABLE.build([ROW]))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({k: v for k, v in ROW.items() if k != "price"}, r"table 'dishes' do not match: \['price"),
        ({**ROW, "prize": 1.0}, r"do not match: \['prize'\]"),
        ({**ROW, "served": None}, "'served' of table 'dishes' must not be empty"),
        ({**ROW, "ratings": None}, "'ratings' of table 'dishes' must not be empty"),
    ],
)
def test_rows_that_break_the_contract_are_refused(row, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        TABLE.write([ROW, row], tmp_path / "dishes.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("served", "three"), ("price", "dear")])
def test_a_value_of_another_type_is_refused(name, value):
    with pytest.raises(pa.ArrowException):
        TABLE.build([{**ROW, name: value}])


def test_a_file_says_what_it_holds_and_who_made_it(tmp_path):
    TABLE.write([ROW], tmp_path / "dishes.parquet", {"seed": 3, "cook": "A"})
    schema = pq.read_schema(tmp_path / "dishes.parquet")
    assert schema.metadata[b"nasrank.table"] == b"dishes"
    assert schema.metadata[b"nasrank.version"] == __version__.encode()
    assert json.loads(schema.metadata[b"nasrank.about"]) == {"seed": 3, "cook": "A"}
    price, served = schema.field("price"), schema.field("served")
    assert price.metadata[b"unit"] == b"EUR"
    assert price.metadata[b"about"] == b"What it costs, lower is better"
    assert price.metadata[b"null"] == b"market price"
    assert price.nullable
    assert b"null" not in served.metadata
    assert not served.nullable
    assert schema.field("ratings").type == pa.list_(pa.int64())


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        TABLE.write([ROW], tmp_path / name, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("old", [None, ROW])
def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, old):
    path = tmp_path / "dishes.parquet"
    if old:
        TABLE.write([old], path)

    def fill(table, where, **options):
        Path(where).write_bytes(b"PAR1 half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", fill)
    with pytest.raises(DataError, match="cannot be written") as caught:
        TABLE.write([ROW, ROW], path)
    message = one_line(caught)
    assert str(path) in message
    assert "No space left on device" in message
    assert "Free some space or choose another folder" in message
    assert [each.name for each in tmp_path.iterdir()] == (["dishes.parquet"] if old else [])
    if old:
        assert TABLE.read(path) == [old]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def stop(table, where, **options):
        Path(where).write_bytes(b"PAR1 half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        TABLE.write([ROW], tmp_path / "dishes.parquet")
    assert list(tmp_path.iterdir()) == []


def test_json_is_written_atomically_too(tmp_path, monkeypatch):
    path = tmp_path / "new" / "run.json"
    write_json({"b": [1, 2], "a": "é"}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "é", "b": [1, 2]}
    assert path.read_text(encoding="utf-8").index('"a"') < path.read_text().index('"b"')

    def fill(self, text, encoding):
        self.write_bytes(b"{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tables.Path, "write_text", fill)
    with pytest.raises(DataError, match="No space left on device"):
        write_json({}, path)
    assert [each.name for each in path.parent.iterdir()] == ["run.json"]
    assert json.loads(path.read_bytes())["b"] == [1, 2]


def test_a_document_json_cannot_hold_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json({"a": object()}, tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_json, lambda row, path: TABLE.write([row], path)])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, write):
    # A file where a folder should be: no user, not even root, can write below it.
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot be written") as caught:
        write(ROW, tmp_path / "taken" / "dishes.parquet")
    assert str(tmp_path / "taken") in one_line(caught)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="Permission denied") as caught:
        TABLE.write([ROW], tmp_path / "dishes.parquet")
    one_line(caught)


def test_a_missing_or_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "dishes.parquet"
    with pytest.raises(DataError, match="no such file") as caught:
        TABLE.read(path)
    one_line(caught)
    TABLE.write([{**ROW, "price": number**0.5} for number in range(2000)], path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    # In the middle of the prices: square roots hardly compress, so they are most of the file.
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", b"PAR1", b"not parquet at all", whole[:-9], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged or not a Parquet file") as caught:
            TABLE.read(path)
        assert str(path) in one_line(caught)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError) as caught:
        TABLE.read(path)
    one_line(caught)


def test_a_seal_notices_every_byte(tmp_path):
    path = tmp_path / "sealed.parquet"
    # What looks like a seal to people is none.
    texts = ["nasrank.seal", "nasrank.seal" + "0" * 64]
    table = pa.table({"name": texts, "nasrank.seal": [1, 2]}).replace_schema_metadata({"a": "b"})
    write_parquet(table, path, seal=True)
    assert is_sealed(path)
    assert read_parquet(path).to_pydict() == table.to_pydict()
    assert read_parquet(path).schema.metadata[b"a"] == b"b"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert not is_sealed(path), at
    for content in (b"", b"PAR1", whole[:-1], whole[1:], whole + b"\0", whole * 2):
        path.write_bytes(content)
        assert not is_sealed(path)
    write_parquet(table, path, seal=True)
    assert path.read_bytes() == whole


def test_what_was_not_sealed_is_not(tmp_path):
    write_parquet(pa.table({"a": [1]}), tmp_path / "open.parquet")
    assert not is_sealed(tmp_path / "open.parquet")
    with pytest.raises(DataError, match="cannot be read"):
        is_sealed(tmp_path / "missing.parquet")


def test_another_kind_of_table_is_told_from_a_damaged_one(tmp_path):
    path = tmp_path / "dishes.parquet"
    write_parquet(pa.table({"other": [1]}), path)
    assert read_parquet(path).num_rows == 1
    with pytest.raises(DataError, match="not a table 'dishes' of this version") as caught:
        TABLE.read(path)
    one_line(caught)


NAMED = Table(
    "named",
    "Names that become parts of commands",
    (spelling("loss", "A loss"), text("task", "A task"), count("n", "1", "A number")),
)


def rewritten(path, **values):
    """The same file with other values, as somebody else may write it."""
    table = pq.read_table(path)
    for name, value in values.items():
        place = table.schema.get_field_index(name)
        column = pa.array([value] * table.num_rows, table.schema.field(name).type)
        table = table.set_column(place, table.schema.field(name), column)
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"loss": "mse $(touch pwned)"}, r"mse \$\(touch pwned\)"),
        ({"loss": "mse; rm x"}, "mse; rm x"),
        ({"loss": "hr(margin"}, r"hr\(margin"),
        ({"loss": ""}, "''"),
        ({"loss": "mse\nhr"}, "mse"),
        ({"task": "a\x1b[2Jb"}, r"x1b\[2Jb"),
        ({"task": "a\u202eb"}, r"u202e"),
        ({"n": -1}, "-1"),
    ],
)
def test_values_that_nasrank_never_writes_are_refused_in_a_line(tmp_path, values, shown):
    path = tmp_path / "named.parquet"
    rows = [{"loss": "pw(hr,mape(gap=0.2),50)", "task": "nb201/cifar10", "n": 0}]
    NAMED.write(rows, path)
    assert NAMED.read(path) == rows
    rewritten(path, **values)
    name = next(iter(values))
    with pytest.raises(DataError, match=f"column '{name}' holds .*{shown}") as told:
        NAMED.read(path)
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("\u202egnp", r"\u202egnp"),
        ("two\nlines", "two\nlines"),
        # A blank that does not break, and a letter that has no name yet.
        ("10\u00a0000", "10\u00a0000"),
        ("\U0001fadf", "\U0001fadf"),
    ],
)
def test_any_text_is_written_so_that_it_is_read(tmp_path, given, held):
    path = tmp_path / "named.parquet"
    row = {"loss": "mse", "task": given, "n": 0}
    NAMED.write([row], path)
    assert NAMED.read(path) == [NAMED.readable(row)] == [{**row, "task": held}]

"""Hostile inputs: nasrank's own tables and files, changed in ways that somebody could.

A reader may read what it is given or refuse it in one line. It may not fail in another way, run
anything that a file says, nor change a file that is not nasrank's.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import sqlite3
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nasrank.benchmarks.importers import store
from nasrank.benchmarks.importers.records import read_records, record_chunks
from nasrank.benchmarks.importers.torch_pickle import read_torch
from nasrank.benchmarks.pickles import COLLECTIONS, NUMPY_ARRAYS, safe_loads
from nasrank.cli import run
from nasrank.companions.optimal_transport.hierarchy import read_hierarchy
from nasrank.companions.optimal_transport.problem import read_costs
from nasrank.errors import NasrankError
from nasrank.report.drawings import inline_picture
from nasrank.report.films import read_film
from nasrank.samples.arrays import read_samples
from nasrank.samples.idx import read_idx
from nasrank.study.options import read_settings
from nasrank.tables import write_parquet

CODES = {0, 2, 3, 4, 5}

NUMBERS = (
    float("nan"), float("inf"), -float("inf"), -1, 0, 1, 2**31, 2**62, -(2**63), 1e308, -1e308,
    5e-324, 0.5, None,
)  # fmt: skip
TEXTS = (
    "", " ", "a" * 5000, "\x1b[31mred\x1b[0m", "$(touch pwned)", "; touch pwned #", "../../pwned",
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\\input{/etc/passwd}", "| x |", "%s%n",
    "\u202egnp.exe", "\0", "\n\n", "nb201", "nb201/", "a/b/c", "mse(", "hr(margin=nan)", "\ud7ff",
    "9" * 400, "[red]x[/red]", "$\\frac{1}{0}$", None,
)  # fmt: skip
TYPES = (
    pa.string(), pa.int64(), pa.int8(), pa.float64(), pa.bool_(), pa.list_(pa.int64()),
    pa.binary(), pa.null(), pa.timestamp("s"), pa.decimal128(10, 2),
    pa.dictionary(pa.int32(), pa.string()), pa.struct([("x", pa.int64())]),
)  # fmt: skip


def damaged(content, rng):
    """Change some bytes: flip, cut, repeat, insert, or cut off the rest."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(changed) + 1))
        length = int(rng.integers(1, 33))
        kind = int(rng.integers(0, 6))
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            changed[at:at] = rng.bytes(length)
        elif kind == 4:
            changed[at : at + length] = b"\xff" * length
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def reworded(content, rng):
    """Put hostile texts and numbers in the place of words of a text file."""
    text = content.decode("utf-8", "replace")
    words = list(dict.fromkeys(text.replace(",", " ").replace('"', " ").split()))
    for _ in range(int(rng.integers(1, 4))):
        word = words[int(rng.integers(0, len(words)))]
        pool = [*TEXTS, *NUMBERS]
        new = str(pool[int(rng.integers(0, len(pool)))])
        text = text.replace(word, new, 1 if rng.random() < 0.7 else -1)
    return text.encode("utf-8", "surrogatepass")


def changed_table(path, rng):
    """Change a Parquet file as a whole table: columns, types, values, rows, metadata."""
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata or {})
    for _ in range(int(rng.integers(1, 4))):
        table = _one_change(table, metadata, rng)
    if rng.random() < 0.15:
        key = [*metadata, b"nasrank.about"][int(rng.integers(0, len(metadata) + 1))]
        odd = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"config": 3}', b'{"code": []}',
               b'{"fingerprints": {"a": 1}}', b"[" * 5000)  # fmt: skip
        metadata[key] = odd[int(rng.integers(0, len(odd)))]
    with contextlib.suppress(pa.ArrowException):
        table = table.replace_schema_metadata(metadata)
    with contextlib.suppress(pa.ArrowException, ValueError, TypeError, OverflowError):
        pq.write_table(table, path, compression="zstd")


def _one_change(table, metadata, rng):
    names = table.column_names
    if not names:
        return table
    at = int(rng.integers(0, len(names)))
    name, column = names[at], table.column(at)
    kind = int(rng.integers(0, 10))
    with contextlib.suppress(pa.ArrowException, ValueError, TypeError, OverflowError):
        if kind == 0:
            return table.drop_columns([name])
        if kind == 1:
            odd = str(TEXTS[int(rng.integers(0, len(TEXTS)))])
            return table.rename_columns([odd if each == name else each for each in names])
        if kind == 2:
            cast = column.cast(TYPES[int(rng.integers(0, len(TYPES)))], safe=False)
            return table.set_column(at, name, cast)
        if kind == 3:
            return table.take(pa.array(rng.permutation(len(table))))
        if kind == 4:
            return pa.concat_tables([table, table.slice(0, int(rng.integers(0, 3)))])
        if kind == 5:
            return table.slice(0, int(rng.integers(0, 3)))
        if kind == 6:
            empty = pa.nulls(len(table), column.type)
            return table.set_column(at, name, empty)
        return table.set_column(at, name, _odd_values(column, rng))
    return table


def _odd_values(column, rng):
    values = column.to_pylist()
    is_text = pa.types.is_string(column.type)
    pool = TEXTS if is_text else NUMBERS
    new = pool[int(rng.integers(0, len(pool)))]
    if isinstance(new, float) and pa.types.is_integer(column.type):
        new = 2**62
    if pa.types.is_list(column.type):
        new = [[], None, [None], [0] * 50][int(rng.integers(0, 4))]
    everywhere = rng.random() < 0.4
    chosen = range(len(values)) if everywhere else rng.integers(0, max(1, len(values)), 2)
    for row in chosen:
        if row < len(values):
            values[row] = new
    return pa.array(values, column.type)


def changed_file(path, rng):
    """Change a file of any kind."""
    if path.suffix == ".parquet" and rng.random() < 0.8:
        changed_table(path, rng)
    elif path.suffix == ".json" and rng.random() < 0.7:
        path.write_bytes(reworded(path.read_bytes(), rng))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))


def forged(path, rng):
    """Change an imported space and make its digests anew, as who means harm would."""
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata)
    header = json.loads(metadata[b"nasrank.header"])
    if rng.random() < 0.3:
        changed = _one_change(table, metadata, rng)
        table = changed if changed.column_names == table.column_names else table
        for name in ("architecture", *header["digests"]):
            with contextlib.suppress(AttributeError, TypeError, ValueError):
                header["digests"][name] = _digest_of(name, table.column(name))
    else:
        _replaced(header, rng)
    content = json.dumps(header).encode()
    metadata |= {
        b"nasrank.header": content,
        b"nasrank.digest": hashlib.sha256(content).hexdigest().encode(),
    }
    write_parquet(table.replace_schema_metadata(metadata), path, seal=True)


def _digest_of(name, column):
    whole = column.combine_chunks()
    if pa.types.is_string(column.type):
        return store._text_digest(tuple(whole.to_pylist()))
    if pa.types.is_list(column.type):
        return store._digest(*store._lists(pa.table({name: column}), name))
    return store._digest(whole.to_numpy(zero_copy_only=False))


def _replaced(tree, rng):
    """Put something hostile somewhere into lists and dictionaries."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        key = keys[int(rng.integers(0, len(keys)))]
        below = tree[key]
        if not isinstance(below, dict | list) or not below or rng.random() < 0.15:
            break
        tree = below
    odd = [*NUMBERS, *TEXTS, [], {}, [[]], {"a": 1}, [None], [5], True]
    if isinstance(below, str | int | float) and rng.random() < 0.7:
        odd = [each for each in odd if isinstance(each, type(below))]
    tree[key] = odd[int(rng.integers(0, len(odd)))]


@dataclass
class Tally:
    """What came of the inputs of one reader.

    Attributes:
        reader: What reads.
        inputs: How many inputs.
        refused: How many were refused in one line.
        failures: What went wrong, a line each.
        code_run: Inputs after which something had been run.
        foreign_changed: Inputs after which a file of others had changed.
        slowest: CPU seconds of the slowest.
        seconds: CPU seconds of all.
    """

    reader: str
    inputs: int = 0
    refused: int = 0
    failures: list = field(default_factory=list)
    code_run: int = 0
    foreign_changed: int = 0
    slowest: float = 0.0
    seconds: float = 0.0


def foreign(folder):
    """Put files of others into a folder, such as could be taken for nasrank's."""
    victim = folder.parent / f"{folder.name}-victim"
    (victim / "inner").mkdir(parents=True, exist_ok=True)
    (victim / "inner" / "precious").write_text("precious")
    (folder / ".hidden").write_text("mine")
    (folder / "thesis.part").write_text("mine")
    (folder / "ship.fleet").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    for name in ("scores", "link.part"):
        with contextlib.suppress(FileExistsError):
            (folder / name).symlink_to(victim)
    return victim


def bytes_of(folder, victim):
    digest = hashlib.sha256()
    names = (".hidden", "thesis.part", "ship.fleet", "notes.txt")
    for path in (*(folder / name for name in names), *sorted(victim.rglob("*"))):
        digest.update(str(path).encode())
        digest.update(path.read_bytes() if path.is_file() else b"-")
    for name in ("scores", "link.part"):
        digest.update(str((folder / name).is_symlink()).encode())
    return digest.hexdigest()


def outcome(call):
    """Call a reader; return whether it refused, and what went wrong or nothing."""
    try:
        call()
    except NasrankError as error:
        return True, "" if len(str(error).splitlines()) == 1 else f"two lines: {error}"
    except Exception as error:  # noqa: BLE001 - what must not happen
        return False, f"{type(error).__name__}: {error}"[:300]
    return False, ""


def typed(arguments):
    """Type a command in this process; as `outcome`."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["nasrank", *map(str, arguments)]),
    ):
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code or 0
    printed = stderr.getvalue()
    if code not in CODES or "Traceback" in printed:
        return False, f"exit {code}: {printed[-300:]}"
    errors = [line for line in printed.splitlines() if line.startswith("error:")]
    if code in {2, 4, 5} and len(errors) > 1:
        return False, f"exit {code} with {len(errors)} errors: {printed[-300:]}"
    for text in (printed, stdout.getvalue()):
        if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in text):
            return False, f"a control character is printed: {text!a}"[:300]
    return code != 0, ""


def attack(reader, inputs, folder, change, read, *, seed=0, first=0):
    """Let a reader read changed inputs.

    Args:
        reader: Its name.
        inputs: How many.
        folder: Where the inputs lie.
        change: Makes the next input, of a generator.
        read: Reads it; returns as `outcome`.
        seed: Seed of the changes.
        first: Number of the first input.
    """
    tally = Tally(reader)
    victim = foreign(folder)
    before = bytes_of(folder, victim)
    for number in range(first, first + inputs):
        change(np.random.default_rng([seed, number]))
        began = time.process_time()
        refused, wrong = read()
        spent = time.process_time() - began
        tally.inputs += 1
        tally.refused += refused
        tally.seconds += spent
        tally.slowest = max(tally.slowest, spent)
        if wrong:
            tally.failures.append(f"{reader} {number}: {wrong}")
        if any(Path(place, "pwned").exists() for place in (".", folder, folder.parent)):
            tally.code_run += 1
            Path("pwned").unlink(missing_ok=True)
        if bytes_of(folder, victim) != before:
            tally.foreign_changed += 1
            foreign(folder)
    return tally


class Danger:
    """What a pickle would do if it were loaded."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def files():
    """Small files of every format that a function of the library reads."""
    rng = np.random.default_rng(0)
    rows = [{"op1": "conv", "op2": "pool", "depth": n % 5, "rate": 10.0**-n, "label": 80.0 + n}
            for n in range(12)]  # fmt: skip
    head = ",".join(rows[0])
    csv = "\n".join([head, *(",".join(map(str, row.values())) for row in rows), ""]).encode()
    found = {
        "table.csv": csv,
        "table.tsv": csv.replace(b",", b"\t"),
        "table.csv.gz": gzip.compress(csv, mtime=0),
        "table.json": json.dumps(rows).encode(),
        "table.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "tree.json": b'{"a": ["x", "y"], "b": {"c": ["z"]}}',
        "tree.txt": b"a: x, y\nb: z\n",
        "costs.csv": b",x,y,z\nx,0,1,2\ny,1,0,2\nz,2,2,0\n",
        "run.toml": b'seeds = 3\nlosses = ["mse", "hr(margin=0.5)"]\nn-train = [78]\nout = "x"\n',
        "images.idx": b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02" + bytes(range(8)),
        "images.idx.gz": gzip.compress(b"\0\0\x08\x01\0\0\0\x03abc", mtime=0),
        "plain.pickle": pickle.dumps({"a": [1.5, 2], "b": {"c": "d", (1, 2): None}}, protocol=4),
        "code.pickle": pickle.dumps({"a": [1.5, Danger()]}, protocol=2),
        "picture.svg": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g id="a">'
        b'<path d="M 0 0" style="fill: #ff0000"/><text x="1" y="2">mse</text></g></svg>',
        "embeddings.json": b'{"m": {"names": {"1": "x"}, "classes": [["1"], ["1"], ["1"]],'
        b' "epochs": [{"real": [[0.5, 1]]}], "log": {}}}',
    }
    for name, value in (
        ("vectors.npy", rng.random((6, 3))),
        ("vectors.npz", {"values": rng.random((6, 3)), "classes": np.arange(6) % 2}),
    ):
        buffer = io.BytesIO()
        if isinstance(value, dict):
            np.savez(buffer, **value)
        else:
            np.save(buffer, value)
        found[name] = buffer.getvalue()
    for name, table in (
        ("table.parquet", pa.Table.from_pylist(rows)),
        (
            "vectors.parquet",
            pa.table({"x": rng.random(6), "c": list("aabbcc")}),
        ),
    ):
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        found[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([{"a": 1}, "b"], protocol=2))
    found["saved.pth"] = buffer.getvalue()
    entries = [
        {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]},
        {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2024-01-01T00:00:00"},
        {"op_code": 5, "worker_id": "w", "trial_id": 0, "param_name": "x", "param_value_internal":
         1.0, "distribution": '{"name": "FloatDistribution", "attributes": {"step": null, "low": '
         '0.0, "high": 2.0, "log": false}}'},
        {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [3.0],
         "datetime_complete": "2024-01-01T00:01:00"},
    ]  # fmt: skip
    found["study.journal"] = "\n".join([*map(json.dumps, entries), ""]).encode()
    found["study.db"] = database()
    return found


def database():
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        for statement in (
            "CREATE TABLE studies (study_id, study_name)",
            "CREATE TABLE study_directions (study_id, objective, direction)",
            "CREATE TABLE study_system_attributes (study_id, key, value_json)",
            (
                "CREATE TABLE trials (trial_id, study_id, number, state, datetime_start, "
                "datetime_complete)"
            ),
            "CREATE TABLE trial_params (trial_id, param_name, param_value, distribution_json)",
            "CREATE TABLE trial_values (trial_id, objective, value, value_type)",
            "CREATE TABLE trial_user_attributes (trial_id, key, value_json)",
            "INSERT INTO studies VALUES (1, 's')",
            "INSERT INTO study_directions VALUES (1, 0, 'MAXIMIZE')",
            "INSERT INTO trials VALUES (1, 1, 0, 'COMPLETE', NULL, NULL)",
            "INSERT INTO trial_values VALUES (1, 0, 2.5, 'FINITE')",
        ):
            made.execute(statement)
        made.commit()
        return made.serialize()


CLASSES = ("x", "y", "z")
FILES = {
    "table.csv": read_records, "table.tsv": read_records, "table.csv.gz": read_records,
    "table.json": read_records, "table.jsonl": read_records, "table.parquet": read_records,
    "study.journal": read_records, "study.db": read_records,
    "tree.json": lambda path: read_hierarchy(path, CLASSES),
    "tree.txt": lambda path: read_hierarchy(path, CLASSES),
    "costs.csv": lambda path: read_costs(path, CLASSES),
    "run.toml": lambda path: read_settings(path, ("seeds", "losses", "n_train", "out")),
    "images.idx": read_idx, "images.idx.gz": read_idx,
    "plain.pickle": lambda path: safe_loads(path.read_bytes(), "x", allowed=NUMPY_ARRAYS),
    "code.pickle": lambda path: safe_loads(path.read_bytes(), "x", allowed=COLLECTIONS),
    "saved.pth": read_torch,
    "picture.svg": lambda path: inline_picture(path, "p"),
    "embeddings.json": read_film,
    "vectors.npy": read_samples, "vectors.npz": read_samples,
    "vectors.parquet": lambda path: read_samples(path, ["c"]),
}  # fmt: skip
"""The function that reads each file."""

CHUNKED = ("table.csv", "table.csv.gz", "table.json", "table.jsonl", "table.parquet")
WORDS = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".toml", ".journal", ".svg", ".html")


def attack_file(name, inputs, folder, *, chunked=False, seed=0):
    """Attack the function that reads a file; see `attack`."""
    folder.mkdir(parents=True, exist_ok=True)
    content, path = files()[name], folder / name

    def change(rng):
        path.write_bytes(content)
        if path.suffix == ".parquet" and rng.random() < 0.7:
            changed_table(path, rng)
        elif path.suffix in WORDS and rng.random() < 0.5:
            path.write_bytes(reworded(content, rng))
        else:
            path.write_bytes(damaged(content, rng))

    def read():
        if chunked:
            return outcome(lambda: list(record_chunks(path, 5)))
        return outcome(lambda: FILES[name](path))

    return attack(
        f"{name}{' in parts' if chunked else ''}", inputs, folder, change, read, seed=seed
    )


def attack_folder(
    reader, inputs, folder, original, arguments, *, variable="", alter=changed_file, seed=0
):
    """Attack a command that reads a folder of tables.

    Args:
        reader: Name of the command.
        inputs: How many inputs.
        folder: Where changed copies of the original are made.
        original: A folder that a command has written.
        arguments: Returns the command's words for a folder.
        variable: Environment variable that names the folder to the command, if any.
        alter: Changes a file, of its path and a generator.
        seed: Seed of the changes.

    Raises:
        ValueError: The command refuses the folder as it is, so that it would refuse any.
    """
    copy = folder / "copy"
    copy.mkdir(parents=True, exist_ok=True)
    places = sorted(p for p in original.rglob("*") if p.suffix in {".parquet", ".json"})
    tables = [path for path in places if path.parent == original] or places
    variables = {variable: str(copy)} if variable else {}

    def restore():
        for path in copy.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.suffix in {".parquet", ".json"}:
                path.unlink()
        for path in places:
            here = copy / path.relative_to(original)
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, here)

    def change(rng):
        restore()
        for _ in range(int(rng.integers(1, 3))):
            pool = tables if rng.random() < 0.8 else places
            place = pool[int(rng.integers(0, len(pool)))]
            with contextlib.suppress(pa.ArrowException, OSError):
                alter(copy / place.relative_to(original), rng)

    def read():
        with mock.patch.dict(os.environ, variables):
            return typed(arguments(copy))

    restore()
    refused, wrong = read()
    if refused or wrong:
        raise ValueError(f"{reader} does not take what is not changed: {wrong or 'refused'}")
    return attack(reader, inputs, copy, change, read, seed=seed)

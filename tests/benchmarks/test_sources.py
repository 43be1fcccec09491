import hashlib
import os
from importlib.metadata import PackageNotFoundError

import pytest

from nasrank.benchmarks import sources
from nasrank.benchmarks.analog import ORIGIN as ANALOG
from nasrank.benchmarks.nb201 import ORIGINS as NB201
from nasrank.benchmarks.nbgraph import ORIGINS as NBGRAPH
from nasrank.benchmarks.sources import read_source
from nasrank.errors import DataError
from nasrank.installing import install_command

ORIGINS = [ANALOG, *NB201.values(), *NBGRAPH.values()]


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin.file)
def test_the_files_that_pip_brings_are_the_known_ones(origin):
    source, content = read_source(origin)
    assert source.known
    assert source.path.is_file()
    assert hashlib.sha256(content).hexdigest() == source.sha256 == origin.sha256


def test_a_missing_package_is_told_with_its_command(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", missing)
    with pytest.raises(DataError) as caught:
        read_source(ANALOG)
    assert str(caught.value) == (
        "the package analog-nasbench that holds data.anb is not installed. "
        f"Install it with: {install_command('analog-nasbench==0.1.3')}"
    )


def test_a_missing_file_is_told_with_its_command(fake_package):
    file = fake_package(ANALOG, b"")
    file.unlink()
    with pytest.raises(DataError, match=r"install .*--force-reinstall --no-deps analog-nasbench"):
        read_source(ANALOG)


def test_the_file_of_another_release_is_read_with_a_word(fake_package, caplog):
    fake_package(ANALOG, b"other")
    source, content = read_source(ANALOG)
    assert content == b"other"
    assert not source.known
    assert "analog-nasbench 99.0, whose numbers nobody has compared with those of" in caplog.text


@pytest.mark.parametrize("origin", [ANALOG, NB201["cifar10"]], ids=lambda origin: origin.file)
def test_a_known_release_with_another_file_was_damaged_or_exchanged(origin, fake_package):
    _, content = read_source(origin)
    fake_package(origin, content[:-1] + b"x", version=origin.version)
    with pytest.raises(DataError, match="so it was damaged or exchanged") as caught:
        read_source(origin)
    assert f"--no-deps {origin.package}=={origin.version}" in str(caught.value)


def test_a_huge_file_is_not_read(fake_package):
    file = fake_package(ANALOG, b"")
    os.truncate(file, 2**40)  # takes no room on the disk
    with pytest.raises(DataError, match="larger than the 16,777,216 bytes expected"):
        read_source(ANALOG)

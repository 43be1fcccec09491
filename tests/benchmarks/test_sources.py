import hashlib
import os
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from nasrank.benchmarks import sources
from nasrank.benchmarks.analog import ORIGIN as ANALOG
from nasrank.benchmarks.sources import Origin, SourceFile, read_source
from nasrank.benchmarks.tasks import SPACES
from nasrank.errors import DataError
from nasrank.installing import install_command

BUILT_IN = [base for name in SPACES.names() if (base := SPACES.built_in(name)) is not None]
# Several datasets may lie in one file.
ORIGINS = list({each.file: each for base in BUILT_IN for each in base.origins.values()}.values())


def test_every_dataset_has_a_known_file_and_a_known_size():
    for base in BUILT_IN:
        assert {*base.origins} == {*base.sizes} == {*base.datasets}
        # Of what nasrank brings itself there is no other release, so the digest does.
        assert all(origin.shipped or origin.best for origin in base.origins.values())


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


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin.file)
def test_a_known_release_with_another_file_was_damaged_or_exchanged(
    origin, fake_package, tmp_path, monkeypatch
):
    _, content = read_source(origin)
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    fake_package(origin, bytes(changed), version=origin.version)
    if origin.shipped:
        monkeypatch.setattr(sources, "_SITE", tmp_path / "site")
    with pytest.raises(DataError, match="so it was damaged or exchanged") as caught:
        read_source(origin)
    assert str(caught.value).endswith(origin.advice)


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ([[91.60, 91.62], [90.0, np.nan]], True, 91.61),
        ([[91.60, 91.62], [90.0, np.nan]], False, 90),
        ([[3.19113e-5], [1.0]], False, 3.191e-5),
        ([[94.0]], True, None),
    ],
)
def test_numbers_have_to_have_the_known_optimum(values, higher, best, tmp_path):
    origin = Origin("package", "1.0", "file", "0" * 64, "MIT", best=best)
    source = SourceFile(origin, tmp_path / "file", "1" * 64)
    source.require_best(np.array(values), higher_is_better=higher)
    if best is not None:
        with pytest.raises(DataError, match=f"file: its best mean is .*, not {best:g}. Install"):
            source.require_best(1.001 * np.array(values), higher_is_better=higher)


def test_a_huge_file_is_not_read(fake_package):
    file = fake_package(ANALOG, b"")
    os.truncate(file, 2**40)  # takes no room on the disk
    with pytest.raises(DataError, match="larger than the 16,777,216 bytes expected"):
        read_source(ANALOG)

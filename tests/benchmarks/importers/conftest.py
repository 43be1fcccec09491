"""What the tests of importers share: damage done to a file, many times over."""

import os
from pathlib import Path

import numpy as np
import pytest

from nasrank.benchmarks.importers import Imported
from nasrank.errors import DataError

MUTATIONS = int(os.environ.get("NASRANK_MUTATIONS", "200"))
SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def mutate(content, rng):
    """Flip, cut out, double or insert a few bytes, or cut the end off."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, max(1, len(changed))))
        length = int(rng.integers(1, 9))
        match int(rng.integers(0, 5)):
            case 0:
                changed[at : at + 1] = rng.bytes(1)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case 3:
                changed[at:at] = rng.bytes(length)
            case _:
                del changed[at:]
    return bytes(changed)


@pytest.fixture
def survives(tmp_path):
    """Assert that mutations of a file are either read or refused in one line."""

    def check(reader, name, content, *, seed=0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        refusals = []
        for mutation in range(MUTATIONS):
            rng = np.random.default_rng([seed, mutation])
            path.write_bytes(mutate(content, rng))
            reader.recognises(path)
            try:
                assert isinstance(reader.read(path), Imported)
            except DataError as error:
                refusals.append(str(error))
        assert refusals
        assert all(name in refusal and "\n" not in refusal for refusal in refusals)

    return check


@pytest.fixture
def refuses(tmp_path):
    """Assert that what lies at no path, an empty file and a folder are refused in one line."""

    def check(reader, name):
        path = tmp_path / "nothing" / name
        folder = tmp_path / "folder" / name
        folder.mkdir(parents=True)
        empty = tmp_path / name
        empty.write_bytes(b"")
        for bad in (path, folder, empty):
            assert not reader.recognises(bad)
            with pytest.raises(DataError, match=name) as caught:
                reader.read(bad)
            assert "\n" not in str(caught.value)

    return check


@pytest.fixture
def shared_file():
    """Return a real file, or skip where this machine has none."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs the real file {name} in ../shared/data")
        return path

    return find

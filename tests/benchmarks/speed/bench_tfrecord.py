"""Rows of NAS-Bench-101's TFRecords: 20,000 a second with google-crc32c, 8,000 without."""

import numpy as np
import pytest

from nasrank.benchmarks.importers import crc32c, nb101
from nasrank.benchmarks.importers.nb101_cells import VOCABULARY, cell_hash
from tests.benchmarks.importers.test_nb101 import frames, row

CELLS = 4_000


def many_cells(count, rng):
    """Different cells of seven vertices and nine edges, every vertex on a path."""
    above = [7 * u + v for u in range(7) for v in range(u + 1, 7)]
    seen = set()
    while len(seen) < count:
        digits = np.zeros(49, int)
        digits[rng.choice(above, 9, replace=False)] = 1
        matrix = digits.reshape(7, 7)
        if not (matrix.any(axis=1)[:-1].all() and matrix.any(axis=0)[1:].all()):
            continue
        inner = [VOCABULARY[2 + code] for code in rng.integers(3, size=5)]
        cell = ("".join(map(str, digits)), ",".join(["input", *inner, "output"]))
        name = cell_hash(*cell)
        if name not in seen:
            seen.add(name)
            yield name, cell


@pytest.fixture(scope="module", params=[(108,), (4, 12, 36, 108)], ids=["only108", "full"])
def file(request, tmp_path_factory):
    """A file of one of the two kinds, and its number of rows: three for a cell and budget."""
    rng = np.random.default_rng(0)
    rows = [
        row(cell, epochs, rng.random(), name=name, seconds=rng.random())
        for name, cell in many_cells(CELLS // len(request.param), rng)
        for epochs in request.param
        for _ in range(3)
    ]
    path = tmp_path_factory.mktemp("nb101") / "rows.tfrecord"
    path.write_bytes(frames(rows))
    return path, len(rows)


@pytest.mark.parametrize("checksum", ["google-crc32c", "numpy"])
def test_rows(benchmark, file, monkeypatch, checksum):
    if checksum == "google-crc32c":
        pytest.importorskip("google_crc32c")
    else:
        monkeypatch.setattr(crc32c, "_compiled", lambda: None)
    path, rows = file
    found = benchmark(nb101.read, path)
    assert len(found) * 3 <= rows
    benchmark.extra_info["rows_a_second"] = round(rows / benchmark.stats["median"])

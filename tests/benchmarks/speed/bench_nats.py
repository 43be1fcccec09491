"""Cells of a NATS-Bench folder: 150 a second on two cores."""

import itertools
from pathlib import Path

import pytest

from nasrank.benchmarks.importers import nats
from nasrank.benchmarks.nb201 import architecture_string, official_order
from tests.benchmarks.importers.test_nats import save

FORMATS = Path(__file__).parents[3].parent / "shared" / "data" / "formats"
CELLS = 400


def size_names():
    widths = ["8", "16", "24", "32", "40", "48", "56", "64"]
    return list(map(":".join, itertools.product(widths, repeat=5)))


def topology_names():
    return [architecture_string(cell) for cell in official_order().tolist()]


KINDS = {
    "size": ("NATS-sss-v1_0-50262-simple", size_names),
    "topology": ("NATS-tss-v1_0-3ffb9-simple", topology_names),
}


@pytest.mark.parametrize("kind", KINDS)
def test_cells(benchmark, tmp_path, kind):
    """A cell that the benchmark's authors give away, under many names."""
    name, names_of = KINDS[kind]
    real = FORMATS / name / "000000.pickle.pbz2"
    if not real.is_file():
        pytest.skip("needs the real cells in ../shared/data")
    cell, names, folder = nats._load(real), names_of(), tmp_path / name
    save(folder, "meta", {"meta_archs": names, "total_archs": len(names), "arch2infos": None})
    for index, text in enumerate(names[:CELLS]):
        for trials in cell.values():
            trials |= {"arch_index": index, "arch_str": text}
        save(folder, f"{index:06d}", cell)
    benchmark.pedantic(nats.read, (folder,), rounds=3)
    benchmark.extra_info["cells_a_second"] = round(CELLS / benchmark.stats["median"])

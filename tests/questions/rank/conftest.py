"""A space of one's own: some networks evaluated, others not, in files as a user has them."""

import csv
import functools

import numpy as np
import pytest

from nasrank.benchmarks.importing import import_data
from nasrank.questions.rank.case import load_case

OPERATIONS = ("conv3x3", "conv5x5", "pool", "identity")
WORTH = {"conv3x3": 1.6, "conv5x5": 1.0, "pool": -0.6, "identity": 0.0}


def networks(count, seed=0, prefix="net", most=6):
    """Different networks as rows of a table, and what they are worth."""
    rng = np.random.default_rng(seed)
    rows, seen = [], set()
    while len(rows) < count:
        size = int(rng.integers(2, most))
        chosen = [OPERATIONS[code] for code in rng.integers(0, len(OPERATIONS), size)]
        edges = [(node, node + 1) for node in range(size + 1)]
        edges += [
            (a, b)
            for a in range(size + 1)
            for b in range(a + 2, size + 2)
            if rng.random() < 0.25
        ]  # fmt: skip
        key = (tuple(chosen), tuple(edges))
        if key in seen:
            continue
        seen.add(key)
        worth = 88 + sum(WORTH[name] for name in chosen) + 0.2 * len(edges)
        rows.append(
            {
                "id": f"{prefix}{len(rows):04d}",
                "operations": ";".join(["input", *chosen, "output"]),
                "edges": ";".join(f"{a}-{b}" for a, b in edges),
                "worth": worth + float(rng.normal()) * 0.2,
            }
        )
    return rows


def write_csv(path, rows, labelled=None):
    """Write rows, with labels for some where it is said for which."""
    chosen = set(labelled or ())
    columns = ["id", "operations", "edges"] + ([] if labelled is None else ["label"])
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for place, row in enumerate(rows):
            label = f"{row['worth']:.3f}" if place in chosen else ""
            writer.writerow([row[name] for name in columns[:3]] + [label] * (len(columns) - 3))
    return path


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def own_space(own_data):
    """Import a space; returns its rows."""

    def make(count=120, labelled=40, name="my-space", rows=None):
        table = networks(count) if rows is None else rows
        import_data(name, write_csv(own_data / "archs.csv", table, range(labelled)), unit="%")
        return table

    return make


@pytest.fixture
def own_case(own_space):
    """The same as a case."""

    def make(**options):
        own_space(**options)
        return load_case("my-space/own")

    return make


@pytest.fixture(name="networks", scope="session")
def _networks():
    return networks


@pytest.fixture(name="write_csv", scope="session")
def _write_csv():
    return write_csv


@pytest.fixture(scope="session")
def learnt():
    """Train quickly on a case."""
    import torch

    from nasrank.predictors.specification import parse_predictor
    from nasrank.questions.rank.model import Training, learn

    def make(case, predictor="mlp", loss="listmle"):
        training = Training(parse_predictor(predictor), loss, 0, torch.device("cpu"))
        return learn(case, training, 0.9)

    return make


@pytest.fixture(scope="module")
def own_model(tmp_path_factory, learnt):
    """A model of a space of one's own, by predictor; trained once, since nothing changes it."""

    @functools.cache
    def make(predictor="mlp"):
        folder = tmp_path_factory.mktemp("space")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NASRANK_DATA", str(folder / "data"))
            patch.setenv("NASRANK_CACHE", str(folder / "cache"))
            table = write_csv(folder / "archs.csv", networks(120), range(40))
            import_data("my-space", table, unit="%")
            return learnt(load_case("my-space/own"), predictor)

    return make

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasrank.benchmarks.importers import (
    IMPORTERS,
    Imported,
    Measurement,
    find_importer,
    formats_of,
)
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

ACCURACY = Metric("val_acc", "%", True, "accuracy", replicates=True)


def chains(count):
    """Chains of zero, one, two, ... operations ``a`` from input to output."""
    nodes = count + 1
    mask = np.arange(nodes) < np.arange(2, count + 2)[:, None]
    operations = np.where(mask, 2, 0).astype(np.int16)
    operations[:, 0] = 0
    operations[np.arange(count), mask.sum(axis=1) - 1] = 1
    step = np.eye(nodes, k=1, dtype=np.uint8)
    adjacency = step * mask[:, :, None] * mask[:, None, :]
    return GraphBatch(operations, adjacency.astype(np.uint8), mask, ("input", "output", "a"))


def make_imported(**changes):
    base = Imported(
        space="toy",
        title="Toy",
        architectures=("x", "y", "z"),
        graphs=chains(3),
        drop=("none",),
        contract=("skip_connect",),
        measurements=(
            Measurement("d", ACCURACY, np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, 5.0]])),
        ),
        cost_seconds={"d": np.array([10.0, 20.0, np.nan])},
        parameters=np.array([1.0, 2.0, 3.0]),
        chance={"d": 10.0},
        note="made up",
        source="toy.bin",
        licence="MIT",
        citation="Nobody (2020)",
    )
    return replace(base, **changes)


def test_a_sound_space():
    imported = make_imported()
    assert len(imported) == 3
    assert imported.datasets == ("d",)
    imported.check()


def measuring(values, *, metric=ACCURACY, dataset="d"):
    return {"measurements": (Measurement(dataset, metric, np.asarray(values)),)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ()}, "it holds no architecture"),
        ({"architectures": ("x", "", "z")}, "architecture 1 has an empty name"),
        ({"architectures": ("x", "y", "x")}, "architectures 0 and 2 are both 'x'"),
        ({"graphs": chains(2)}, "2 graphs for 3 architectures"),
        ({"measurements": ()}, "it has no measurements"),
        (measuring([[1.0], [2.0]]), r"d:val_acc has shape \(2, 1\) for 3 architectures"),
        (measuring([1.0, 2.0, 3.0]), r"d:val_acc has shape \(3,\)"),
        (measuring(np.empty((3, 0))), r"d:val_acc has shape \(3, 0\)"),
        (measuring([[1], [2], [3]]), "d:val_acc holds int64 and not float64"),
        (measuring([[1.0], [np.inf], [3.0]]), "d:val_acc is infinite for architecture 1"),
        (
            measuring([[1.0], [-1e308], [1e308]]),
            "goes from -1e.308 to 1e.308, and squares",
        ),
        (measuring([[0.0], [5e-324], [0.0]]), "squares of such numbers overflow or vanish"),
        (measuring([[1.0], [2.0], [-np.inf]]), "d:val_acc is infinite for architecture 2"),
        (
            measuring(np.ones((3, 2)), metric=replace(ACCURACY, replicates=False)),
            "d:val_acc has 2 columns, but its metric has no replicates",
        ),
        (
            measuring(np.ones((3, 1)), dataset="a/b"),
            "'a/b' is not a valid name of a space, dataset or",
        ),
        (
            measuring(np.ones((3, 1)), metric=replace(ACCURACY, name="a:b")),
            "'a:b' is not a valid name of a space, dataset or metric",
        ),
        ({"space": "../toy"}, "'../toy' is not a valid name of a space"),
        ({"measurements": make_imported().measurements * 2}, "d:val_acc occurs twice"),
        ({"chance": {"e": 1.0}}, "the cost or chance of e, but no measurements of it"),
        ({"cost_seconds": {"d": np.ones(2)}}, r"cost of d has shape \(2,\) for 3"),
        (
            {"cost_seconds": {"d": np.array([1.0, -1.0, 0.0])}},
            "cost of d is negative for arch.* 1",
        ),
        ({"parameters": np.array([1.0, np.inf, 0.0])}, "parameters is infinite for arch.* 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        make_imported(**changes)
    assert str(caught.value).startswith("toy.bin: ")
    assert "\n" not in str(caught.value)


def test_readers_are_there_and_recognise_without_raising(tmp_path):
    assert len({each.name for each in IMPORTERS}) == len(IMPORTERS)
    odd = tmp_path / "odd"
    odd.write_bytes(bytes(range(256)))
    for each in IMPORTERS:
        assert callable(each.reader.read)
        assert each.title in formats_of(each.spaces[0])
        for path in (odd, tmp_path, tmp_path / "missing", Path("\0")):
            assert each.reader.recognises(path) is False
    assert find_importer("nb101", odd) is None
    assert formats_of("my-space") == ""

import collections
import pickle
import zipfile

import numpy as np
import pytest
import torch

from nasrank.benchmarks.importers import transnas, transnas_macro
from nasrank.errors import DataError

NAME = "transnas-bench_v10141024.pth"


def result(metric, values, seconds=(1.5, 2.0)):
    """What the file says of one training of two epochs."""
    return {
        "total_epochs": 2,
        "model_info": {"encoder_params": 1000, "model_params": 2000, "inference_time": 0.1},
        "metrics": {
            f"train_{metric}": [10.0, 20.0],
            f"valid_{metric}": values,
            "valid_loss": [2.0, 1.0],
            "unheard_of": [1.0, 1.0],
            "time_elapsed": [*seconds],
        },
    }


TABLE = {
    "metrics_dict": {},
    "info_names": ["encoder_params"],
    "task_list": ["jigsaw", "room_layout"],
    "data": {
        "micro": {
            "64-41414-1_02_333": {
                "jigsaw": result("top1", [30.0, 90.0]),
                "room_layout": result("neg_loss", [-1.0, -0.5]),
            },
            "64-41414-0_00_000": {"jigsaw": result("top1", [0.1, 0.125])},
        },
        "macro": {
            "64-1234-basic": {"jigsaw": result("top1", [50.0, 60.0])},
            "64-111144-basic": {"jigsaw": result("top1", [50.0, 70.0])},
        },
    },
}


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def write(request, tmp_path):
    def write(table):
        path = tmp_path / NAME
        torch.save(table, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def changed(**micro):
    return {"data": {"micro": {"64-41414-1_02_333": micro}}}


def test_reads_micro_cells(write):
    path = write(TABLE)
    assert transnas.recognises(path)
    found = transnas.read(path)
    assert found.space == "transnas-micro"
    assert found.architectures == ("64-41414-1_02_333", "64-41414-0_00_000")
    assert found.datasets == ("jigsaw", "room_layout")
    named = {(each.dataset, each.metric.name): each for each in found.measurements}
    assert found.measurements[0] is named["jigsaw", "val_acc"]
    # The last of two epochs.
    assert named["jigsaw", "val_acc"].values.ravel().tolist() == [90.0, 0.125]
    assert not named["jigsaw", "val_loss"].metric.higher_is_better
    np.testing.assert_array_equal(
        named["room_layout", "val_neg_loss"].values.ravel(), [-0.5, np.nan]
    )
    # 1.5 + 2 seconds.
    assert found.cost_seconds["jigsaw"].tolist() == [3.5, 3.5]
    assert found.parameters.tolist() == [1000.0, 1000.0]


def test_reads_macro_networks(write):
    found = transnas_macro.read(write(TABLE))
    assert found.space == "transnas-macro"
    assert found.measurements[0].values.ravel().tolist() == [60.0, 70.0]
    # Input, output and four or six modules, in a chain.
    assert found.graphs.sizes().tolist() == [6, 8]
    assert found.graphs.adjacency.sum(axis=(1, 2)).tolist() == [5, 7]
    names = [found.graphs.vocabulary[code] for code in found.graphs.operations[0][:6]]
    assert names == ["input", "output", "keep", "widen", "shrink", "widen_shrink"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "holds no search space micro"),
        ({"data": {"micro": {}}}, "holds no search space micro"),
        ({"data": {"micro": {3: {}}}}, "'3' is not an architecture"),
        ({"data": {"micro": {"64-1234-basic": {}}}}, "not a micro cell"),
        (changed(), "none of the seven tasks"),
        (changed(jigsaw=3), "jigsaw has no metrics"),
        (changed(jigsaw={"metrics": {"valid_top1": 3}}), "not a list of numbers"),
        (changed(jigsaw={"metrics": {"valid_top1": []}}), "not a list of numbers"),
        (changed(jigsaw={"metrics": {"valid_top1": [float("inf")]}}), "finite numbers"),
        (changed(jigsaw={"metrics": {"valid_top1": ["90"]}}), "finite numbers"),
        (changed(jigsaw=result("top1", [1.0], seconds=(-5.0,))), "negative time"),
        (changed(jigsaw={"metrics": {"valid_top1": [torch.ones(1)]}}), "transnas"),
        (collections.Counter, "transnas"),
    ],
)
def test_says_what_is_wrong(write, table, message):
    with pytest.raises(DataError, match=message) as caught:
        transnas.read(write(table))
    assert "\n" not in str(caught.value)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_runs_nothing(write, tmp_path):
    proof = tmp_path / "executed"
    with pytest.raises(DataError, match="refused"):
        transnas.read(write({"data": Hostile(proof)}))
    assert not proof.exists()


def test_archives_must_be_sound(tmp_path):
    path = tmp_path / NAME
    for members in ({}, {"a/data.pkl": b"", "b/data.pkl": b""}):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("version", b"3")
            for name, content in members.items():
                archive.writestr(name, content)
        with pytest.raises(DataError, match="pickles, not one"):
            transnas.read(path)
    path.write_bytes(pickle.dumps(TABLE))
    assert not transnas.recognises(path)
    with pytest.raises(DataError, match="not a file saved by torch"):
        transnas.read(path)


def test_growth_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10**6))
    monkeypatch.setattr("nasrank.benchmarks.importers.torch_pickle.SIZE_LIMIT", 10**5)
    with pytest.raises(DataError, match="grows beyond"):
        transnas.read(path)


def test_refuses_what_is_no_file(refuses):
    refuses(transnas, NAME)


@pytest.mark.parametrize("reader", [transnas, transnas_macro])
def test_survives_mutations(write, survives, reader):
    survives(reader, NAME, write(TABLE).read_bytes())


def test_survives_mutations_inside_the_archive(tmp_path, survives):
    # Checksums of the archive hide what lies behind them; here the pickle itself is changed.
    class Inside:
        recognises = staticmethod(transnas.recognises)

        @staticmethod
        def read(path):
            content = path.read_bytes()
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a/data.pkl", content)
            return transnas.read(path)

    survives(Inside, NAME, pickle.dumps(TABLE, protocol=2))

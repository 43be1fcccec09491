"""Results of NAS-Bench-301's trainings, a file a run."""

import json

import numpy as np
import pytest

from nasrank.benchmarks.importers import darts, find_importer, nb301
from nasrank.benchmarks.importers.darts_cells import genotype_of_fields, genotype_text
from nasrank.errors import DataError

NORMAL = [
    ["skip_connect", 0], ["sep_conv_3x3", 1], ["sep_conv_5x5", 0], ["dil_conv_3x3", 2],
    ["max_pool_3x3", 1], ["avg_pool_3x3", 3], ["dil_conv_5x5", 2], ["sep_conv_3x3", 4],
]  # fmt: skip
REDUCE = [["max_pool_3x3", source] for source in (0, 1, 1, 2, 0, 2, 3, 4)]
# By hand: edges of a node are numbered on from those of the nodes before, one for each input.
EDGES = (0, 1, 2, 4, 6, 8, 11, 13)
PREFIX = "NetworkSelectorDatasetInfo:darts:"


def run_of(normal=NORMAL, reduce=REDUCE, epochs=98, **changed):
    config = {"OptimizerSelector:optimizer": "sgd", f"{PREFIX}layers": 8}
    config["SimpleLearningrateSchedulerSelector:cosine_annealing:T_max"] = epochs
    config[f"{PREFIX}init_channels"] = 32
    for name, cell in (("normal", normal), ("reduce", reduce)):
        starts = (0, 0, 2, 2, 5, 5, 9, 9)
        for start, (operation, source) in zip(starts, cell, strict=True):
            config[f"{PREFIX}edge_{name}_{start + source}"] = operation
        for node in (3, 4, 5):
            pair = [str(source) for _, source in cell[2 * node - 4 : 2 * node - 2]]
            config[f"{PREFIX}inputs_node_{name}_{node}"] = "_".join(pair)
    return {
        "final_metric_score": -94.0,
        "optimized_hyperparamater_config": config,
        "budget": epochs,
        "info": [{"val_accuracy": 94.0, "model_parameters": 3_000_000, "train_loss": 0.5}],
        "test_accuracy": 93.5,
        "runtime": 7200,
        "learning_curves": {"Train/val_accuracy": [10.0, 94.0]},
    } | changed


def changed(edge, operation):
    return [[operation, pair[1]] if place == edge else pair for place, pair in enumerate(NORMAL)]


def test_one_file_is_one_architecture(tmp_path):
    path = tmp_path / "results_3.json"
    path.write_text(json.dumps(run_of()))
    assert nb301.recognises(path)
    assert not darts.recognises(path)
    assert find_importer("darts", path).name == "nb301"
    found = nb301.read(path)
    expected = genotype_of_fields({"normal": NORMAL, "reduce": REDUCE})
    assert found.architectures == (genotype_text(expected),)
    edges = {int(key.rpartition("_")[2]) for key in run_of()["optimized_hyperparamater_config"]
             if "edge_normal" in key}  # fmt: skip
    assert edges == {*EDGES}
    assert [each.metric.name for each in found.measurements] == ["val_acc", "test_acc"]
    assert [each.values.tolist() for each in found.measurements] == [[[94.0]], [[93.5]]]
    assert found.cost_seconds["cifar10"].tolist() == [7200]
    assert found.parameters.tolist() == [3e6]
    assert found.note == "runs of 98 epochs, 32 channels, 8 layers"


def test_a_folder_of_optimisers_holds_seeds_and_other_budgets(tmp_path):
    runs = {
        "rs/results_0.json": run_of(),
        "rs/results_1.json": run_of(changed(0, "max_pool_3x3"), test_accuracy=None),
        "de/results_0.json": run_of(info=[{"val_accuracy": 95.0}], runtime=3600),
        "de/results_1.json": run_of(changed(1, "max_pool_3x3"), info=[{"val_accuracy": np.nan}],
                                    test_accuracy=float("nan")),
        "de/results_2.json": run_of(changed(2, "max_pool_3x3"), epochs=50),
    }  # fmt: skip
    for name, run in runs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(run))
    (tmp_path / "rs" / "other.json").write_text("{}")
    assert nb301.recognises(tmp_path)
    seen = []
    found = nb301.read(tmp_path, on_progress=lambda *now: seen.append(now))
    assert seen == [(5, 5)]
    val, test = found.measurements
    nan = np.nan
    # In the order of the files: de/0 and rs/0 are one genotype, de/1 failed, then rs/1.
    np.testing.assert_array_equal(val.values, [[95.0, 94.0], [nan, nan], [94.0, nan]])
    assert val.failed.tolist() == [False, True, False]
    assert test.failed.tolist() == [False, True, True]
    np.testing.assert_array_equal(found.cost_seconds["cifar10"], [5400, 7200, 7200])
    assert found.note.endswith("; 1 runs of another budget were left out")


def test_what_is_no_run_is_not_recognised(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "results_0.json").write_text("{}")
    (tmp_path / "config_0.json").write_text(json.dumps(run_of()))
    for name in ("folder", "results_0.json", "config_0.json", "missing"):
        assert not nb301.recognises(tmp_path / name)


CONFIG = run_of()["optimized_hyperparamater_config"]


def configured(**more):
    return run_of(optimized_hyperparamater_config=CONFIG | more)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ([], "it has no optimized_hyperparamater_config"),
        ({"optimized_hyperparamater_config": 3}, "it has no optimized_hyperparamater_config"),
        (
            configured(**{f"{PREFIX}inputs_node_normal_4": "0_9"}),
            "inputs_node_normal_4 is '0_9', not such as 0_1",
        ),
        (
            configured(**{f"{PREFIX}inputs_node_reduce_3": "2_4"}),
            "edge_reduce_6, an input of node 3, is None",
        ),
        (
            configured(**{f"{PREFIX}edge_normal_0": None}),
            "edge_normal_0, an input of node 2, is None",
        ),
        (
            configured(**{f"{PREFIX}edge_normal_0": "conv_9x9"}),
            "its normal cell has the unknown operation 'conv_9x9'",
        ),
        (configured(**{f"{PREFIX}layers": [8]}), "its epochs, channels or layers are no numbers"),
        (run_of(test_accuracy=101), "test_accuracy is 101, not 0 to 100 %"),
        (run_of(test_accuracy="94"), "test_accuracy is '94', not a number of at least 0"),
        (run_of(runtime=-1), "runtime is -1, not a number of at least 0"),
        (run_of(info=[], test_accuracy=None), "no run has an accuracy"),
    ],
)
def test_bad_runs_are_named(run, message, tmp_path):
    path = tmp_path / "results_0.json"
    path.write_text(json.dumps(run))
    with pytest.raises(DataError, match=message) as caught:
        nb301.read(path)
    assert "results_0.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits(tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / f"results_{number}.json").write_text(json.dumps(run_of()))
    monkeypatch.setattr(nb301, "MOST_RUNS", 2)
    with pytest.raises(DataError, match="more than 2 runs"):
        nb301.read(tmp_path)
    monkeypatch.setattr(nb301, "FILE_LIMIT", 100)
    with pytest.raises(DataError, match="larger than the 100 bytes"):
        nb301.read(tmp_path / "results_0.json")


def test_survives_mutations(survives):
    survives(nb301, "results_0.json", json.dumps(run_of()).encode())

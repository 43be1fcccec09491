import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.benchmarks import nb201
from nasrank.benchmarks.importers import tidy
from nasrank.benchmarks.importers.darts_cells import parse_genotype
from nasrank.benchmarks.importers.nb101_cells import cell_hash
from nasrank.errors import DataError
from nasrank.graphs import canonicalise, isomorphism_classes

CELLS = [nb201.architecture_string(cell) for cell in nb201.official_order()[:3].tolist()]
MATRICES = ["0110/0011/0001/0000", "010/001/000"]
OPERATIONS = ["input,conv1x1-bn-relu,conv3x3-bn-relu,output", "input,maxpool3x3,output"]
HASHES = [
    cell_hash(matrix.replace("/", ""), names)
    for matrix, names in zip(MATRICES, OPERATIONS, strict=True)
]
NAN = float("nan")

TABLES = {
    "nb201_test": {
        "nb201_index": [2, 0, 1],
        "arch_str": [CELLS[2], CELLS[0], CELLS[1]],
        "cifar10_test_acc": [85.0, 86.0, 93.0],
        "cifar100_test_acc": [55.0, 53.0, NAN],
        "imagenet16_120_test_acc": [27.0, 26.0, 44.0],
    },
    "nb201_proxies": {
        "nb201_index": [0, 1, 0],
        "arch_str": [CELLS[0], CELLS[1], CELLS[0]],
        "dataset": ["cifar10", "cifar10", "ImageNet16-120"],
        "val_acc": [80.0, 90.0, 25.0],
        "zc_zen": np.array([-1e8, 3.0, 4.0], np.float32),
        "zc_nwot": np.array([5.0, -np.inf, np.nan], np.float32),
    },
    "nb201_hardware": {
        "nb201_index": [0, 1],
        "arch_str": CELLS[:2],
        "dataset": ["cifar10", "cifar10"],
        "edgegpu_latency_ms": [5.0, 6.0],
        "edgetpu_latency_ms": [-1.0, 1.5],
        "eyeriss_energy_mj": [0.5, 0.25],
        "eyeriss_arithmetic_intensity_ops_per_bit": [2.0, 3.0],
    },
    "nb201_robustness": {
        "nb201_index": [0, 1],
        "arch_str": CELLS[:2],
        "clean_val_acc_nb201": [80.0, 90.0],
        "acc_fgsm_linf_eps1.0": [40.0, 50.0],
    },
    "transnas": {
        "arch_str": ["64-41414-1_02_333", "64-41414-0_00_000"],
        "op_0_1": ["skip_connect", "none"],
        "class_scene_val_top1_final": [50.0, 7.5],
        "class_object_val_top1_final": [40.0, 20.0],
        "autoencoder_val_ssim_final": [0.5, 0.25],
        "normal_val_ssim_final": [0.5, 0.25],
        "jigsaw_val_top1_final": [90.0, 0.125],
        "room_layout_val_neg_loss_final": [-0.5, -1.0],
        "segmentsemantic_val_pixel_acc_final": [94.0, 91.0],
        "jigsaw_val_top1_best_epoch": [91.0, NAN],
        "zc_epe_nas_jigsaw": [1.0, -1e8],
    },
    "darts": {
        **{
            f"{cell}_{edge}_input": np.array([edge % 2, edge // 2], np.int8)
            for cell in ("normal", "reduce")
            for edge in range(8)
        },
        **{
            f"{cell}_{edge}_op": ["sep_conv_3x3", "skip_connect"]
            for cell in ("normal", "reduce")
            for edge in range(8)
        },
        "val_acc_nb301_surrogate": [94.0, NAN],
        "zc_synflow": [1.0, 2.0],
    },
    "nb101_budgets": {
        "nb101_hash": [HASHES[0]] * 3 + [HASHES[1]],
        "matrix_rows": [MATRICES[0]] * 3 + [MATRICES[1]],
        "ops": [OPERATIONS[0]] * 3 + [OPERATIONS[1]],
        "epochs": [108, 108, 4, 108],
        "repeat": [0, 1, 0, 1],
        "trainable_params": [300, 300, 300, 200],
        "train_acc": [1.0, 0.75, 0.5, 1.0],
        "val_acc": [0.875, 0.75, 0.25, 0.5],
        "test_acc": [0.875, 0.75, 0.25, 0.5],
        "train_time_s": [10.0, 30.0, 1.0, 7.0],
        "energy_kwh": [1.0, 2.0, 0.5, 1.0],
    },
    "nb101_short": {
        "nb101_hash": HASHES,
        "matrix_rows": MATRICES,
        "ops": OPERATIONS,
        "trainable_params": [300, 200],
        "val_acc_4ep": [0.5, 0.25],
        "val_acc_2ep": [0.125, 0.25],
        "train_time_4ep_s": [5.0, 6.0],
        "energy_4ep_kwh": [1.0, 2.0],
    },
    "nb101_subset": {
        "nb101_hash": [HASHES[0], HASHES[1], HASHES[0], HASHES[0], HASHES[0]],
        "matrix_rows": [MATRICES[0], MATRICES[1], *[MATRICES[0]] * 3],
        "ops": [OPERATIONS[0], OPERATIONS[1], *[OPERATIONS[0]] * 3],
        "val_acc_108ep_one_run": [90.0, NAN, 91.0, 90.0, NAN],
        "zc_zen": [1.0, NAN, 2.0, 3.0, -1e8],
    },
}
SPACES = {
    "nb201_test": "nb201",
    "nb201_proxies": "nb201",
    "nb201_hardware": "nb201",
    "nb201_robustness": "nb201",
    "transnas": "transnas-micro",
    "darts": "darts",
    "nb101_budgets": "nb101",
    "nb101_short": "nb101",
    "nb101_subset": "nb101",
}


@pytest.fixture
def write(tmp_path):
    def write(columns, name="tidy.parquet"):
        path = tmp_path / name
        pq.write_table(pa.table(columns), path, compression="zstd")
        return path

    return write


@pytest.fixture
def read(write):
    return lambda name: tidy.read(write(TABLES[name]))


def values(imported, dataset, metric):
    (found,) = [
        each
        for each in imported.measurements
        if (each.dataset, each.metric.name) == (dataset, metric)
    ]
    return found.values


def classes(imported):
    graphs = canonicalise(imported.graphs, drop=imported.drop, contract=imported.contract)
    return isomorphism_classes(graphs)


@pytest.mark.parametrize("name", TABLES)
def test_every_layout_is_recognised_and_read(write, name):
    path = write(TABLES[name])
    assert tidy.recognises(path)
    seen = []
    found = tidy.read(path, on_progress=lambda *done: seen.append(done))
    rows = len(next(iter(TABLES[name].values())))
    assert seen == [(rows, rows)]
    assert found.space == SPACES[name]
    assert found.source == "tidy.parquet"


def test_nb201_comes_in_official_order(read):
    found = read("nb201_test")
    assert list(found.architectures) == CELLS
    assert found.graphs is None
    assert found.datasets == ("cifar10", "cifar100", "imagenet16-120")
    assert values(found, "cifar10", "test_acc").ravel().tolist() == [86.0, 93.0, 85.0]
    np.testing.assert_array_equal(
        values(found, "cifar100", "test_acc").ravel(), [53.0, np.nan, 55.0]
    )
    assert "mean over" in found.measurements[0].metric.description


def test_failed_and_infinite_proxies_are_missing(read):
    found = read("nb201_proxies")
    np.testing.assert_array_equal(values(found, "cifar10", "zc_zen").ravel(), [np.nan, 3.0])
    np.testing.assert_array_equal(values(found, "cifar10", "zc_nwot").ravel(), [5.0, np.nan])
    # Cell 1 has no row of this dataset.
    np.testing.assert_array_equal(
        values(found, "imagenet16-120", "val_acc_suite_zero").ravel(), [25.0, np.nan]
    )
    proxy = next(each.metric for each in found.measurements if each.metric.name == "zc_zen")
    assert proxy.higher_is_better
    assert "direction is not known" in proxy.description


def test_hardware_costs_are_lower_better_and_unsupported_is_missing(read):
    found = read("nb201_hardware")
    np.testing.assert_array_equal(
        values(found, "cifar10", "edgetpu_latency_ms").ravel(), [np.nan, 1.5]
    )
    directions = {each.metric.name: each.metric for each in found.measurements}
    assert not directions["edgegpu_latency_ms"].higher_is_better
    assert directions["eyeriss_energy_mj"].unit == "mJ"
    assert directions["eyeriss_arithmetic_intensity_ops_per_bit"].higher_is_better


def test_transnas_tasks_have_metrics_of_their_own(read):
    found = read("transnas")
    first = {}
    for each in found.measurements:
        first.setdefault(each.dataset, (each.metric.name, each.metric.unit))
    assert first == {
        "scene": ("val_acc", "%"),
        "object": ("val_acc", "%"),
        "autoencoder": ("val_ssim", "SSIM"),
        "normal": ("val_ssim", "SSIM"),
        "jigsaw": ("val_acc", "%"),
        "room_layout": ("val_neg_loss", "loss"),
        "segmentsemantic": ("val_pixel_acc", "%"),
    }
    assert all(each.metric.higher_is_better for each in found.measurements)
    np.testing.assert_array_equal(values(found, "jigsaw", "val_acc_best").ravel(), [91.0, np.nan])
    np.testing.assert_array_equal(values(found, "jigsaw", "zc_epe_nas").ravel(), [1.0, np.nan])


def test_transnas_skip_from_the_input_is_no_identity(write):
    texts = [
        "64-41414-1_00_030",  # input -skip-> 1 -conv3x3-> 3
        "64-41414-0_00_300",  # input -conv3x3-> 3
        "64-41414-3_00_010",  # input -conv3x3-> 1 -skip-> 3
    ]
    columns = {
        name: column[:1] * 3
        for name, column in TABLES["transnas"].items()
        if name.endswith("_final")
    }
    found = tidy.read(write({"arch_str": texts, **columns}))
    assert classes(found).tolist() == [0, 1, 1]


def test_darts_says_that_it_predicts(read):
    found = read("darts")
    genotype = parse_genotype(found.architectures[1])
    assert genotype.normal[7] == ("skip_connect", 3)
    assert genotype.reduce[2] == ("skip_connect", 1)
    np.testing.assert_array_equal(values(found, "cifar10", "val_acc").ravel(), [94.0, np.nan])
    assert "prediction" in found.note
    assert "prediction" in found.measurements[0].metric.description


def test_nb101_budgets_are_metrics_and_repeats_columns(read):
    found = read("nb101_budgets")
    assert found.architectures == tuple(
        f"{matrix} {names}" for matrix, names in zip(MATRICES, OPERATIONS, strict=True)
    )
    np.testing.assert_array_equal(
        values(found, "cifar10", "val_acc_ecnas4v"), [[87.5, 75.0], [np.nan, 50.0]]
    )
    np.testing.assert_array_equal(
        values(found, "cifar10", "val_acc_4_ecnas4v"), [[25.0, np.nan], [np.nan, np.nan]]
    )
    # Mean of the runs of 108 epochs: (10 + 30) / 2 and 7.
    assert found.cost_seconds["cifar10"].tolist() == [20.0, 7.0]
    assert found.parameters.tolist() == [300.0, 200.0]


def test_nb101_default_is_validation_accuracy(read):
    for name, metric in (
        ("nb101_budgets", "val_acc_ecnas4v"),
        ("nb101_short", "val_acc_4_ecnas5v"),
        ("nb101_subset", "val_acc_suite_zero"),
    ):
        assert read(name).measurements[0].metric.name == metric


def test_nb101_rows_of_one_cell_are_runs_where_they_differ(read):
    found = read("nb101_subset")
    # 90 comes twice: the same run drawn again.
    np.testing.assert_array_equal(
        values(found, "cifar10", "val_acc_suite_zero"), [[90.0, 91.0], [np.nan, np.nan]]
    )
    # The failed proxy does not count: (1 + 2 + 3) / 3.
    np.testing.assert_array_equal(values(found, "cifar10", "zc_zen").ravel(), [2.0, np.nan])


BAD = [
    ("nb201_test", {"nb201_index": [2, 0, 0], "arch_str": [CELLS[2], *CELLS[:1] * 2]}, "repeats"),
    ("nb201_test", {"arch_str": [CELLS[2], CELLS[1], CELLS[0]]}, "row 1 has .* as cell 0"),
    ("nb201_test", {"nb201_index": [2, 0, 15625]}, "row 2 has 15625 for nb201_index"),
    ("nb201_test", {"nb201_index": [2, 0, 0.5]}, "row 2 has 0.5 for nb201_index"),
    ("nb201_test", {"nb201_index": ["2", "0", "1"]}, "instead of numbers"),
    ("nb201_test", {"arch_str": [1, 2, 3]}, "instead of text"),
    ("nb201_test", {"arch_str": [CELLS[2], None, CELLS[1]]}, "row 1 has no arch_str"),
    ("nb201_test", {"cifar10_test_acc": [85.0, np.inf, 93.0]}, "row 1 has inf %"),
    ("nb201_test", {"cifar10_test_acc": [85.0, -1.0, 93.0]}, "row 1 has -1 %"),
    ("nb201_proxies", {"dataset": ["cifar10", "mnist", "cifar10"]}, "unknown dataset 'mnist'"),
    ("nb201_proxies", {"dataset": ["cifar10"] * 3}, "row 2 repeats a cell of cifar10"),
    ("nb201_hardware", {"edgegpu_latency_ms": [5.0, -2.0]}, "row 1 has -2"),
    ("nb201_hardware", {"edgegpu_latency_ms": [5.0, np.inf]}, "row 1 has inf"),
    ("transnas", {"arch_str": ["64-41414-1_02_335", "64-41414-0_00_000"]}, "not a micro cell"),
    ("transnas", {"arch_str": ["64-41414-0_00_000"] * 2, "op_0_1": ["none"] * 2}, "both"),
    ("transnas", {"op_0_1": ["none", "none"]}, "row 0 has 'none' for op_0_1"),
    ("transnas", {"normal_val_ssim_final": [1.5, 0.5]}, "more than 1"),
    ("transnas", {"room_layout_val_neg_loss_final": [-np.inf, 0.0]}, "row 0 has -inf"),
    ("darts", {"normal_0_op": ["sep_conv_3x3", "conv_9x9"]}, "row 1: .*unknown operation"),
    ("darts", {"reduce_0_input": [0, 2]}, "row 1: node 2 of its reduce cell takes node 2"),
    ("nb101_short", {"nb101_hash": HASHES[::-1]}, "row 0 has the hash"),
    ("nb101_short", {"matrix_rows": ["0110/0011/0001/1000", MATRICES[1]]}, "cycle"),
    ("nb101_short", {"matrix_rows": ["011000110001/0000", MATRICES[1]]}, "rows of a matrix"),
    ("nb101_short", {"ops": [OPERATIONS[0].replace("1x1", "9x9"), OPERATIONS[1]]}, "conv9"),
    ("nb101_short", {name: TABLES["nb101_short"][name][:1] * 2 for name in TABLES["nb101_short"]},
     "row 1 repeats the cell of row 0"),
    ("nb101_budgets", {"repeat": [0, 0, 0, 1]}, "row 1 repeats a run of 108 epochs"),
    ("nb101_budgets", {"repeat": [0, 99, 0, 1]}, "row 1 has 99 for repeat"),
    ("nb101_budgets", {"val_acc": [87.5, 0.5, 0.5, 0.5]}, "row 0 has 8750 %"),
    ("nb101_budgets", {"train_time_s": [-1.0, 1.0, 1.0, 1.0]}, "row 0 has -1 as train_time_s"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "columns", "message"), BAD)
def test_says_which_row_is_wrong(write, name, columns, message):
    with pytest.raises(DataError, match=message) as caught:
        tidy.read(write(TABLES[name] | columns))
    assert "\n" not in str(caught.value)
    assert "tidy.parquet" in str(caught.value)


def test_other_tables_are_not_recognised(write, tmp_path):
    path = write({"a": [1]}, "other.parquet")
    assert not tidy.recognises(path)
    with pytest.raises(DataError, match="do not match a known table"):
        tidy.read(path)
    missing = {**TABLES["nb201_test"]}
    none = write({name: column[:0] for name, column in missing.items()}, "empty.parquet")
    with pytest.raises(DataError, match="0 rows"):
        tidy.read(none)
    whole = write(missing).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[: len(whole) // 2])
    assert not tidy.recognises(cut)
    with pytest.raises(DataError, match="not a readable Parquet"):
        tidy.read(cut)


def test_refuses_what_is_no_file(refuses):
    refuses(tidy, "tidy.parquet")


@pytest.mark.parametrize("name", ["nb201_proxies", "transnas", "darts", "nb101_subset"])
def test_survives_mutations(write, survives, name):
    content = write(TABLES[name]).read_bytes()
    survives(tidy, "tidy.parquet", content)


def test_real_test_accuracies(shared_file):
    found = tidy.read(shared_file("nb201_test_200epochs.parquet"))
    assert len(found) == nb201.CELLS
    assert tuple(found.architectures) == nb201.space().architectures
    best = {each.dataset: round(float(each.values.max()), 2) for each in found.measurements}
    assert best == {"cifar10": 94.37, "cifar100": 73.51, "imagenet16-120": 47.31}


def test_real_proxies(shared_file):
    found = tidy.read(shared_file("nb201_zerocost.parquet"))
    zen = values(found, "cifar10", "zc_zen")
    assert np.nanmin(zen) > -1000
    known = {
        dataset: int((~np.isnan(values(found, dataset, "zc_synflow"))).sum())
        for dataset in found.datasets
    }
    assert known == {"cifar10": 9445, "cifar100": 725, "imagenet16-120": 9445}


def test_real_hardware(shared_file):
    found = tidy.read(shared_file("nb201_hw_nas_bench.parquet"))
    latency = [values(found, dataset, "edgetpu_latency_ms") for dataset in found.datasets]
    # 14,097 of 46,875 rows are marked as not supported.
    assert sum(int(np.isnan(each).sum()) for each in latency) == 14_097


def test_real_robustness(shared_file):
    found = tidy.read(shared_file("nb201_robustness_cifar10.parquet"))
    assert len(found.measurements) == 33
    assert values(found, "cifar10", "acc_pgd_linf_eps1.0").max() == 58.8


def test_real_transnas(shared_file):
    found = tidy.read(shared_file("transnas101_micro.parquet"))
    # Four operations on six edges.
    assert len(found) == 4**6
    assert round(float(values(found, "jigsaw", "val_acc").max()), 2) == 95.37
    assert classes(found).max() + 1 == 1376


def test_real_darts(shared_file):
    found = tidy.read(shared_file("darts_nb301_surrogate_zc.parquet"))
    assert len(found) == 12_439
    assert int((~np.isnan(values(found, "cifar10", "val_acc"))).sum()) == 1_218


def test_real_nb101(shared_file):
    found = tidy.read(shared_file("nb101_ecnas_4v_full.parquet"))
    assert values(found, "cifar10", "val_acc_ecnas4v").shape == (91, 3)
    row = found.architectures.index(f"{MATRICES[0]} {OPERATIONS[0]}")
    np.testing.assert_allclose(
        values(found, "cifar10", "val_acc_36_ecnas4v")[row], [91.7468, 91.8570, 91.6166], atol=1e-4
    )
    assert len(tidy.read(shared_file("nb101_ecnas_le5v_4epochs.parquet"))) == 2_532
    subset = tidy.read(shared_file("nb101_subset_zc.parquet"))
    labelled = ~np.isnan(values(subset, "cifar10", "val_acc_suite_zero"))
    assert int(labelled.any(axis=1).sum()) == 292
    # 257 cells have one run in the file, 22 have two and 13 have three.
    assert np.bincount(labelled.sum(axis=1))[1:].tolist() == [257, 22, 13]

"""Tidy tables of NAS-Bench-201 cells: accuracies, proxies, hardware costs, robustness."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.parquet_file import ParquetColumns
from nasrank.benchmarks.importers.proxies import clean_scores, proxy_metric
from nasrank.benchmarks.nb201 import CELLS, architecture_string, official_order
from nasrank.benchmarks.space import Metric

__all__ = ["read_hardware", "read_proxies", "read_robustness", "read_test_accuracy"]

_DATASETS = {
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet16-120",
}
_TEST_COLUMNS = {
    "cifar10": "cifar10_test_acc",
    "cifar100": "cifar100_test_acc",
    "imagenet16-120": "imagenet16_120_test_acc",
}
_CHANCE = {"cifar10": 10.0, "cifar100": 1.0, "imagenet16-120": 100 / 120}
_CITATION = (
    "Dong and Yang (2020), NAS-Bench-201: Extending the Scope of Reproducible Neural "
    "Architecture Search, ICLR"
)
_UNSUPPORTED = -1.0
_DEVICES = {
    "edgegpu": "an edge GPU (Jetson TX2)",
    "raspi4": "a Raspberry Pi 4",
    "edgetpu": "an Edge TPU; missing where it does not support the cell",
    "pixel3": "a Pixel 3 phone",
    "eyeriss": "the Eyeriss accelerator, estimated",
    "fpga": "an FPGA, estimated",
}
_QUANTITIES = {
    "latency_ms": ("ms", False, "latency of one picture on"),
    "energy_mj": ("mJ", False, "energy for one picture on"),
    "arithmetic_intensity_ops_per_bit": ("operations/bit", True, "arithmetic intensity on"),
}
_ATTACKS = {
    "fgsm": "FGSM",
    "pgd": "PGD",
    "apgdce": "APGD with cross-entropy",
    "square": "the Square attack",
}


class _Cells(NamedTuple):
    """The rows of a table as positions among its cells.

    Attributes:
        position: ``[rows]`` the cell of each row.
        architectures: ``[N]`` cell strings, by official index.
    """

    position: NDArray[np.int64]
    architectures: tuple[str, ...]


def read_test_accuracy(table: ParquetColumns) -> Imported:
    """Read test accuracies after 200 epochs, one column per dataset."""
    cells = _cells(table)
    metric = Metric(
        "test_acc",
        "%",
        higher_is_better=True,
        description="test accuracy after 200 epochs, mean over the one to three runs the "
        "benchmark has of a cell; the file has no single runs",
    )
    row = _row_of_cell(table, cells, np.ones(table.rows, np.bool_), "")
    measurements = tuple(
        Measurement(dataset, metric, table.percents(column)[row][:, None])
        for dataset, column in _TEST_COLUMNS.items()
        if column in table.names
    )
    return _imported(
        table,
        cells,
        measurements,
        title="NAS-Bench-201 test accuracy after 200 epochs",
        note="every accuracy is a mean over the available runs",
        licence="the table's authors state none; the benchmark is MIT",
        citation=_CITATION,
    )


def read_proxies(table: ParquetColumns) -> Imported:
    """Read validation accuracies and training-free proxies, one row per dataset and cell."""
    accuracy = Metric(
        "val_acc_suite_zero",
        "%",
        higher_is_better=True,
        description="validation accuracy as NAS-Bench-Suite-Zero reports it, one number per cell; "
        "not a mean over seeds like val_acc",
    )
    proxies = [name for name in table.names if name.startswith("zc_")]
    columns = [(accuracy, table.percents("val_acc"))] + [
        (proxy_metric(name.removeprefix("zc_")), clean_scores(table.numbers(name)))
        for name in proxies
    ]
    cells = _cells(table)
    return _imported(
        table,
        cells,
        _by_dataset(table, cells, columns),
        title="NAS-Bench-201 with training-free proxies (NAS-Bench-Suite-Zero)",
        note="a proxy's direction is not known: higher counts as better",
        licence="Apache-2.0",
        citation="Krishnakumar et al. (2022), NAS-Bench-Suite-Zero: Accelerating Research on "
        "Zero Cost Proxies, NeurIPS Datasets and Benchmarks",
    )


def read_hardware(table: ParquetColumns) -> Imported:
    """Read latency and energy on six devices, one row per dataset and cell."""
    columns = []
    for device, words in _DEVICES.items():
        for quantity, (unit, higher, what) in _QUANTITIES.items():
            name = f"{device}_{quantity}"
            if name not in table.names:
                continue
            values = table.numbers(name)
            values[values == _UNSUPPORTED] = np.nan
            wrong = (values < 0) | np.isinf(values)
            if wrong.any():
                row = int(np.argmax(wrong))
                raise table.error(f"row {row} has {values[row]:g} as {name}")
            metric = Metric(name, unit, higher_is_better=higher, description=f"{what} {words}")
            columns.append((metric, values))
    cells = _cells(table)
    return _imported(
        table,
        cells,
        _by_dataset(table, cells, columns),
        title="HW-NAS-Bench: NAS-Bench-201 cells on six devices",
        note="costs on hardware, lower is better; the Edge TPU supports three cells in ten",
        licence="MIT",
        citation="Li et al. (2021), HW-NAS-Bench: Hardware-Aware Neural Architecture Search "
        "Benchmark, ICLR",
    )


def read_robustness(table: ParquetColumns) -> Imported:
    """Read accuracies under four attacks on CIFAR-10, one row per cell."""
    cells = _cells(table)
    row = _row_of_cell(table, cells, np.ones(table.rows, np.bool_), "")
    metrics = [
        (
            "clean_val_acc_nb201",
            Metric(
                "clean_val_acc",
                "%",
                higher_is_better=True,
                description="validation accuracy without attack, one number per cell",
            ),
        )
    ]
    for name in table.names:
        attack, _, strength = name.removeprefix("acc_").partition("_linf_eps")
        if name.startswith("acc_") and strength:
            words = _ATTACKS.get(attack, attack)
            text = f"accuracy under {words}, every pixel moved by at most {strength}/255"
            metrics.append((name, Metric(name, "%", higher_is_better=True, description=text)))
    return _imported(
        table,
        cells,
        tuple(
            Measurement("cifar10", metric, table.percents(name)[row][:, None])
            for name, metric in metrics
        ),
        title="NAS-Bench-201 under adversarial attacks",
        note="identical for cells that compute the same: one of them was attacked",
        licence="MIT",
        citation="Jung, Lukasik and Keuper (2023), Neural Architecture Design and Robustness: A "
        "Dataset, ICLR",
    )


def _imported(
    table: ParquetColumns,
    cells: _Cells,
    measurements: tuple[Measurement, ...],
    *,
    title: str,
    note: str,
    licence: str,
    citation: str,
) -> Imported:
    accuracies = {each.dataset for each in measurements if each.metric.unit == "%"}
    return Imported(
        space="nb201",
        title=title,
        architectures=cells.architectures,
        graphs=None,
        drop=("none",),
        contract=("skip_connect",),
        measurements=measurements,
        cost_seconds={},
        parameters=None,
        chance={name: chance for name, chance in _CHANCE.items() if name in accuracies},
        note=note,
        source=table.path.name,
        licence=licence,
        citation=citation,
    )


def _cells(table: ParquetColumns) -> _Cells:
    """Read the cells and compare their strings with the official order."""
    index = table.whole_numbers("nb201_index", low=0, high=CELLS - 1)
    present, position = np.unique(index, return_inverse=True)
    order = official_order()
    texts = tuple(architecture_string(order[cell]) for cell in present.tolist())
    for row, (cell, text) in enumerate(
        zip(position.tolist(), table.texts("arch_str"), strict=True)
    ):
        if text != texts[cell]:
            raise table.error(
                f"row {row} has {text[:60]!a} as cell {index[row]}, which officially is "
                f"{texts[cell]}"
            )
    return _Cells(position, texts)


def _row_of_cell(
    table: ParquetColumns, cells: _Cells, chosen: NDArray[np.bool_], of: str
) -> NDArray[np.int64]:
    """Return ``[N]`` the one chosen row of each cell, -1 where there is none."""
    rows = np.flatnonzero(chosen)
    found = np.full(len(cells.architectures), -1, np.int64)
    found[cells.position[rows]] = rows
    if len(rows) != (found >= 0).sum():
        _, first = np.unique(cells.position[rows], return_index=True)
        twice = int(np.setdiff1d(rows, rows[first])[0])
        raise table.error(f"row {twice} repeats a cell{of}")
    return found


def _by_dataset(
    table: ParquetColumns, cells: _Cells, columns: list[tuple[Metric, NDArray[np.float64]]]
) -> tuple[Measurement, ...]:
    """Spread columns over the datasets named row by row."""
    names = np.array(table.texts("dataset"), object)
    unknown = [row for row, name in enumerate(names.tolist()) if name not in _DATASETS]
    if unknown:
        raise table.error(f"row {unknown[0]} is of the unknown dataset {names[unknown[0]][:40]!a}")
    measurements = []
    for spelled, dataset in _DATASETS.items():
        if not (chosen := names == spelled).any():
            continue
        row = _row_of_cell(table, cells, chosen, f" of {dataset}")
        for metric, values in columns:
            spread = np.where(row >= 0, values[row], np.nan)
            measurements.append(Measurement(dataset, metric, spread[:, None]))
    return tuple(measurements)

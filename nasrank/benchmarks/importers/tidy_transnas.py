"""Tidy table of the micro cells of TransNAS-Bench-101, seven tasks, with proxies."""

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.parquet_file import ParquetColumns
from nasrank.benchmarks.importers.proxies import clean_scores, proxy_metric
from nasrank.benchmarks.importers.transnas_cells import (
    CITATION,
    CONTRACT,
    DEFAULT_METRICS,
    DROP,
    TASKS,
    micro_digits,
    micro_graphs,
)
from nasrank.benchmarks.nb201 import EDGES
from nasrank.benchmarks.space import Metric

__all__ = ["read_micro"]

_COLUMNS = {
    "class_scene": "class_scene_val_top1",
    "class_object": "class_object_val_top1",
    "autoencoder": "autoencoder_val_ssim",
    "normal": "normal_val_ssim",
    "jigsaw": "jigsaw_val_top1",
    "room_layout": "room_layout_val_neg_loss",
    "segmentsemantic": "segmentsemantic_val_pixel_acc",
}
_OPERATIONS = ("none", "skip_connect", "conv1x1_bn_relu", "conv3x3_bn_relu")


def read_micro(table: ParquetColumns) -> Imported:
    """Read the table: one row per cell, in the order of the file."""
    texts = table.texts("arch_str")
    digits = _digits(table, texts)
    measurements = []
    for task, dataset in TASKS.items():
        default = DEFAULT_METRICS[dataset]
        final = _values(table, f"{_COLUMNS[task]}_final", default)
        measurements.append(Measurement(dataset, default, final))
        if (column := f"{_COLUMNS[task]}_best_epoch") in table.names:
            best = Metric(
                f"{default.name}_best",
                default.unit,
                higher_is_better=True,
                description=f"{default.description.replace('the last epoch', 'its best epoch')}; "
                "known for few cells",
            )
            measurements.append(Measurement(dataset, best, _values(table, column, best)))
        for name in table.names:
            if name.startswith("zc_") and name.endswith(f"_{task}"):
                proxy = proxy_metric(name.removeprefix("zc_").removesuffix(f"_{task}"))
                scores = clean_scores(table.numbers(name))
                measurements.append(Measurement(dataset, proxy, scores[:, None]))
    return Imported(
        space="transnas-micro",
        title="TransNAS-Bench-101 micro cells, seven vision tasks",
        architectures=tuple(texts),
        graphs=micro_graphs(digits),
        drop=DROP,
        contract=CONTRACT,
        measurements=tuple(measurements),
        cost_seconds={},
        parameters=None,
        chance={},
        note="metrics differ between tasks, higher is better for all; one run per cell; a proxy's "
        "direction is not known: higher counts as better",
        source=table.path.name,
        licence="Apache-2.0",
        citation=CITATION,
    )


def _digits(table: ParquetColumns, texts: list[str]) -> NDArray[np.int8]:
    rows = []
    for row, text in enumerate(texts):
        digits = micro_digits(text)
        if digits is None:
            raise table.error(
                f"row {row} has {text[:60]!a}, which is not a micro cell such as 64-41414-1_02_333"
            )
        rows.append(digits)
    found = np.array(rows, np.int8)
    for place, (source, target) in enumerate(EDGES):
        name = f"op_{source}_{target}"
        if name not in table.names:
            continue
        for row, operation in enumerate(table.texts(name)):
            if operation != _OPERATIONS[found[row, place]]:
                raise table.error(
                    f"row {row} has {operation[:40]!a} for {name}, which contradicts {texts[row]}"
                )
    return found


def _values(table: ParquetColumns, column: str, metric: Metric) -> NDArray[np.float64]:
    if metric.unit == "%":
        return table.percents(column)[:, None]
    values = table.numbers(column)
    ceiling = 0.0 if metric.unit == "loss" else 1.0
    wrong = (values > ceiling) | np.isinf(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise table.error(f"row {row} has {values[row]:g} as {column}, more than {ceiling:g}")
    return values[:, None]

"""HW-NAS-Bench: costs of the cells of NAS-Bench-201 on six devices.

The file ``HW-NAS-Bench-v1_0.pickle`` is a dictionary; under ``nasbench201`` and a dataset it has
``config``, which names each cell, and for each figure a list in the same order. Latencies are in
milliseconds and energies in millijoules, of one image. The second space of the file, FBNet, is
tables of single operations and not of architectures; it is not read.

References:
    Li et al. (2021), "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.official_cells import official_cells
from nasrank.benchmarks.importers.shown import shown
from nasrank.benchmarks.nb201 import CELLS
from nasrank.benchmarks.pickles import NUMPY_ARRAYS, safe_load
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError

__all__ = ["METRICS", "read", "recognises"]

_ADVICE = "Get the file again from its origin"
_LIMIT = 256 * 2**20
_DATASETS = {
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet16-120",
}
_UNSUPPORTED = -1


def _metric(figure: str, unit: str, device: str) -> Metric:
    """Make the metric of one figure; its name says the unit, as those of the tidy table do."""
    kind = "latency" if unit == "ms" else "energy"
    return Metric(
        f"{figure}_{unit.lower()}",
        unit,
        higher_is_better=False,
        description=f"{kind} of one image on {device}",
    )


METRICS: Mapping[str, Metric] = {
    "edgegpu_latency": _metric("edgegpu_latency", "ms", "an edge GPU (Jetson TX2), measured"),
    "edgegpu_energy": _metric("edgegpu_energy", "mJ", "an edge GPU (Jetson TX2), measured"),
    "raspi4_latency": _metric("raspi4_latency", "ms", "a Raspberry Pi 4, measured"),
    "edgetpu_latency": _metric(
        "edgetpu_latency", "ms", "an Edge TPU, measured; missing where it lacks an operation"
    ),
    "pixel3_latency": _metric("pixel3_latency", "ms", "a Pixel 3 phone, measured"),
    "eyeriss_latency": _metric("eyeriss_latency", "ms", "the Eyeriss chip, estimated"),
    "eyeriss_energy": _metric("eyeriss_energy", "mJ", "the Eyeriss chip, estimated"),
    "eyeriss_arithmetic_intensity": Metric(
        "eyeriss_arithmetic_intensity_ops_per_bit",
        "operations/bit",
        higher_is_better=True,
        description="operations for each bit of memory traffic on the Eyeriss chip, estimated",
    ),
    "fpga_latency": _metric("fpga_latency", "ms", "an FPGA, estimated"),
    "fpga_energy": _metric("fpga_energy", "mJ", "an FPGA, estimated"),
}
"""The metric of each figure of the file."""


def recognises(path: Path) -> bool:
    """Return whether a path is a pickle that mentions ``nasbench201``; never raises."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(256)
    except (OSError, ValueError):
        return False
    return head[:1] == b"\x80" and b"nasbench201" in head


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read the file of HW-NAS-Bench.

    Args:
        path: The file.
        on_progress: Called with the number of datasets read, and their total.

    Returns:
        Space ``nb201`` with all 15,625 cells in official order. All metrics except the arithmetic
        intensity are better when lower; -1, "not supported", becomes NaN, and so does a cell
        that is not in the file.

    Raises:
        DataError: The file is missing, damaged, larger than 256 MiB, or of another form.
            Nothing in it is executed.
    """
    content = safe_load(path, allowed=NUMPY_ARRAYS, limit=_LIMIT, advice=_ADVICE)
    cells = content.get("nasbench201") if isinstance(content, dict) else None
    if not isinstance(cells, dict):
        raise DataError(f"{path}: it has no part nasbench201. {_ADVICE}")
    row_of = official_cells()
    datasets = [name for name in _DATASETS if name in cells]
    measurements: list[Measurement] = []
    for done, name in enumerate(datasets, start=1):
        try:
            measurements += _dataset(cells[name], _DATASETS[name], row_of)
        except _WrongFigureError as error:
            raise DataError(f"{path}: {name}: {error}. {_ADVICE}") from None
        if on_progress is not None:
            on_progress(done, len(datasets))
    if not measurements:
        raise DataError(f"{path}: nasbench201 has no figures of {', '.join(_DATASETS)}. {_ADVICE}")
    return Imported(
        space="nb201",
        title="NAS-Bench-201: image classification cells",
        architectures=tuple(row_of),
        graphs=None,
        drop=("none",),
        contract=("skip_connect",),
        measurements=tuple(measurements),
        cost_seconds={},
        parameters=None,
        chance={},
        note="costs on devices, measured or estimated by the authors of HW-NAS-Bench",
        source=path.name,
        licence="MIT",
        citation="Li et al. (2021), HW-NAS-Bench, ICLR",
    )


class _WrongFigureError(Exception):
    """An error in a dataset's figures; becomes a `DataError` that also says where."""


def _dataset(figures: object, dataset: str, row_of: dict[str, int]) -> Iterator[Measurement]:
    configs = figures.get("config") if isinstance(figures, dict) else None
    if not isinstance(figures, dict) or not isinstance(configs, list):
        raise _WrongFigureError("it has no list config of cells")
    rows: dict[int, int] = {}
    for entry, config in enumerate(configs):
        text = config.get("arch_str") if isinstance(config, dict) else None
        row = row_of.get(text) if isinstance(text, str) else None
        if row is None:
            raise _WrongFigureError(f"config {entry} is not a cell: {shown(text)}")
        if rows.setdefault(row, entry) != entry:
            raise _WrongFigureError(f"configs {rows[row]} and {entry} are both {text}")
    places = np.fromiter(rows, np.int64, len(rows))
    for figure, metric in METRICS.items():
        if figure in figures:
            values = np.full((CELLS, 1), np.nan)
            values[places, 0] = _column(figures[figure], figure, len(rows))
            yield Measurement(dataset, metric, values)


def _column(column: object, figure: str, count: int) -> NDArray[np.float64]:
    if not isinstance(column, list) or len(column) != count:
        raise _WrongFigureError(f"{figure} is not a list of {count:,} numbers")
    for entry, value in enumerate(column):
        if type(value) not in (int, float) or not (value == _UNSUPPORTED or 0 <= value <= 1e12):
            raise _WrongFigureError(f"{figure}, cell {entry}: {shown(value)} is not a valid cost")
    values = np.array(column, np.float64)
    values[values == _UNSUPPORTED] = np.nan
    return values

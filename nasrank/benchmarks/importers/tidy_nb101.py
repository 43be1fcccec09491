"""Tidy tables of NAS-Bench-101 cells: retrained ones with energy, and a subset with proxies.

A cell is identified by its official hash, which is computed again; where a file spells one cell
in several ways, the first spelling is used. Metrics carry the name of their origin, since an
import replaces metrics of the same name and these are not the benchmark's own complete ones.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.nb101_cells import (
    cell_graphs,
    cell_hash,
    cell_text,
    check_cell,
)
from nasrank.benchmarks.importers.parquet_file import ParquetColumns
from nasrank.benchmarks.importers.proxies import clean_scores, proxy_metric
from nasrank.benchmarks.space import Metric

__all__ = ["read_budgets", "read_short", "read_subset"]

_DATASET = "cifar10"
_SPLITS = {"val_acc": "validation", "test_acc": "test", "train_acc": "training"}
_COSTS = {
    "train_seconds": ("s", "GPU time of training for"),
    "energy": ("kWh", "energy of training for"),
}
_FULL = 108
_MOST_RUNS = 16
_PERCENT = 100.0
_ECNAS = (
    "Bakhtiarifard, Igel and Selvan (2024), EC-NAS: Energy Consumption Aware Tabular Benchmarks "
    "for Neural Architecture Search, ICASSP"
)
_SUITE = (
    "Krishnakumar et al. (2022), NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost "
    "Proxies, NeurIPS Datasets and Benchmarks"
)


class _Cells(NamedTuple):
    """The rows of a table as positions among its cells.

    Attributes:
        position: ``[rows]`` the cell of each row, numbered by first occurrence.
        first: ``[N]`` the first row of each cell.
        matrices: ``[N]`` adjacency matrices as digits.
        operations: ``[N]`` operations, separated by commas.
    """

    position: NDArray[np.int64]
    first: NDArray[np.int64]
    matrices: list[str]
    operations: list[str]


def read_budgets(table: ParquetColumns) -> Imported:
    """Read cells trained several times for each of several numbers of epochs."""
    cells = _cells(table)
    epochs = table.whole_numbers("epochs", low=1, high=10_000)
    run = table.whole_numbers("repeat", low=0, high=_MOST_RUNS - 1)
    runs = int(run.max()) + 1
    budgets = sorted({*epochs.tolist()}, reverse=True)
    columns = {
        **{name: table.percents(name, scale=_PERCENT) for name in _SPLITS},
        "train_seconds": _positive(table, "train_time_s"),
        "energy": _positive(table, "energy_kwh"),
    }
    measurements = []
    seconds = np.full(len(cells.first), np.nan)
    for budget in budgets:
        chosen = np.flatnonzero(epochs == budget)
        place = cells.position[chosen] * runs + run[chosen]
        _, first = np.unique(place, return_index=True)
        if len(first) != len(place):
            twice = int(chosen[np.setdiff1d(np.arange(len(place)), first)[0]])
            raise table.error(f"row {twice} repeats a run of {budget} epochs")
        for name, values in columns.items():
            spread = np.full(len(cells.first) * runs, np.nan)
            spread[place] = values[chosen]
            grid = spread.reshape(-1, runs)
            metric = _metric(name, budget, "ecnas4v", replicates=runs > 1)
            measurements.append(Measurement(_DATASET, metric, grid))
            if name == "train_seconds" and budget == budgets[0]:
                known = ~np.isnan(grid)
                total = np.where(known, grid, 0.0).sum(axis=1)
                np.divide(total, known.sum(axis=1), out=seconds, where=known.any(axis=1))
    return _imported(
        table,
        cells,
        tuple(measurements),
        title="EC-NAS-Bench: small NAS-Bench-101 cells retrained with energy measured",
        note="cells of at most four vertices, trained again by the authors of EC-NAS-Bench; "
        "accuracies are not those of NAS-Bench-101",
        licence="MIT",
        citation=_ECNAS,
        seconds=seconds,
    )


def read_short(table: ParquetColumns) -> Imported:
    """Read cells trained once for four epochs."""
    cells = _cells(table)
    _refuse_repeats(table, cells)
    measurements = []
    for epochs in (4, 2):
        for name in _SPLITS:
            column = f"{name}_{epochs}ep"
            if column in table.names:
                values = table.percents(column, scale=_PERCENT)
                metric = _metric(name, epochs, "ecnas5v", replicates=False)
                measurements.append(Measurement(_DATASET, metric, values[:, None]))
    seconds = _positive(table, "train_time_4ep_s")
    for name, values in (
        ("train_seconds", seconds),
        ("energy", _positive(table, "energy_4ep_kwh")),
    ):
        metric = _metric(name, 4, "ecnas5v", replicates=False)
        measurements.append(Measurement(_DATASET, metric, values[:, None]))
    return _imported(
        table,
        cells,
        tuple(measurements),
        title="EC-NAS-Bench: NAS-Bench-101 cells of up to five vertices, four epochs",
        note="one short training per cell: very noisy",
        licence="MIT",
        citation=_ECNAS,
        seconds=None,
    )


def read_subset(table: ParquetColumns) -> Imported:
    """Read cells with proxies, a few of them with a validation accuracy after 108 epochs.

    The file repeats cells: each row with an accuracy is a random one of the official runs, so
    different values of a cell are different runs and equal ones the same run.
    """
    cells = _cells(table)
    accuracy = _distinct(cells, table.percents("val_acc_108ep_one_run"))
    runs = accuracy.shape[1]
    metric = Metric(
        "val_acc_suite_zero",
        "%",
        higher_is_better=True,
        description="validation accuracy after 108 epochs, of each official run that the file "
        f"has of a cell (up to {runs} of three, known for few cells)",
        replicates=runs > 1,
    )
    measurements = [Measurement(_DATASET, metric, accuracy)]
    for name in table.names:
        if name.startswith("zc_"):
            scores = _mean(cells, clean_scores(table.numbers(name)))
            proxy = proxy_metric(name.removeprefix("zc_"))
            words = f"{proxy.description}; mean over the rows that the file has of a cell"
            proxy = replace(proxy, description=words)
            measurements.append(Measurement(_DATASET, proxy, scores[:, None]))
    return _imported(
        table,
        cells,
        tuple(measurements),
        title="NAS-Bench-101 subset with training-free proxies",
        note="few cells have an accuracy, the others are a pool of candidates; a proxy's "
        "direction is not known: higher counts as better",
        licence="Apache-2.0",
        citation=_SUITE,
        seconds=None,
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
    seconds: NDArray[np.float64] | None,
) -> Imported:
    parameters = None
    if "trainable_params" in table.names:
        parameters = _positive(table, "trainable_params")[cells.first]
    return Imported(
        space="nb101",
        title=title,
        architectures=tuple(map(cell_text, cells.matrices, cells.operations)),
        graphs=cell_graphs(cells.matrices, cells.operations),
        drop=(),
        contract=(),
        measurements=measurements,
        cost_seconds={} if seconds is None else {_DATASET: seconds},
        parameters=parameters,
        chance={_DATASET: 10.0},
        note=note,
        source=table.path.name,
        licence=licence,
        citation=citation,
    )


def _metric(name: str, epochs: int, origin: str, *, replicates: bool) -> Metric:
    suffix = f"_{origin}" if epochs == _FULL else f"_{epochs}_{origin}"
    each = ", of each run" if replicates else ", of one run"
    if name in _SPLITS:
        unit, text = "%", f"{_SPLITS[name]} accuracy after {epochs} epochs{each}"
    else:
        unit, words = _COSTS[name]
        text = f"{words} {epochs} epochs{each}"
    return Metric(
        f"{name}{suffix}",
        unit,
        higher_is_better=name in _SPLITS,
        description=text,
        replicates=replicates,
    )


def _cells(table: ParquetColumns) -> _Cells:
    """Read and check the cells; the hash of each spelling is computed once."""
    hashes = table.texts("nb101_hash")
    spelled = zip(table.texts("matrix_rows"), table.texts("ops"), strict=True)
    computed: dict[tuple[str, str], str] = {}
    numbers: dict[str, int] = {}
    position = np.empty(table.rows, np.int64)
    first: list[int] = []
    matrices: list[str] = []
    operations: list[str] = []
    for row, (name, (rows, names)) in enumerate(zip(hashes, spelled, strict=True)):
        matrix = rows.replace("/", "")
        if (rows, names) not in computed:
            try:
                check_cell(matrix, names)
            except ValueError as error:
                raise table.error(f"row {row} is not a cell: {error}") from error
            if cell_text(matrix, names) != f"{rows} {names}":
                raise table.error(f"row {row} has {rows[:60]!a} as rows of a matrix")
            computed[rows, names] = cell_hash(matrix, names)
        if computed[rows, names] != name:
            raise table.error(
                f"row {row} has the hash {name[:40]!a} of another cell, not "
                f"{computed[rows, names]}"
            )
        position[row] = number = numbers.setdefault(name, len(numbers))
        if number == len(first):
            first.append(row)
            matrices.append(matrix)
            operations.append(names)
    return _Cells(position, np.array(first, np.int64), matrices, operations)


def _refuse_repeats(table: ParquetColumns, cells: _Cells) -> None:
    if len(cells.first) != table.rows:
        row = int(np.setdiff1d(np.arange(table.rows), cells.first)[0])
        raise table.error(f"row {row} repeats the cell of row {cells.first[cells.position[row]]}")


def _positive(table: ParquetColumns, name: str) -> NDArray[np.float64]:
    values = table.numbers(name)
    wrong = (values < 0) | np.isinf(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise table.error(f"row {row} has {values[row]:g} as {name}")
    return values


def _distinct(cells: _Cells, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``[N, R]`` the different values of each cell, in the order of the rows."""
    found: list[dict[float, None]] = [{} for _ in cells.first]
    for cell, value in zip(cells.position.tolist(), values.tolist(), strict=True):
        if value == value:  # noqa: PLR0124 - NaN alone differs from itself
            found[cell][value] = None
    spread = np.full((len(found), max(1, *map(len, found), 1)), np.nan)
    for cell, different in enumerate(found):
        spread[cell, : len(different)] = list(different)
    return spread


def _mean(cells: _Cells, values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = np.bincount(cells.position[known], minlength=len(cells.first))
    total = np.bincount(cells.position[known], weights=values[known], minlength=len(cells.first))
    mean = np.full(len(cells.first), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean

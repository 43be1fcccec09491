"""NAS-Bench-101: 423,624 cells, each trained three times for 4, 12, 36 and 108 epochs.

Architectures are ordered by their official hash, so that the file with all budgets and the one
with 108 epochs alone give the same order.
"""

import binascii
import json
import math
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.nb101_cells import (
    cell_graphs,
    cell_hash,
    cell_text,
    check_cell,
)
from nasrank.benchmarks.importers.protobuf import read_fields
from nasrank.benchmarks.importers.tfrecord import read_records, starts_as_tfrecord
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError

__all__ = ["BUDGETS", "MOST_REPEATS", "read", "recognises"]

BUDGETS = (4, 12, 36, 108)
"""Epochs after which cells were measured, each in a training of its own."""
MOST_REPEATS = 16
"""Maximum number of trainings of a cell with one budget; the benchmark has three."""

_NAMES = frozenset({"nasbench_only108.tfrecord", "nasbench_full.tfrecord"})
_DATASET = "cifar10"
_ADVICE = "Download nasbench_only108.tfrecord or nasbench_full.tfrecord again and import that"
_MOST_PARAMETERS = 2**31
_COLUMNS = {
    "val": "accuracy on 10,000 validation images",
    "test": "accuracy on 10,000 test images",
    "train": "accuracy on 10,000 of the 40,000 training images",
}
_NOTE = "each value is of one training; costs are seconds on a TPU v2"
_NOTE_ENERGY = "each value is of one training by EC-NAS on a GPU, not an official number"
_CITATION = (
    "Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019"
)
_CITATION_ENERGY = (
    "Bakhtiarifard et al., EC-NAS: Energy Consumption Aware Tabular Benchmarks for Neural "
    "Architecture Search, ICASSP 2024"
)

# Tags of the message of a row, eight times the field's number plus its wire type ...
_EVALUATION, _PARAMETERS = 0x0A, 0x10
# ... and of each evaluation within it.
_EPOCH = 0x09
_MEASURED = (0x21, 0x29, 0x19, 0x11)  # validation, test, training accuracy, seconds
# A measurement of energy is where the benchmark has the name of a checkpoint, of another type.
_ENERGY = 0x31


def recognises(path: Path) -> bool:
    """Return whether a path is a NAS-Bench-101 TFRecord, by its name or its first bytes.

    Args:
        path: Any path; a file that cannot be read is not recognised.
    """
    try:
        if not path.is_file():
            return False
        if path.name in _NAMES:
            return True
        with path.open("rb") as file:
            start = file.read(14)
    except OSError:
        return False
    return start.endswith(b'["') and starts_as_tfrecord(start)


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read a NAS-Bench-101 file row by row: every checksum and every cell's hash is checked.

    A row is a JSON list: hash, epochs, adjacency matrix, operations, and a message of numbers in
    base64. Of a row's evaluations the last one, at the end of training, is kept. Rows of one cell
    with one budget are repeats, in the order of the file. Fields that the benchmark does not have
    are skipped. Memory: about 2 KiB per cell of the full file, 0.9 GiB for all of it.

    Args:
        path: ``nasbench_only108.tfrecord``, ``nasbench_full.tfrecord``, or a file with such rows.
        on_progress: Called with the bytes read so far and the size of the file.

    Returns:
        Space ``nb101``, dataset ``cifar10``: validation, test and training accuracy in percent
        (higher is better) for every budget the file holds, one column per repeat; NaN where a cell
        has fewer repeats than others. Names of budgets other than 108 epochs end in it, such as
        ``val_acc_36``; the largest comes first. Costs are mean seconds of one training with the
        largest budget, on the accelerator that was used (a TPU v2 for the official files).

    Raises:
        DataError: The file is damaged, or a row is not of the benchmark; the message has the
            number of the record.

    Reference:
        Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019.
    """
    rows = _Rows()
    number = 0
    for number, record in enumerate(read_records(path, on_progress=on_progress), start=1):
        try:
            rows.add(record)
        except ValueError as error:
            raise DataError(f"{path}: record {number}: {error}. {_ADVICE}") from error
    if not number:
        raise DataError(f"{path}: it holds no record. {_ADVICE}")
    return rows.imported(path)


class _Rows:
    """The content of the rows read so far, in arrays that grow."""

    def __init__(self) -> None:
        self.by_hash: dict[str, int] = {}
        self.by_cell: dict[str, int] = {}
        self.hashes: list[str] = []
        self.matrices: list[str] = []
        self.operations: list[str] = []
        self.parameters = array("d")
        self.with_energy = False
        # One entry per row.
        self.cell = array("i")
        self.epochs = array("h")
        self.numbers = array("d")  # validation, test and training accuracy, seconds
        self.message = array("q")

    def add(self, record: bytes) -> None:
        """Add one row.

        Raises:
            ValueError: The row is wrong; the message says how.
        """
        name, epochs, matrix, operations, encoded = _row(record)
        metrics = read_fields(binascii.a2b_base64(encoded))
        last = metrics.get(_EVALUATION)
        if not isinstance(last, bytes):
            _refuse("it has no evaluation")
        evaluation = read_fields(last)
        numbers = _numbers(evaluation, epochs)
        index = self.by_cell.get(f"{matrix} {operations}")
        if index is None:
            index = self.new_cell(name, matrix, operations, metrics)
            self.with_energy = self.with_energy or _ENERGY in evaluation
        elif self.hashes[index] != name:
            _refuse_hash(name, self.hashes[index])
        self.cell.append(index)
        self.epochs.append(epochs)
        self.numbers.extend(numbers)
        # Equal messages are copies of a row and not repeats: they hold times to the microsecond.
        self.message.append(hash(encoded))

    def new_cell(
        self, name: str, matrix: str, operations: str, metrics: Mapping[int, int | float | bytes]
    ) -> int:
        """Return the number of a cell that is new, at least in this order of vertices."""
        check_cell(matrix, operations)
        right = cell_hash(matrix, operations)
        if name != right:
            _refuse_hash(name, right)
        index = self.by_hash.setdefault(name, len(self.hashes))
        self.by_cell[f"{matrix} {operations}"] = index
        if index == len(self.hashes):
            parameters = metrics.get(_PARAMETERS)
            if not isinstance(parameters, int) or not 0 < parameters < _MOST_PARAMETERS:
                _refuse("its number of parameters is missing or invalid")
            self.hashes.append(name)
            self.matrices.append(matrix)
            self.operations.append(operations)
            self.parameters.append(parameters)
        return index

    def imported(self, path: Path) -> Imported:
        """Arrange everything by cell.

        Raises:
            DataError: A row is the copy of another, or a cell has too many repeats.
        """
        order = np.argsort(np.array(self.hashes))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        matrices = [self.matrices[cell] for cell in order.tolist()]
        operations = [self.operations[cell] for cell in order.tolist()]
        cell = place[np.frombuffer(self.cell, np.int32)]
        epochs = np.frombuffer(self.epochs, np.int16)
        numbers = np.frombuffer(self.numbers, np.float64).reshape(-1, len(_COLUMNS) + 1)
        message = np.frombuffer(self.message, np.int64)

        measurements = []
        cost = np.full(len(order), np.nan)
        for budget in sorted(set(self.epochs), reverse=True):
            rows = np.flatnonzero(epochs == budget)
            rows = rows[np.argsort(cell[rows], kind="stable")]
            _refuse_copies(path, rows, cell[rows], message[rows])
            repeat = _repeats(path, rows, cell[rows])
            shape = (len(order), int(repeat.max()) + 1)
            for column, (split, words) in enumerate(_COLUMNS.items()):
                values = np.full(shape, np.nan)
                values[cell[rows], repeat] = numbers[rows, column] * 100
                metric = Metric(
                    f"{split}_acc" if budget == BUDGETS[-1] else f"{split}_acc_{budget}",
                    "%",
                    higher_is_better=True,
                    description=f"{words} after {budget} epochs of training",
                    replicates=shape[1] > 1,
                )
                measurements.append(Measurement(_DATASET, metric, values))
            if len(measurements) == len(_COLUMNS):
                count = np.bincount(cell[rows], minlength=len(order))
                total = np.bincount(cell[rows], numbers[rows, -1], minlength=len(order))
                np.divide(total, count, out=cost, where=count > 0)
        return Imported(
            space="nb101",
            title="NAS-Bench-101: cells of up to 7 vertices and 9 edges",
            architectures=[*map(cell_text, matrices, operations)],
            graphs=cell_graphs(matrices, operations),
            drop=(),
            contract=(),
            measurements=tuple(measurements),
            cost_seconds={_DATASET: cost},
            parameters=np.array(self.parameters)[order],
            chance={_DATASET: 10.0},
            note=_NOTE_ENERGY if self.with_energy else _NOTE,
            source=path.name,
            licence="MIT" if self.with_energy else "Apache-2.0",
            citation=_CITATION_ENERGY if self.with_energy else _CITATION,
        )


def _row(record: bytes) -> tuple[str, int, str, str, str]:
    """Return hash, epochs, matrix, operations and encoded message of a row."""
    try:
        row = json.loads(record.decode())
    except (ValueError, RecursionError):
        _refuse("it is not JSON text")
    if not isinstance(row, list) or [*map(type, row)] != [str, int, str, str, str]:
        _refuse("it is not a row of hash, epochs, matrix, operations and measurements")
    if row[1] not in BUDGETS:
        _refuse(f"its number of epochs is none of {', '.join(map(str, BUDGETS))}")
    name, epochs, matrix, operations, encoded = row
    return name, epochs, matrix, operations, encoded


def _numbers(
    evaluation: Mapping[int, int | float | bytes], epochs: int
) -> tuple[float, float, float, float]:
    """Return validation, test and training accuracy as fractions, and seconds of training."""
    if evaluation.get(_EPOCH) != epochs:
        _refuse(f"its last evaluation is not that after {epochs} epochs")
    validation, test, train, seconds = (evaluation.get(tag) for tag in _MEASURED)
    if not (
        isinstance(validation, float)
        and isinstance(test, float)
        and isinstance(train, float)
        and isinstance(seconds, float)
    ):
        _refuse("an accuracy or its seconds of training are missing")
    # Comparisons with NaN are false.
    if not (0 <= validation <= 1 and 0 <= test <= 1 and 0 <= train <= 1):
        _refuse("an accuracy is not between 0 and 1")
    if not 0 <= seconds < math.inf:
        _refuse("its seconds of training are negative or infinite")
    return validation, test, train, seconds


def _repeats(path: Path, rows: NDArray[np.int64], cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the rows within each cell, given rows sorted by cell."""
    new = np.append(True, cell[1:] != cell[:-1])
    start = np.flatnonzero(new)
    repeat = np.arange(len(rows)) - np.repeat(start, np.diff(np.append(start, len(rows))))
    if repeat.max() >= MOST_REPEATS:
        record = int(rows[repeat.argmax()]) + 1
        raise DataError(
            f"{path}: record {record}: its cell has more than {MOST_REPEATS} repeats. {_ADVICE}"
        )
    return repeat


def _refuse_copies(
    path: Path,
    rows: NDArray[np.int64],
    cell: NDArray[np.int64],
    message: NDArray[np.int64],
) -> None:
    order = np.lexsort((rows, message, cell))
    same = (np.diff(cell[order]) == 0) & (np.diff(message[order]) == 0)
    if same.any():
        first = int(same.argmax())
        one, other = (int(row) + 1 for row in rows[order[first : first + 2]])
        raise DataError(f"{path}: record {other}: it is a copy of record {one}. {_ADVICE}")


def _refuse_hash(found: str, right: str) -> NoReturn:
    _refuse(f"the hash of its cell is {right}, not {found[:40]!a}")


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)

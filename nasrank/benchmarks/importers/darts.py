"""DARTS genotypes with accuracies, in any table.

A row has the genotype as text (``genotype``) or as its parts (``normal``, ``reduce`` and
optionally ``normal_concat``, ``reduce_concat``), and may have ``val_acc``, ``test_acc`` and
``train_acc`` in percent (a number, or a list with one per seed), ``train_seconds`` and
``parameters``.
Architectures without an accuracy are a pool of candidates; a word such as ``failed``, NaN or an
infinity in place of an accuracy says that the training failed. This reader was not tested on a
file from a benchmark's authors.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.column_names import KnownColumns
from nasrank.benchmarks.importers.columns import says_failed
from nasrank.benchmarks.importers.darts_cells import (
    CONTRACT,
    DROP,
    Genotype,
    genotype_graphs,
    genotype_of_fields,
    genotype_text,
    parse_genotype,
)
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.json_file import finite_number
from nasrank.benchmarks.importers.records import Record, Records, first_columns, read_records
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError

__all__ = ["COLUMNS", "read", "recognises"]

_DATASET = "cifar10"
_MOST_RUNS = 64
_ACCURACIES = {"val_acc": "validation", "test_acc": "test", "train_acc": "training"}
_PARTS = ("normal", "normal_concat", "reduce", "reduce_concat")
_ADVICE = "Correct the file and import it again"
COLUMNS = KnownColumns(
    names=("genotype", *_PARTS, *_ACCURACIES, "train_seconds", "parameters"),
    cell="genotype",
    verbatim=("genotype", *_PARTS),
    lists=_PARTS,
)
"""The columns that are read; others are passed over."""


def recognises(path: Path, *, renamed: Mapping[str, str] | None = None) -> bool:
    """Return whether a file is a table with a column for genotypes; never raises.

    Args:
        path: The file.
        renamed: As in :func:`read`.
    """
    names = {name.lower() for name in first_columns(path, whole=COLUMNS.verbatim)}
    given = {} if renamed is None else renamed
    names |= {name for name, written in given.items() if written.lower() in names}
    return bool(names & {"genotype", "cell"}) or {"normal", "reduce"} <= names


def read(
    path: Path,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Imported:
    """Read genotypes and their accuracies.

    Args:
        path: A table, as `read_records` reads it.
        on_progress: Called with the genotypes read and their number, now and then.
        renamed: The file's name of a column by its name here.

    Returns:
        Space ``darts``, dataset ``cifar10``; accuracies in percent, converted from fractions
        where none is above 1.

    Raises:
        UsageError: A renamed column is not in the file.
        DataError: The file is missing, damaged or of another form, or a row is wrong.
    """
    records = read_records(path, renamed=renamed, known=COLUMNS)
    if not {"genotype", "normal"} & {*records.columns}:
        raise DataError(
            f"{path}: it has no column genotype. Name it with --column genotype=COLUMN, one of: "
            f"{', '.join(records.columns)[:200]}"
        )
    records = replace(records, remedy=_ADVICE)
    genotypes: list[Genotype] = []
    first: dict[Genotype, int] = {}
    for row, fields in enumerate(records.rows):
        try:
            genotype = _genotype(fields)
        except ValueError as error:
            raise records.error(row, str(error)) from error
        if first.setdefault(genotype, row) != row:
            place = f"{records.unit} {records.places[first[genotype]]}"
            raise DataError(
                f"{path}: {records.unit} {records.places[row]} repeats the genotype of {place}. "
                "Give one row per genotype, with the seeds as a list"
            )
        genotypes.append(genotype)
        if on_progress is not None and (row + 1) % 1000 == 0:
            on_progress(row + 1, len(records))
    measurements = tuple(_measurements(records))
    if not measurements:
        raise DataError(
            f"{path}: no row has {', '.join(_ACCURACIES)}. Name the column with --column "
            "val_acc=COLUMN"
        )
    seconds = _column(records, "train_seconds")
    parameters = _column(records, "parameters")
    return Imported(
        space="darts",
        title="DARTS genotypes",
        architectures=tuple(map(genotype_text, genotypes)),
        graphs=genotype_graphs(genotypes),
        drop=DROP,
        contract=CONTRACT,
        measurements=measurements,
        cost_seconds={} if seconds is None else {_DATASET: seconds},
        parameters=parameters,
        chance={_DATASET: 10.0},
        note="accuracies as the file has them; whether they are trainings or predictions of a "
        "surrogate, it does not say",
        source=path.name,
        licence="that of the file",
        citation="Zela et al. (2022), Surrogate NAS Benchmarks: Going Beyond the Limited Search "
        "Spaces of Tabular NAS Benchmarks, ICLR",
    )


def _genotype(fields: Record) -> Genotype:
    spelled = fields.get("genotype")
    if isinstance(spelled, str) and spelled:
        return parse_genotype(spelled)
    return genotype_of_fields(spelled or {name: fields.get(name) for name in _PARTS})


def _measurements(records: Records) -> Iterator[Measurement]:
    for name, split in _ACCURACIES.items():
        seeds = [
            _numbers(records, row, name, fields.get(name))
            for row, fields in enumerate(records.rows)
        ]
        width = max(map(len, seeds))
        values = np.full((len(seeds), width), np.nan)
        for row, numbers in enumerate(seeds):
            values[row, : len(numbers)] = numbers
        if np.isnan(values).all():
            continue
        tried = np.array([bool(numbers) for numbers in seeds])
        failed = np.asarray(tried & np.isnan(values).all(axis=1), np.bool_)
        words = f"{split} accuracy as the file has it"
        if np.nanmax(values) <= 1:
            values *= 100
            words += ", converted from fractions to percent"
        if np.nanmin(values) < 0 or np.nanmax(values) > 100:
            bad = (values < 0) | (values > 100)
            row = int(np.argmax(bad.any(axis=1)))
            raise records.error(row, f"{name} is outside 0 to 100 %")
        metric = Metric(name, "%", higher_is_better=True, description=words, replicates=width > 1)
        yield Measurement(_DATASET, metric, values, failed if failed.any() else None)


def _column(records: Records, name: str) -> NDArray[np.float64] | None:
    """Return ``[N]`` numbers of at least 0, or None where no row has one."""
    values = np.full(len(records), np.nan)
    for row, fields in enumerate(records.rows):
        numbers = _numbers(records, row, name, fields.get(name))
        if len(numbers) > 1 or min(numbers, default=0) < 0:
            raise records.error(row, f"{name} is not a single number of at least 0")
        values[row : row + 1] = numbers or np.nan
    return None if np.isnan(values).all() else values


def _numbers(records: Records, row: int, name: str, value: object) -> list[float]:
    """Return the numbers of a cell, NaN for each training that failed; nothing for nothing."""
    numbers = []
    for each in value if isinstance(value, list) else [value]:
        number = finite_number(each)
        if number is None and each is not None:
            wordy = isinstance(each, str) and says_failed(each)
            if not (wordy or (isinstance(each, float) and not math.isfinite(each))):
                raise records.error(row, f"{name} is {str(each)[:40]!a}, not a number")
            number = math.nan
        numbers += [] if number is None else [number]
    if len(numbers) > _MOST_RUNS:
        raise records.error(row, f"{name} has more than {_MOST_RUNS} numbers")
    return numbers

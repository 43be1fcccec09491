"""DARTS genotypes with accuracies, in JSON or CSV.

JSON: a list of objects, or one object per line. Each has the genotype as text (``genotype``) or as
its parts (``normal``, ``reduce`` and optionally ``normal_concat``, ``reduce_concat``), and may
have ``val_acc``, ``test_acc`` and ``train_acc`` in percent (a number, or a list with one per
seed), ``train_seconds`` and ``parameters``. CSV: columns of the same names, ``genotype`` as text.
Architectures without an accuracy are a pool of candidates. This reader was not tested on a file
from a benchmark's authors.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
from nasrank.benchmarks.importers.json_file import finite_number, head, read_json
from nasrank.benchmarks.pickles import read_limited
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError

__all__ = ["read", "recognises"]

_DATASET = "cifar10"
_SIZE_LIMIT = 2**28
_MOST_RUNS = 64
_ACCURACIES = {"val_acc": "validation", "test_acc": "test", "train_acc": "training"}
_ADVICE = "Correct the file and import it again"

_Rows = list[tuple[str, dict[str, object]]]


def recognises(path: Path) -> bool:
    """Return whether a file starts with a genotype in JSON or CSV; never raises."""
    start = head(path).lstrip()
    if start.startswith((b"[", b"{")):
        return b'"genotype"' in start or (b'"normal"' in start and b'"reduce"' in start)
    first_line, _, _ = start.partition(b"\n")
    return b"genotype" in first_line.split(b",") or b'"genotype"' in first_line


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read genotypes and their accuracies.

    Args:
        path: A ``.json``, ``.jsonl`` or ``.csv`` file as the module describes.
        on_progress: Called with the genotypes read and their number, now and then.

    Returns:
        Space ``darts``, dataset ``cifar10``; accuracies in percent, converted from fractions
        where none is above 1.

    Raises:
        DataError: The file is missing, damaged or of another form, or a row is wrong.
    """
    rows = _rows(path)
    if not rows:
        raise DataError(f"{path}: it holds no genotype. {_ADVICE}")
    genotypes: list[Genotype] = []
    first: dict[Genotype, str] = {}
    for number, (where, fields) in enumerate(rows, start=1):
        try:
            genotype = _genotype(fields)
        except ValueError as error:
            raise DataError(f"{path}: {where}: {error}. {_ADVICE}") from error
        if first.setdefault(genotype, where) != where:
            raise DataError(
                f"{path}: {where} repeats the genotype of {first[genotype]}. "
                "Give one row per genotype, with the seeds as a list in JSON"
            )
        genotypes.append(genotype)
        if on_progress is not None and number % 1000 == 0:
            on_progress(number, len(rows))
    measurements = tuple(_measurements(path, rows))
    if not measurements:
        raise DataError(
            f"{path}: no row has {', '.join(_ACCURACIES)}. Use one of these names in the file"
        )
    seconds = _column(path, rows, "train_seconds")
    parameters = _column(path, rows, "parameters")
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


def _rows(path: Path) -> _Rows:
    """Return the place of each row and its content."""
    start = head(path).lstrip()
    if not start.startswith((b"[", b"{")):
        return list(_csv_rows(path))
    if start.startswith(b"["):
        value = read_json(path, limit=_SIZE_LIMIT)
        listed = value if isinstance(value, list) else []
    else:
        listed = list(_json_lines(path))
    rows = []
    for number, fields in enumerate(listed, start=1):
        if not isinstance(fields, dict):
            raise DataError(f"{path}: row {number} is not a JSON object. {_ADVICE}")
        rows.append((f"row {number}", fields))
    return rows


def _json_lines(path: Path) -> Iterator[object]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: line {number} is not JSON. {_ADVICE}") from error


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if "genotype" not in header or len({*header}) != len(header):
            raise DataError(
                f"{path}: its first line should name distinct columns, one of them genotype. "
                f"{_ADVICE}"
            )
        for row in reader:
            if not row:
                continue
            where = f"line {reader.line_num}"
            if len(row) != len(header):
                raise DataError(
                    f"{path}: {where} has {len(row)} of {len(header)} fields. {_ADVICE}"
                )
            fields: dict[str, object] = {}
            for name, text in zip(header, row, strict=True):
                fields[name] = text if name == "genotype" else _csv_number(text)
            yield where, fields
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}. {_ADVICE}") from error


def _csv_number(text: str) -> object:
    """Return a number, None for an empty field, or the text where it is neither."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    try:
        return read_limited(path, limit=_SIZE_LIMIT, advice=_ADVICE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text. {_ADVICE}") from error


def _genotype(fields: dict[str, object]) -> Genotype:
    spelled = fields.get("genotype")
    if isinstance(spelled, str):
        return parse_genotype(spelled)
    return genotype_of_fields(fields if spelled is None else spelled)


def _measurements(path: Path, rows: _Rows) -> Iterator[Measurement]:
    for name, split in _ACCURACIES.items():
        seeds = [_numbers(path, where, name, fields.get(name)) for where, fields in rows]
        width = max(map(len, seeds))
        if not width:
            continue
        values = np.full((len(rows), width), np.nan)
        for row, numbers in enumerate(seeds):
            values[row, : len(numbers)] = numbers
        words = f"{split} accuracy as the file has it"
        if np.nanmax(values) <= 1:
            values *= 100
            words += ", converted from fractions to percent"
        if np.nanmin(values) < 0 or np.nanmax(values) > 100:
            bad = (values < 0) | (values > 100)
            where = rows[int(np.argmax(bad.any(axis=1)))][0]
            raise DataError(f"{path}: {where} has a {name} outside 0 to 100 %. {_ADVICE}")
        metric = Metric(name, "%", higher_is_better=True, description=words, replicates=width > 1)
        yield Measurement(_DATASET, metric, values)


def _column(path: Path, rows: _Rows, name: str) -> NDArray[np.float64] | None:
    """Return ``[N]`` numbers of at least 0, or None where no row has one."""
    values = np.full(len(rows), np.nan)
    for row, (where, fields) in enumerate(rows):
        numbers = _numbers(path, where, name, fields.get(name))
        if len(numbers) > 1 or min(numbers, default=0) < 0:
            raise DataError(
                f"{path}: {where} needs a single number of at least 0 for {name}. {_ADVICE}"
            )
        values[row : row + 1] = numbers or np.nan
    return None if np.isnan(values).all() else values


def _numbers(path: Path, where: str, name: str, value: object) -> list[float]:
    """Return the finite numbers of a field; nothing and NaN count as not measured."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return []
    listed = value if isinstance(value, list) else [value]
    numbers = [number for each in listed if (number := finite_number(each)) is not None]
    if len(numbers) != len(listed) or len(numbers) > _MOST_RUNS:
        shown = f"{str(value)[:40]!a} for {name}"
        raise DataError(f"{path}: {where} has {shown}, not a number. {_ADVICE}")
    return numbers

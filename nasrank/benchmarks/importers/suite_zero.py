"""NAS-Bench-Suite-Zero's JSON files, such as ``zc_nasbench201.json``.

``{dataset: {architecture: {proxy: {"score": s, "time": t}, ..., "val_accuracy": a}}}``. The
architecture is the text of a tuple: six operation numbers for NAS-Bench-201 (edges 0-1, 0-2, 0-3,
1-2, 1-3, 2-3; operations skip_connect, none, nor_conv_3x3, nor_conv_1x1, avg_pool_3x3), the six
digits of a TransNAS-Bench-101 micro cell, or two cells of eight pairs (input, operation) for
DARTS. The names of the datasets distinguish the first two. Files of other spaces are refused.

The files of the first release have the name of the space around all that, and numbers in place of
the objects: ``{space: {dataset: {architecture: {proxy: s, ..., "val_accuracy": a}}}}``. Of these
the reader has met the authors' files of NAS-Bench-201 and DARTS; of the later form none.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import nb201
from nasrank.benchmarks.importers import darts_cells, transnas_cells
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.json_file import finite_number, head, read_json
from nasrank.benchmarks.importers.proxies import clean_scores, proxy_metric
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

__all__ = ["read", "recognises"]

_START = re.compile(rb'\s*\{\s*("[\w-]{1,40}"\s*:\s*\{\s*){1,2}"[\[(][^"]{5,400}[\])]"\s*:\s*\{')
_DIGITS = re.compile(r"[(\[](\d),(\d),(\d),(\d),(\d),(\d)[)\]]")
_PAIRS = re.compile(r"[(\[]\d,\d[)\]]")
_LONGEST = 400
_ADVICE = "Get the file again from its origin."
_IMAGE_DATASETS = {"ImageNet16-120": "imagenet16-120"}
_ACCURACY = "val_accuracy"
_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


class _Spelling(NamedTuple):
    """The architectures of a file.

    Attributes:
        space: Name of the space.
        texts: Each key of the file and the text of its architecture.
        graphs: The graphs of the texts, or None where the space is built in.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
    """

    space: str
    texts: dict[str, str]
    graphs: GraphBatch | None
    drop: tuple[str, ...]
    contract: tuple[str, ...]


def recognises(path: Path) -> bool:
    """Return whether a file starts like NAS-Bench-Suite-Zero's JSON; never raises."""
    return _START.match(head(path)) is not None


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read proxies and validation accuracies of one search space.

    Args:
        path: A ``zc_SPACE.json``.
        on_progress: Called with the datasets read and their number.

    Returns:
        The space with the metric ``val_acc_suite_zero`` in percent and a metric ``zc_PROXY`` for
        each proxy; for ``darts`` the accuracy is a surrogate's prediction and named ``val_acc``,
        for ``transnas-micro`` it has the default name of its task.

    Raises:
        DataError: The file is missing, damaged, of another form or another space.
    """
    table = read_json(path)
    if not isinstance(table, dict) or not table:
        raise DataError(f"{path}: it holds no dataset. {_ADVICE}")
    first_release = _is_first_release(table)
    if first_release:
        (table,) = table.values()
    for dataset, entries in table.items():
        if not isinstance(entries, dict) or not entries:
            raise DataError(f"{path}: dataset {dataset[:40]!a} holds no architecture. {_ADVICE}")
    spelling = _spelling(path, table)
    rows = {text: row for row, text in enumerate(spelling.texts.values())}
    if len(rows) != len(spelling.texts):
        raise DataError(f"{path}: it spells one architecture in two ways. {_ADVICE}")
    measurements: list[Measurement] = []
    for number, (dataset, entries) in enumerate(table.items(), start=1):
        order = np.array([rows[spelling.texts[key]] for key in entries], np.int64)
        columns = _columns(path, dataset, entries, plain=first_release)
        for metric, values in _metrics(path, spelling.space, dataset, columns):
            spread = np.full(len(rows), np.nan)
            spread[order] = values
            name = _dataset(spelling.space, dataset)
            measurements.append(Measurement(name, metric, spread[:, None]))
        if on_progress is not None:
            on_progress(number, len(table))
    return Imported(
        space=spelling.space,
        title="NAS-Bench-Suite-Zero: training-free proxies",
        architectures=tuple(rows),
        graphs=spelling.graphs,
        drop=spelling.drop,
        contract=spelling.contract,
        measurements=tuple(measurements),
        cost_seconds={},
        parameters=None,
        chance={},
        note="a proxy's direction is not known: higher counts as better"
        + ("; accuracies are a surrogate's predictions" if spelling.space == "darts" else ""),
        source=path.name,
        licence="Apache-2.0",
        citation="Krishnakumar et al. (2022), NAS-Bench-Suite-Zero: Accelerating Research on "
        "Zero Cost Proxies, NeurIPS Datasets and Benchmarks",
    )


def _is_first_release(table: dict[str, object]) -> bool:
    """Return whether the name of the space stands around the datasets."""
    (inner, *others) = table.values()
    if others or not isinstance(inner, dict) or not inner:
        return False
    entries = next(iter(inner.values()))
    key = next(iter(inner))
    return not key.startswith(("(", "[")) and isinstance(entries, dict)


def _spelling(path: Path, table: dict[str, dict[str, object]]) -> _Spelling:
    keys = list(dict.fromkeys(key for entries in table.values() for key in entries))
    flat = {key: "".join(key[:_LONGEST].split()) for key in keys}
    first = flat[keys[0]]
    try:
        if _DIGITS.fullmatch(first) is None:
            genotypes = [_genotype(key, text) for key, text in flat.items()]
            texts = list(map(darts_cells.genotype_text, genotypes))
            return _Spelling(
                "darts",
                dict(zip(keys, texts, strict=True)),
                darts_cells.genotype_graphs(genotypes),
                darts_cells.DROP,
                darts_cells.CONTRACT,
            )
        if {*table} <= {*transnas_cells.TASKS}:
            digits = [_digits(key, text, 4) for key, text in flat.items()]
            texts = list(map(transnas_cells.micro_text, digits))
            return _Spelling(
                "transnas-micro",
                dict(zip(keys, texts, strict=True)),
                transnas_cells.micro_graphs(np.array(digits, np.int8)),
                transnas_cells.DROP,
                transnas_cells.CONTRACT,
            )
        places = [_EDGES.index(edge) for edge in nb201.EDGES]
        codes = [nb201.OPERATIONS.index(name) for name in _OPERATIONS]
        texts = []
        for key, text in flat.items():
            digits_of = _digits(key, text, len(codes))
            texts.append(nb201.architecture_string([codes[digits_of[place]] for place in places]))
        return _Spelling(
            "nb201", dict(zip(keys, texts, strict=True)), None, ("none",), ("skip_connect",)
        )
    except ValueError as error:
        raise DataError(f"{path}: {error}. {_ADVICE}") from error


def _digits(key: str, text: str, operations: int) -> tuple[int, ...]:
    found = _DIGITS.fullmatch(text)
    digits = tuple(map(int, found.groups())) if found else ()
    if not digits or max(digits) >= operations:
        raise ValueError(f"architecture {key[:60]!a} is not six operations below {operations}")
    return digits


def _genotype(key: str, text: str) -> darts_cells.Genotype:
    pairs = [(int(pair[1]), int(pair[3])) for pair in _PAIRS.findall(text)]
    # What is left without the pairs is the punctuation of two cells.
    if len(pairs) != 16 or _PAIRS.sub("", text).strip("()[],") or len(text) >= _LONGEST:
        raise ValueError(f"architecture {key[:60]!a} is not of a space that can be read")
    if max(operation for _, operation in pairs) >= len(darts_cells.OPERATIONS):
        raise ValueError(f"architecture {key[:60]!a} has an unknown operation")
    edges = [[darts_cells.OPERATIONS[operation], source] for source, operation in pairs]
    try:
        return darts_cells.genotype_of_fields({"normal": edges[:8], "reduce": edges[8:]})
    except ValueError as error:
        raise ValueError(f"architecture {key[:60]!a}: {error}") from error


def _dataset(space: str, dataset: str) -> str:
    if space == "transnas-micro":
        return transnas_cells.TASKS[dataset]
    return _IMAGE_DATASETS.get(dataset, dataset)


def _columns(
    path: Path, dataset: str, entries: dict[str, object], *, plain: bool
) -> dict[str, NDArray[np.float64]]:
    """Return the accuracy and the score of each proxy, one value per entry."""
    columns: dict[str, NDArray[np.float64]] = {_ACCURACY: np.full(len(entries), np.nan)}
    for row, (key, entry) in enumerate(entries.items()):
        where = f"{path}: {dataset[:40]}, architecture {key[:60]!a}"
        if not isinstance(entry, dict):
            raise DataError(f"{where} has no proxies. {_ADVICE}")
        for name, value in entry.items():
            if name == _ACCURACY or (plain and isinstance(value, int | float)):
                found = value
            elif isinstance(value, dict) and "score" in value:
                found = value["score"]
            else:
                continue
            if type(found) is not int and type(found) is not float:
                raise DataError(f"{where} has no number for {name[:40]!a}. {_ADVICE}")
            number = finite_number(found)
            columns.setdefault(name, np.full(len(entries), np.nan))[row] = (
                np.nan if number is None else number
            )
    return columns


def _metrics(
    path: Path, space: str, dataset: str, columns: dict[str, NDArray[np.float64]]
) -> Iterator[tuple[Metric, NDArray[np.float64]]]:
    accuracy = columns.pop(_ACCURACY)
    if space == "transnas-micro":
        metric = transnas_cells.DEFAULT_METRICS[transnas_cells.TASKS[dataset]]
    elif space == "darts":
        metric = Metric(
            "val_acc",
            "%",
            higher_is_better=True,
            description="validation accuracy that the surrogate of NAS-Bench-301 predicts; a "
            "prediction, not a training",
        )
    else:
        metric = Metric(
            "val_acc_suite_zero",
            "%",
            higher_is_better=True,
            description="validation accuracy as NAS-Bench-Suite-Zero reports it, one number per "
            "cell; not a mean over seeds like val_acc",
        )
    if metric.unit == "%" and ((accuracy < 0) | (accuracy > 100)).any():
        raise DataError(f"{path}: {dataset} has an accuracy outside 0 to 100 %. {_ADVICE}")
    if not np.isnan(accuracy).all():
        yield metric, accuracy
    for name, scores in columns.items():
        yield proxy_metric(name), clean_scores(scores)

"""A user's own space from a CSV, JSON Lines or Parquet file.

Every row is an architecture: a graph, a row of settings, or both.

A table without columns for graphs is one of settings: every column that is not named here and not
chosen as a label may be one; see :mod:`nasrank.benchmarks.importers.setting_table`. In a table of
graphs further columns are settings only where they are asked for.

``id``
    Its name, unique in the file. May be left out beside ``arch_str``, and in a table of settings,
    where a column that names the rows takes its place, or the settings written out.
``operations`` and ``edges``
    The operations of its nodes, ``input;conv3x3;output``, and the edges between them by position
    from 0, ``0-1;1-2``. An edge given twice counts twice. In JSON and Parquet lists work as well:
    ``["input", "conv3x3", "output"]`` and ``[[0, 1], [1, 2]]``.
``operations`` and ``matrix``
    The same with an adjacency matrix, as NAS-Bench-101 has it: ``010;001;000``.
``layers``
    The operations of a chain, without input and output: ``mb3;mb6;mb6``.
``arch_str``
    A NAS-Bench-201 string, ``|none~0|+|none~0|none~1|+|none~0|none~1|none~2|``.
``attribute_NAME``
    Numbers per node, such as widths: ``64;128;256``, one for each of ``operations`` or
    ``layers``, and nothing where a node has none: ``;64;;128;``. In JSON and Parquet lists work as
    well, with null for none. A single number holds for every node, an empty cell for none.
``label``, ``label_0``, ``label_1``, ...
    Its measured value; several columns are several training seeds. Empty where it was not
    evaluated: such rows are the candidates. NaN, infinity or ``failed`` where training failed.
``status``, ``diverged``, ``fail_reason``
    Whether training failed; see :mod:`nasrank.benchmarks.importers.failures`.
``cost_seconds``, ``parameters``
    GPU-seconds of its training and number of its weights; may be empty.
``group``
    A name shared by architectures that a split must not divide, such as variants of one network;
    may be empty.

A file writes the graphs of all rows in one way. In a table of settings rows of one ``id``, or of
equal settings where nothing else names them, train one architecture: their labels are training
seeds. Nodes named ``input`` and ``output`` are where data enters and leaves. An operation named
``none`` produces nothing and one named ``skip_connect`` returns its input; two architectures that
then compute the same belong to one class, as rows of equal settings do.
"""

import contextlib
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.cells import cell_of
from nasrank.benchmarks.importers.column_roles import lower_is_usually_better
from nasrank.benchmarks.importers.failures import Outcomes, read_outcomes, status_columns
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.plain_graphs import NotPlainError
from nasrank.benchmarks.importers.plain_tables import plain_records
from nasrank.benchmarks.importers.records import Records, is_table, read_records
from nasrank.benchmarks.importers.replicates import Replicates
from nasrank.benchmarks.importers.setting_names import (
    check_names,
    numbered,
    setting_names,
    shortened,
)
from nasrank.benchmarks.importers.setting_table import (
    notes_on,
    read_settings,
    understand,
    understand_more,
)
from nasrank.benchmarks.importers.store import MOST_NODES, check_size
from nasrank.benchmarks.importers.understood import NO_WISHES, Understood, Wishes
from nasrank.benchmarks.nb201 import OPERATIONS, cell_graphs, official_order
from nasrank.benchmarks.nb201 import architecture_string as nb201_string
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError, NasrankError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.registry import unknown_name

__all__ = ["DATASET", "candidate_graphs", "candidate_names", "read", "recognises", "spells_names"]

_BUILT_IN = (
    "--settings, --setting, --category and --ignore are about settings, and this space is built "
    "in. Leave them out"
)

DATASET = "own"
"""The dataset of a user's own space, unless another is named."""

_ENDS = ("input", "output")
_FORMS = (("operations", "edges"), ("operations", "matrix"), ("layers",), ("arch_str",))
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_DEFAULT_LABELS = (re.compile(r"label(_\d+)?"), re.compile(r"label_.*"))
_ATTRIBUTE = re.compile(r"attribute_(.+)")
_RESERVED = {"id", "cost_seconds", "parameters", "group"}
_GRAPH_COLUMNS = {name for form in _FORMS for name in form}
_LARGEST = float(np.finfo(np.float32).max)
_MOST_PARALLEL = 255
_LONGEST_NAME = 256

_PART = 2**21
"""Maximum number of pairs of nodes of candidates in memory at once."""
_REMEMBERED = 2**14
"""Number of parsed texts that are cached: long tables repeat the same texts."""

Graph = tuple[list[str], list[tuple[int, int]]]


def recognises(path: Path) -> bool:
    """Return by its suffix whether a file may hold a user's own space."""
    return is_table(path)


def read(
    path: Path,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
    space: str = "own",
    built_in: bool = False,
    label: Sequence[str] = (),
    attributes: Sequence[str] = (),
    dataset: str = DATASET,
    lower_is_better: bool | None = None,
    unit: str | None = None,
    wishes: Wishes = NO_WISHES,
    known: Sequence[Setting] = (),
    renamed: Mapping[str, str] | None = None,
    study: str | None = None,
) -> Imported:
    """Read a file of the form that this module describes.

    Args:
        path: The file.
        on_progress: Receives the number of rows read so far, and their total where it is known.
        space: Name of the space.
        built_in: Whether that is a built-in space. Its architectures are then named in
            ``arch_str``, and other columns for graphs are ignored.
        label: Label columns, one per training seed; ``label`` and ``label_0``, ... by default.
        attributes: Columns with numbers per node; ``attribute_*`` by default.
        dataset: What the architectures were trained on.
        lower_is_better: Direction of the label; None takes it from the name of the label.
        unit: Unit of the label; by default ``%`` where it is written so, else a pure number.
        wishes: What columns are settings, and of which kind, where the user says so.
        known: Settings of a space that this file adds architectures to; empty to find them.
        renamed: The file's name of a column by its name here.
        study: Name of the study of an Optuna file that holds several.

    Raises:
        UsageError: A chosen column is not in the file, or not valid for its purpose.
        DataError: The file or a row is not of that form; the message names the row.
    """
    asked = _Asked(
        space,
        built_in,
        tuple(label),
        tuple(attributes),
        dataset,
        lower_is_better,
        unit,
        wishes,
        tuple(known),
    )
    if not (attributes or wishes or known or study):
        # What is refused there is refused below as well, and its row named.
        with contextlib.suppress(NotPlainError, NasrankError):
            plain = plain_records(
                path, renamed=renamed, built_in=built_in, on_progress=on_progress
            )
            return _imported(plain, asked)
    return _imported(
        read_records(path, renamed=renamed, study=study, on_progress=on_progress), asked
    )


@dataclass(frozen=True)
class _Asked:
    """The arguments of `read` that say what rows mean."""

    space: str
    built_in: bool
    label: tuple[str, ...]
    attributes: tuple[str, ...]
    dataset: str
    lower_is_better: bool | None
    unit: str | None
    wishes: Wishes
    known: tuple[Setting, ...]


def _imported(records: Records, asked: _Asked) -> Imported:
    path, built_in, wishes = records.path, asked.built_in, asked.wishes
    labels = _label_columns(records, asked.label)
    statuses = status_columns(records, labels)
    form = None if built_in else _form(records)
    numbers = _attribute_columns(records, asked.attributes, labels, built_in=built_in)
    if numbers and form is None and not built_in:
        raise DataError(
            f"{path}: the column {next(iter(numbers.values()))} needs nodes, but no column writes "
            "graphs. Write them with operations or layers"
        )
    outcomes = _outcomes(records, labels, statuses)
    graphs, understood, settings = None, None, None
    if built_in:
        if wishes:
            raise UsageError(_BUILT_IN)
        names = _names(records, built_in=True)
    else:
        taken = {*labels, *statuses, *numbers.values(), *_fixed_columns(records, form)}
        understood = _understood(records, taken, wishes, asked.known, graphs=form is not None)
        settings = understood.settings
        graphs = _architectures(records, form, numbers, settings)
        names = _names(records, None if form else understood)
    groups = _group_names(records) if "group" in records.columns else None
    rows = Replicates.of(names, groups)
    values, failed = rows.labels(outcomes.values), rows.failed(outcomes.failed, outcomes.values)
    costs = rows.mean(_amounts(records, "cost_seconds"))
    lower_is_better = asked.lower_is_better
    if lower_is_better is None:
        lower_is_better = records.lower.get(labels[0])
    guessed = lower_is_better is None and all(map(lower_is_usually_better, labels))
    metric = Metric(
        _metric_name(labels),
        asked.unit or ("%" if records.percents >= {*labels} else "1"),
        not (lower_is_better or guessed),
        f"{', '.join(labels)} as given by the user",
        replicates=values.shape[1] > 1,
    )
    return Imported(
        space=asked.space,
        title=f"{path.name}, imported by the user",
        architectures=numbered([names[row] for row in rows.first]),
        graphs=None if graphs is None else graphs[rows.first],
        drop=("none",),
        contract=("skip_connect",),
        measurements=(
            Measurement(asked.dataset, metric, values, failed if failed.any() else None),
        ),
        cost_seconds={} if costs is None else {asked.dataset: costs},
        parameters=rows.mean(_amounts(records, "parameters")),
        chance={},
        note="",
        source=path.name,
        licence="the user's own",
        citation="",
        groups=None if groups is None else [groups[row] for row in rows.first],
        understood=understood
        and replace(
            understood,
            settings=None if settings is None else settings[rows.first],
            repeats=_repeats(settings) if form is None else 0,
            failures=outcomes.reasons,
            unfinished=outcomes.unfinished,
            guessed_lower=guessed,
            notes=(*records.notes, *notes_on(settings, outcomes.values, labels[0])),
        ),
    )


def _outcomes(records: Records, labels: Sequence[str], statuses: Sequence[str]) -> Outcomes:
    outcomes = read_outcomes(records, labels, statuses)
    if np.isnan(outcomes.values).all():
        what = "every row failed" if outcomes.failed.all() else "no row has a label"
        raise DataError(f"{records.path}: {what}. Fill the column {labels[0]}")
    return outcomes


def _understood(
    records: Records,
    taken: Collection[str],
    wishes: Wishes,
    known: Sequence[Setting],
    *,
    graphs: bool,
) -> Understood:
    if known:
        return understand_more(records, taken, known, graphs=graphs)
    return understand(records, taken, wishes, graphs=graphs)


def _repeats(settings: Settings | None) -> int:
    """Count the rows whose settings an earlier row has."""
    if settings is None:
        return 0
    # No setting is infinite, and NaN would differ from NaN.
    rows = np.nan_to_num(settings.values, nan=np.inf)
    return len(rows) - len(np.unique(rows, axis=0))


def spells_names(records: Records, settings: Sequence[Setting]) -> bool:
    """Whether rows of candidates have no names but their settings."""
    return bool(settings) and not {"id", "arch_str"} & {*records.columns}


def candidate_names(records: Records, settings: Sequence[Setting] = ()) -> tuple[str, ...]:
    """Read the names of candidates: ``id``, or ``arch_str`` where there is none.

    Args:
        records: Some rows of a file.
        settings: Settings of the space. Written out they are the names where there are no others;
            rows of equal settings then share one.

    Raises:
        DataError: A row has no name, or that of another row.
    """
    if spells_names(records, settings):
        return setting_names(read_settings(records, settings))
    return _names(records)


def candidate_graphs(
    records: Records,
    vocabulary: Sequence[str],
    attributes: Sequence[str] = (),
    settings: Sequence[Setting] = (),
) -> Iterator[GraphBatch]:
    """Read the graphs and settings of candidates of a known space, in parts.

    Args:
        records: Some rows of a file; labels and unknown columns are ignored.
        vocabulary: Operations of the space; the two ends alone where it has settings only.
        attributes: Attributes of its nodes, each in a column of that name or ``attribute_NAME``.
        settings: Its settings, each in a column of that name, or in a list.

    Yields:
        The architectures of the next rows, unreduced, few enough to fit in memory.

    Raises:
        DataError: A row is not of the form that this module describes, or has an operation or a
            level that the space lacks; the message names the row.
    """
    if not settings:
        yield from _candidate_graphs(records, vocabulary, attributes)
        return
    table = read_settings(records, settings)
    if len(vocabulary) == len(_ENDS):
        yield GraphBatch.of_settings(table)
        return
    start = 0
    for batch in _candidate_graphs(records, vocabulary, attributes):
        yield replace(batch, settings=table[start : start + len(batch)])
        start += len(batch)


def _candidate_graphs(
    records: Records, vocabulary: Sequence[str], attributes: Sequence[str]
) -> Iterator[GraphBatch]:
    numbers = {}
    for name in attributes:
        found = [each for each in (f"attribute_{name}", name) if each in records.columns]
        if not found:
            raise DataError(
                f"{records.path}: it has no column attribute_{name}, which the nodes of the space "
                f"have. {records.remedy}"
            )
        numbers[name] = found[0]
    form = _form(records)
    if form is None:
        raise DataError(
            f"{records.path}: it writes no graphs, which the space consists of. {records.remedy}"
        )
    if form == ("arch_str",):
        parsed = _nb201_graphs(records)
        yield _recoded(records, parsed, vocabulary)
        return
    code = {name: number for number, name in enumerate(vocabulary)}
    graphs: list[Graph] = []
    written = zip(records.column(form[0]), records.column(form[-1]), strict=True)
    for row, (operations, wiring) in enumerate(written):
        try:
            graph = _graph(form, operations, wiring)
        except ValueError as error:
            raise records.error(row, str(error)) from error
        for name in graph[0]:
            if name not in code:
                raise _unknown_operation(records, row, name, vocabulary)
        graphs.append(graph)
    nodes = max(len(names) for names, _ in graphs)
    step = max(1, _PART // nodes**2)
    for start in range(0, len(graphs), step):
        own = graphs[start : start + step]
        part = records.take(range(start, start + len(own)))
        yield _encode(own, code, _node_table(part, numbers, own, form), tuple(numbers))


def _unknown_operation(
    records: Records, row: int, name: str, vocabulary: Sequence[str]
) -> DataError:
    known = ", ".join(vocabulary)
    return records.error(row, f"operation {name[:60]!a} is not in the space. Known: {known[:300]}")


def _recoded(records: Records, graphs: GraphBatch, vocabulary: Sequence[str]) -> GraphBatch:
    """Recode operations by another vocabulary."""
    code = {name: number for number, name in enumerate(vocabulary)}
    used = {int(each) for each in np.unique(graphs.operations[graphs.mask])}
    for number in used:
        name = graphs.vocabulary[number]
        if name not in code:
            row = int((graphs.operations == number).any(axis=1).argmax())
            raise _unknown_operation(records, row, name, vocabulary)
    numbers = np.array([code.get(name, 0) for name in graphs.vocabulary], np.int16)
    operations = np.where(graphs.mask, numbers[graphs.operations], 0).astype(np.int16)
    return GraphBatch(operations, graphs.adjacency, graphs.mask, tuple(vocabulary))


def _label_columns(records: Records, chosen: Sequence[str]) -> list[str]:
    if len(set(chosen)) != len(chosen):
        raise UsageError(f"--label names a column twice: {','.join(chosen)}")
    asked = [records.find(name, "label column") for name in chosen]
    usual = [[n for n in records.columns if form.fullmatch(n)] for form in _DEFAULT_LABELS]
    found = asked or next(filter(None, usual), [])
    if not found:
        near = get_close_matches("label", [name.lower() for name in records.columns], n=1)
        hint = f" Did you mean --label {near[0]}?" if near else ""
        raise DataError(
            f"{records.path}: it has no column label.{hint} Choose another with --label, one of: "
            f"{', '.join(records.columns)[:200]}"
        )
    return found


def _attribute_columns(
    records: Records, chosen: Sequence[str], labels: Sequence[str], *, built_in: bool
) -> dict[str, str]:
    """Return the columns of attributes by the name of the attribute."""
    for name in chosen:
        if name not in records.columns:
            raise unknown_name("attribute column", name, records.columns)
        if name in {*labels, *_RESERVED, *_GRAPH_COLUMNS} or built_in:
            why = "the space is built in" if built_in else f"{name} means something else"
            raise UsageError(f"--attributes {name}: {why}. Leave it out")
    if len(set(chosen)) != len(chosen):
        raise UsageError(f"--attributes names a column twice: {','.join(chosen)}")
    if chosen:
        return {name: name for name in chosen}
    if built_in:
        return {}
    if "attributes" in records.columns:
        raise DataError(
            f"{records.path}: the column attributes is not read: give each attribute a column of "
            "its own, such as attribute_width, or choose columns with --attributes"
        )
    return {
        match[1]: name
        for name in records.columns
        if (match := _ATTRIBUTE.fullmatch(name)) and name not in labels
    }


def _group_names(records: Records) -> list[str]:
    names = []
    for row, value in enumerate(records.column("group")):
        whole = isinstance(value, int) and not isinstance(value, bool)
        text = str(value).strip() if whole or isinstance(value, str) else ""
        if len(text) > _LONGEST_NAME or not (value is None or whole or isinstance(value, str)):
            raise records.error(row, f"group is not a name of at most {_LONGEST_NAME} characters")
        names.append(text)
    return names


def _metric_name(labels: Sequence[str]) -> str:
    """Name the metric like its column, or like the common prefix of several columns."""
    first = labels[0]
    if len(labels) > 1:
        shared = 0
        while all(name[: shared + 1] == first[: shared + 1] for name in labels) and shared < len(
            first
        ):
            shared += 1
        first = first[:shared]
    name = re.sub(r"[^A-Za-z0-9+.-]+", "_", first)
    name = (name if len(labels) == 1 else name.rstrip("0123456789")).strip("+._-")[:64]
    return name or "label"


def _names(
    records: Records, understood: Understood | None = None, *, built_in: bool = False
) -> tuple[str, ...]:
    """Read the names of rows; in a table of settings ``understood`` says what they are.

    There rows of one name train one architecture, else names differ.
    """
    if understood is not None and understood.settings is not None:
        column = "id" if "id" in records.columns else understood.named_by
        if not column:
            return setting_names(understood.settings)
        if column != "id":
            return tuple(str(cell).strip() for cell in records.column(column))
        return check_names(records, "id", _texts(records, "id"), understood.settings)
    column = "id" if "id" in records.columns and not built_in else "arch_str"
    if column not in records.columns:
        if not built_in and (form := _form(records)):
            return _written_out(records, form)
        missing = "arch_str, the architectures of the space" if built_in else "id"
        raise DataError(
            f"{records.path}: it has no column {missing}. Add it, or name it with --column "
            f"{'cell' if built_in else 'id'}=COLUMN"
        )
    return check_names(records, column, _texts(records, column), None)


def _written_out(records: Records, form: Sequence[str]) -> tuple[str, ...]:
    """Name graphs by what writes them; a text that repeats is numbered."""
    numbers = [name for name in records.columns if _ATTRIBUTE.fullmatch(name)]
    texts = []
    columns = zip(*map(records.column, [*form, *numbers]), strict=True)
    for cells in columns:
        graph = map(_on_one_line, cells[: len(form)])
        values = zip(numbers, cells[len(form) :], strict=True)
        given = [f"{_plain(name)}={_on_one_line(cell)}" for name, cell in values]
        texts.append(", ".join([*graph, *given]))
    return numbered(map(shortened, texts))


def _plain(name: str) -> str:
    return name.removeprefix("attribute_")


def _on_one_line(cell: object) -> str:
    """Write a cell as CSV would; lists within lists with their brackets."""
    return (
        ";".join(map(str, cell)) if isinstance(cell, list) else str("" if cell is None else cell)
    )


def _texts(records: Records, column: str) -> list[str]:
    texts = []
    for row, value in enumerate(records.column(column)):
        whole = isinstance(value, int) and not isinstance(value, bool)
        text = str(value).strip() if whole or isinstance(value, str) else ""
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            raise records.error(row, f"{column} is not a name of 1 to {_LONGEST_NAME} characters")
        texts.append(text)
    return texts


def _amounts(records: Records, column: str) -> NDArray[np.float64] | None:
    """Read numbers of at least 0, NaN where there is none; None without the column."""
    if column not in records.columns:
        return None
    values = np.full(len(records), np.nan)
    for row, given in enumerate(records.column(column)):
        if given is None or (isinstance(given, str) and given.strip().lower() in _MISSING):
            continue
        try:
            number = math.inf if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.inf
        if math.isinf(number) or number < 0:
            shown = str(given)[:40]
            raise records.error(row, f"{column} is {shown!a}, not a finite number of at least 0")
        values[row] = number
    return values


def _form(records: Records) -> tuple[str, ...] | None:
    """Return the columns that write graphs; None where a table has none of them."""
    # A column that only counts, such as layers or edges, may be a setting.
    written = {
        name for name in _GRAPH_COLUMNS & {*records.columns} if not _counts(records.column(name))
    }
    forms = [form for form in _FORMS if {*form} <= {*records.columns} and form[0] in written]
    if not forms and not written:
        return None
    if len(forms) != 1:
        known = "; ".join(" and ".join(form) for form in _FORMS)
        found = "no way" if not forms else "several ways"
        raise DataError(
            f"{records.path}: it has columns for {found} to write graphs. Keep the columns "
            f"of exactly one: {known}"
        )
    return forms[0]


def _counts(values: Sequence[object]) -> bool:
    known = (each for each in map(cell_of, values) if each is not None)
    # Of a column that writes graphs the first cell is enough.
    first = next(known, None)
    return isinstance(first, float) and all(isinstance(each, float) for each in known)


def _fixed_columns(records: Records, form: Sequence[str] | None) -> set[str]:
    """Return the columns whose meaning is fixed by their name."""
    other = [name for name in records.columns if _DEFAULT_LABELS[0].fullmatch(name)]
    return {*_RESERVED, *other, *(form or ())} & {*records.columns}


def _architectures(
    records: Records,
    form: Sequence[str] | None,
    numbers: Mapping[str, str],
    settings: Settings | None,
) -> GraphBatch:
    """Return the graphs with their settings; settings alone where no graphs are written."""
    if form is not None:
        return replace(_graphs(records, form, numbers), settings=settings)
    if settings is None:
        known = "; ".join(" and ".join(form) for form in _FORMS)
        raise DataError(
            f"{records.path}: it has no column of settings and writes no graphs. Add columns of "
            f"settings, or those of one way to write graphs: {known}"
        )
    return GraphBatch.of_settings(settings)


def _graphs(records: Records, form: Sequence[str], numbers: Mapping[str, str]) -> GraphBatch:
    if records.graphs is not None:
        return records.graphs
    if tuple(form) == ("arch_str",):
        if numbers:
            raise DataError(
                f"{records.path}: the column {next(iter(numbers.values()))} needs nodes, but "
                "arch_str has none. Write the graphs with operations or layers"
            )
        return _nb201_graphs(records)
    graphs: list[Graph] = []
    written = zip(records.column(form[0]), records.column(form[-1]), strict=True)
    for row, (operations, wiring) in enumerate(written):
        try:
            graphs.append(_graph(form, operations, wiring))
        except ValueError as error:
            raise records.error(row, str(error)) from error
    return _batch(graphs, _attributes(records, numbers, graphs, form), tuple(numbers))


def _attributes(
    records: Records, numbers: Mapping[str, str], graphs: Sequence[Graph], form: Sequence[str]
) -> NDArray[np.float32] | None:
    if not numbers:
        return None
    nodes = max(len(names) for names, _ in graphs)
    check_size(len(graphs), nodes, len(numbers))
    table = _node_table(records, numbers, graphs, form)
    for number, column in enumerate(numbers.values()):
        if table is not None and np.isnan(table[:, :, number]).all():
            raise DataError(
                f"{records.path}: the column {column} has no number in any row. Fill or drop it"
            )
    return table


def _node_table(
    records: Records, numbers: Mapping[str, str], graphs: Sequence[Graph], form: Sequence[str]
) -> NDArray[np.float32] | None:
    if not numbers:
        return None
    nodes = max(len(names) for names, _ in graphs)
    table = np.full((len(graphs), nodes, len(numbers)), np.nan, np.float32)
    ends = 1 if form == ("layers",) else 0  # a chain's input and output are not written
    for number, column in enumerate(numbers.values()):
        cells = records.column(column)
        for row, (cell, (names, _)) in enumerate(zip(cells, graphs, strict=True)):
            here = slice(ends, len(names) - ends)
            try:
                values = _node_numbers(cell, len(names) - 2 * ends, form[0])
            except ValueError as error:
                raise records.error(row, f"{column} {error}") from error
            table[row, here, number] = values
    return table


def _node_numbers(value: object, count: int, of: str) -> list[float]:
    """Read one number for each node; raises ValueError with a clause that says what is wrong."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return [math.nan] * count
    if isinstance(value, str) and ";" in value:
        value = value.split(";")
    if not isinstance(value, list):
        return [_node_number(value, 0)] * count
    if len(value) != count:
        raise ValueError(f"has {len(value)} numbers for {count} {of}")
    return [_node_number(each, node) for node, each in enumerate(value)]


def _node_number(value: object, node: int) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise ValueError(
            f"is {str(value)[:40]!a} at position {node}, not a finite number. Leave it empty "
            "where a node has none"
        )
    return number


def _graph(form: Sequence[str], operations: object, wiring: object) -> Graph:
    """Read a graph; raises ValueError with a clause that says what is wrong."""
    names = [_operation(name) for name in _items(operations, form[0])]
    if form == ("layers",):
        if set(names) & {*_ENDS}:
            raise ValueError("layers lists input or output, which every chain has implicitly")
        names = [_ENDS[0], *names, _ENDS[1]]
        _check_count(names)
        return names, [(node, node + 1) for node in range(len(names) - 1)]
    _check_count(names)
    for end in _ENDS:
        if end not in names:
            raise ValueError(f"operations lacks a node named {end}")
    read_wiring = _matrix if form[1] == "matrix" else _edges
    edges = read_wiring(wiring, len(names))
    for source, target in edges:
        if names[target] == "input" or names[source] == "output":
            raise ValueError(f"edge {source}-{target} enters an input or leaves an output")
    return names, edges


def _check_count(names: Sequence[str]) -> None:
    if len(names) > MOST_NODES:
        raise ValueError(f"{len(names)} nodes are more than {MOST_NODES}")


def _operation(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{str(name)[:40]!a} is not the name of an operation")
    return _operation_name(name)


@lru_cache(maxsize=_REMEMBERED)
def _operation_name(name: str) -> str:
    text = name.strip()
    if not text or len(text) > 64 or not text.isprintable():
        raise ValueError(f"{name[:40]!a} is not the name of an operation, of 1 to 64 characters")
    return text


def _items(value: object, column: str) -> list[object]:
    """Read a list, or a text with semicolons."""
    if isinstance(value, str):
        text = value.strip().strip(";")
        return [*text.split(";")] if text else []
    if isinstance(value, list):
        return value
    raise ValueError(f"{column} is {'empty' if value is None else 'neither text nor a list'}")


def _edges(value: object, nodes: int) -> list[tuple[int, int]]:
    return [*_text_edges(value, nodes)] if isinstance(value, str) else _listed_edges(value, nodes)


@lru_cache(maxsize=_REMEMBERED)
def _text_edges(value: str, nodes: int) -> tuple[tuple[int, int], ...]:
    return tuple(_listed_edges(value, nodes))


def _listed_edges(value: object, nodes: int) -> list[tuple[int, int]]:
    edges = []
    for item in _items(value, "edges"):
        ends = item.split("-") if isinstance(item, str) else item
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise ValueError(f"{str(item)[:40]!a} is not an edge, such as 0-1")
        edges.append((_position(ends[0], nodes), _position(ends[1], nodes)))
    return _parallel(edges)


def _matrix(value: object, nodes: int) -> list[tuple[int, int]]:
    rows = _items(value, "matrix")
    edges = []
    for source, row in enumerate(rows):
        entries = [*re.sub(r"[\s,]", "", row)] if isinstance(row, str) else row
        if not isinstance(entries, list | tuple) or len(entries) != nodes or len(rows) != nodes:
            raise ValueError(f"matrix is not {nodes} by {nodes}, one row for each operation")
        edges += [
            (source, target)
            for target, entry in enumerate(entries)
            for _ in range(_position(entry, _MOST_PARALLEL + 1))
        ]
    if len(rows) != nodes:
        raise ValueError(f"matrix is not {nodes} by {nodes}, one row for each operation")
    return edges


def _parallel(edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(edges) > _MOST_PARALLEL and any(
        edges.count(edge) > _MOST_PARALLEL for edge in set(edges)
    ):
        raise ValueError(f"an edge occurs more than {_MOST_PARALLEL} times")
    return edges


def _position(value: object, count: int) -> int:
    if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= 6:
        value = int(value)
    whole = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    if not whole or not 0 <= value < count:  # type: ignore[operator]
        raise ValueError(f"{str(value)[:40]!a} is not a whole number from 0 to {count - 1}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _batch(
    graphs: Sequence[Graph], attributes: NDArray[np.float32] | None, numbers: tuple[str, ...]
) -> GraphBatch:
    vocabulary = tuple(dict.fromkeys((*_ENDS, *_each_name(graphs))))
    code = {name: number for number, name in enumerate(vocabulary)}
    nodes = max(len(names) for names, _ in graphs)
    check_size(len(graphs), nodes)
    if len(vocabulary) > np.iinfo(np.int16).max:
        raise DataError(f"{len(vocabulary):,} different operations are too many")
    return _encode(graphs, code, attributes, numbers)


def _encode(
    graphs: Sequence[Graph],
    code: Mapping[str, int],
    attributes: NDArray[np.float32] | None,
    numbers: tuple[str, ...],
) -> GraphBatch:
    """Write graphs as arrays, with operations numbered by a vocabulary."""
    nodes = max(len(names) for names, _ in graphs)
    operations = np.zeros((len(graphs), nodes), np.int16)
    adjacency = np.zeros((len(graphs), nodes, nodes), np.uint8)
    mask = np.zeros(operations.shape, np.bool_)
    for row, (names, edges) in enumerate(graphs):
        operations[row, : len(names)] = [code[name] for name in names]
        mask[row, : len(names)] = True
        for edge in edges:
            adjacency[row][edge] += 1
    return GraphBatch(operations, adjacency, mask, tuple(code), attributes, numbers)


def _each_name(graphs: Iterable[Graph]) -> Iterable[str]:
    for names, _ in graphs:
        yield from names


def _nb201_graphs(records: Records) -> GraphBatch:
    digits = official_order()
    cells = []
    for row, text in enumerate(records.column("arch_str")):
        cell = _nb201_cells().get(text.strip()) if isinstance(text, str) else None
        if cell is None:
            example = nb201_string((OPERATIONS.index("nor_conv_3x3"),) * 6)
            raise records.error(row, f"arch_str is not a NAS-Bench-201 cell, such as {example}")
        cells.append(cell)
    return cell_graphs(digits[cells])


@lru_cache(maxsize=1)
def _nb201_cells() -> dict[str, int]:
    return {nb201_string(cell): row for row, cell in enumerate(official_order().tolist())}

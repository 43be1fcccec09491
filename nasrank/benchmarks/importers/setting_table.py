"""Settings of architectures from the columns of a table.

Every column that has no other meaning may be a setting. It is a *number*, on a linear or a log
scale; *ordered*, such as small, medium, large; a *category*; or *yes/no*. Columns whose names
differ in a number, ``stage1_kernel, stage2_kernel``, and columns of lists, ``[3, 5, 3]``, are
chains. An empty cell means that a setting is not given, or, where another column decides it
without exception, that it does not apply. What only names the row, counts rows, is the same
everywhere or was measured is left out, with the reason.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from nasrank.benchmarks.importers.cells import Cell, cell_of
from nasrank.benchmarks.importers.chains import entry_name, places_in_chains, series_of_list
from nasrank.benchmarks.importers.column_roles import (
    NAMES_ROWS,
    NAMING,
    counts_rows,
    names_rows,
    says_chosen,
    why_no_setting,
    words_of,
)
from nasrank.benchmarks.importers.conditions import with_conditions
from nasrank.benchmarks.importers.records import Records
from nasrank.benchmarks.importers.setting_kinds import (
    Wish,
    WrongCellError,
    coded,
    found_kind,
    with_levels_of,
)
from nasrank.benchmarks.importers.understood import LeftOut, Understood, Wishes
from nasrank.errors import DataError, UsageError
from nasrank.graphs.settings import Setting, Settings
from nasrank.registry import unknown_name

__all__ = ["notes_on", "read_settings", "understand", "understand_more"]

_LONGEST_LIST = 256
"""Most entries of a list of settings."""
_MOST_SETTINGS = 4096
_FEWEST_VALUES, _SUSPICIOUS = 10, 0.98
"""Values of a number, and the rank correlation with the label that no choice is likely to have."""


@dataclass(frozen=True, eq=False)
class _Column:
    """Cells of a setting to be: a column, or one entry of a column of lists.

    Attributes:
        name: Name of the setting.
        source: Name of the column.
        cells: ``[N]`` no lists.
        series: What it shares with others of a chain; may be empty.
        position: Its place there.
        wish: What the user says of it.
    """

    name: str
    source: str
    cells: Sequence[Cell]
    series: str = ""
    position: int = 0
    wish: Wish | None = None


def understand(
    records: Records, taken: Collection[str], wishes: Wishes, *, graphs: bool
) -> Understood:
    """Find the settings of a table.

    Args:
        records: The rows.
        taken: Columns that mean something else.
        wishes: What the user asks for.
        graphs: Whether the table writes graphs; only settings that are asked for count then.

    Raises:
        UsageError: A column that is asked for is not there or means something else, or cannot be
            what it should be.
        DataError: A cell does not fit its column, or there are too many settings.
    """
    _check(records, taken, wishes)
    asked = {*wishes.settings, *(name for name in wishes.kinds if name in records.columns)}
    free = [name for name in records.columns if name not in taken]
    chosen = says_chosen(free)
    left_out: list[LeftOut] = []
    columns: list[_Column] = []
    for name in free:
        if name in wishes.ignore:
            left_out.append(LeftOut(name, "ignored as asked"))
        elif name not in asked and (name in records.results or (chosen and name not in chosen)):
            left_out.append(LeftOut(name, "measured, or about the run"))
        elif name not in asked and (graphs or wishes.settings):
            left_out.append(LeftOut(name, "not asked for"))
        else:
            cells = _cells(records, name)
            entries = _entries(name, cells)
            for each in [_Column(name, name, cells)] if entries is None else entries:
                why = _why(each, entries is not None, asked)
                if why is None:
                    columns.append(each)
                else:
                    left_out.append(LeftOut(each.name, why))
    named_by = "" if graphs else _naming(records, left_out)
    columns, counting = _without_counters(columns, asked)
    left_out += [LeftOut(each.name, "row numbers") for each in counting]
    if len(columns) > _MOST_SETTINGS:
        raise DataError(
            f"{records.path}: {len(columns):,} settings are more than {_MOST_SETTINGS:,}. Name "
            "those that matter with --settings"
        )
    if not columns:
        return Understood(None, tuple(left_out), named_by, graphs)
    settings, always = _coded(records, _in_chains(columns, records, wishes))
    left_out += always
    return Understood(settings, tuple(left_out), named_by, graphs)


def understand_more(
    records: Records, taken: Collection[str], known: Sequence[Setting], *, graphs: bool
) -> Understood:
    """Read more rows of a space whose settings are known; categories may have new levels.

    Args:
        records: The rows.
        taken: Columns that mean something else.
        known: Settings of the space.
        graphs: Whether the table writes graphs.

    Raises:
        DataError: A column is missing, or a cell is no value of its setting; the message names
            the row.
    """
    settings = read_settings(records, known, new_levels=True)
    read = {*settings.names, *(each.series.removesuffix("[*]") for each in known)}
    left_out = [
        LeftOut(name, "no setting of the space")
        for name in records.columns
        if name not in read and name not in taken
    ]
    named_by = ""
    if not graphs:
        named = [
            LeftOut(each.name, NAMES_ROWS)
            for each in left_out
            if why_no_setting(each.name, _cells(records, each.name)) == NAMES_ROWS
        ]
        named_by = _naming(records, named)
    return Understood(settings, tuple(left_out), named_by, graphs)


def read_settings(
    records: Records, columns: Sequence[Setting], *, new_levels: bool = False
) -> Settings:
    """Read the settings of candidates of a known space.

    Args:
        records: Some rows of a file; other columns are ignored.
        columns: Settings of the space.
        new_levels: Add what a category lacks to its levels instead of refusing it.

    Raises:
        DataError: A column is missing, or a cell is no value of its setting; the message names
            the row.
    """
    values = np.full((len(records), len(columns)), np.nan)
    lists: dict[str, dict[str, _Column]] = {}
    found: list[Setting] = []
    for place, known in enumerate(columns):
        setting = known
        if setting.name in records.columns:
            column = _Column(setting.name, setting.name, _cells(records, setting.name))
        else:
            source = setting.series.removesuffix("[*]")
            if not setting.series.endswith("[*]") or source not in records.columns:
                raise DataError(
                    f"{records.path}: it has no column {setting.name}, which is a setting of the "
                    f"space. {records.remedy}"
                )
            if source not in lists:
                entries = _entries(source, _cells(records, source)) or []
                lists[source] = {each.name: each for each in entries}
            nothing = _Column(setting.name, source, [None] * len(records))
            column = lists[source].get(setting.name, nothing)
        if new_levels and setting.kind == "category":
            setting = with_levels_of(setting, column.cells)
        found.append(setting)
        values[:, place] = _values(records, setting, column.cells)
    return Settings(tuple(found), values)


def notes_on(
    settings: Settings | None, values: Float64[np.ndarray, "items seeds"], label: str
) -> tuple[str, ...]:
    """Point out settings that may be results, since they order the rows almost as the label does.

    Args:
        settings: The settings, or None.
        values: Labels, NaN where there is none.
        label: What the label is called.
    """
    if settings is None:
        return ()
    notes = []
    labels = np.nan_to_num(values).sum(axis=1)
    labelled = ~np.isnan(values).all(axis=1)
    for column, numbers in zip(settings.columns, settings.values.T, strict=True):
        both = labelled & ~np.isnan(numbers)
        if column.kind != "number" or len(np.unique(numbers[both])) < _FEWEST_VALUES:
            continue
        ranks = [np.unique(each[both], return_inverse=True)[1] for each in (numbers, labels)]
        scores = [(each - each.mean()) / (each.std() or 1) for each in ranks]
        if abs(float((scores[0] * scores[1]).mean())) > _SUSPICIOUS:
            notes.append(
                f"{column.name} orders the rows almost as {label} does: if it was measured and "
                f"not chosen, give --ignore {column.name}"
            )
    return tuple(notes)


def _why(column: _Column, listed: bool, asked: Collection[str]) -> str | None:
    """Return why a column is no setting, or None where it is one."""
    if not listed and any(isinstance(cell, tuple) for cell in column.cells):
        return f"lists within lists, or of more than {_LONGEST_LIST} entries"
    if column.source not in asked:
        return why_no_setting(column.name, column.cells)
    return "empty" if all(cell is None for cell in column.cells) else None


def _naming(records: Records, left_out: Sequence[LeftOut]) -> str:
    """Return the column that names the rows best, or nothing."""
    found = [
        each.name
        for each in left_out
        if each.why == NAMES_ROWS and names_rows(_cells(records, each.name))
    ]
    usual = [name for name in found if {*words_of(name)} & NAMING]
    return next(iter(usual or found), "")


def _check(records: Records, taken: Collection[str], wishes: Wishes) -> None:
    series = {each[0] for each in places_in_chains(records.columns).values()}
    asked = [
        *(("--settings", name) for name in wishes.settings),
        *((wishes.option_of(name), name) for name in wishes.kinds),
        *(("--ignore", name) for name in wishes.ignore),
    ]
    for option, name in asked:
        one_of_series = name in wishes.kinds and name in series
        if name not in records.columns and not one_of_series:
            raise unknown_name(f"column of {option}", name, records.columns)
        if name in taken and option != "--ignore":
            raise UsageError(f"{option} {name}: the column means something else. Leave it out")
    both = {*wishes.ignore} & {*wishes.settings, *wishes.kinds}
    if both:
        raise UsageError(f"--ignore {min(both)}: it is asked for as a setting too. Leave out one")


def _cells(records: Records, name: str) -> list[Cell]:
    known: dict[str, Cell] = {}  # long tables repeat the same texts
    cells: list[Cell] = []
    for value in records.column(name):
        if not isinstance(value, str):
            cells.append(cell_of(value))
            continue
        if value not in known:
            known[value] = cell_of(value)
        cells.append(known[value])
    return cells


def _entries(name: str, cells: Sequence[Cell]) -> list[_Column] | None:
    """Take a column of lists apart; None where it is none, or one that cannot be."""
    lists = [
        each if isinstance(each, tuple) else () if each is None else (each,) for each in cells
    ]
    longest = max(map(len, lists), default=0)
    nested = any(entry == "<list>" or isinstance(entry, tuple) for each in lists for entry in each)
    if not any(isinstance(each, tuple) for each in cells) or nested:
        return None
    if not 0 < longest <= _LONGEST_LIST:
        return None
    return [
        _Column(
            entry_name(name, place),
            name,
            [each[place] if place < len(each) else None for each in lists],
            series_of_list(name),
            place,
        )
        for place in range(longest)
    ]


def _without_counters(
    columns: Sequence[_Column], asked: Collection[str]
) -> tuple[list[_Column], list[_Column]]:
    """Part settings from columns that count the rows, unless there would be no setting left."""
    counting = [each for each in columns if each.source not in asked and counts_rows(each.cells)]
    if len(counting) == len(columns):
        return list(columns), []
    return [each for each in columns if each not in counting], counting


def _in_chains(columns: Sequence[_Column], records: Records, wishes: Wishes) -> list[_Column]:
    """Say which columns form chains, and what the user, or else the file, says of each."""
    places = places_in_chains(records.columns)
    found = []
    for each in columns:
        series, position = places.get(each.name, (each.series, each.position))
        own = wishes.kinds.get(each.source)
        # What is said of one member of a chain by name takes it out of the chain.
        chained = not (own is not None and each.name == each.source and series)
        found.append(
            replace(
                each,
                series=series if chained else "",
                position=position if chained else 0,
                wish=own or wishes.kinds.get(series) or _told(records, each),
            )
        )
    lone = Counter(each.series for each in found)
    return [
        replace(each, series="", position=0)
        if lone[each.series] < 2 and each.name == each.source
        else each
        for each in found
    ]


def _told(records: Records, column: _Column) -> Wish | None:
    """Return what the file says of a column."""
    scale = records.scales.get(column.source) if column.name == column.source else None
    return None if scale is None else Wish(scale)


def _coded(records: Records, columns: Sequence[_Column]) -> tuple[Settings | None, list[LeftOut]]:
    """Find the kind of every setting and write all cells as numbers."""
    kinds = _kinds(records, columns)
    values = np.stack([_values(records, kinds[each.name], each.cells) for each in columns], axis=1)
    settings = with_conditions([kinds[each.name] for each in columns], values)
    left_out, kept = [], []
    for number, setting in enumerate(settings):
        known = values[~np.isnan(values[:, number]), number]
        # Whether it applies is told by another one, and it never changes where it does.
        if setting.condition is not None and known.min() == known.max():
            shown = setting.shown(known[0])
            left_out.append(LeftOut(setting.name, f"always {shown} where it applies"))
        else:
            kept.append(number)
    if not kept:
        return None, left_out
    return Settings(tuple(settings[number] for number in kept), values[:, kept]), left_out


def _kinds(records: Records, columns: Sequence[_Column]) -> Mapping[str, Setting]:
    """Return the setting of each column; members of a chain are alike, or it is no chain."""
    chains: dict[str, list[_Column]] = {}
    for each in columns:
        chains.setdefault(each.series or f"={each.name}", []).append(each)
    kinds = {}
    for members in chains.values():
        shared = None
        if len(members) > 1 and _alike(members):
            cells = [cell for each in members for cell in each.cells]
            try:
                shared = found_kind(members[0].series, cells, members[0].wish)
            except WrongCellError:
                shared = None
        for each in members:
            if shared is None:
                kinds[each.name] = _kind(records, each)
            else:
                kinds[each.name] = replace(
                    shared, name=each.name, series=each.series, position=each.position
                )
    return kinds


def _alike(members: Sequence[_Column]) -> bool:
    """Whether all members of a chain hold words, or all hold none."""
    return len({any(isinstance(cell, str) for cell in each.cells) for each in members}) == 1


def _kind(records: Records, column: _Column) -> Setting:
    try:
        found = found_kind(column.name, column.cells, column.wish)
    except WrongCellError as error:
        raise records.error(error.row, str(error)) from error
    if column.name == column.source:
        return found
    # An entry of a list is read from the list, whatever its neighbours are.
    return replace(found, series=column.series, position=column.position)


def _values(records: Records, setting: Setting, cells: Sequence[Cell]) -> NDArray[np.float64]:
    try:
        return coded(setting, cells)
    except WrongCellError as error:
        raise records.error(error.row, str(error)) from error

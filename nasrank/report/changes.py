"""What changed between two sets of comparisons, by the statistics of ``nasrank check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasrank.errors import DataError, NothingToCompare
from nasrank.report.folders import Stored, StoredTable, find_studies
from nasrank.report.sheets import MISSING
from nasrank.study.view import bounds, plural

__all__ = ["ChangedCell", "Changes", "changes_of"]

Row = Mapping[str, Any]

_LOUD = ("worse", "better")
_SHADE = 0.05
"""Change of tau that is shaded in full."""
_COLUMNS = ("task", "n_train", "split", "labels", "test", "sampling")


@dataclass(frozen=True)
class ChangedCell:
    """A method on one task and size: its change in thousandths of tau, and what that means."""

    text: str
    verdict: str = ""
    shade: float = 0.0
    about: str = ""


@dataclass(frozen=True)
class Changes:
    """What the section of a change shows.

    Attributes:
        verdict: ``worse``, ``better``, ``held`` or ``undecided``: the row that decides.
        said: The answer in a sentence.
        facts: What it rests on: a name and a sentence each.
        columns: Task and size of each column.
        rows: A method, and its cells.
        others: Metrics that got better or worse somewhere: metric, where, change, verdict.
        stored: The table, as a study that a page can hold.
    """

    verdict: str
    said: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[ChangedCell]]]
    others: Sequence[tuple[str, str, str, str]]
    stored: Stored


def changes_of(new: Sequence[Stored], before: Sequence[Path]) -> Changes:
    """Compare what was read with the same comparisons of before, run by run.

    Args:
        new: What was read; folders that hold no comparison are left out.
        before: Folders of before.

    Raises:
        DataError: There is no comparison on a side, none that both have, or one of other data.
    """
    # A page without --compare needs none of it.
    from nasrank.questions.check.gate import OtherDataError, check_runs
    from nasrank.questions.check.tables import CHECK

    old = find_studies(before)
    names = ", ".join(map(str, before))
    try:
        found = check_runs(_runs(new), _runs(old))
    except OtherDataError as error:
        raise DataError(
            f"{error.task}: {names} was measured on other data. Name a folder that was measured "
            "on the same"
        ) from error
    except NothingToCompare as error:
        raise NothingToCompare(
            f"{names}: shares no run with what is reported (same task, predictor, loss, labels, "
            "seed and split). Run the same comparison again with other code"
        ) from error
    table = StoredTable(new[0].folder / "changes.parquet", CHECK.build(found.rows))
    cells = [row for row in found.rows if not row["primary"]]
    loud = [row for row in cells if row["verdict"] in _LOUD]
    return Changes(
        verdict=found.primary["verdict"],
        said=_said(found.primary),
        facts=_facts(found, cells, new, old),
        **_matrix([row for row in cells if row["metric"] == "kendall_tau"]),
        others=[
            (row["metric"].replace("_", " "), _where(row), _change(row), row["verdict"])
            for row in sorted(loud, key=lambda row: _LOUD.index(row["verdict"]))
        ],
        stored=Stored(new[0].folder, "", {}, {"changes": table}),
    )


def _runs(studies: Sequence[Stored]) -> list[dict[str, Any]]:
    from nasrank.questions.check.baseline import read_runs, run_key

    found: dict[Any, dict[str, Any]] = {}
    for study in studies:
        if study.command == "compare" and "runs" in study.tables:
            for row in read_runs(study.folder):
                found.setdefault(run_key(row), row)
    if not found:
        raise DataError(
            f"{studies[0].folder}: holds no comparison. --compare says what changed between the "
            "folders of two: nasrank compare"
        )
    return list(found.values())


def _said(row: Row) -> str:
    words = {
        "worse": "got worse",
        "better": "got better",
        "held": "held",
        "undecided": "may have changed: these runs neither show nor rule out a drop",
    }
    return f"The order {words[row['verdict']]}: mean tau {_change(row)}."


def _facts(
    found: Any,  # noqa: ANN401 - a Check, imported late
    cells: Sequence[Row],
    new: Sequence[Stored],
    old: Sequence[Stored],
) -> list[tuple[str, str]]:
    row = found.primary
    margin = (
        f"A drop of {row['tolerance']:g} in mean tau is tolerated; worse means that the whole "
        "95 % interval lies below it."
    )
    if found.detectable is not None:
        margin += (
            f" With this much noise, a drop of {found.detectable:.3f} would be found in 95 of "
            "100 cases."
        )
    facts = [("Margin", margin)]
    counts = Counter(cell["verdict"] for cell in cells)
    tally = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    facts.append(
        ("Metrics", f"Of {plural(len(cells), 'metric')} of a method, a task and a size: {tally}.")
    )
    lacking = [
        f"{plural(count, 'run')} only {where}"
        for count, where in ((found.only_results, "now"), (found.only_baseline, "before"))
        if count
    ]
    pairs = f"{plural(found.pairs, 'pair')} of runs that differ in nothing but what made them"
    facts.append(("Runs", f"{'; '.join([pairs, *lacking])}."))
    facts.append(("Code", _code(new, old)))
    return facts


def _code(new: Sequence[Stored], old: Sequence[Stored]) -> str:
    now, before = (
        {name: digest for study in side for name, digest in study.code.items()}
        for side in (new, old)
    )
    if not now or not before:
        return "Not recorded on both sides, so what differs in the code cannot be named."
    other = [name for name in now if name in before and now[name] != before[name]]
    same = [name for name in now if now[name] == before.get(name)]
    parts = [f"Other code made {', '.join(other)}." if other else "The same code made both."]
    if other and same:
        parts.append(f"Unchanged: {', '.join(same)}.")
    versions = [sorted({v for study in side for v in study.versions}) for side in (new, old)]
    if versions[0] != versions[1]:
        parts.append(f"Version {', '.join(versions[0])}, before {', '.join(versions[1])}.")
    return " ".join(parts)


def _matrix(rows: Sequence[Row]) -> dict[str, Any]:
    """Lay out the change of Kendall's tau: methods by task and size."""
    differing = [name for name in _COLUMNS if len({row[name] for row in rows}) > 1]
    names = ["task", *(name for name in differing if name != "task")]
    keys = list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))
    several = len({row["predictor"] for row in rows}) > 1
    by: dict[str, dict[tuple[Any, ...], ChangedCell]] = {}
    for row in rows:
        method = f"{row['predictor']} {row['loss']}" if several else row["loss"]
        key = tuple(row[name] for name in names)
        by.setdefault(method, {})[key] = _cell(row)
    columns = [
        (str(key[0]), " ".join(f"{value:,}" if isinstance(value, int) else value
                               for value in key[1:]))
        for key in keys
    ]  # fmt: skip
    return {
        "columns": columns,
        "rows": [
            (method, [cells.get(key, ChangedCell("")) for key in keys])
            for method, cells in by.items()
        ],
    }


def _cell(row: Row) -> ChangedCell:
    if row["difference"] is None:
        return ChangedCell(MISSING, "none", 0.0, "no pair of runs")
    thousandths = 1000 * row["difference"]
    text = f"{thousandths:+.0f}".replace("-", "\N{MINUS SIGN}") if abs(thousandths) >= 0.5 else "0"
    shade = min(abs(row["difference"]) / _SHADE, 1.0) if row["verdict"] in _LOUD else 0.0
    return ChangedCell(text, row["verdict"], round(shade, 2), f"{_change(row)}, {row['verdict']}")


def _where(row: Row) -> str:
    return f"{row['task']}, {row['predictor']} {row['loss']}, {row['n_train']:,} labels"


def _change(row: Row) -> str:
    if row["difference"] is None:
        return "not known"
    show = "{:+.4g}".format if abs(row["difference"]) >= 1 else "{:+.3f}".format
    return f"{show(row['difference'])} {bounds(row['lower'], row['upper'], show)}".rstrip()

"""``nasrank data import``: read a benchmark's file, or a table of the user's own."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nasrank.cli.output import (
    FormatOption,
    QuietOption,
    known_format,
    print_json,
    print_parts,
    print_rows,
    say,
)
from nasrank.cli.setting_page import setting_sheet
from nasrank.errors import UsageError
from nasrank.study.view import Field, Part, Sheet, envelope

__all__ = ["EPILOG", "import_space"]

EPILOG = "Example: nasrank data import my-space trials.csv --label val_acc --setting lr=log"

_OWN = "A file of your own"
_MOST_NAMED = 12
Record = Mapping[str, Any]


def _columns(text: str, metavar: str = "COLUMNS") -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(metavar=metavar, help=text, show_default=False, rich_help_panel=_OWN)


_Space = Annotated[
    str,
    typer.Argument(
        metavar="SPACE",
        help="A public space such as nb101, or a name of your choice for a space of your own.",
    ),
]
_Path = Annotated[Path, typer.Argument(metavar="PATH", help="The file or folder to read.")]
_Label = Annotated[
    str | None,
    _columns(
        "Label columns, one per training seed, separated by commas; label and label_0, label_1, "
        "... by default."
    ),
]
_Settings = Annotated[
    str | None,
    _columns(
        "The columns that are settings, and no others; by default all that seem to be, and none "
        "beside columns of graphs."
    ),
]
_Setting = Annotated[
    list[str] | None,
    _columns(
        "What a setting is: log, linear, category, yes/no, or in order, as in "
        "'size=ordered:s<m<l'. May be repeated.",
        "COLUMN=KIND",
    ),
]
_Category = Annotated[str | None, _columns("Settings whose numbers are codes without order.")]
_Ignore = Annotated[str | None, _columns("Columns to pass over.")]
_Attributes = Annotated[
    str | None,
    _columns("Columns with numbers per node, such as widths; attribute_* by default."),
]
_Column = Annotated[
    list[str] | None,
    _columns(
        "What the file calls a column that is looked for, as in cell=net_str or id=trial; cell is "
        "the architecture in any format. Separated by commas, or repeated.",
        "NAME=COLUMN",
    ),
]
_Study = Annotated[
    str | None, _columns("Study of an Optuna journal or database that holds several.", "NAME")
]
_Direction = Annotated[
    bool | None,
    typer.Option(
        "--lower-is-better/--higher-is-better",
        help="Direction of the label; by default higher, and lower for a loss or an error.",
        show_default=False,
        rich_help_panel=_OWN,
    ),
]
_Unit = Annotated[
    str | None, _columns("Unit of the label, such as % or s; % where it is written so.", "TEXT")
]
_Dataset = Annotated[
    str | None, _columns("What the architectures were trained on; own by default.", "NAME")
]
_Config = Annotated[
    Path | None,
    _columns("TOML file with these options; options on the command line override it.", "FILE"),
]


def import_space(
    space: _Space,
    path: _Path,
    *,
    label: _Label = None,
    settings: _Settings = None,
    setting: _Setting = None,
    category: _Category = None,
    ignore: _Ignore = None,
    attributes: _Attributes = None,
    column: _Column = None,
    study: _Study = None,
    lower_is_better: _Direction = None,
    unit: _Unit = None,
    dataset: _Dataset = None,
    config: _Config = None,
    quiet: QuietOption = False,
    output_format: FormatOption = "table",
) -> None:
    """Read a benchmark's file, or architectures of your own, into the data folder.

    No file is ever executed. Earlier imports into a space are kept; a metric imported again is
    replaced. A file of your own is a table with a row for each architecture: .csv with any
    separator, .tsv, .json, .jsonl, .parquet, also .csv.gz. Its
    columns are settings, such as lr, depth and optimizer, whose kinds are found and shown; or a
    graph: operations ("input;conv3x3;output") with edges ("0-1;1-2") or matrix ("010;001;000"),
    or layers ("mb3;mb6"), or arch_str (a NAS-Bench-201 string), with attribute_NAME (numbers per
    node, "64;128"). Other columns: id; labels, empty for candidates; status or diverged;
    cost_seconds, parameters and group (a split by class never divides a group).

    Keys of --format json, in tables.imported: task, metric, description, unit, better (higher,
    lower), architectures, labelled, failed, replicates, replaced (how many labels it replaced;
    null for a new metric) and path. In answer, for a file of your own: graphs, settings (list of
    setting, kind, scale, levels, lowest, highest, values, missing, applies, decided_by, series,
    position), left_out (list of column, why), named_by, repeats, failures (count by reason),
    unfinished, guessed_lower and notes.
    """
    from nasrank.benchmarks.importers.column_names import read_renamed
    from nasrank.benchmarks.importers.understood import read_wishes
    from nasrank.benchmarks.importing import import_data, saved_rows, understood_record
    from nasrank.cli.progress import CountBar

    given = {
        "label": label,
        "settings": settings,
        "setting": setting or None,
        "category": category,
        "ignore": ignore,
        "attributes": attributes,
        "column": column or None,
        "study": study,
        "lower_is_better": lower_is_better,
        "unit": unit,
        "dataset": dataset,
    }
    chosen = _from_file(config, [*given]) | {
        name: value for name, value in given.items() if value is not None
    }
    names = {name: _names(chosen.get(name)) for name in given}
    wishes = read_wishes(
        names["settings"], _kinds(chosen.get("setting")), names["category"], names["ignore"]
    )
    with CountBar(f"reading {path.name}", quiet=quiet) as bar:
        saved = import_data(
            space,
            path,
            label=names["label"],
            attributes=names["attributes"],
            dataset=chosen.get("dataset"),
            lower_is_better=chosen.get("lower_is_better"),
            unit=chosen.get("unit"),
            wishes=wishes,
            renamed=read_renamed(_kinds(chosen.get("column"))),
            study=chosen.get("study"),
            on_progress=bar.update,
        )
    rows, record = saved_rows(saved), understood_record(saved)
    if known_format(output_format) == "json":
        print_json(envelope("data import", record, tables={"imported": rows}))
    elif output_format == "table":
        print_parts([_tasks(rows, record), *(_page(record, rows) if record else ())])
    else:
        print_rows(rows, output_format)
    for row in rows:
        if row["replaced"] is not None and row["replaced"] > row["labelled"]:
            say(
                f"warning: {row['task']} had {row['replaced']} labels and now has "
                f"{row['labelled']}. Import the earlier file again to restore them"
            )


def _from_file(config: Path | None, known: Sequence[str]) -> dict[str, Any]:
    """Read options of a TOML file, each of the type that it has on the command line."""
    from nasrank.study.options import read_settings

    content = read_settings(config, [*known, "higher_is_better"])
    if "higher_is_better" in content:
        content.setdefault("lower_is_better", not content.pop("higher_is_better"))
    for name, value in content.items():
        texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if name == "lower_is_better":
            fits = isinstance(value, bool)
        elif name in ("unit", "dataset", "study"):
            fits = isinstance(value, str)
        else:
            fits = (
                isinstance(value, str)
                or texts
                or (name in ("setting", "column") and _is_table(value))
            )
        if not fits:
            raise UsageError(
                f"{config}: {name} should be "
                f"{'true or false' if name == 'lower_is_better' else 'text in quotes'}"
            )
    return content


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _names(value: Any) -> list[str]:  # noqa: ANN401 - as TOML has it
    if isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    return value if isinstance(value, list) else []


def _kinds(value: Any) -> list[str]:  # noqa: ANN401 - as TOML has it
    if isinstance(value, dict):
        return [f"{name}={kind}" for name, kind in value.items()]
    return [value] if isinstance(value, str) else value or []


def _tasks(rows: Sequence[Record], record: Record | None) -> Sheet:
    fields = [
        Field("task", keep=9),
        Field("unit"),
        Field("better", keep=9),
        Field("labelled", right=True, keep=8),
        Field("failed", right=True, keep=7),
        Field("architectures", right=True, keep=8),
        Field("replicates", "seeds", right=True),
        Field("replaced", right=True, keep=6),
        Field("description", keep=4),
    ]
    idle = set() if any(row["failed"] for row in rows) else {"failed"}
    if record is not None:  # of a user's own label it only says the name
        idle.add("description")
    return Sheet(rows, [field for field in fields if field.key not in idle])


def _page(record: Record, rows: Sequence[Record]) -> Iterable[Part]:
    """Say in a few lines what was understood of a table."""
    if record["settings"]:
        yield setting_sheet(record["settings"])
    lines = [*_said(record, rows)]
    yield from lines
    if record["settings"]:
        yield (
            "To correct it, import again with --setting NAME=KIND, --category NAME or "
            "--ignore NAME."
        )


def _said(record: Record, rows: Sequence[Record]) -> Iterable[str]:
    if record["guessed_lower"]:
        yield (
            f"Lower is taken for better, by the name of {rows[0]['metric']}; give "
            "--higher-is-better if it is not."
        )
    if record["left_out"]:
        yield _left_out(record)
    if record["failures"]:
        why = ", ".join(f"{count:,} {reason}" for reason, count in record["failures"].items())
        yield (
            f"Failed: {why}. A failed training counts as an evaluation worse than all others, and "
            "is never a candidate."
        )
    if record["unfinished"]:
        yield f"Not done yet by their status, so without a label: {record['unfinished']:,}."
    if record["repeats"]:
        what = (
            f"They keep their names and are of its class; with --ignore {record['named_by']} each "
            "would be a further training of it"
            if record["named_by"]
            else "Each is a further training of that architecture"
        )
        yield f"Rows with the settings of an earlier one: {record['repeats']:,}. {what}."
    yield from (f"! {note}." for note in record["notes"])


def _left_out(record: Record) -> str:
    names = [each["column"] for each in record["left_out"]]
    if record["graphs"]:
        shown = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
        return (
            f"Left out: {shown}. To make columns settings of the architectures, import again with "
            f"--settings {','.join(names[:2])}."
        )
    by_reason: dict[str, list[str]] = {}
    for each in record["left_out"]:
        why = each["why"]
        if each["column"] == record["named_by"]:
            why = f"{why}, taken as ids"
        by_reason.setdefault(why, []).append(each["column"])
    parts = [_with_reason(columns, why) for why, columns in by_reason.items()]
    return f"Left out: {'; '.join(parts)}."


def _with_reason(columns: Sequence[str], why: str) -> str:
    shown = ", ".join(columns[:_MOST_NAMED]) + (", ..." if len(columns) > _MOST_NAMED else "")
    return f"{shown} ({why})"

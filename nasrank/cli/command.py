"""The command of a study, made from its configuration: one option per field."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasrank.allocator import keep_memory
from nasrank.cli.output import (
    FormatOption,
    QuietOption,
    TableOption,
    print_json,
    print_result,
    print_rows,
    say,
)
from nasrank.errors import UsageError
from nasrank.registry import unknown_name
from nasrank.study.options import (
    HOW,
    OUTPUT,
    Config,
    checked,
    choices_of,
    default_text,
    flag_of,
    item_type,
    ordered_fields,
    plain_type,
    read_settings,
    read_text,
    shown_as,
    usual_folder,
)
from nasrank.study.view import envelope

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from nasrank.study.study import Result, Study

__all__ = ["command_of", "epilog_of", "help_of"]

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "NAME", Path: "PATH"}

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with these options; options on the command line override it.",
        rich_help_panel=HOW,
    ),
]
OnlyCachedOption = Annotated[
    bool, typer.Option("--only-cached", help="Compute nothing.", rich_help_panel=HOW)
]
AnyCodeOption = Annotated[
    bool,
    typer.Option(
        "--any-code", help="With --only-cached: show results of other code.", rich_help_panel=HOW
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Compute every run again.", rich_help_panel=HOW)
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Print runs, estimated time and folder.", rich_help_panel=HOW),
]
FiguresOption = Annotated[
    str | None,
    typer.Option(
        "--figures",
        metavar="svg|pdf|png,...",
        help="Formats of pictures; pdf holds its fonts. [default: svg]",
        rich_help_panel=OUTPUT,
    ),
]


def help_of(config: type[Config]) -> str:
    """Return the description of a command in ``--help``."""
    return inspect.cleandoc(config.__doc__ or "")


def epilog_of(config: type[Config]) -> str:
    """Return the text below the options in ``--help``."""
    head = "Examples:" if len(config.examples) > 1 else "Example:"
    lines = "\n\n".join([head, *config.examples])
    if config.keeps_runs:
        lines += (
            "\n\nEvery finished run is kept under --out and never computed twice; run a stopped "
            "command again to resume it."
        )
    return lines


def command_of(
    config: type[Config], study: "Study[Any, Any] | None" = None
) -> Callable[..., None]:
    """Make the command of a study.

    Args:
        config: Its options.
        study: The study; by default the one that the configuration names, which is imported
            when the command runs.
    """
    fields = ordered_fields(config)
    parameters = [_parameter(name, field) for name, field in fields.items()]
    parameters += _common(config)

    def command(**given: Any) -> None:  # noqa: ANN401 - options of every type
        common = {name: given.pop(name, None) for name in _COMMON}
        settings: dict[str, Any] = {}
        if common["subset"] is not None:
            if common["subset"] not in config.subsets:
                raise unknown_name("subset", common["subset"], config.subsets)
            settings |= config.subsets[common["subset"]]
        settings |= read_settings(common["config"], [*fields, "out"])
        for name, value in given.items():
            if value is not None and value != []:
                settings[name] = (
                    read_text(name, value, fields[name]) if isinstance(value, str) else value
                )
        named = settings.pop("out", None)
        out = common["out"] or (None if named is None else Path(str(named)))
        _execute(checked(config, settings), out, common, study)

    command.__doc__ = help_of(config)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _execute(
    config: Config, out: Path | None, common: dict[str, Any], study: "Study[Any, Any] | None"
) -> None:
    """Execute the command and show its result."""
    from nasrank.cli.progress import ProgressBar
    from nasrank.study.conduct import conduct, estimate, study_of

    study = study_of(config) if study is None else study
    how = {name: bool(common[name]) for name in ("only_cached", "any_code", "force")}
    quiet, output_format = common["quiet"], common["output_format"]
    figures = _figures(common["figures"])
    if quiet:
        logging.getLogger("nasrank").setLevel(logging.WARNING)
    if common["dry_run"]:
        planned = estimate(config, out, study=study, **how)
        if output_format == "json":
            print_json(envelope(config.command, planned.row(), left_out=planned.left_out))
        else:
            print_rows([planned.row()], output_format)
        _tell("left out", planned.left_out)
        return
    keep_memory()
    with ProgressBar(quiet=quiet) as progress:
        result = conduct(config, out, study=study, progress=progress, **how)
    _tell("left out", result.left_out)
    print_result(result, study.view, output_format, common["table"])
    # The page and JSON contain the notes themselves.
    if not quiet and output_format not in {"table", "json"}:
        _tell("note", result.notes)
    pictures = _draw(study, result, figures)
    if not quiet:
        say(f"tables: {result.out}")
        if pictures:
            say(pictures)
    if result.error is not None:
        raise result.error


def _tell(what: str, lines: tuple[str, ...]) -> None:
    for line in lines:
        say(f"{what}: {line}")


def _figures(given: str | None) -> tuple[str, ...]:
    """Read the formats of pictures; refused before any work."""
    from nasrank.study.pictures import FORMATS

    if given is None:
        return FORMATS[:1]
    names = tuple(dict.fromkeys(each.strip().lower() for each in given.split(",")))
    for name in names:
        if name not in FORMATS:
            raise unknown_name("picture format", name, FORMATS)
    return names


def _draw(study: "Study[Any, Any]", result: "Result[Any]", figures: tuple[str, ...]) -> str:
    """Draw pictures and say which; continue without where they cannot be drawn."""
    from nasrank.study.drawn import drawn_before, picture_key, remember
    from nasrank.study.pictures import drawn_as, written_as

    if study.pictures is None:
        return ""
    key = picture_key(study, result, figures)
    paths = drawn_before(result.out, key)
    if paths is None:
        try:
            with drawn_as(figures):
                paths = [file for path in study.pictures(result) for file in written_as(path)]
        except UsageError as error:
            return f"no pictures: {error}"
        remember(result.out, key, paths)
    return f"pictures: {', '.join(map(str, paths))}" if paths else ""


def _parameter(name: str, field: "FieldInfo") -> inspect.Parameter:
    shown = shown_as(field)
    text, default = field.description or "", default_text(name, field)
    if shown["names"] is not None:
        text = f"{text} Lists them: nasrank {shown['names'].plural}. Your own: FILE.py:NAME."
    if default:
        text = f"{text} [default: {default}]"
    kind: Any = plain_type(field.annotation)
    declared, metavar = flag_of(name), shown["metavar"] or "|".join(choices_of(field)) or None
    items = item_type(field)
    if items is not None:
        metavar = f"{metavar or _METAVARS[items]}{'' if shown['repeated'] else ',...'}"
        kind = list[items] if shown["repeated"] else str  # type: ignore[valid-type]
    if kind is bool:
        metavar = None
        if field.default is True:
            declared = f"{declared}/--no-{declared[2:]}"
    complete = shown["complete"] or (lambda: choices_of(field))
    how: dict[str, Any] = {
        "help": text,
        "metavar": metavar,
        "rich_help_panel": shown["panel"],
        "autocompletion": lambda incomplete: _completed(incomplete, complete()),
    }
    if kind is bool:
        del how["autocompletion"]
    if shown["argument"]:
        how["metavar"] = metavar or name.upper()
        info: Any = typer.Argument(show_default=False, **how)
    else:
        info = typer.Option(declared, show_default=False, **how)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _completed(incomplete: str, known: Any) -> list[str]:  # noqa: ANN401 - any names
    """Complete the last name of a list."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{each}" for each in known if str(each).startswith(last)]


_COMMON = (
    "subset", "config", "only_cached", "any_code", "force", "dry_run", "out", "figures",
    "output_format", "table", "quiet",
)  # fmt: skip


def _common(config: type[Config]) -> list[inspect.Parameter]:
    """Options that every command has, or every one that keeps runs."""
    folder = usual_folder(config)
    subsets: Any = Annotated[
        str | None,
        typer.Option(
            "--subset",
            metavar="|".join(config.subsets),
            help="Fixed settings by name; other options override them.",
            autocompletion=lambda: list(config.subsets),
            rich_help_panel=HOW,
        ),
    ]
    out: Any = Annotated[
        Path | None,
        typer.Option(
            "--out",
            help=f"Folder for tables and pictures. [default: {folder}]",
            rich_help_panel=OUTPUT,
        ),
    ]
    kinds: list[tuple[str, Any, Any]] = [
        *([("subset", subsets, None)] if config.subsets else []),
        ("config", ConfigOption, None),
        *(
            [
                ("only_cached", OnlyCachedOption, False),
                ("any_code", AnyCodeOption, False),
                ("force", ForceOption, False),
                ("dry_run", DryRunOption, False),
            ]
            if config.keeps_runs
            else []
        ),
        ("out", out, None),
        *([("figures", FiguresOption, None)] if config.draws else []),
        ("output_format", FormatOption, "table"),
        ("table", TableOption, None),
        ("quiet", QuietOption, False),
    ]
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        for name, annotation, default in kinds
    ]

"""``nasrank losses``, ``nasrank predictors``, ``nasrank metrics``: what can be named."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from nasrank.cli.output import FormatOption, show_record, show_rows
from nasrank.study.view import Field, Sheet

__all__ = ["COMMANDS", "command_of_names", "epilog_of"]

COMMANDS = {
    "losses": "List losses with formula, options and origin, or show one of them in full.",
    "predictors": "List predictors with idea, options and losses, or show one of them in full.",
    "metrics": "List metrics with meaning and direction, or show one of them in full.",
}
_EXAMPLES = {
    "losses": ("listmle", "./mine.py:my_loss"),
    "predictors": ("gnn", "./mine.py:MyModel"),
    "metrics": ("kendall_tau", "./mine.py:my_metric"),
}
_SHOWN = {
    "losses": ("name", "idea", "options", "origin"),
    "predictors": ("name", "idea", "loss", "options"),
    "metrics": ("name", "better", "unit", "idea"),
}


def epilog_of(kind: str) -> str:
    """Return the text below the options in ``--help``."""
    one, own = _EXAMPLES[kind]
    return f"Examples:\n\nnasrank {kind}\n\nnasrank {kind} {one}\n\nnasrank {kind} {own}"


def command_of_names(kind: str) -> Callable[..., None]:
    """Make the command that lists one kind of names."""

    def command(
        name: Annotated[
            str | None,
            typer.Argument(
                metavar="NAME",
                help="One of them, or the location of your own: FILE.py:NAME.",
                show_default=False,
                autocompletion=lambda incomplete: _completed(kind, incomplete),
            ),
        ] = None,
        *,
        output_format: FormatOption = "table",
    ) -> None:
        from nasrank.questions.describe.names import details, listed

        if name is None:
            rows = listed(kind)
            fields = [Field(key) for key in _SHOWN[kind]]
            show_rows(kind, kind, rows, output_format, fields=fields)
            return
        record = details(kind, name)
        show_record(kind, record, output_format, _in_full(record))

    command.__doc__ = (
        f"{COMMANDS[kind]}\n\nOwn code is named by its file and what is in it, "
        f"{_EXAMPLES[kind][1]}, or by module and name; what could not be read of its options is "
        "said."
    )
    return command


def _completed(kind: str, incomplete: str) -> list[str]:
    from nasrank.questions.describe.names import KINDS

    return [name for name in KINDS[kind][1].all_names() if name.startswith(incomplete)]


def _in_full(record: dict[str, Any]) -> list[Any]:
    """A record as people read it."""
    own = {
        key: value for key, value in record.items() if key not in {"about", "option", "options"}
    }
    lines: list[Any] = [
        record["name"],
        *(f"  {key}: {value}" for key, value in own.items() if key != "name" and value),
    ]
    if record["about"] and record["about"] != record.get("idea"):
        lines += ["", record["about"]]
    if record["option"]:
        fields = [Field("option"), Field("value", "what to write")]
        lines += ["", Sheet(record["option"], fields, "options and defaults")]
    return lines

"""The command that wrote a folder, as it is typed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasrank.studies import STUDIES, config_of
from nasrank.study.options import flag_of, ordered_fields, shown_as

__all__ = ["question_of", "typed"]


def question_of(command: str) -> str:
    """Return what a command is for, a line; nothing for an unknown one.

    Example:
        >>> question_of("no such command")
        ''
    """
    if command not in STUDIES:
        return ""
    return (config_of(command).__doc__ or "").strip().split("\n")[0]


def typed(command: str, config: Mapping[str, Any], folder: Path) -> str:
    """Write the command that a folder came from, for a shell.

    Options with their default are left out. Those that this version does not know stay, so that
    nothing is hidden.

    Args:
        command: Its words; unknown ones are written as they are.
        config: Its options by name.
        folder: Where it wrote to.

    Example:
        >>> typed("compare", {"losses": ["mse", "hr(margin=0.5)"], "seeds": 10}, Path("a b"))
        "nasrank compare --losses 'mse,hr(margin=0.5)' --out 'a b'"
    """
    fields = ordered_fields(config_of(command)) if command in STUDIES else {}
    places, options = [], []
    for name, value in config.items():
        known = fields.get(name)
        default = None if known is None or known.is_required() else known.default
        default = list(default) if isinstance(default, tuple) else default
        if value is None or (default is not None and value == default):
            continue
        if known is not None and shown_as(known)["argument"]:
            places += [str(each) for each in (value if isinstance(value, list) else [value])]
        elif isinstance(value, bool):
            options.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
        elif isinstance(value, list) and known is not None and shown_as(known)["repeated"]:
            options += [part for each in value for part in (flag_of(name), str(each))]
        elif value not in ([], False):
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            options += [flag_of(name), text]
    return shlex.join(["nasrank", *command.split(), *places, *options, "--out", str(folder)])

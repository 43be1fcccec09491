"""Options from a file and from the command line, in this order."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

__all__ = ["checked", "integers", "numbers", "read_settings", "words"]


def words(text: str | None) -> tuple[str, ...] | None:
    """Split a list at its commas, except inside brackets; None stays None."""
    from nasrank.losses import split_list

    return None if text is None else tuple(split_list(text))


def integers(text: str | None, option: str) -> tuple[int, ...] | None:
    """Split a list of whole numbers at its commas; None stays None.

    Raises:
        UsageError: A part is not a whole number.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} should be whole numbers with commas, such as 78,156"
        ) from error


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Split a list of numbers at its commas; None stays None.

    Raises:
        UsageError: A part is not a number.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} should be numbers with commas, such as 0.1,0.5"
        ) from error


def read_settings(path: Path | None, known: Collection[str]) -> dict[str, Any]:
    """Read options from a TOML file; ``n-train`` and ``n_train`` are the same.

    Args:
        path: The file, or None for no options.
        known: Names of the options there are.

    Raises:
        DataError: The file cannot be read or is not TOML.
        UsageError: It holds an unknown option.
    """
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Give --config an existing file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not TOML ({error}). Write lines like seeds = 10") from error
    settings = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{path}: {unknown_name('option', name, known)}")
        if name == "out" and (not isinstance(value, str) or not value or "\0" in value):
            raise UsageError(f"{path}: out should be the path of a folder, in quotes")
        settings[name] = value
    return settings


def checked(model: "type[Model]", settings: Mapping[str, Any]) -> "Model":
    """Make a configuration of settings.

    Raises:
        UsageError: A value is of the wrong type or out of range; only the first is named.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"{option} {first['input']!r}: {first['msg'].lower()}") from error

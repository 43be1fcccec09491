"""How a name with options is written: ``hr``, ``hr(margin=0.5)``, ``pw(hr,mape,50)``.

Only the writing is read here; what the words mean is decided in ``options`` and
``specification``.
"""

import re
from dataclasses import dataclass

from nasrank.errors import UsageError
from nasrank.escapes import visible

__all__ = ["Call", "read_call", "split_list"]

WRITTEN = re.compile(r"\s*(?P<name>[^\s(),=]+)\s*(?:\((?P<inside>.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name and what follows it in brackets.

    Args:
        name: The word before the bracket.
        parts: The comma-separated parts without ``=``, blanks stripped.
        options: The parts of the form ``key=value``, as pairs of texts in the order written.
    """

    name: str
    parts: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def split_list(text: str) -> list[str]:
    """Split a list of names at its commas, except at those inside brackets.

    Args:
        text: Such as ``"mse,hr(margin=0.5),pw(hr,mape,50)"``; blanks around parts are ignored.

    Returns:
        The parts in the order written, none of them empty.

    Raises:
        UsageError: A bracket is unmatched, or there is nothing between two commas.

    Example:
        >>> split_list("mse, hr(margin=0.5), pw(hr,mape,50)")
        ['mse', 'hr(margin=0.5)', 'pw(hr,mape,50)']
    """
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    if depth != 0:
        raise UsageError(f"unmatched bracket in {text!r}. Write it like hr(margin=0.5).")
    parts.append(text[start:].strip())
    if not all(parts):
        raise UsageError(f"a name is missing in {text!r}. Write one between two commas.")
    return parts


def read_call(text: str) -> Call:
    """Read ``name`` or ``name(part, ..., key=value, ...)``.

    Args:
        text: What the user wrote; blanks are ignored except inside words.

    Returns:
        The name, the parts and the options, all still as text.

    Raises:
        UsageError: The text is not of this form, holds a control character, or gives an option
            twice.

    Example:
        >>> read_call("pw( hr(margin=0.5), mape, 50)").parts
        ('hr(margin=0.5)', 'mape', '50')
        >>> read_call("hr(margin = 0.5)").options
        (('margin', '0.5'),)
    """
    # It becomes part of tables and commands.
    if text != visible(text):
        raise UsageError(
            f"{text!r} holds a character that cannot be seen. Leave it out; a file can be renamed"
        )
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise UsageError(f"cannot read {text!r}. Write it like mse or hr(margin=0.5).")
    inside = written["inside"]
    parts: list[str] = []
    options: dict[str, str] = {}
    for part in split_list(inside) if inside and inside.strip() else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or "(" in key:
            parts.append(part)
        elif not key or not value:
            raise UsageError(f"cannot read {part!r} in {text!r}. Write it like margin=0.5.")
        elif key in options:
            raise UsageError(f"option {key!r} is given twice in {text!r}. Give it once.")
        else:
            options[key] = value
    return Call(written["name"], tuple(parts), tuple(options.items()))

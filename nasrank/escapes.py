"""The exit for text: what names and messages become where they leave nasrank.

Names, units, paths and messages come from files that others wrote. Here, and nowhere else, they
are made fit for a terminal, stored tables, JSON, CSV, Markdown and LaTeX. Pictures take them as
plain text, and pages of HTML come from a template that escapes every value.
"""

import re
import unicodedata

__all__ = ["for_csv", "for_json", "for_latex", "for_markdown", "for_script", "visible"]

_COMMANDS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that a terminal or an editor obeys instead of showing them."""
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9.]+(e[+-]?[0-9]+)?$)(?=.)", re.IGNORECASE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|&#~!$])")
_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip


def visible(text: str) -> str:
    r"""Return a text with control characters escaped, so that none affects a terminal.

    Line breaks stay.

    Example:
        >>> print(visible("a\x1b[31mb"))
        a\x1b[31mb
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in _COMMANDS
        else ascii(letter)[1:-1]
        for letter in text
    )


def for_json(document: str) -> str:
    r"""Return a JSON document with control characters written as JSON escapes them.

    Example:
        >>> print(for_json('["a\u202eb"]'))
        ["a\u202eb"]
    """
    if document.isascii():
        return document
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in _COMMANDS
        else "".join(f"\\u{unit:04x}" for unit in _units(letter))
        for letter in document
    )


def for_csv(cell: str) -> str:
    """Return a cell that no spreadsheet computes: an apostrophe first, as one types it there.

    Example:
        >>> for_csv("=1+1"), for_csv("-1.5"), for_csv("mse")
        ("'=1+1", '-1.5', 'mse')
    """
    shown = visible(cell)
    return f"'{shown}" if _FORMULA.match(cell) else shown


def for_markdown(text: str) -> str:
    r"""Return a text for a cell of a table in Markdown, on one line and without markup.

    Example:
        >>> for_markdown("a|b")
        'a\\|b'
    """
    return _MARKDOWN.sub(r"\\\1", _line(text))


def for_latex(text: str) -> str:
    r"""Return a text for a cell of a table in LaTeX, on one line and without commands.

    Example:
        >>> print(for_latex("50 %"))
        50 \%
    """
    return "".join(_LATEX.get(letter, letter) for letter in _line(text))


def for_script(document: str) -> str:
    r"""Return a JSON document for a script of a page: no text in it ends or comments the script.

    Example:
        >>> print(for_script('"<!--<script>"'))
        "\u003c!--\u003cscript>"
    """
    return for_json(document).replace("<", r"\u003c")


def _line(text: str) -> str:
    return " ".join(visible(text).split())


def _units(letter: str) -> list[int]:
    encoded = letter.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2)]

"""Columns of a table as values: numbers, yes and no, lists, words, or nothing.

A column is read as a whole, because one cell alone does not say what it means: ``1,234`` is a
thousand in one table and a bit more than one in another, and ``none`` is a level of a column of
words and a gap in a column of numbers. Nothing is ever evaluated.
"""

import ast
import json
import math
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Column",
    "list_of",
    "mapping_of",
    "number_of",
    "printable",
    "read_column",
    "says_failed",
    "stray_cell",
    "writes_decimal_comma",
]

LITERAL_LIMIT = 2**16
"""Longest Python list or dict that is read, in characters; JSON is bounded by the line alone."""

_DEEPEST = 8
_LARGEST = int(sys.float_info.max)
_DASHES = {"-", "--", "\u2013", "\u2014"}
_GAPS = _DASHES | {
    "", "?", "na", "n/a", "#na", "#n/a", "<na>", "null", "none", "nat", "not evaluated", "pending",
}  # fmt: skip
"""What stands for nothing among numbers and lists, in lower case."""
_WORD_GAPS = _DASHES | {
    "", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "None", "NaN", "nan", "NaT",
}  # fmt: skip
"""What stands for nothing among words; ``none`` and ``na`` may be words there."""
_FAILED = re.compile(
    r"(fail|error|diverg|crash|oom\b|out[ _-]of[ _-]mem|cuda|exception|traceback|runtimeerror|"
    r"timed?[ _-]?out|kill|abort|cancel|overflow|explod|unstable|invalid|infeasible)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})", re.ASCII)
_CODE = re.compile(r"[+-]?0[0-9]+", re.ASCII)
_POINT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_COMMA = re.compile(r"[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]{1,4})?")
_USUAL = re.compile(r"(?!-?0[0-9])-?[0-9]{1,17}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?")
"""Numbers as programs write nearly all of them; quick to tell, and never infinite."""
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")
_THOUSANDS_OF_COMMA = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan|1\.#inf|1\.#qnan|∞)", re.IGNORECASE)
_SPREAD = re.compile(
    r"(?P<value>[+-]?(?:[0-9.,]+(?:e[+-]?[0-9]{1,4})?|inf|infinity|nan|1\.#inf|1\.#qnan|∞))"
    r"\s*(?P<percent>%?)"
    r"(\s*(?P<spread>±|\+/?-|\\pm)\s*[0-9.,]+(e[+-]?[0-9]{1,4})?\s*(?P<after>%?))?",
    re.IGNORECASE,
)
_SCALAR = r"[^\s,;\[\]()'\"]+"
_PRINTED_NUMBERS = re.compile(rf"\[\s*{_SCALAR}(\s+{_SCALAR})+\s*\]")
_NEXT_TEXT = re.compile(r"(?<=['\"])\s+(?=['\"])")


@dataclass(frozen=True)
class Column:
    """A column that was read.

    Attributes:
        values: ``[rows]`` int, float (NaN and infinities where the file writes them), bool, list
            or text; None for nothing. A column is of one kind, but for words that say that a
            trial failed, which stay text among numbers, and for what cannot be made sense of.
        numbers: Whether it holds numbers.
        percent: Whether every number carries a percent sign; the sign is dropped.
        spread: Whether numbers carry a spread (``94.2 ± 0.3``); it is dropped.
        comma: What a comma does in its numbers: ``decimal``, ``thousands``, or an empty text.
    """

    values: list[object]
    numbers: bool = False
    percent: bool = False
    spread: bool = False
    comma: str = ""


def says_failed(text: str) -> bool:
    """Return whether a word in the place of a number says that a trial failed.

    Example:
        >>> says_failed("diverged"), says_failed("Error: out of memory"), says_failed("good")
        (True, True, False)
    """
    return _FAILED.match(text.strip()) is not None


def number_of(text: str) -> float | None:
    """Read a number with a decimal point; None for anything else.

    Example:
        >>> number_of(" 1e-3 "), number_of("-inf"), number_of("1,5"), number_of("1_0")
        (0.001, -inf, None, None)
    """
    return _number(text.strip().replace("\u2212", "-"), "")


def writes_decimal_comma(texts: Collection[str]) -> bool:
    """Return whether texts can only be numbers with a decimal comma, as ``76,06``.

    Args:
        texts: The different cells of a column.
    """
    if not any("," in text for text in texts):
        return False
    plain = [part["value"] for text in _told(texts) if (part := _parted(text))]
    commas = [text for text in plain if "," in text]
    return (
        bool(commas)
        and len(plain) == len(_told(texts))
        and all(_COMMA.fullmatch(t) or _THOUSANDS_OF_COMMA.fullmatch(t) for t in plain)
        and not all(_THOUSANDS.fullmatch(text) for text in commas)
    )


def read_column(values: Sequence[object], *, decimal_comma: bool = False) -> Column:
    """Make values of the texts of a column; everything that is no text stays as it is.

    Args:
        values: ``[rows]`` cells: text from a text file, anything from JSON or Parquet.
        decimal_comma: Whether numbers of this file have a decimal comma where a comma could
            mean two things.

    Returns:
        The column: numbers where every cell is one, or is nothing, or says that its trial
        failed; yes and no for ``true`` and ``false``; lists for lists as Python, numpy or JSON
        print them; otherwise stripped text. Control characters are escaped. Whole numbers with a
        leading zero are codes and stay text, and so do numbers whose comma could be decimal or of
        thousands.

    Example:
        >>> read_column(["76,06", "-", "diverged", "78,3"]).values
        [76.06, None, 'diverged', 78.3]
        >>> read_column(["['conv', 'pool']", "[]"]).values
        [['conv', 'pool'], []]
        >>> read_column(["adam", "none", "NA"]).values
        ['adam', 'none', None]
    """
    texts = {value for value in values if type(value) is str}
    if not texts:
        return Column([*values], numbers=_all_numbers(values))
    others = {*map(type, values)} - {str, type(None)}
    if others <= {int, float} and all(map(_USUAL.fullmatch, texts)):
        kind = float if any("." in text or "e" in text for text in texts) else int
        return Column(_mapped(values, {text: kind(text) for text in texts}), numbers=True)
    told = _told(texts)
    if others <= {int, float}:
        found = _numbers(values, texts, told, decimal_comma=decimal_comma)
        if found is not None and (found.numbers or others):
            return found
    if others <= {bool} and told and {text.strip().lower() for text in told} <= {"true", "false"}:
        return Column(_mapped(values, {text: text.strip().lower() == "true" for text in told}))
    if others <= {list} and told and all(text.lstrip()[:1] in {"[", "("} for text in told):
        lists = {text: list_of(text.strip()) for text in told}
        if None not in lists.values():
            return Column(_mapped(values, lists))
    return Column([_word(value) if type(value) is str else value for value in values])


def stray_cell(values: Sequence[object]) -> tuple[int, str] | None:
    """Find the cell that keeps a column from being numbers.

    Args:
        values: ``[rows]`` cells as `read_column` leaves them.

    Returns:
        Its row, and why it is no number, as a clause without a subject; None where all are
        numbers, nothing, or say that a trial failed.

    Example:
        >>> stray_cell([1.5, None, "good"]), stray_cell(["76,063", "5"])
        ((2, "is 'good', not a finite number"), (0, "is '76,063', whose comma may be decimal \
or of thousands"))
    """
    later = None
    percents = {"%" in each for each in values if isinstance(each, str) and _parted(each)}
    for row, value in enumerate(values):
        if value is None or type(value) is float:
            continue
        if type(value) is int and abs(value) <= _LARGEST:
            continue
        found = _parted(value) if isinstance(value, str) else None
        if isinstance(value, str) and (says_failed(value) or not _told([value])):
            continue
        if found is None or (number_of(found["value"]) is None and "," not in found["value"]):
            return row, f"is {str(value)[:40]!a}, not a finite number"
        if later is None and "," in found["value"]:
            later = row, f"is {found[0][:40]!a}, whose comma may be decimal or of thousands"
        elif later is None and len(percents) > 1 and "%" in found[0]:
            later = row, f"is {found[0][:40]!a}, and other rows have no percent sign"
    return later


def _told(texts: Collection[str]) -> list[str]:
    """Return the texts that stand for something."""
    return [text for text in texts if text.strip().lower() not in _GAPS]


def _word(text: str) -> str | None:
    word = text.strip()
    return None if word in _WORD_GAPS else printable(word)


def printable(text: str) -> str:
    r"""Write control characters, and others that a terminal obeys, as Python escapes them.

    Example:
        >>> printable("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _all_numbers(values: Sequence[object]) -> bool:
    kinds = {type(value) for value in values} - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def _mapped(values: Sequence[object], meanings: Mapping[str, object]) -> list[object]:
    return [meanings.get(value) if type(value) is str else value for value in values]


def _parted(text: str) -> re.Match[str] | None:
    return _SPREAD.fullmatch(text.strip().replace("\u2212", "-"))


def _numbers(
    values: Sequence[object], texts: Collection[str], told: Sequence[str], *, decimal_comma: bool
) -> Column | None:
    """Read a column as numbers; None where it holds something else."""
    lists = {text for text in told if ";" in text}
    parts = {part for text in lists for part in text.split(";") if part.strip()}
    cells = {*(text for text in told if text not in lists), *_told(parts)}
    failed = {text for text in cells if says_failed(text)}
    parted = {text: _parted(text) for text in cells - failed}
    if None in parted.values():
        return None
    written = {text: part for text, part in parted.items() if part is not None}
    plain = {text: part["value"] for text, part in written.items()}
    percents = {bool(part["percent"] or part["after"]) for part in written.values()}
    if all(_CODE.fullmatch(text) or _WHOLE.fullmatch(text) for text in plain.values()) and any(
        _CODE.fullmatch(text) for text in plain.values()
    ):
        return None
    comma = _comma(plain.values(), decimal_comma=decimal_comma)
    if comma is None or len(percents) > 1:
        return None
    meanings: dict[str, object] = {text: _value(number, comma) for text, number in plain.items()}
    if None in meanings.values() or (failed and not meanings):
        return None
    finite = all(_WHOLE.fullmatch(text) for text in plain.values())
    if not finite:
        meanings = {text: float(number) for text, number in meanings.items()}  # type: ignore[arg-type]
    meanings |= {text: text.strip() for text in failed}
    for text in lists:
        meanings[text] = [meanings.get(part) for part in text.split(";")]
    return Column(
        _mapped(values, meanings),
        numbers=bool(plain) or _all_numbers([v for v in values if type(v) is not str]),
        percent=percents == {True},
        spread=any(part["spread"] for part in written.values()),
        comma=comma,
    )


def _comma(texts: Collection[str], *, decimal_comma: bool) -> str | None:
    """Say what commas in numbers do; None where they could do two things, or texts disagree."""
    commas = [text for text in texts if "," in text]
    if not commas:
        return ""
    others = [text for text in texts if "," not in text]
    grouped = all(_THOUSANDS.fullmatch(text) for text in commas)
    decimal = all(
        _COMMA.fullmatch(text) or _THOUSANDS_OF_COMMA.fullmatch(text) for text in commas
    ) and not any("." in text for text in others)
    if decimal and (decimal_comma or not grouped):
        return "decimal"
    # Without a point somewhere, 64,128,256 is as likely a list.
    return "thousands" if grouped and any("." in text for text in commas) else None


def _value(text: str, comma: str) -> int | float | None:
    if comma == "decimal" and _THOUSANDS_OF_COMMA.fullmatch(text):
        text = text.replace(".", "")
    return _number(text, comma)


def _number(text: str, comma: str) -> int | float | None:
    if comma:
        text = text.replace(",", "." if comma == "decimal" else "")
    if _WHOLE.fullmatch(text):
        return int(text)
    if _POINT.fullmatch(text):
        number = float(text)
        return None if math.isinf(number) else number
    if _NOT_FINITE.fullmatch(text):
        if "nan" in text.lower():
            return math.nan
        return -math.inf if text.startswith("-") else math.inf
    return None


def list_of(text: str) -> list[object] | None:
    """Read a list as JSON, Python or numpy print it, without evaluating it.

    Args:
        text: The text, without blanks around it.

    Returns:
        The list, its tuples as lists; None where the text is no list, is nested more than eight
        deep, or is a Python list of more than ``LITERAL_LIMIT`` characters.

    Example:
        >>> list_of("('conv', 3)"), list_of("[64 128]"), list_of("[1, null]"), list_of("3")
        (['conv', 3], [64, 128], [1, None], None)
    """
    if _PRINTED_NUMBERS.fullmatch(text):
        return _of_numbers(text[1:-1].split())
    # Without commas Python would join neighbouring texts, which numpy prints so.
    found = _literal(text, _NEXT_TEXT.sub(", ", text))
    return found if isinstance(found, list) else None


def mapping_of(text: str) -> dict[str, object] | None:
    """Read an object of JSON or a dict of Python, as :func:`list_of` reads a list.

    Args:
        text: The text, without blanks around it.

    Returns:
        The values by name; None where the text is none, or not all names are text.

    Example:
        >>> mapping_of("{'lr': 0.1, 'loss': nan}")
        {'lr': 0.1, 'loss': nan}
    """
    found = _literal(text, text)
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        return None
    return found


def _literal(text: str, python: str) -> object:
    """Read JSON, or what Python prints of numbers, texts, lists and dicts; None for others."""
    try:
        return _plain(json.loads(text), _DEEPEST)
    except RecursionError:
        return None
    except ValueError:
        if len(text) > LITERAL_LIMIT:
            return None
    try:
        return _plain(_of_node(ast.parse(python, mode="eval").body), _DEEPEST)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _of_node(node: ast.expr) -> object:
    """Return what a literal says; raises ValueError for any other expression."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            number = _of_node(operand)
            if type(number) not in {int, float}:
                raise ValueError
            return -number if isinstance(node.op, ast.USub) else number  # type: ignore[operator]
        case ast.Name(id=name) if name.lower() in {"nan", "inf", "infinity"}:
            return float(name)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_of_node(each) for each in items]
        case ast.Dict(keys=keys, values=values):
            if None in keys:
                raise ValueError
            return {
                _of_node(key): _of_node(value)  # type: ignore[arg-type]
                for key, value in zip(keys, values, strict=True)
            }
    raise ValueError


def _of_numbers(parts: Sequence[str]) -> list[object] | None:
    numbers = [number_of(part) for part in parts]
    return None if None in numbers else [*numbers]


def _plain(value: object, depth: int) -> object:
    """Return a value whose texts print safely.

    Raises:
        ValueError: It is nested deeper than anybody writes settings.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list | dict) and depth == 0:
        raise ValueError
    if isinstance(value, list):
        return [_plain(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {_plain(key, 1): _plain(each, depth - 1) for key, each in value.items()}
    return value

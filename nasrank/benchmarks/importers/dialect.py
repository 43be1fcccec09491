"""Tables as programs write them: encodings, gzip, separators, headers.

The first 64 thousand characters decide how the whole file is read.
"""

import codecs
import csv
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nasrank.benchmarks.importers.bounded import GzipStream
from nasrank.errors import DataError

__all__ = [
    "COLUMN_LIMIT",
    "CONTENT_LIMIT",
    "LINE_LIMIT",
    "numbered_lines",
    "opened",
    "separator_of",
    "table_rows",
]

LINE_LIMIT = 2**20
"""Longest line that is read, in characters."""
COLUMN_LIMIT = 10_000
"""Maximum number of columns."""
CONTENT_LIMIT = 2**31
"""Maximum number of bytes in a gzip file, decompressed."""

_REMEDY = "Repair the file and import it again"
_HEAD = 4096
_SAMPLE = 2**16
_SAMPLE_ROWS = 50
_SEPARATORS = ("\t", ";", ",", "|")
"""A header that two of them divide into as many columns is divided by the first."""
EMPTY_LINES = 1_000_000
"""Most empty lines in a row."""
_MARKS = {
    codecs.BOM_UTF32_LE: None,
    codecs.BOM_UTF32_BE: None,
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encoding by the mark at the start of a file; None for what is refused."""
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook. Save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Save the sheet as CSV UTF-8",
    b"BZh": "compressed by bzip2. Unpack it first: bunzip2 -k FILE",
    b"\xfd7zXZ": "compressed by xz. Unpack it first: unxz -k FILE",
    b"\x28\xb5\x2f\xfd": "compressed by zstd. Unpack it first: unzstd FILE",
    b"PAR1": "a Parquet table. Give its name the ending .parquet",
    b"SQLite format 3": "an SQLite database. Give its name the ending .db",
}


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a text file in UTF-8 or UTF-16, plain or compressed by gzip; line ends are kept.

    Args:
        path: The file; it is gzip where its content says so, whatever its name.

    Yields:
        The file.

    Raises:
        DataError: Here or while it is read within the block: it cannot be opened or read, is of
            another format or encoding, or is gzip that is damaged or has more than
            ``CONTENT_LIMIT`` bytes.
    """
    try:
        with path.open("rb") as start:
            zipped = start.read(2) == b"\x1f\x8b"
        with (
            GzipStream(path, limit=CONTENT_LIMIT, advice=_REMEDY)
            if zipped
            else path.open("rb", buffering=0)
        ) as raw:
            content = io.BufferedReader(raw)
            encoding = _encoding(path, content.peek(_HEAD)[:_HEAD])
            with io.TextIOWrapper(content, encoding=encoding, newline="") as text:
                yield text
    except UnicodeDecodeError as error:
        found = f"0x{error.object[error.start]:02x}"
        raise DataError(
            f"{path}: not UTF-8 text, it has the byte {found}. Save it as UTF-8 (in Excel: CSV "
            f"UTF-8), or type: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error


def _encoding(path: Path, head: bytes) -> str:
    for start, what in _OTHER_FORMATS.items():
        if head.startswith(start):
            raise DataError(f"{path}: {what.replace('FILE', path.name)}")
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            if encoding is None:
                raise DataError(f"{path}: UTF-32 text. Save it as UTF-8")
            return encoding
    # Half of the bytes of Latin text in UTF-16 are zeros, and none in UTF-8.
    even, odd = (head[start::2] for start in (0, 1))
    if len(head) >= 8 and not all(head):
        if odd.count(0) * 5 > len(odd) * 4 and even.count(0) * 5 < len(even):
            return "utf-16-le"
        if even.count(0) * 5 > len(even) * 4 and odd.count(0) * 5 < len(odd):
            return "utf-16-be"
    return "utf-8"


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file and their numbers from 1.

    Raises:
        DataError: As `opened`; or a line is longer than ``LINE_LIMIT``, or a million in a row are
            empty.
    """
    with opened(path) as file:
        yield from enumerate(_lines(path, file), start=1)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    place = 1
    empty = 0
    while line := file.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            raise DataError(
                f"{path}: line {place}: longer than {LINE_LIMIT:,} characters. {_REMEDY}"
            )
        empty = 0 if line.strip() else empty + 1
        if empty > EMPTY_LINES:
            raise DataError(f"{path}: line {place}: nothing but empty lines. {_REMEDY}")
        yield line
        place += 1


def separator_of(sample: str, *, complete: bool = True) -> str:
    r"""Find the character that separates the columns of a table.

    It is the one that divides the header into most columns and all other rows into as many; a
    ``|`` only where it does so and nothing else divides the header, because cells may hold it.
    A first line ``sep=;``, as Excel has it, decides.

    Args:
        sample: The start of the file.
        complete: Whether it is the whole file; otherwise its last row may be cut.

    Example:
        >>> separator_of("id;layers;label\na;x,y;76,06\n"), separator_of("a\tb\n1,5\t2,5\n")
        (';', '\t')
    """
    first = sample.splitlines()[0].strip() if sample.strip() else ""
    if first[:4].lower() == "sep=" and len(first) == 5:
        return first[4]
    best = (False, 1, ",")
    for separator in _SEPARATORS:
        counts = _field_counts(sample, separator, complete=complete)
        columns = counts[0] if counts else 1
        agree = all(count == columns for count in counts)
        if columns < 2 or (separator == "|" and (not agree or best[1] > 1)):
            continue
        if (agree, columns) > best[:2]:
            best = (agree, columns, separator)
    return best[2]


def _field_counts(sample: str, separator: str, *, complete: bool) -> list[int]:
    """Count the columns of the header and the fields of rows; blank ones at the end are none."""
    reader = csv.reader(
        io.StringIO(sample, newline=""), delimiter=separator, skipinitialspace=True
    )
    rows = []
    try:
        rows = [
            fields
            for fields in itertools.islice(reader, _SAMPLE_ROWS + 1)
            if any(field.strip() for field in fields)
        ]
    except csv.Error:
        return []
    if not complete and 1 < len(rows) <= _SAMPLE_ROWS:
        rows.pop()
    columns = len(_trimmed(rows[0])) if rows else 0
    return [
        columns if len(fields) > columns >= len(_trimmed(fields)) else len(fields)
        for fields in rows
    ]


def _trimmed(fields: list[str]) -> list[str]:
    filled = [place for place, field in enumerate(fields, start=1) if field.strip()]
    return fields[: max(filled, default=0)]


def table_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Read a table with a header, whatever separates its columns.

    Empty lines are skipped. A separator at the end of a line starts no column. The first column
    may have no name, as pandas writes its index; it is then called ``Unnamed: 0``.

    Args:
        path: The file.

    Yields:
        The line on which a row ends, and its cells as text by column.

    Raises:
        DataError: The header has a name twice or lacks one, a row has too few or too many
            fields, quotes are not closed, a limit is passed, or it is no such text.
    """
    with opened(path) as file:
        sample = file.read(_SAMPLE)
    separator = separator_of(sample, complete=len(sample) < _SAMPLE)
    with opened(path) as file:
        yield from _table_rows(path, file, separator)


def _table_rows(
    path: Path, file: TextIO, separator: str
) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(
        _lines(path, file), delimiter=separator, strict=True, skipinitialspace=True
    )
    header: list[str] | None = None
    try:
        for fields in reader:
            place = reader.line_num
            if not "".join(fields).strip():
                continue
            if header is None:
                if separator.join(fields)[:4].lower() == "sep=" and place == 1:
                    continue
                header = _header(path, place, fields)
                continue
            if len(fields) != len(header):
                _check_excess(path, place, fields, len(header), separator)
            yield place, dict(zip(header, fields, strict=False))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not CSV ({error}). {_REMEDY}") from error


def _header(path: Path, place: int, fields: list[str]) -> list[str]:
    header = [field.strip() for field in fields]
    while header and not header[-1]:
        header.pop()
    if header[0] == "":
        header[0] = "Unnamed: 0"
    if len(set(header)) != len(header) or "" in header:
        raise DataError(
            f"{path}: line {place}: the header has two columns of the same name or a "
            f"column without a name. {_REMEDY}"
        )
    if len(header) > COLUMN_LIMIT:
        raise DataError(f"{path}: line {place}: more than {COLUMN_LIMIT:,} columns. {_REMEDY}")
    return header


def _check_excess(path: Path, place: int, fields: list[str], columns: int, separator: str) -> None:
    """Refuse a row with too few fields, or with more than blank ones too many."""
    if len(fields) > columns and not any(field.strip() for field in fields[columns:]):
        return
    remedy = _REMEDY
    if len(fields) > columns:
        named = {"\t": "a tab"}.get(separator, f"a {separator}")
        remedy = f"Put cells that hold {named} in quotes, and import it again"
    raise DataError(
        f"{path}: line {place}: {len(fields)} fields under {columns} columns. {remedy}"
    )

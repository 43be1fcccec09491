"""A page of studies: everything it needs is in it, and it asks nothing of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from nasrank.benchmarks.titles import works_of
from nasrank.errors import DataError
from nasrank.files import replacing
from nasrank.report.changes import Changes, changes_of
from nasrank.report.commands import question_of, typed
from nasrank.report.comparing import Section, section_of
from nasrank.report.comparison import Comparison, comparisons_of
from nasrank.report.drawings import inline_picture, picture_width
from nasrank.report.embedded import DIGITS, compressed, compressed_size
from nasrank.report.films import read_film
from nasrank.report.folders import Stored, find_studies
from nasrank.report.panels import short
from nasrank.report.sheets import OPEN, Sheet, rank_of, sheet_of
from nasrank.study.claims import CLAIMS
from nasrank.study.options import ARCHS
from nasrank.study.view import joined
from nasrank.version import __version__

__all__ = ["MANY", "ONE", "Written", "write_report"]

ONE, MANY = 1_000_000, 3_000_000
"""Bytes that a page of one study, and of several, may have."""
_SPARE = 0.05
"""Share of them kept for what surrounds tables and pictures."""
_WORTH = 12
"""Pictures have their turn as if they were so many times smaller: more is seen in them."""
_WORTHWHILE = 50_000
"""Bytes left for which a page is filled once more."""
_MOST_WHOLE = 2
"""Comparisons up to which a page shows all sizes of each; of more, those of the first."""
_MOST_CELLS = 120_000
"""Cells of a table that a page can hold; tables of single evaluations have more."""
_VERDICTS = ("holds", "fails", "equivalent", "undecided", "not measurable")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: The file.
        size: Its bytes.
        studies: The studies in it, in order.
        left_out: What could not be read, one line each.
        lacking: Tables and pictures that there was no room for.
    """

    path: Path
    size: int
    studies: Sequence[Stored]
    left_out: Sequence[str]
    lacking: Sequence[Path]


@dataclass(frozen=True)
class _Picture:
    """A picture: as markup, or held for the script, which takes a quarter of the room."""

    key: str
    name: str
    alt: str
    wide: float
    held: str
    svg: Any = None


@dataclass(frozen=True)
class _Part:
    """A section of the page: one study, or several that are one comparison."""

    id: str
    command: str
    data: str
    question: str
    studies: Sequence[Stored]
    comparison: Section | None = None
    changes: Changes | None = None
    verdicts: Sequence[str] = ()
    notes: Sequence[str] = ()
    pictures: Sequence[_Picture] = ()
    films: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[Sheet] = ()

    @property
    def tally(self) -> list[tuple[str, int]]:
        """How many claims have which verdict."""
        counts = Counter(self.verdicts)
        return [(verdict, counts[verdict]) for verdict in _VERDICTS if counts[verdict]]


def write_report(folders: Iterable[Path], path: Path, before: Sequence[Path] = ()) -> Written:
    """Write one page about what commands have written to some folders.

    The page is self-contained, and where nothing but tables and pictures makes it large at most
    1 MB for one study and 3 MB for several: the smaller ones come first, and those that do not
    fit are named.

    Args:
        folders: The folders; those within them are read too.
        path: The file.
        before: Folders of earlier comparisons; the page begins with what has changed since.

    Raises:
        DataError: A folder holds no table of nasrank's, the file cannot be written, or there is
            nothing to compare with.
    """
    if path.is_dir():
        raise DataError(f"{path}: it is a folder. Give --out the name of a file, such as a.html")
    studies = find_studies(folders)
    parts = list(_parts(studies))
    if before:
        changes = changes_of(studies, before)
        parts.insert(0, _Part("changes", "changes", "", "", [changes.stored], changes=changes))
    # Sections have a fixed size, so they are weighed before anything that can be left out.
    most = int((1 - _SPARE) * (ONE if len(studies) == 1 else MANY))
    room = most - len(_rendered(parts, {}, studies).encode())
    filling = _Filling(parts, shown=len(studies) == 1)
    html = _filled(filling, room, studies)
    if filling.lacking and (left := most - len(html.encode())) > _WORTHWHILE:
        # Together things are compressed further than alone.
        fuller = _filled(filling, room + left, studies)
        html = fuller if len(fuller.encode()) <= most else _filled(filling, room, studies)
    left_out = [line for study in studies for line in study.left_out] + filling.damaged
    with replacing(path) as part:
        part.write_text(html, encoding="utf-8", newline="\n")
    return Written(path, path.stat().st_size, studies, left_out, filling.lacking)


def _filled(filling: _Filling, room: int, studies: Sequence[Stored]) -> str:
    """Fill the sections as far as there is room, and write the page."""
    filling.fill(room)
    data: dict[str, Any] = {s.id: s.held for part in filling.parts for s in part.tables}
    data |= {key: film for part in filling.parts for key, film in part.films.items()}
    for part in filling.parts:
        data |= {each.key: each.held for each in part.pictures if each.svg is None}
    left_out = [line for study in studies for line in study.left_out] + filling.damaged
    return _rendered(filling.parts, data, studies, left_out, filling.lacking)


def _parts(studies: Sequence[Stored]) -> Iterator[_Part]:
    """Cut what was read into sections; a comparison stands where its first folder does."""
    compared = {id(c.studies[0]): c for c in comparisons_of(studies)}
    # Of many comparisons each would take the room of pictures of other studies.
    whole = next(iter(compared), None) if len(compared) > _MOST_WHOLE else None
    within = {id(study) for c in compared.values() for study in c.studies[1:]}
    for place, study in enumerate(each for each in studies if id(each) not in within):
        comparison: Comparison | None = compared.get(id(study))
        own = [study] if comparison is None else comparison.studies
        yield _Part(
            id=f"s{place}",
            command=study.command,
            data=_data_of(study, alone=len(studies) == 1),
            question=question_of(study.command),
            studies=own,
            comparison=None
            if comparison is None
            else section_of(comparison, brief=whole not in (None, id(study))),
            verdicts=_verdicts_of(study),
            notes=[line for each in own for line in (*each.notes, *each.missing)],
        )


def _verdicts_of(study: Stored) -> list[str]:
    claims = study.tables.get("claims")
    if claims is None or not claims.keeps(CLAIMS):
        return []
    return [row["verdict"] for row in claims.rows]


def _data_of(study: Stored, *, alone: bool) -> str:
    """Say in a few words what a study was about: its data or tasks, and its folder among many."""
    place = study.folder.name
    for name in ("data", "tasks", "task", "space", "file"):
        value = study.config.get(name)
        if value:
            data = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            return joined([data, "" if alone or place in data else place])
    return place


class _Filling:
    """What goes into the sections: answers first, then the smaller tables and pictures of all.

    Attributes:
        parts: The sections with tables and pictures.
        lacking: What there was no room for.
        damaged: Pictures that could not be read, one line each.

    Args:
        parts: The sections.
        shown: Whether pictures stand in the page as such, and not held for the script.
    """

    def __init__(self, parts: Sequence[_Part], *, shown: bool) -> None:
        self._shown = shown
        self.parts = parts
        self.lacking: list[Path] = []
        self._too_large: list[Path] = []
        self.damaged: list[str] = []
        self._offers: list[tuple[tuple[Any, ...], Path, int]] = []
        self._sheets: dict[Path, Sheet] = {}
        self._pictures: dict[Path, str] = {}
        self._films: dict[Path, Any] = {}
        for part in parts:
            for study in part.studies:
                self._offer_tables(study, alone=len(part.studies) == 1)
                if part.comparison is None:
                    self._offer_pictures(study)
                    self._offer_films(study)

    def fill(self, room: int) -> None:
        """Take what there is room for, in bytes; what was taken before does not count."""
        taken = set()
        self.lacking = [*self._too_large]
        for _, path, size in sorted(self._offers):
            if size <= room:
                room -= size
                taken.add(path)
            else:
                self.lacking.append(path)
        self.parts = [
            replace(
                part,
                tables=[
                    self._sheets[table.path]
                    for study in part.studies
                    for table in sorted(study.tables.values(), key=rank_of)
                    if table.path in taken
                ],
                pictures=[
                    self._picture(part, path)
                    for study in part.studies
                    for path in study.pictures
                    if path in taken
                ],
                films={
                    f"f{list(self._films).index(path)}": self._films[path]
                    for study in part.studies
                    for path in study.films
                    if path in taken
                },
            )
            for part in self.parts
        ]

    def _offer_tables(self, study: Stored, *, alone: bool) -> None:
        for table in study.tables.values():
            if table.data.num_rows * table.data.num_columns > _MOST_CELLS:
                self._too_large.append(table.path)
            elif table.data.num_rows:
                key = f"t{len(self._sheets)}"
                sheet = sheet_of(table, key, of=study, alone=alone)
                size = compressed_size(sheet.held) + 300
                size += sum(40 + len(cell.encode()) for row in sheet.rows for cell in row)
                size += sum(100 + len(c.about) + len(c.title) for c in sheet.columns)
                self._sheets[table.path] = sheet
                turn = (table.name not in OPEN, size, str(table.path))
                self._offers.append((turn, table.path, size))

    def _offer_pictures(self, study: Stored) -> None:
        for path in study.pictures:
            try:
                svg = inline_picture(path, f"p{len(self._pictures)}-")
            except DataError as error:
                self.damaged.append(str(error))
                continue
            size = (len(svg.encode()) if self._shown else compressed_size(svg)) + 500
            self._pictures[path] = svg
            self._offers.append(((True, size // _WORTH, str(path)), path, size))

    def _offer_films(self, study: Stored) -> None:
        for path in study.films:
            try:
                film = read_film(path)
            except DataError as error:
                self.damaged.append(str(error))
                continue
            if film:
                size = compressed_size(film) + 800
                self._films[path] = film
                self._offers.append(((True, size, str(path)), path, size))

    def _picture(self, part: _Part, path: Path) -> _Picture:
        from markupsafe import Markup

        name = path.stem.replace("-", " ")
        alt = f"{part.command} {part.data}: {name}. Its numbers are in the tables below."
        held = self._pictures[path]
        # Made of known elements and attributes alone, and escaped by what wrote it.
        svg = Markup(held) if self._shown else None  # noqa: S704
        key = f"p{list(self._pictures).index(path)}"
        return _Picture(key, name, alt, picture_width(held), held, svg)


def _rendered(
    parts: Sequence[_Part],
    data: Mapping[str, Any],
    studies: Sequence[Stored],
    left_out: Sequence[str] = (),
    lacking: Sequence[Path] = (),
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("nasrank.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "groupby_runs": _groups}
    templates = files("nasrank.report").joinpath("templates")
    css, js = (templates.joinpath(f"page.{e}").read_text(encoding="utf-8") for e in ("css", "js"))
    page = {
        "title": _title(parts),
        "version": __version__,
        "versions": sorted({v for study in studies for v in study.versions}),
        "digits": DIGITS,
        "parts": parts,
        "origins": [
            {
                "id": f"o{place}",
                "command": _origin(study),
                "prints": [*sorted(study.fingerprints.items()), *sorted(study.code.items())],
            }
            for place, study in enumerate(studies)
        ],
        "works": works_of(_tasks(studies)),
        "left_out": left_out,
        "lacking": lacking,
    }
    # Files of the package, and base64: nothing in them comes from data as markup.
    return environment.get_template("page.html.j2").render(
        page=page,
        css=Markup(css),  # noqa: S704
        js=Markup(js),  # noqa: S704
        data=Markup(compressed(data)),  # noqa: S704
    )


def _tasks(studies: Sequence[Stored]) -> Iterator[str]:
    """Name the tasks that studies are about, as far as they say so."""
    for study in studies:
        yield from study.fingerprints
        for name in ("tasks", "task", "space", "data"):
            value = study.config.get(name)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str):
                    yield each.removeprefix(ARCHS)


def _origin(study: Stored) -> str:
    if not study.command:
        return f"# nothing in {study.folder} names a command"
    return typed(study.command, study.config, study.folder)


def _title(parts: Sequence[_Part]) -> str:
    first = parts[0]
    if len(parts) > 1:
        return f"nasrank: {len(parts)} studies"
    return joined([f"nasrank {first.command}".strip(), first.data])


def _groups(columns: Sequence[tuple[str, ...]]) -> list[tuple[str, int]]:
    """Return the groups of columns side by side, and how many columns each has."""
    return [(name, len(list(own))) for name, own in groupby(columns, key=lambda each: each[0])]

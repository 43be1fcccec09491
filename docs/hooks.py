"""Pages of the documentation that are made when the site is built, and links as they are there.

`pages` needs nothing but nasrank. What MkDocs calls is at the end; it is named in mkdocs.yml.
"""

from __future__ import annotations

import html
import importlib
import inspect
import os
import pkgutil
import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_PLACED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
_PLACED |= {"CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}
"""Pages at the top of the repository, and where they are in the site."""


class BrokenLinkError(Exception):
    """A page links to a file that does not exist."""


def site_place(path: Path) -> str:
    """Return where a file of the repository is in the site."""
    inside = path.relative_to(ROOT).as_posix()
    return _PLACED.get(inside) or inside.removeprefix("docs/")


def relinked(text: str, source: Path, place: str) -> tuple[str, set[Path]]:
    """Rewrite the links of a page from the repository to the site.

    Args:
        text: The page.
        source: Its file.
        place: Where it is in the site.

    Returns:
        The page, and the files of the repository that it links to.

    Raises:
        BrokenLinkError: A linked file does not exist.
    """
    linked: set[Path] = set()

    def moved(link: re.Match[str]) -> str:
        if "://" in link[2] or link[2].startswith("mailto:"):
            return link[0]
        target = (source.parent / link[2]).resolve()
        if target.is_dir() and (target / "README.md").exists():
            target /= "README.md"
        if not target.is_file():
            made = PurePosixPath(place).parent / link[2]
            if os.path.normpath(made).replace(os.sep, "/") in MADE:
                return link[0]
            raise BrokenLinkError(f"{source.relative_to(ROOT)}: {link[2]} leads nowhere")
        linked.add(target)
        start = PurePosixPath(place).parent
        return f"{link[1]}{os.path.relpath(site_place(target), start)}{link[3]}"

    # Code is no place for links.
    parts = re.split(r"(^```.*?^```|`[^`\n]*`)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(p if n % 2 else _LINK.sub(moved, p) for n, p in enumerate(parts)), linked


def from_repository() -> tuple[dict[str, str], dict[str, Path]]:
    """Return the written pages by their place in the site, and the files they show."""
    found: dict[str, str] = {}
    files: dict[str, Path] = {}
    left = {ROOT / name for name in _PLACED} | set(DOCS.rglob("*.md"))
    done: set[Path] = set()
    while left:
        path = left.pop()
        done.add(path)
        if path.suffix != ".md":
            files[site_place(path)] = path
            continue
        place = site_place(path)
        found[place], linked = relinked(path.read_text(encoding="utf-8"), path, place)
        left |= linked - done
    for picture in sorted((ROOT / "results").rglob("*.svg")):
        files[site_place(picture)] = picture
    return found, files


def pages() -> dict[str, str]:
    """Return the pages that are made from declarations and tables, by their place."""
    return {
        "commands/index.md": _commands_index(),
        **{f"commands/{'-'.join(words)}.md": _command(words) for words in command_words()},
        "losses/index.md": _names("losses", "Losses"),
        **{f"losses/{name}.md": _loss(name) for name in _loss_names()},
        "predictors.md": _names("predictors", "Predictors"),
        "metrics.md": _names("metrics", "Metrics"),
        "schemas.md": _schemas(),
        "gallery.md": _gallery(),
        "claims.md": _claims(),
    }


def command_words() -> list[tuple[str, ...]]:
    """Return the words of every command, in the order of ``--help``."""

    def below(command: Any, words: tuple[str, ...]) -> list[tuple[str, ...]]:  # noqa: ANN401
        inner = getattr(command, "commands", None)
        if inner is None:
            return [words]
        return [found for name in inner for found in below(inner[name], (*words, name))]

    return below(_app(), ())


def _app() -> Any:  # noqa: ANN401 - a command of typer's
    import typer

    from nasrank.cli.app import app

    return typer.main.get_command(app)


def _found(words: tuple[str, ...]) -> Any:  # noqa: ANN401 - a command of typer's
    command = _app()
    for word in words:
        command = command.commands[word]
    return command


def _cell(text: object) -> str:
    return html.escape(str(text), quote=False).replace("|", "\\|").replace("\n", " ")


def _code(text: object) -> str:
    # A bar within code separates no cells.
    return f"`{text}`" if str(text) else ""


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _commands_index() -> str:
    rows = []
    for words in command_words():
        first, *_ = (_found(words).help or "").split("\n\n")
        rows.append((f"[`nasrank {' '.join(words)}`]({'-'.join(words)}.md)", _cell(first)))
    return f"# Commands\n\n{_table(('command', 'what it does'), rows)}\n"


def _command(words: tuple[str, ...]) -> str:
    import typer

    command = _found(words)
    parts = [f"# nasrank {' '.join(words)}", inspect.cleandoc(command.help or "")]
    panels: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for parameter in command.params:
        if parameter.name == "help":
            continue
        by_place = parameter.param_type_name == "argument"
        name = (
            (parameter.metavar or parameter.name)
            if by_place
            else " / ".join((*parameter.opts, *parameter.secondary_opts))
        )
        panel = getattr(parameter, "rich_help_panel", None)
        plain = by_place or getattr(parameter, "is_flag", False)
        kind = "" if plain else parameter.metavar or parameter.display_type(typer.Context(command))
        usual = re.search(r" ?\[default: (.*)\]$", parameter.help or "", re.DOTALL)
        help_text = (parameter.help or "")[: usual.start() if usual else None]
        panels[panel or ("Arguments" if by_place else "Options")].append(
            (
                _code(name),
                " ".join(map(_code, kind.split("|"))),
                _cell(help_text),
                _code(usual[1]) if usual else "",
            )
        )
    for panel, rows in panels.items():
        parts += [f"## {panel}", _table(("option", "value", "meaning", "default"), rows)]
    examples = [
        line.strip()
        for line in (command.epilog or "").replace("Example: ", "").splitlines()
        if line.strip().startswith("nasrank ")
    ]
    if examples:
        parts += ["## Examples", "```sh\n" + "\n".join(examples) + "\n```"]
    return "\n\n".join(parts) + "\n"


def _loss_names() -> list[str]:
    from nasrank.losses import LOSSES

    return LOSSES.names()


def _names(kind: str, title: str) -> str:
    from nasrank.questions.describe.names import listed

    rows = []
    for row in listed(kind):
        name = _code(row["name"])
        if kind == "losses":
            name = f"[{name}]({row['name']}.md)"
        beside = row.get("loss") or row.get("better") or row.get("family")
        rows.append((name, _cell(row["idea"]), _cell(beside), _code(row["options"])))
    third = {"losses": "family", "predictors": "trained with", "metrics": "better"}[kind]
    head = (f"# {title}\n\nThe same as `nasrank {kind}` says; "
            f"`nasrank {kind} NAME` shows all of one.")  # fmt: skip
    return f"{head}\n\n{_table(('name', 'idea', third, 'options'), rows)}\n"


def _loss(name: str) -> str:
    from nasrank.losses import LOSSES
    from nasrank.questions.describe.names import details

    info, record = LOSSES.entry(name), details("losses", name)
    words = record["about"].replace("``", "`")
    options = [(_code(each["option"]), _cell(each["value"])) for each in record["option"]]
    yes = [
        text
        for holds, text in (
            (info.shift_invariant, "Adding a constant to all scores changes nothing."),
            (
                info.scale_bound,
                "Scores are estimates of the labels: it is 0 where they are equal.",
            ),
            (info.order_only, "It sees no more of the labels than their order."),
        )
        if holds
    ]
    after = inspect.cleandoc(LOSSES[name].__doc__ or "").partition("References:\n")[2]
    reference = " ".join(re.split(r"^\S", after, maxsplit=1, flags=re.MULTILINE)[0].split())
    parts = [
        f"# {name}",
        f"```text\n{info.formula}\n```",
        f"{info.family}, {info.reference}. As published it is fed with `{info.targets}` targets.",
        words,
        " ".join(yes),
        _table(("option", "what to write"), options) if options else "",
        f"Where it was published:\n\n> {reference}" if reference else "",
        f"```sh\nnasrank compare --losses mse,{name}\nnasrank losses {name}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tables() -> dict[str, Any]:
    """Return every table that is declared, by where it is declared."""
    import nasrank
    from nasrank.tables import Table

    names = [each.name for each in pkgutil.walk_packages(nasrank.__path__, "nasrank.")]
    own = [name for name in names if name.endswith(".tables") and name != "nasrank.tables"]
    own.append("nasrank.study.claims")
    found: dict[str, Any] = {}
    # What others repeat is declared in the first of these.
    for name in sorted(own, key=lambda each: ("companions" in each, "runs" not in each, each)):
        for thing in vars(importlib.import_module(name)).values():
            if isinstance(thing, Table) and thing not in found.values():
                found[f"{name}.{thing.name}"] = thing
    return found


def _schemas() -> str:
    parts = [
        "# Columns of all tables",
        (
            "Made from their declarations. The unit `metric` is that of the task's metric, `1` a "
            "pure number. A column without a meaning for empty cells has none. Every Parquet file "
            "carries the same in its schema."
        ),
    ]
    for place, table in tables().items():
        owner = place.split(".")[-3]
        of = "" if owner == "runs" else f" <small>({owner.replace('_', ' ')})</small>"
        rows = [
            (
                _code(c.name), _code(c.type), _cell(c.unit), _cell(c.about), _cell(c.better or ""),
                _cell(c.null or ""),
            )
            for c in table.columns
        ]  # fmt: skip
        heads = ("column", "type", "unit", "meaning", "better", "empty where")
        parts += [f"## {table.name}{of}", f"{table.about}.", _table(heads, rows)]
    return "\n\n".join(parts) + "\n"


def _gallery() -> str:
    parts = [
        "# Gallery",
        (
            "Every picture that the reference results have, as the commands drew it. The page of "
            "each folder has the command, see [results](results/README.md)."
        ),
    ]
    folders: dict[Path, list[Path]] = defaultdict(list)
    for picture in sorted((ROOT / "results").rglob("*.svg")):
        folders[picture.parent].append(picture)
    for start, title in _PICTURED.items():
        own = {f: found for f, found in folders.items() if _group_of(f) == start}
        if own:
            parts.append(f"## {title}")
        for folder, pictures in own.items():
            parts.append(f"### {folder.relative_to(ROOT).as_posix()}")
            parts += [f"![{each.stem}]({site_place(each)})" for each in pictures]
    return "\n\n".join(parts) + "\n"


def _group_of(folder: Path) -> str:
    first, *_ = (*folder.relative_to(ROOT / "results").parts, "")
    return first if first in _PICTURED else ""


_PICTURED = {
    "": "Losses on NAS-Bench-201",
    "losses": "Losses on other spaces",
    "targets": "What losses are fed with",
    "predictors": "Predictors",
    "search": "Guided search",
    "pr": "Generators",
    "ot": "Class trees",
    "hard": "Hard samples",
    "supcon": "Supervised contrastive learning",
}
"""Folders of results with pictures, in the order of the gallery; any other is under the first."""
_VERDICTS = ("holds", "equivalent", "fails", "undecided", "not measurable")
_OF = {
    "pr": ("Generators", "whoever chooses between precision and recall of a generator"),
    "ot": ("Class trees", "whoever wants features to keep a hierarchy of classes"),
    "hard": ("Hard samples", "whoever trains embeddings with mined or generated hard samples"),
    "supcon": ("Supervised contrastive learning", "whoever meets collapsed classes"),
}


def _ordered(verdicts: Counter[str]) -> list[str]:
    known = [each for each in _VERDICTS if each in verdicts]
    return [*known, *(each for each in verdicts if each not in known)]


def _claims() -> str:
    from nasrank.tables import read_parquet

    parts = [
        "# Claims of the companions, and what holds",
        (
            "Statements of the papers behind the four companion commands, each tested on the data "
            "of the reference results with a control that could refute it; counted over data and "
            "settings. The numbers behind are in `claims.parquet` of each folder; "
            "[companions](companions.md) says what they mean."
        ),
    ]
    for study, (title, reader) in _OF.items():
        verdicts: dict[str, Counter[str]] = defaultdict(Counter)
        for path in sorted((ROOT / "results" / study).rglob("claims.parquet")):
            for row in read_parquet(path, ["statement", "verdict"]).to_pylist():
                verdicts[row["statement"]][row["verdict"]] += 1
        rows = [
            (_cell(statement), ", ".join(f"{each} {counts[each]}" for each in _ordered(counts)))
            for statement, counts in verdicts.items()
        ]
        parts += [f"## {title}", f"For {reader}: `nasrank {study}`."]
        parts.append(_table(("claim", "verdicts"), rows))
    return "\n\n".join(parts) + "\n"


MADE = {"commands/index.md", "losses/index.md", "predictors.md", "metrics.md", "schemas.md"}
MADE |= {"gallery.md", "claims.md", "api.md"}
"""Places of made pages that written ones may link to."""


# What MkDocs calls.


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - of MkDocs
    """Add what is made, and what lies outside of docs/."""
    from mkdocs.structure.files import File

    written, shown = from_repository()
    for place, text in {**written, **pages()}.items():
        known = files.get_file_from_path(place)
        if known is not None:
            files.remove(known)
        files.append(File.generated(config, place, content=text))
    for place, path in shown.items():
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files

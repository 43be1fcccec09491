"""Names that others chose leave as text, whatever prints them and in whatever format."""

import csv
import io
import json
import re
import sys
import unicodedata
from xml.etree import ElementTree as ET

import pytest

from nasrank.cli import run
from nasrank.cli.output import FORMATS

HOSTILE = (
    "\x1b[31mred\x1b[0m", "=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "<script>alert(1)</script>",
    "<!--<img src=x onerror=alert(1)>", "| a | b", "`x` **y** [z](javascript:1)", "[red]x[/red]",
    "\\input{/etc/passwd}", "$\\frac{1}{0}$", "50 % & #1_2^3~{}", "$(touch pwned)",
    "\u202egnp.exe", "\x9b31m\u2028next",
)  # fmt: skip
"""Terminals, spreadsheets, browsers, Markdown, rich, LaTeX, matplotlib and shells obey these."""
COMMANDS = {
    "data info": ("data", "info", "own/own"),
    "rank": ("rank", "--space", "own", "--predictor", "ridge", "--quiet", "--out", "rank"),
    "explain": (
        "explain", "--space", "own", "--predictors", "ridge", "--losses", "mse", "--top", "1",
        "--quiet", "--out", "explain",
    ),
}  # fmt: skip

SLOW = {("explain", each) for each in FORMATS if each != "csv"}


def typed(words, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["nasrank", *words])
    try:
        code = run()
    except SystemExit as leaving:
        code = leaving.code
    printed = capsys.readouterr()
    assert code in (0, None), printed.err
    assert_no_control(printed.err)
    return printed.out


def assert_no_control(text):
    obeyed = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [each for each in text if each != "\n" and unicodedata.category(each) in obeyed]


@pytest.fixture(scope="module")
def place(tmp_path_factory, warm_cache):
    """A folder with a table whose names, settings, levels and unit are hostile, imported."""
    folder = tmp_path_factory.mktemp("text")
    with (folder / "own.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        names = [HOSTILE[0], HOSTILE[1], HOSTILE[4], HOSTILE[10]]
        writer.writerow(["id", *names, "label"])
        for item in range(45):
            # Of a name all must be seen.
            text = [each for each in HOSTILE if each.isprintable()][item % 12]
            levels = [HOSTILE[(item + shift) % len(HOSTILE)] for shift in (0, 3, 7)]
            label = "" if item >= 30 else 80 + item % 7
            writer.writerow([f"{text} {item}", *levels, 1.5 * (item * 7 % 45), label])
    return folder


@pytest.fixture
def here(place, warm_cache, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(place / "data"))
    if not (place / "data").exists():
        named = [word for at in (0, 1, 4) for word in ("--category", HOSTILE[at])]
        words = ("data", "import", "own", "own.csv", "--unit", "\x1b[1m", *named)
        assert "own/own" in typed(words, capsys, monkeypatch)
    return place


def assert_format(output_format, text):
    assert_no_control(text)
    if output_format == "json":
        json.loads(text)
    elif output_format == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [c for c in cells if re.match(r"[=@]|[+-](?![0-9.]+(e[+-]?[0-9]+)?$).", c)]
    elif output_format == "markdown":
        plain = re.sub(r"\\.", "", text)
        assert not set(plain) & set("<>`*[]$&")
        assert len({line.count("|") for line in plain.splitlines()}) == 1
    elif output_format == "latex":
        body = text.split("\\hline", 1)[1].rsplit("\\hline", 1)[0]
        plain = re.sub(
            r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]", "", body
        )
        plain = plain.replace("\\hline", "").replace("\\\\\n", "\n")
        assert not set(plain) & set("\\$%#_{}^~")
        assert len({line.count("&") for line in plain.splitlines() if line.strip()}) == 1


CASES = [
    # Pictures take seconds.
    pytest.param(name, each, marks=pytest.mark.long if (name, each) in SLOW else ())
    for name in COMMANDS
    for each in FORMATS
]


@pytest.mark.parametrize(("name", "output_format"), CASES)
def test_names_are_text_in_every_format(name, output_format, here, capsys, monkeypatch):
    text = typed((*COMMANDS[name], "--format", output_format), capsys, monkeypatch)
    assert_format(output_format, text)
    assert "red" in text
    assert not (here / "pwned").exists()


def test_names_are_text_in_pictures_and_on_the_page(here, capsys, monkeypatch):
    for name in ("rank", "explain"):
        if not (here / name).exists():
            typed(COMMANDS[name], capsys, monkeypatch)
    typed(("report", "rank", "explain", "--out", "page.html"), capsys, monkeypatch)
    pictures = [*(here / "explain").glob("*.svg")]
    assert pictures
    for path in pictures:
        assert not [
            each
            for each in ET.fromstring(path.read_text()).iter()  # noqa: S314 - nasrank's own
            if each.tag.endswith("script")
        ]
    page = (here / "page.html").read_text()
    assert "alert(1)" in page
    for markup in ("<script>alert", "<img src=x", "<!--<"):
        assert markup not in page

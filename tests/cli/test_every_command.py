"""What holds of every command there is, given files of others with hostile names.

Names leave as text, whatever prints them and in whatever format; what a command writes, it reads;
files of others in its folder stay as they were. Names of columns, levels, classes, units, files
and folders are hostile. Which files a command reads follows from its options, so a new command is
tried too: it fails here until `WORDS` knows what to give to an option that it is the first to
have.
"""

import csv
import io
import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_tree import COMMANDS
from hostile import bytes_of, foreign

from nasrank.benchmarks import downloading
from nasrank.benchmarks.downloading import Download
from nasrank.cli import command as command_module
from nasrank.cli import run
from nasrank.cli.output import FORMATS, print_result, print_rows
from nasrank.escapes import visible
from nasrank.studies import STUDIES, config_of
from nasrank.study.options import choices_of, ordered_fields, plain_type, shown_as
from nasrank.tables import write_parquet

HOSTILE = (
    "\x1b[31mred\x1b[0m", "=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "<script>alert(1)</script>",
    "<!--<img src=x onerror=alert(1)>", "| a | b", "`x` **y** [z](javascript:1)", "[red]x[/red]",
    "\\input{/etc/passwd}", "$\\frac{1}{0}$", "50 % & #1_2^3~{}", "$(touch pwned)",
    "\u202egnp.exe", "\x9b31m\u2028next", "\x1b]0;owned\a",
)  # fmt: skip
"""Terminals, spreadsheets, browsers, Markdown, rich, LaTeX, matplotlib and shells obey these."""
SHOWN = [each for each in HOSTILE if each.isprintable()]
ODD = "[red]\x1b]0;owned\a <b>$(touch pwned)` =\u202e"
"""For the name of a file, a folder or a column."""
CLASS, GROUP = f"kind {ODD}", f"={ODD}"
VECTORS = [f"{each} {at}" for at, each in enumerate(HOSTILE[:6])]
CODE = "[red]<b>`|$x$&é.py"
"""Without the characters that end a name with options."""
OWN = '''
def loss(scores, labels):
    """{0}"""
    return ((scores - labels) ** 2).mean()

def metric(scores, labels):
    """{0}"""
    return float(scores.mean())

class Predictor:
    """{0}"""
    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]
'''
WORDS = {
    # What holds names that others chose.
    "tasks": "own/own", "space": "own", "task": "own/own", "subject": "own/own",
    "features": f"{ODD}.parquet", "embeddings": f"{ODD}.parquet", "path": f"{ODD}.csv",
    "labels": f"{CLASS},{GROUP}", "label": CLASS, "coarse": GROUP, "cost_matrix": f"{ODD} costs",
    "pool": f"{ODD} pool.csv", "results": f"{ODD} runs", "against": f"{ODD} runs",
    "folders": f"{ODD} runs", "samples": f"{ODD} pair.parquet", "metrics": f"./{CODE}:metric",
    "columns": ",".join(VECTORS),
    # What makes it quick.
    "seeds": "4", "epochs": "1", "steps": "10", "budget": "12", "n_train": "16,20", "top": "1",
    "losses": f"mse,./{CODE}:loss", "predictors": "kernel", "predictor": "kernel", "lambdas": "1",
    "acquisitions": "greedy", "alphas": "0,0.5", "varied_alphas": "0", "temperatures": "1",
    "shapes": "2x3", "near": "0.01", "repeats": "1", "dimensions": "4", "distances": "l2",
    "batch_size": "16", "batch_sizes": "16", "images_per_class": "4", "source": "nb101",
    "quick": True, "test_limit": "56", "goal": "order",
}  # fmt: skip
"""What is typed for an option or argument, by its name."""
OF_ONE = {
    "budget top": "0.2", "hard methods": "triplet-random", "ot speed samples": "8",
    "ot speed classes": "2", "supcon theory classes": "2", "supcon theory instances": "4",
    "rank n_train": None, "explain n_train": None, "data import label": None,
    "data import category": f"{visible(HOSTILE[0])},{HOSTILE[4]}", "data import unit": "\x1b[1m",
    "pr theory pair": "samples", "supcon diagnose n_train": None, "budget n_train": None,
    "recommend n_train": None, "check predictors": None, "ot train steps": None,
    "supcon train features": None, "explain losses": "mse",
    "losses name": f"./{CODE}:loss", "metrics name": f"./{CODE}:metric",
    "predictors name": f"./{CODE}:Predictor",
}  # fmt: skip
"""Where a name means something else in a command; None leaves it out."""
NO_FILES = {
    "data_dir": "image files have no names of a user's",
    "fine_tune": "a checkpoint of nasrank's own",
    "update": "reads what the table of a space reads",
    "sweep": "a folder of supcon train",
    "scheduler": "an address",
}
"""Options with paths that nobody is to be surprised by here."""
DATA = {"samples": f"{ODD}.parquet", "archs": "archs:own/own", "": None}
REFUSED = {("pr train", "archs"), ("ot train", "archs"), ("supcon train", "archs")}
"""They train on samples alone."""


def kinds_of(name):
    """The kinds of data whose names a command can be given."""
    fields = ordered_fields(config_of(name)) if name in STUDIES else {}
    return ["samples", "archs"] if "data" in fields else [""]


SLOW = {
    ("hard", "archs"), ("explain", ""),
    # Given nothing of others but a folder.
    ("bench", ""), ("ot speed", ""), ("supcon simulate", ""), ("supcon theory", ""),
}  # fmt: skip
CASES = [
    pytest.param(
        name, kind,
        id=f"{name} {kind}".strip(), marks=pytest.mark.long if (name, kind) in SLOW else (),
    )
    for name in COMMANDS
    for kind in kinds_of(name)
]  # fmt: skip


def words_of(name, kind):
    """The words of a command, as its options have it; the last of its name's words first."""
    fields = ordered_fields(config_of(name)) if name in STUDIES else {}
    first, rest = [], []
    for parameter in COMMANDS[name].params:
        key = parameter.name
        value = OF_ONE.get(f"{name} {key}", WORDS.get(key)) if key != "data" else DATA[kind]
        of = shown_as(fields[key])["of"] if key in fields else None
        known = choices_of(fields[key]) if key in fields else ()
        if value is None or (known and value not in known):
            continue
        if of and kind and kind not in of.split():
            continue
        if parameter.param_type_name == "argument":
            first.append(value)
        elif value is True:
            rest.append(parameter.opts[0])
        else:
            rest.append(f"{parameter.opts[0]}={value}")
    return [*name.split(), *first, *rest]


def typed(words, capsys, monkeypatch, *, code=0):
    monkeypatch.setattr(sys, "argv", ["nasrank", *words])
    try:
        found = run()
    except SystemExit as leaving:
        found = leaving.code or 0
    printed = capsys.readouterr()
    assert found == code, printed.err
    # There is enough of it.
    assert "Free some space" not in printed.err
    assert_nothing_obeyed(printed.out, printed.err)
    return printed.out


def assert_nothing_obeyed(*texts):
    obeyed = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for text in texts:
        assert not [e for e in text if e != "\n" and unicodedata.category(e) in obeyed]


def write_space(path, *, labelled):
    """A table whose names, settings, levels and columns are hostile; its last rows lack labels."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [HOSTILE[0], HOSTILE[1], HOSTILE[4], HOSTILE[10]]
        writer.writerow(["id", *names, "label"])
        for item in range(60):
            # Of a name all must be seen.
            text = SHOWN[item % len(SHOWN)]
            levels = [HOSTILE[(item + shift) % len(HOSTILE)] for shift in (0, 3, 7)]
            label = 80 + item % 7 + item / 100 if item < labelled else ""
            writer.writerow([f"{text} {item}", *levels, 1.5 * (item * 7 % 45), label])


def write_samples(path):
    """Vectors of eight classes in four groups."""
    rng = np.random.default_rng(0)
    classes = np.arange(8 * 14) % 8
    values = 2 * rng.normal(size=(8, 6))[classes] + 0.6 * rng.normal(size=(8 * 14, 6))
    columns = dict(zip(VECTORS, values.T, strict=True))
    columns[CLASS] = [HOSTILE[each] for each in classes]
    columns[GROUP] = [HOSTILE[8 + each // 2] for each in classes]
    write_parquet(pa.table(columns), path)
    with Path(WORDS["cost_matrix"]).open("w", newline="", encoding="utf-8") as file:
        rows = [[HOSTILE[row], *(abs(row - at) for at in range(8))] for row in range(8)]
        csv.writer(file).writerows([["", *HOSTILE[:8]], *rows])


@pytest.fixture(scope="module")
def place(tmp_path_factory, warm_cache):
    """A folder with all files that commands are given."""
    folder = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_space(Path(WORDS["path"]), labelled=50)
        write_space(Path(WORDS["pool"]), labelled=0)
        write_samples(Path(WORDS["features"]))
        pair = {"p": [0.1, 0.2, 0.3], "q": [0.2, 0.2, 0.1], "drawn": ["p", "q", "p"]}
        write_parquet(pa.table(pair), Path(WORDS["samples"]))
        Path(CODE).write_text(OWN.format(ODD), encoding="utf-8")
    return folder


@pytest.fixture
def here(place, warm_cache, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(place / f"data {ODD}"))
    monkeypatch.setattr(downloading, "download", fetched)
    if not (place / WORDS["results"]).exists():
        typed(words_of("data import", ""), capsys, monkeypatch)
        out = ["--out", WORDS["results"], "--keep-predictions", "--curves"]
        typed([*words_of("compare", ""), *out, "--quiet"], capsys, monkeypatch)
    return place


def fetched(remote, *, on_progress):
    on_progress(7, 7)
    return Download(remote, Path(ODD, remote.file), 7, "downloaded")


def assert_format(output_format, text):
    assert_nothing_obeyed(text)
    if output_format == "json":
        json.loads(text)
    elif output_format == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [c for c in cells if re.match(r"[=@]|[+-](?![0-9.]+(e[+-]?[0-9]+)?$).", c)]
    elif output_format == "markdown":
        plain = re.sub(r"\\.", "", text)
        assert not set(plain) & set("<>`*[]$&")
        assert len({line.count("|") for line in plain.splitlines()}) <= 1
    elif output_format == "latex" and text:
        body = text.split("\\hline", 1)[1].rsplit("\\hline", 1)[0]
        plain = re.sub(
            r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]", "", body
        )
        plain = plain.replace("\\hline", "").replace("\\\\\n", "\n")
        assert not set(plain) & set("\\$%#_{}^~")
        assert len({line.count("&") for line in plain.splitlines() if line.strip()}) <= 1


def assert_text_alone(folder):
    """Pictures have no scripts, and nothing that a study writes is a control character."""
    for path in folder.rglob("*.svg"):
        for each in ET.fromstring(path.read_text(encoding="utf-8")).iter():  # noqa: S314
            assert each.tag.rpartition("}")[2] not in {"script", "foreignObject", "image", "a"}
            assert not [name for name in each.attrib if name.lower().startswith("on")]
    for path in folder.rglob("*.json"):
        assert_nothing_obeyed(path.read_text(encoding="utf-8"))
    for path in folder.rglob("*.parquet"):
        table = pq.read_table(path)
        for column in table.columns:
            if pa.types.is_string(column.type):
                assert_nothing_obeyed(*filter(None, column.unique().to_pylist()))


class Page(HTMLParser):
    """The elements of a page, but for those of pictures, and attributes that run something."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.odd = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.odd += [tag] if tag in {"img", "iframe", "object", "embed", "base", "form"} else []
        self.odd += [name for name, _ in attrs if name.startswith("on")]
        self.odd += [value for name, value in attrs if name == "href" and "script:" in value]


def test_every_option_with_a_file_is_thought_of():
    for name in STUDIES:
        for key, field in ordered_fields(config_of(name)).items():
            if plain_type(field.annotation) is Path or shown_as(field)["argument"]:
                assert key in WORDS or key in NO_FILES, f"{name}: {key}"


@dataclass
class Done:
    """A study that was done once, for all tests.

    Attributes:
        result: Its result.
        view: What people see of it.
        words: What was typed.
        out: Its folder.
        before: Digest of what others had put there.
        after: That digest afterwards.
    """

    result: object
    view: object
    words: list
    out: Path
    before: str
    after: str


@pytest.fixture
def done(here, place_of_studies, capsys, monkeypatch):
    """Do a study on first demand, in a folder that is not empty."""

    def do(name, kind):
        if (name, kind) not in place_of_studies:
            shown = []
            monkeypatch.setattr(
                command_module,
                "print_result",
                lambda *given: (shown.append(given), print_result(*given)),
            )
            out = Path(f"{ODD} {name} {kind}")
            out.mkdir()
            victim = foreign(here / out)
            before = bytes_of(here / out, victim)
            words = [*words_of(name, kind), "--out", str(out)]
            typed(words, capsys, monkeypatch)
            ((result, view, *_),) = shown
            after = bytes_of(here / out, victim)
            place_of_studies[name, kind] = Done(result, view, words, out, before, after)
        return place_of_studies[name, kind]

    return do


@pytest.fixture(scope="module")
def place_of_studies():
    return {}


OF_STUDIES = [case for case in CASES if case.values[0] in STUDIES and case.values not in REFUSED]
OTHERS = [case for case in CASES if case.values[0] not in STUDIES]


@pytest.mark.parametrize(("name", "kind"), OF_STUDIES)
def test_names_are_text_in_every_format(name, kind, done, capsys):
    study = done(name, kind)
    for each in FORMATS:
        print_result(study.result, study.view, each)
        assert_format(each, capsys.readouterr().out)
        for rows in study.result.tables.values():
            print_rows(rows, each)
            assert_format(each, capsys.readouterr().out)
    assert_text_alone(study.out)


@pytest.mark.parametrize(("name", "kind"), OTHERS)
def test_names_are_text_in_commands_that_are_no_studies(name, kind, here, capsys, monkeypatch):
    for each in FORMATS:
        words = [*words_of(name, kind), "--format", each]
        assert_format(each, typed(words, capsys, monkeypatch))


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_refusals_are_text(name, kind, here, capsys, monkeypatch):
    typed(words_of(name, kind), capsys, monkeypatch, code=2)


@pytest.mark.parametrize(("name", "kind"), OF_STUDIES)
def test_what_a_command_writes_it_reads_and_a_page_is_text(
    name, kind, done, here, capsys, monkeypatch
):
    study = done(name, kind)
    if config_of(name).keeps_runs:
        typed([*study.words, "--only-cached"], capsys, monkeypatch)
    page = study.out / "page.html"
    words = ["report", str(study.out), "--out", str(page), "--format", "json"]
    assert json.loads(typed(words, capsys, monkeypatch))["answer"]["left_out"] == []
    seen = Page(page.read_text(encoding="utf-8"))
    assert (seen.scripts, seen.odd) == (2, [])
    assert not [*here.rglob("pwned")]


@pytest.mark.parametrize(("name", "kind"), OF_STUDIES)
def test_files_of_others_stay_as_they_were(name, kind, done):
    study = done(name, kind)
    assert study.after == study.before


@pytest.mark.parametrize(("name", "kind"), OF_STUDIES)
def test_a_file_in_the_place_of_the_folder_stays(name, kind, here, capsys, monkeypatch):
    taken = Path(f"{ODD} taken")
    taken.write_text("mine")
    typed([*words_of(name, kind), "--out", str(taken)], capsys, monkeypatch, code=4)
    assert taken.read_text() == "mine"

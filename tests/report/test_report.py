"""The page of ``nasrank report``: what stands in it is what the tables say, and text is text."""

import base64
import dataclasses
import itertools
import json
import math
import re
import shlex
import shutil
import subprocess
import sys
import time
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nasrank.errors import DataError, NothingToCompare
from nasrank.report.changes import _code, changes_of
from nasrank.report.commands import typed
from nasrank.report.comparing import closed_gap, section_of
from nasrank.report.comparison import ORDER, comparisons_of
from nasrank.report.embedded import embedded, unpacked
from nasrank.report.folders import find_studies
from nasrank.report.page import MANY, ONE, write_report
from nasrank.report.panels import labelled_dots, spread_labels
from nasrank.runs.tables import HEADLINE, RUNS, SUMMARY
from nasrank.studies import config_of
from nasrank.study.options import checked, ordered_fields, read_text
from nasrank.tables import read_parquet

RESULTS = Path(__file__).parents[2] / "results"
COMPARED = RESULTS / "losses" / "nbgraph"
MARKUP = {"a", "b", "body", "button", "caption", "circle", "code", "dd", "details", "div", "dl",
          "dt", "em", "fieldset", "figcaption", "figure", "footer", "g", "h1", "h2", "h3", "h4",
          "head", "header", "html", "i", "input", "label", "legend", "li", "line", "link", "main",
          "mark", "meta", "nav", "ol", "p", "path", "rect", "script", "section", "span", "style",
          "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "u",
          "ul"}  # fmt: skip


class Seen(HTMLParser):
    """What a browser would see: elements, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.texts, self.scripts = [], [], [], []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        (self.scripts if self._in in {"script", "style"} else self.texts).append(data)


def seen(written):
    return Seen(written.path.read_text(encoding="utf-8"))


def held_in(text):
    found = re.search(r'<script type="application/zlib" id="tables">(.*?)</script>', text, re.S)
    held = json.loads(zlib.decompress(base64.b64decode(found[1])))
    return {key: value for key, value in held.items() if key[0] == "t"}


def tables_of(written):
    text = written.path.read_text(encoding="utf-8")
    return held_in(text)


def test_every_figure_in_the_page_is_that_of_the_parquet(pages):
    held = {table["name"]: table for table in tables_of(pages["compared"]).values()}
    assert {"headline", "summary", "budget", "runs"} <= held.keys()
    for name, table in held.items():
        rows = read_parquet(COMPARED / f"{name}.parquet").to_pylist()
        assert table["rows"] == len(rows)
        for column in table["columns"]:
            values = unpacked(column["values"], len(rows))
            for value, row in zip(values, rows, strict=True):
                known = row[column["name"]]
                if isinstance(known, float) and not math.isfinite(known):
                    known = None
                if isinstance(known, float):
                    assert value == pytest.approx(known, rel=1e-5)
                else:
                    assert value == known
                    assert type(value) is type(known)


def test_the_cells_of_the_first_screen_are_those_of_the_summary(pages):
    [compared] = comparisons_of(find_studies([COMPARED]))
    rows = read_parquet(COMPARED / "summary.parquet").to_pylist()
    by = {(r["task"], r["n_train"], r["loss"]): r for r in rows if r["metric"] == "kendall_tau"}
    n = compared.size
    text = pages["compared"].path.read_text(encoding="utf-8")
    tables = text.split('<table class="matrix behind"')[1:]
    body = tables[compared.sizes.index(n)].partition("</table>")[0]
    lines = re.findall(r'<tr class="m.*?</tr>', body, re.S)
    assert len(lines) == len(compared.methods) == 12
    for method, line in zip(compared.methods, lines, strict=True):
        cells = re.findall(r'<td class="k-(\w+)".*?>([^<]*)</td>', line)
        assert len(cells) == len(compared.places) + 1
        for place, (kind, cell) in zip(compared.places, cells, strict=False):
            row = by[place.task, n, method]
            assert kind == ("best" if row["best"] else row["verdict"])
            shown = "●" if row["best"] else f"{-1000 * row['difference']:.0f}"
            assert cell == shown


def test_the_answer_names_the_method_that_is_least_often_shown_to_be_worse():
    [compared] = comparisons_of(find_studies([COMPARED]))
    rows = read_parquet(COMPARED / "summary.parquet").to_pylist()
    worse = dict.fromkeys(compared.methods, 0)
    for row in rows:
        worse[row["loss"]] += row["metric"] == "kendall_tau" and row["verdict"] == "worse"
    assert worse[compared.methods[0]] == min(worse.values())
    assert [worse[m] for m in compared.methods] == sorted(worse.values())


def test_wins_are_counted_on_shared_seeds():
    [compared] = comparisons_of(find_studies([COMPARED]))
    runs = read_parquet(COMPARED / "runs.parquet").to_pylist()
    tau = {(r["task"], r["n_train"], r["seed"], r["loss"]): r[ORDER] for r in runs}
    pairs = [(v, tau[(*k[:3], "mse")]) for k, v in tau.items() if k[3] == "listmle"]
    won = compared.wins("listmle", "mse")
    assert won == (sum(a > b for a, b in pairs), sum(a != b for a, b in pairs))
    lost = compared.wins("mse", "listmle")
    assert won.won + lost.won == won.pairs == lost.pairs


def test_comparisons_of_the_same_losses_become_one(tmp_path):
    studies = find_studies([RESULTS / "losses"])
    [compared] = comparisons_of(studies)
    assert len(compared.studies) == 2
    assert len(compared.places) == 5
    # The same task twice would be one place with two answers.
    shutil.copytree(COMPARED, tmp_path / "again")
    assert len(comparisons_of([*studies, *find_studies([tmp_path])])) == 2


def test_names_are_text_and_never_markup(pages, hostile):
    page = seen(pages["hostile"])
    assert set(page.elements) <= MARKUP
    assert page.elements.count("script") == 2
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert not any("alert" in (value or "") for tag, name, value in page.attributes
                   if name not in {"title", "aria-label"})  # fmt: skip
    said = "\n".join(page.texts)
    for name in ("<img src=x onerror=document.title='broken'>", "{{ 7 * 7 }}{% raw %}\u2028&amp;"):
        assert name in said
    for told in ("<script>note</script>", "<b>left out</b>", "<u>code", "</dd>abc"):
        assert told in said
    assert "</script>" not in "".join(page.scripts)
    # Longer names may leave no room for the largest table.
    assert {*tables_of(pages["hostile"])} <= {*tables_of(pages["compared"])}


def test_json_within_a_page_cannot_end_its_script():
    text = "</script><!--\u2028\u2029&\ud800"
    written = embedded({text: [1.5, None, True]})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text.replace("\ud800", "?"): [1.5, None, True]}


@pytest.mark.parametrize("name", ["compared", "hostile", "study", "several"])
def test_a_page_asks_for_nothing_and_stays_small(pages, name):
    written = pages[name]
    page = seen(written)
    assert written.size < (ONE if len(written.studies) == 1 else MANY)
    for tag, attribute, value in page.attributes:
        if attribute in {"src", "href", "srcset", "action", "poster", "data"}:
            assert value.startswith(("#", "data:")), (tag, attribute, value)
    css = "".join(page.scripts)
    assert "@import" not in css
    assert not re.search(r"url\((?!#)", css)
    assert any("default-src 'none'" in (value or "") for _, _, value in page.attributes)


def test_every_picture_says_what_it_shows(pages):
    for written in pages.values():
        text = written.path.read_text(encoding="utf-8")
        for found in re.findall(r"<svg[^>]*viewBox[^>]*>", text):
            inside = text[text.index(found) - 200 : text.index(found)]
            assert "aria-label=" in found or 'role="img" aria-label="' in inside


def test_a_page_of_several_has_a_section_for_each(pages):
    page = seen(pages["several"])
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {"s0", "s1", "s2"} <= set(ids)
    targets = [v[1:] for _, name, v in page.attributes if name == "href" and v[:1] == "#"]
    assert set(targets) <= set(ids)
    described = [v for _, name, v in page.attributes if name in {"aria-labelledby", "data-copy"}]
    assert set(described) <= set(ids)


def test_the_command_at_the_foot_makes_the_same_study_again():
    for study in find_studies([COMPARED, RESULTS / "search" / "nbgraph", RESULTS / "pr" / "ring"]):
        words = shlex.split(typed(study.command, study.config, study.folder))
        assert words[-2:] == ["--out", str(study.folder)]
        config = config_of(study.command)
        fields = ordered_fields(config)
        options = words[1 + len(study.command.split()) : -2]
        given = {
            name[2:].replace("-", "_"): value
            for name, value in zip(options[::2], options[1::2], strict=True)
        }
        settings = {name: read_text(name, text, fields[name]) for name, text in given.items()}
        again = checked(config, settings).model_dump(mode="json")
        assert {k: again[k] for k in study.config} == study.config


def test_a_command_that_was_stopped_does_not_rename_the_tables_before_it(tmp_path):
    shutil.copytree(COMPARED, tmp_path / "study")
    [before] = find_studies([tmp_path])
    about = json.loads((COMPARED / "run.json").read_text())
    about["config"]["losses"] = ["hr"]
    (tmp_path / "study" / "run.json").write_text(json.dumps(about))
    [stopped] = find_studies([tmp_path])
    assert stopped.config == before.config
    assert before.config["losses"] != ["hr"]


def test_what_is_damaged_or_foreign_is_named_and_left_out(tmp_path):
    shutil.copytree(COMPARED, tmp_path / "study")
    (tmp_path / "study" / "summary.parquet").write_bytes(b"PAR1 not")
    (tmp_path / "study" / "mine.parquet").write_bytes((COMPARED / "runs.parquet").read_bytes())
    (tmp_path / "study" / "bad.svg").write_text("<svg")
    (tmp_path / "study" / "run.json").write_text("[" * 100_000)
    written = write_report([tmp_path], tmp_path / "page.html")
    assert any("summary.parquet" in line for line in written.left_out)
    # Without its summary a comparison is a study like any other, with its tables.
    assert "headline" in written.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("x"), "it is a file"),
        (lambda path: path.mkdir(), "holds no table"),
    ],
)
def test_a_folder_without_tables_is_an_error_of_one_line(tmp_path, make, said):
    make(tmp_path / "here")
    with pytest.raises(DataError, match=said) as caught:
        write_report([tmp_path / "here"], tmp_path / "page.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "page.html").exists()


def test_the_command_is_quick_and_needs_no_torch(tmp_path):
    code = (
        "import sys; from nasrank.cli import run; sys.argv = sys.argv[1:]; code = run();"
        "assert not {'torch', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules); sys.exit(code)"
    )
    page = tmp_path / "page.html"
    words = ["nasrank", "report", str(COMPARED), "--out", str(page), "--format", "json"]
    started = time.process_time(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"]["bytes"] == page.stat().st_size
    # Three seconds on an idle machine; another program may have it meanwhile.
    assert time.monotonic() - started[1] < 15


def test_one_seed_and_one_size_make_a_page_too(tmp_path):
    shutil.copytree(COMPARED, tmp_path / "one")
    for table in (RUNS, SUMMARY, HEADLINE):
        path = tmp_path / "one" / f"{table.name}.parquet"
        rows = [
            row
            for row in read_parquet(path).to_pylist()
            if row["n_train"] == 78 and row["loss"] == "mse" and row["task"] == "nbgraph/cora"
        ]
        for row in rows:
            # What one seed leaves: no interval, no test.
            for name in row:
                nullable = table.column(name).null is not None
                if nullable and name not in {"mean", "rank", "kendall_tau"}:
                    row[name] = None
        table.write(rows, path)
    text = write_report([tmp_path], tmp_path / "page.html").path.read_text(encoding="utf-8")
    assert "is the only loss here" in text


def test_few_seeds_give_no_answer(tmp_path):
    shutil.copytree(COMPARED, tmp_path / "few")
    for table in (RUNS, SUMMARY, HEADLINE):
        path = tmp_path / "few" / f"{table.name}.parquet"
        rows = read_parquet(path).to_pylist()
        table.write([{**r, "n_seeds": 4} if "n_seeds" in r else r for r in rows], path)
    text = write_report([tmp_path], tmp_path / "page.html").path.read_text(encoding="utf-8")
    assert "4 seeds decide nothing" in text
    assert ">Use <" not in text


def test_labels_are_apart_and_near_where_they_belong():
    for wanted in ([50.0] * 5, [0.0, 1.0, 99.0, 100.0], [3.0], [], [100.0] * 8):
        found = spread_labels(wanted, 0, 100)
        assert all(-1e-9 <= each <= 100 + 1e-9 for each in found)
        ordered = sorted(found)
        assert all(b - a >= 11.5 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert spread_labels([20.0, 60.0], 0, 100) == [20.0, 60.0]


def test_dots_that_share_a_place_do_not_share_a_name():
    points = [(i, 100.0, 80.0, None, f"method {i}", "") for i in range(12)]
    dots = labelled_dots(points, [0])
    shown = [(dot.text_x, dot.text_y) for dot in dots if dot.shown]
    assert dots[0].shown
    assert len(shown) == len(set(shown)) < 12


def test_the_page_of_the_reference_results_is_of_the_results_there_are():
    """Otherwise: make report."""
    path = RESULTS / "report.html"
    assert path.stat().st_size < MANY
    text = path.read_text(encoding="utf-8")
    held = held_in(text)
    taus = set()
    for table in held.values():
        if table.get("name") == "headline":
            columns = {each["name"]: each["values"] for each in table["columns"]}
            taus |= set(unpacked(columns["kendall_tau"], table["rows"]))
    known = set()
    for folder in (RESULTS, COMPARED, RESULTS / "losses" / "transnas-micro"):
        rows = read_parquet(folder / "headline.parquet").to_pylist()
        known |= {float(f"{row['kendall_tau']:.6g}") for row in rows}
    assert known <= taus


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The comparison as it might have been before: one loss much better, of other code."""
    folder = tmp_path_factory.mktemp("earlier") / "compare"
    shutil.copytree(COMPARED, folder)
    table = read_parquet(COMPARED / "runs.parquet")
    about = json.loads(table.schema.metadata[b"nasrank.about"])
    rows = table.to_pylist()
    for row in rows:
        if row["loss"] == "mse":
            row["kendall_tau"] += 0.2
    RUNS.write(rows, folder / "runs.parquet", about)
    return folder


def test_what_changed_is_what_check_says(earlier, tmp_path):
    from nasrank.questions.check.baseline import read_runs
    from nasrank.questions.check.gate import check_runs

    changes = changes_of(find_studies([COMPARED]), [earlier])
    found = check_runs(read_runs(COMPARED), read_runs(earlier))
    assert changes.stored.tables["changes"].rows == found.rows
    assert changes.verdict == "worse"
    (mse,) = [cells for name, cells in changes.rows if name == "mse"]
    assert {(cell.text, cell.verdict) for cell in mse} == {("\N{MINUS SIGN}200", "worse")}
    others = [cell for name, cells in changes.rows if name != "mse" for cell in cells]
    assert {(cell.text, cell.verdict) for cell in others} == {("0", "held")}
    page = seen(write_report([COMPARED], tmp_path / "page.html", [earlier]))
    assert "The order got worse: mean tau " in "".join(page.texts)
    assert "kendall tau" in "".join(page.texts)
    same = changes_of(find_studies([COMPARED]), [COMPARED])
    assert (same.verdict, same.others) == ("held", [])


def test_code_that_differs_is_named(earlier):
    now, before = (
        [dataclasses.replace(study, code=code) for study in find_studies([COMPARED])]
        for code in ({"gnn mse": "a", "gnn hr": "b"}, {"gnn mse": "a", "gnn hr": "c"})
    )
    assert _code(now, before) == "Other code made gnn hr. Unchanged: gnn mse."
    assert _code(now, now) == "The same code made both."
    unknown = [dataclasses.replace(study, code={}) for study in find_studies([earlier])]
    assert _code(now, unknown).startswith("Not recorded on both sides")


def test_what_cannot_be_compared_is_one_line(tmp_path):
    with pytest.raises(DataError, match="holds no comparison"):
        changes_of(find_studies([COMPARED]), [RESULTS / "search" / "nbgraph"])
    with pytest.raises(NothingToCompare, match="shares no run"):
        changes_of(find_studies([COMPARED]), [RESULTS / "losses" / "transnas-micro"])


def test_the_share_of_a_gap_that_targets_close_by_hand():
    (c,) = comparisons_of(find_studies([RESULTS / "targets" / "gnn"]))
    places = [place for place in c.places if c.has(place, 78)]
    closed = closed_gap(c, 78, places)
    assert (closed.base, closed.best) == ("mse", "listmle")
    fed = [f"mse(targets={each})" for each in ("clipped", "robust", "normal", "rank")]
    assert {method for method, _ in closed.rows} == set(fed)
    tau = {m: [c.value(p, 78, m, ORDER)["mean"] for p in places] for m in c.methods}
    for method, cells in closed.rows:
        low, mid, high = (tau[m] for m in ("mse", method, "listmle"))
        for place, cell in enumerate(cells[:-1]):
            gap = high[place] - low[place]
            expected = f"{100 * (mid[place] - low[place]) / gap:.0f} %" if gap > 0.01 else ""
            assert cell == expected
        assert cells[-1] == f"{100 * (sum(mid) - sum(low)) / (sum(high) - sum(low)):.0f} %"
    (other,) = comparisons_of(find_studies([COMPARED]))
    assert closed_gap(other, other.size, other.places) is None


def test_what_to_cite_stands_in_the_foot(pages):
    texts = "".join(seen(pages["compared"]).texts)
    assert "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" in texts
    assert "Licence: Apache-2.0" in texts


def test_places_are_letters_where_they_are_few():
    packed = {"of": ["hr", None, "mse"], "at": "0021"}
    assert unpacked(packed, 4) == ["hr", "hr", "mse", None]


def test_of_many_comparisons_the_first_has_all_sizes():
    [c] = comparisons_of(find_studies([COMPARED]))
    whole, brief = section_of(c), section_of(c, brief=True)
    assert [size.n for size in whole.sizes] == c.sizes
    assert whole.whole == ""
    assert [size.n for size in brief.sizes] == [c.size]
    assert brief.first == 0
    assert brief.whole == f"nasrank report {COMPARED}"
    # What is against the number of labels is of all of them.
    assert brief.order == whole.order
    text = (RESULTS / "report.html").read_text(encoding="utf-8")
    found = [section.count('class="pick ') for section in text.split("<section")]
    first, *others = [count for count in found if count]
    assert first == 4
    assert {*others} == {1}
    assert 1 < text.count("Other numbers of labels: ") <= len(others)

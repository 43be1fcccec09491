"""The page in a real browser: nothing fails, nothing is fetched, nothing is cut, keys work."""

import itertools
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "results"

NAMES = ("compared", "hostile", "study", "film", "several", "changed")
# Texts that are wider than their box, unless that box scrolls or says the whole in its title.
CUT = """
[...document.querySelectorAll("main *, header *, footer *")].filter(node => {
  if (!node.clientWidth || !node.childNodes.length) return false;
  const style = getComputedStyle(node);
  const hides = style.overflowX !== "visible";
  if (hides && style.overflowX !== "auto" && style.overflowX !== "scroll" &&
      node.scrollWidth > node.clientWidth + 1)
    return !node.closest("[title], .chip, .spoken");
  return false;
}).map(node => node.className + ": " + node.textContent.slice(0, 40))
"""
# Texts of one panel that stand on one another.
OVERLAPS = """
[...document.querySelectorAll(":is(.panel, .cloud) svg")].filter(svg => svg.clientWidth)
.flatMap(svg => {
  const texts = [...svg.querySelectorAll("text")].map(t => [t, t.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  const found = [];
  texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
    const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (x > 1 && y > 4) found.push(`${svg.getAttribute("aria-label").slice(0, 40)}: ` +
      `${a.textContent} | ${b.textContent}`);
  }));
  return found;
})
"""
# Texts of a panel that leave the page.
OUTSIDE = """
[...document.querySelectorAll(":is(.panel, .cloud) text, .lane > *, .matrix thead th")]
.filter(node => {
  const box = node.getBoundingClientRect();
  return box.width > 0 && !node.closest(".scroll") &&
    (box.left < -1 || box.right > document.documentElement.clientWidth + 1);
}).map(node => node.textContent)
"""
# Texts of a stored picture that stand on one another or beyond its edge. Boxes of raised exponents
# are higher than they look.
FAULTS = """
(() => {
  const edge = document.documentElement.getBoundingClientRect();
  const texts = [...document.querySelectorAll("text")].filter(t => t.textContent.trim())
    .map(t => [t.textContent.replace(/\\s+/g, " ").trim(), t.getBoundingClientRect()]);
  const beyond = texts.filter(([, b]) => b.left < edge.left - 2 || b.right > edge.right + 2 ||
    b.top < edge.top - 6 || b.bottom > edge.bottom + 6).map(([t]) => `beyond: ${t}`);
  return beyond.concat(texts.flatMap(([a, p], i) => texts.slice(i + 1).filter(([, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2 &&
    Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 5).map(([b]) => `${a} | ${b}`)));
})()
"""


@pytest.mark.long
def test_no_text_of_a_stored_picture_stands_on_another(browser):
    browser.size(1600, 1200)
    faults = {}
    for path in sorted(RESULTS.rglob("*.svg")):
        browser.open(path)
        if found := browser.run(FAULTS):
            faults[str(path.relative_to(RESULTS))] = found[:3]
    assert not faults


@pytest.mark.parametrize(
    ("name", "width", "theme"), list(itertools.product(NAMES, (390, 1280), ("light", "dark")))
)
def test_nothing_fails_is_fetched_or_cut(browser, pages, name, width, theme):
    browser.size(width, theme=theme)
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(pages[name].path)
    assert browser.requests == [pages[name].path.resolve().as_uri()]
    assert browser.complaints == []
    assert browser.run("document.title") != "broken"
    wide = browser.run("document.documentElement.scrollWidth")
    assert wide <= browser.run("document.documentElement.clientWidth")
    assert browser.run(CUT) == []
    assert browser.run(OUTSIDE) == []
    assert browser.run(OVERLAPS) == []


def test_every_choice_of_methods_and_sizes_is_without_overlaps(browser, pages):
    browser.size(1280)
    browser.open(pages["compared"].path)
    for place in range(3):
        browser.run(f'document.querySelectorAll(".pick")[{place}].click()')
        shown = browser.run(
            '[...document.querySelectorAll(".at")].filter(n => n.clientHeight > 0)'
            ".map(n => n.className.match(/at-(\\d)/)[1])"
        )
        assert set(shown) == {str(place)}
        assert browser.run(OVERLAPS) == []
    browser.run('document.querySelectorAll(".chip").forEach(c => c.click())')
    assert browser.run('document.querySelectorAll(".chip.on").length') == 8
    assert browser.run('document.querySelectorAll(".line.on").length') > 8
    assert browser.complaints == []


def rows(browser):
    return browser.run(
        '[...document.querySelector("[data-table] tbody").rows]'
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )


def test_a_table_is_sorted_filtered_and_copied(browser, pages):
    browser.size(1280)
    browser.open(pages["compared"].path)
    heads = browser.run(
        '[...document.querySelector("[data-table] thead").rows[0].cells].map(c => c.textContent)'
    )
    place = heads.index("kendall tau")
    before = rows(browser)
    assert len(before) == 72
    press = (
        '[...document.querySelectorAll("[data-table] th button")]'
        '.find(b => b.textContent === "kendall tau").click()'
    )
    browser.run(press)
    found = [float(row[place]) for row in rows(browser)]
    # Where more is better the first press shows the best.
    assert found == sorted(found, reverse=True)
    browser.run(press)
    assert [float(row[place]) for row in rows(browser)] == sorted(found)
    assert sorted(rows(browser)) == sorted(before)
    browser.run(
        '{ const i = document.querySelector("[data-table] input"); i.value = "loss=mse cora";'
        ' i.dispatchEvent(new Event("input")); }'
    )
    kept = rows(browser)
    assert len(kept) == 3
    assert {row[heads.index("loss")] for row in kept} == {"mse"}
    copied = browser.run(
        '{ let text = ""; navigator.clipboard.writeText = async t => { text = t; };'
        '  [...document.querySelectorAll("[data-table] button")]'
        '    .find(b => b.textContent === "Copy as CSV").click(); text }'
    )
    lines = copied.strip().split("\n")
    assert len(lines) == 4
    assert lines[0].startswith("task,predictor,loss")
    assert browser.complaints == []


def test_the_figures_the_browser_shows_are_those_of_the_parquet(browser, pages):
    from nasrank.tables import read_parquet

    study = pages["compared"].studies[0]
    wanted = study.tables["headline"].rows
    browser.open(pages["compared"].path)
    heads = browser.run(
        '[...document.querySelector("[data-table] thead").rows[0].cells].map(c => c.textContent)'
    )
    for row, cells in zip(wanted, rows(browser), strict=True):
        shown = dict(zip(heads, cells, strict=True))
        assert shown["task"] == row["task"]
        assert float(shown["kendall tau"]) == pytest.approx(row["kendall_tau"], rel=5e-4)
        if row["evaluations"] is not None:
            assert int(shown["evaluations"].replace(",", "")) == row["evaluations"]
    assert read_parquet(study.folder / "headline.parquet").num_rows == len(wanted)


def test_keys_reach_everything(browser, pages):
    browser.size(1280)
    browser.open(pages["compared"].path)
    reached = []
    for _ in range(60):
        browser.press("Tab")
        reached.append(
            browser.run("document.activeElement.id || document.activeElement.className")
        )
    assert {"skip", "theme"} <= set(reached)
    assert any("chip" in each for each in reached)
    assert any("pick" in each for each in reached)
    browser.run('document.querySelector(".chip:not(.on)").focus()')
    on = browser.run('document.querySelectorAll(".chip.on").length')
    browser.press("Enter")
    assert browser.run('document.querySelectorAll(".chip.on").length') == on + 1


def test_the_theme_changes_and_every_text_can_be_read(browser, pages):
    browser.size(1280, theme="light")
    browser.open(pages["compared"].path)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = browser.run(colour)
    browser.run('document.getElementById("theme").click()')
    assert browser.run(colour) != light
    browser.run('document.getElementById("theme").click()')
    assert browser.run(colour) == light


def test_what_prints_is_light_and_whole(browser, pages):
    browser.size(1280, theme="dark")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    browser.open(pages["compared"].path)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(paper) == "rgb(255, 255, 255)"
    assert browser.run('getComputedStyle(document.querySelector(".bar")).display') == "none"
    printed = browser.ask("Page.printToPDF", preferCSSPageSize=True)["data"]
    assert len(printed) > 10_000
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_embeddings_play_epoch_by_epoch(browser, pages):
    browser.size(1280)
    browser.complaints.clear()
    browser.open(pages["film"].path)
    said = 'document.querySelector(".film output").value'
    assert browser.run(said).startswith("epoch 10 of 10")
    browser.run(
        '{ const s = document.querySelector(".film input"); s.value = 2;'
        ' s.dispatchEvent(new Event("input")); }'
    )
    assert browser.run(said).startswith("epoch 3 of 10")
    assert browser.run('document.querySelectorAll(".film .real").length') > 10
    browser.run(
        '{ const s = document.querySelector(".film select"); s.value = "two-stage";'
        ' s.dispatchEvent(new Event("change")); }'
    )
    assert browser.run('document.querySelectorAll(".film .negative").length') > 0
    browser.run('document.querySelector(".film button").click()')
    assert browser.run(said).startswith("epoch 1 of 10")
    assert browser.complaints == []


def test_pictures_of_many_studies_are_there(browser, pages):
    browser.size(1280)
    browser.complaints.clear()
    browser.open(pages["several"].path)
    browser.run('document.querySelectorAll("details").forEach(d => { d.open = true; })')
    wide = browser.run(
        '[...document.querySelectorAll("[data-picture]")].map(place => {'
        '  const svg = place.querySelector("svg text");'
        "  return svg ? svg.getBoundingClientRect().width : 0; })"
    )
    folders = [study.pictures for study in pages["several"].studies if study.command != "compare"]
    assert len(wide) == sum(map(len, folders)) > 0
    assert min(wide) > 0
    assert browser.complaints == []

"""Figures that pages print are those of the tables that they are about."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def figures_in_pages():
    path = ROOT / "tests" / "figures_in_pages.py"
    specification = importlib.util.spec_from_file_location("figures_in_pages", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


FIGURES = figures_in_pages()
PAGES = FIGURES.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_of_pages_are_those_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert FIGURES.written(text) == text, "make figures"


def test_every_table_stands_on_a_page():
    found = {name for page in PAGES for _, name, _ in FIGURES.BLOCK.findall(page.read_text())}
    assert found == set(FIGURES.TABLES)


@pytest.mark.parametrize(("page", "said"), [
    (page, said) for page, each in FIGURES.sentences().items() for said in each
])  # fmt: skip
def test_sentences_have_the_figures_of_the_results(page, said):
    words = re.sub(r"\s+", " ", (ROOT / page).read_text(encoding="utf-8"))
    assert said in words


def test_another_figure_is_noticed():
    page = ROOT / "docs" / "search.md"
    text = page.read_text(encoding="utf-8").replace("**23**", "**22**")
    assert FIGURES.written(text) != text

"""The site: pages made from declarations say what these say, and every link leads somewhere."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from nasrank.cli.app import app
from nasrank.losses import LOSSES
from nasrank.predictors import PREDICTORS
from nasrank.questions.describe.names import details

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(hooks):
    return hooks.pages()


def test_a_command_has_a_page_with_each_of_its_options(hooks, made):
    words = hooks.command_words()
    assert {("compare",), ("data", "import"), ("supcon", "train"), ("losses",)} <= set(words)
    for command in words:
        found = typer.main.get_command(app)
        for word in command:
            found = found.commands[word]
        page = made[f"commands/{'-'.join(command)}.md"]
        assert f"nasrank {' '.join(command)}" in page
        options = [o for p in found.params if p.name != "help" for o in p.opts if "--" in o]
        assert [option for option in options if option not in page] == []


def test_a_loss_has_a_page_with_formula_options_and_origin(made):
    for name in LOSSES:
        page, info = made[f"losses/{name}.md"], LOSSES.entry(name)
        assert info.formula in page
        assert info.reference in page
        assert ">>>" not in page
        assert all(f"`{each['option']}`" in page for each in details("losses", name)["option"])
        assert f"({name}.md)" in made["losses/index.md"]
    assert all(f"`{name}`" in made["predictors.md"] for name in PREDICTORS)


def test_every_column_of_every_table_is_there(hooks, made):
    tables = hooks.tables()
    assert {table.name for table in tables.values()} >= {
        "runs",
        "ranking",
        "claims",
        "own_metrics",
    }
    for table in tables.values():
        assert f"## {table.name}" in made["schemas.md"]
        assert all(f"`{column.name}`" in made["schemas.md"] for column in table.columns)


def test_pictures_and_verdicts_are_those_of_the_results(made):
    pictures = list((ROOT / "results").rglob("*.svg"))
    assert made["gallery.md"].count("![") == len(pictures) > 10
    assert "holds" in made["claims.md"]


def test_links_lead_to_pages_or_files_that_are_there(hooks, made):
    written, files = hooks.from_repository()
    places = {*written, *files, *made}
    for place, text in {**written, **made}.items():
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", re.sub(r"```.*?```|`[^`\n]*`", "", text,
                                                               flags=re.DOTALL)):  # fmt: skip
            if "://" not in link:
                there = (ROOT / place).parent.joinpath(link).resolve().relative_to(ROOT)
                assert there.as_posix() in places, f"{place}: {link}"


def test_a_link_that_leads_nowhere_is_refused(hooks):
    page = ROOT / "docs" / "ci.md"
    text, linked = hooks.relinked("[a](../results/README.md#top) `[b](c.md)`", page, "ci.md")
    assert text == "[a](results/README.md#top) `[b](c.md)`"
    assert linked == {ROOT / "results" / "README.md"}
    with pytest.raises(hooks.BrokenLinkError, match=r"ci.md: none.md leads nowhere"):
        hooks.relinked("[a](none.md)", page, "ci.md")


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    docs = ROOT / "docs"
    assert {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} <= named


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocstrings", reason="needs the extra docs")
    shutil.rmtree(tmp_path)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "listmle" in (tmp_path / "losses" / "index.html").read_text()

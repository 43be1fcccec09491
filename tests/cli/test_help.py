import subprocess
import sys
from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.questions.bench.study import HEAVY


def commands(command, path=()):
    """Every command and group of commands with the words that call it."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


EVERY = dict(commands(typer.main.get_command(app)))


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


def test_there_are_commands():
    assert {("compare",), ("data", "info"), ("bench",), ("env",)} <= set(EVERY)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_has_help_and_an_example(path):
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "Example" in result.stdout
    example = f"nasrank {' '.join(path)}".strip()
    assert example in result.stdout


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_option_has_help_and_shows_all_of_it(path):
    shown = CliRunner().invoke(app, [*path, "--help"]).stdout
    for parameter in EVERY[path].params:
        if parameter.name == "help":
            continue
        assert parameter.help, parameter.name
        # Brackets, as in "[default: 10]", are lost where they count as markup.
        for word in parameter.help.split():
            assert word in shown, f"{word} of --{parameter.name} is not shown"


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_paragraphs_fill_their_lines(path):
    lines = CliRunner().invoke(app, [*path, "--help"]).stdout.partition("╭")[0].splitlines()
    prose = [line.strip() for line in lines[2:]]
    for line, following in pairwise(prose):
        if line and following:
            # The next word did not fit, or it would stand here.
            assert len(line) + 1 + len(following.split()[0]) > 90, line


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_option_names_are_spelt_out(path):
    for parameter in EVERY[path].params:
        for spelling in parameter.opts if parameter.param_type_name == "option" else ():
            assert spelling.startswith("--")
            assert "_" not in spelling


SHOW_MODULES = """
import sys
from itertools import pairwise
from nasrank.cli import run
sys.argv = ["nasrank", *{arguments}, "--help"]
try:
    run()
finally:
    print()
    print(*sys.modules)
"""


@pytest.mark.parametrize(
    "arguments",
    [[], ["compare"], ["rank"], ["budget"], ["recommend"], ["data", "info"], ["bench"], ["env"]],
)
def test_help_imports_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = done.stdout.splitlines()[-1].split()
    assert "nasrank.cli.app" in modules
    assert not set(HEAVY) & set(modules)


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "nasrank", "--help"], capture_output=True, text=True, check=True
    )
    assert "nasrank compare" in done.stdout
    assert done.stderr == ""

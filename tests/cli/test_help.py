import subprocess
import sys
from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.cli.command import help_of
from nasrank.questions.bench.speed import HEAVY
from nasrank.studies import STUDIES, config_of, summary_of


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
    assert {tuple(name.split()) for name in STUDIES} <= set(EVERY)


@pytest.mark.parametrize("command", STUDIES)
def test_the_list_of_commands_says_what_their_own_help_says(command):
    assert summary_of(command) == help_of(config_of(command)).partition("\n\n")[0] != ""


def test_every_command_has_help_an_example_and_every_option_in_full():
    """One walk over all commands: everything that is wrong with any of them, at once."""
    wrong = [f"nasrank {' '.join(path)}: {found}" for path in EVERY for found in faults(path)]
    assert not wrong


def faults(path):
    result = CliRunner().invoke(app, [*path, "--help"])
    if result.exit_code or result.stderr:
        yield f"exit code {result.exit_code}, {result.stderr}"
    if "Example" not in result.stdout or f"nasrank {' '.join(path)}".strip() not in result.stdout:
        yield "no example"
    for parameter in EVERY[path].params:
        if parameter.name == "help":
            continue
        if not parameter.help:
            yield f"{parameter.name} has no help"
        # Brackets, as in "[default: 10]", are lost where they count as markup.
        for word in (parameter.help or "").split():
            if word not in result.stdout:
                yield f"{word} of --{parameter.name} is not shown"
        for spelling in parameter.opts if parameter.param_type_name == "option" else ():
            if not spelling.startswith("--") or "_" in spelling:
                yield f"{spelling} is not spelt out"
    prose = [line.strip() for line in result.stdout.partition("╭")[0].splitlines()[2:]]
    for line, following in pairwise(prose):
        # The next word did not fit, or it would stand here.
        if line and following and len(line) + 1 + len(following.split()[0]) <= 90:
            yield f"a paragraph is broken after {line!r}"


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

"""The changelog's table of spellings holds: the new ones exist, and the old ones are gone."""

import re
from pathlib import Path

import pytest
import typer

from nasrank.cli.app import app

ROWS = re.findall(
    r"^\| `([a-z ]+)` \| `(--[a-z-]+)` \| `(--[a-z-]+)` \|$",
    (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def options_of(words):
    command = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]
    return {spelling for parameter in command.params for spelling in parameter.opts}


def test_there_are_rows():
    assert len(ROWS) > 5


@pytest.mark.parametrize(("command", "old", "new"), ROWS)
def test_a_spelling_has_changed(command, old, new):
    options = options_of(command)
    assert new in options
    assert old not in options

"""Every command of the program by its name as typed, from the tree that typer builds."""

import typer

from nasrank.cli.app import app


def leaves(command, path=()):
    """Every command with its name as typed."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(typer.main.get_command(app)))

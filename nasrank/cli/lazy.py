"""Groups whose commands are made when they are asked for, so that ``--help`` imports little."""

from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from nasrank.cli.command import command_of, epilog_of, help_of
from nasrank.studies import STUDIES, config_of

__all__ = ["group_of"]


def group_of(prefix: str = "", order: tuple[str, ...] = ()) -> type[TyperGroup]:
    """Make a group with the commands of the studies whose words start with a prefix.

    Args:
        prefix: The word of the group; nothing for the commands of one word.
        order: Names of commands in the order of ``--help``; others follow.
    """

    class Lazy(TyperGroup):
        """A group of studies, and of what is registered by hand."""

        def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
            names = [*self.commands, *_names(prefix)]
            return sorted(names, key=[*order, *names].index)

        def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ANN401
            if cmd_name in _names(prefix):
                return _made(f"{prefix} {cmd_name}".strip())
            return super().get_command(ctx, cmd_name)

    return Lazy


def _names(prefix: str) -> list[str]:
    """Names of the commands of a group."""
    words = [name.rpartition(" ") for name in STUDIES]
    return [last for first, _, last in words if first == prefix]


def _made(command: str) -> Any:  # noqa: ANN401 - a command of typer's
    config = config_of(command)
    info = CommandInfo(
        name=command.rpartition(" ")[2],
        callback=command_of(config),
        epilog=epilog_of(config),
        help=help_of(config),
    )
    return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode="markdown")

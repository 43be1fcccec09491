"""Groups whose commands are made on demand, so that ``--help`` imports little."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from nasrank.studies import STUDIES, config_of, summary_of

__all__ = ["group_of"]


def group_of(prefix: str = "", order: tuple[str, ...] = ()) -> type[TyperGroup]:
    """Make a group with the commands of the studies whose words start with a prefix.

    Args:
        prefix: The word of the group; empty for the commands of one word.
        order: Names of commands in the order of ``--help``; others follow.
    """

    class Lazy(TyperGroup):
        """A group of studies, and of commands registered by hand."""

        def __init__(self, **how: Any) -> None:  # noqa: ANN401 - typer's
            super().__init__(**how)
            self.commands: Any = _Commands(prefix, dict(self.commands), order)

        def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's
            self.commands.only_listed = True
            super().format_help(ctx, formatter)

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401 - typer's
            self.commands.only_listed = True
            return super().shell_complete(ctx, incomplete)

    return Lazy


class _Commands(MutableMapping[str, Any]):
    """The commands of a group by name; those of studies are made when they are looked up.

    Attributes:
        only_listed: Nothing but their names and summaries is wanted, so nothing is made.
    """

    only_listed = False

    def __init__(self, prefix: str, others: dict[str, Any], order: tuple[str, ...]) -> None:
        words = [name.rpartition(" ") for name in STUDIES]
        self._prefix = prefix
        self._made: dict[str, Any] = dict.fromkeys(last for p, _, last in words if p == prefix)
        self._made |= others
        self._order = [*order, *self._made]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command of typer's
        if self._made[name] is None:
            words = f"{self._prefix} {name}".strip()
            if self.only_listed:
                return TyperCommand(name, help=summary_of(words))
            self._made[name] = _made(words)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._made, key=[*self._order, *self._made].index))

    def __len__(self) -> int:
        return len(self._made)


def _made(command: str) -> Any:  # noqa: ANN401 - a command of typer's
    # The options of a study need pydantic.
    from nasrank.cli.command import command_of, epilog_of, help_of

    config = config_of(command)
    info = CommandInfo(
        name=command.rpartition(" ")[2],
        callback=command_of(config),
        epilog=epilog_of(config),
        help=help_of(config),
    )
    return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode="markdown")

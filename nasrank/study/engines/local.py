"""Everything in this process, one piece after another."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import ClassVar, TypeVar

from nasrank.study.engines.engine import Engine, OnWork

__all__ = ["LocalEngine"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class LocalEngine(Engine):
    """Executes in this process."""

    parallel: ClassVar[bool] = False

    def map(
        self,
        function: Callable[[Item, OnWork | None], Result],
        items: Sequence[Item],
        on_work: OnWork | None = None,
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute all items in their order; see :meth:`Engine.map`."""
        for place, item in enumerate(items):
            yield place, function(item, on_work)

"""What works off a list of pieces, and how a user chooses it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import ClassVar, Literal, TypeVar

from nasrank.errors import UsageError
from nasrank.study.engines.sizes import parse_memory
from nasrank.study.options import HOW, Config, option

__all__ = ["Engine", "OnEngines", "OnWork"]


Item = TypeVar("Item")
Result = TypeVar("Result")
OnWork = Callable[[int], None]


class Engine(ABC):
    """Applies a function to pieces of work that know nothing of one another."""

    parallel: ClassVar[bool]
    """Whether several pieces are in work at once, in processes that cannot tell how far they are;
    then the large ones should come first."""

    @abstractmethod
    def map(
        self,
        function: Callable[[Item, OnWork | None], Result],
        items: Sequence[Item],
        on_work: OnWork | None = None,
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute all items; what a lost worker had is executed again elsewhere.

        Args:
            function: What to do with an item. A parallel engine pickles it, and gives it no
                second argument.
            items: The items.
            on_work: For functions that tell how far they are; only an engine that is not
                parallel hands it on.

        Yields:
            (place of an item, its result), each when it is finished. Whoever stops early has to
            close the iterator, which stops the rest.

        Raises:
            NasrankError: What the function raised, or workers that cannot be had.
        """


class OnEngines(Config):
    """Options of commands that can be executed elsewhere, which no result depends on."""

    engine: Literal["local", "processes", "dask"] = option(
        "local",
        "In this process, in several of this machine, or on a Dask cluster.",
        panel=HOW,
        recorded=False,
    )
    jobs: int | None = option(
        None,
        "Processes, with --engine processes.",
        usual="one a core, or a CUDA device",
        panel=HOW,
        recorded=False,
        ge=1,
    )
    scheduler: str | None = option(
        None,
        "Dask scheduler, such as tcp://127.0.0.1:8786, with --engine dask.",
        panel=HOW,
        metavar="ADDRESS",
        recorded=False,
    )
    memory_limit: str | None = option(
        None,
        "Memory of each process that trains, or of its CUDA device, such as 4GiB; fleets that "
        "need more are halved.",
        panel=HOW,
        metavar="SIZE",
        recorded=False,
    )

    @property
    def memory_bytes(self) -> int | None:
        """The limit in bytes, or None.

        Raises:
            UsageError: It cannot be read.
        """
        return None if self.memory_limit is None else parse_memory(self.memory_limit)

    def make_engine(self, kind: str) -> Engine:
        """Return the engine meant; nothing is started or connected yet.

        Args:
            kind: ``cpu`` or ``cuda``: where the work is done.

        Raises:
            UsageError: Options do not go together, or an extra is missing.
        """
        if self.jobs is not None and self.engine != "processes":
            raise UsageError("--jobs goes with --engine processes; add that, or leave it out")
        if self.scheduler is not None and self.engine != "dask":
            raise UsageError("--scheduler goes with --engine dask; add that, or leave it out")
        if self.engine == "local":
            from nasrank.study.engines.local import LocalEngine

            return LocalEngine()
        if self.engine == "processes":
            from nasrank.study.engines.processes import ProcessEngine, usual_jobs

            return ProcessEngine(self.jobs or usual_jobs(kind))
        from nasrank.study.engines.dask import DaskEngine

        if self.scheduler is None:
            raise UsageError(
                "--engine dask needs the address of its scheduler, such as "
                "--scheduler tcp://127.0.0.1:8786. Start one with: dask scheduler"
            )
        if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://[^\s/:]\S*:[0-9]{1,5}", self.scheduler):
            raise UsageError(
                f"--scheduler {self.scheduler!r} should be an address such as "
                "tcp://127.0.0.1:8786, which dask scheduler prints when it starts"
            )
        return DaskEngine(self.scheduler)

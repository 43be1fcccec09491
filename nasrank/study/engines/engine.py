"""Engines execute pieces of work; the options by which a user chooses one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import ClassVar, Literal, TypeVar

from nasrank.errors import UsageError
from nasrank.study.engines.sizes import parse_memory
from nasrank.study.options import HOW, Config, option

__all__ = ["Engine", "OnEngines", "OnWork", "WithMemoryLimit"]


Item = TypeVar("Item")
Result = TypeVar("Result")
OnWork = Callable[[int], None]


class Engine(ABC):
    """Applies a function to independent pieces of work."""

    parallel: ClassVar[bool]
    """Whether several pieces are executed at once, in processes that do not report progress; the
    large ones should then come first."""

    @abstractmethod
    def map(
        self,
        function: Callable[[Item, OnWork | None], Result],
        items: Sequence[Item],
        on_work: OnWork | None = None,
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute all items; those of a lost worker are executed again elsewhere.

        Args:
            function: What to do with an item. A parallel engine pickles it, and gives it no
                second argument.
            items: The items.
            on_work: Receives the progress of functions that report it; only an engine that is
                not parallel passes it on.

        Yields:
            (index of an item, its result), each when it is finished. A caller that stops early
            must close the iterator, which stops the rest.

        Raises:
            NasrankError: The function raised it, or there are no workers.
        """


class OnEngines(Config):
    """Options for where to execute; no result depends on them."""

    engine: Literal["local", "processes", "dask"] = option(
        "local",
        "Where to execute: in this process, in several processes, or on a Dask cluster.",
        panel=HOW,
        recorded=False,
    )
    jobs: int | None = option(
        None,
        "Number of processes, with --engine processes.",
        usual="one per core or CUDA device",
        panel=HOW,
        recorded=False,
        ge=1,
    )
    scheduler: str | None = option(
        None,
        "Address of the Dask scheduler, such as tcp://127.0.0.1:8786, with --engine dask.",
        panel=HOW,
        metavar="ADDRESS",
        recorded=False,
    )

    def make_engine(self, kind: str) -> Engine:
        """Return the chosen engine; nothing is started or connected yet.

        Args:
            kind: ``cpu`` or ``cuda``: where the work is done.

        Raises:
            UsageError: Options contradict one another, or an extra is missing.
        """
        if self.jobs is not None and self.engine != "processes":
            raise UsageError("--jobs needs --engine processes. Add that, or leave out --jobs")
        if self.scheduler is not None and self.engine != "dask":
            raise UsageError("--scheduler needs --engine dask. Add that, or leave out --scheduler")
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


class WithMemoryLimit(Config):
    """The option for what a training process may take."""

    memory_limit: str | None = option(
        None,
        "Memory limit of each training process, or of its CUDA device, such as 4GiB; fleets that "
        "need more are split in half.",
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

"""A Dask cluster: workers on any number of machines, without a shared folder."""

from __future__ import annotations

import contextlib
import logging
import platform
import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from nasrank.errors import DataError, NasrankError, needing
from nasrank.study.engines.engine import Engine, OnWork
from nasrank.version import __version__

__all__ = ["DaskEngine"]

_LOG = logging.getLogger("nasrank")
_CONNECT_SECONDS = 5
_WORKERS_SECONDS = 300
_LOOK_SECONDS = 10
"""How often to check that there is still a worker."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class DaskEngine(Engine):
    """Executes on the workers of a Dask scheduler, which may come and go.

    Tasks are submitted to the scheduler directly and not through joblib, which waits forever when
    Dask gives up a task.

    Args:
        scheduler: Its address, such as ``tcp://127.0.0.1:8786``.

    Raises:
        UsageError: The extra is missing.
    """

    parallel: ClassVar[bool] = True

    def __init__(self, scheduler: str) -> None:
        self.scheduler = scheduler
        self._distributed = _distributed()

    def map(
        self,
        function: Callable[[Item, OnWork | None], Result],
        items: Sequence[Item],
        on_work: OnWork | None = None,
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute all items; see :meth:`Engine.map`.

        The work of a lost worker goes to another one. Workers finish work that is no longer
        wanted, and its result is ignored.

        Raises:
            DataError: The scheduler does not answer or is gone, there is no worker, a worker lacks
                something, or several workers were lost on one item.
        """
        with _silence(), self._client() as client:
            self._await_workers(client)
            self._check(client)
            done: queue.SimpleQueue[Any] = queue.SimpleQueue()
            places = {}
            for place, item in enumerate(items):
                future = client.submit(_on_worker, function, item, pure=False, priority=-place)
                places[future] = place
                future.add_done_callback(done.put)
            try:
                while places:
                    future = self._next(client, done)
                    result = self._result(future)
                    yield places.pop(future), result
            finally:
                # If the scheduler itself is gone, there is nothing to cancel.
                with contextlib.suppress(OSError):
                    client.cancel([*places])

    def _client(self) -> Any:  # noqa: ANN401 - distributed is an extra
        try:
            return self._distributed.Client(
                self.scheduler, timeout=_CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise DataError(
                f"no Dask scheduler answers at {self.scheduler}. Start one with: dask scheduler, "
                "and give --scheduler the address that it prints"
            ) from error

    def _await_workers(self, client: Any) -> None:  # noqa: ANN401
        if not client.scheduler_info(n_workers=-1)["workers"]:
            _LOG.warning(
                "the scheduler has no workers yet; waiting for one. To start it: dask worker %s "
                "--nworkers auto --nthreads 1",
                self.scheduler,
            )
        try:
            client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
        except TimeoutError as error:
            raise DataError(
                f"no worker joined the scheduler at {self.scheduler} in {_WORKERS_SECONDS} s. "
                f"Start one with: dask worker {self.scheduler} --nworkers auto --nthreads 1"
            ) from error

    def _check(self, client: Any) -> None:  # noqa: ANN401
        """Refuse workers without nasrank, or with another version, before any work."""

        # A nested function is sent by value, so that it needs no nasrank there.
        def installed() -> str | None:
            try:
                from nasrank.version import __version__ as own
            except ImportError:
                return None
            return own

        for worker, version in client.run(installed, on_error="return").items():
            # A worker that died meanwhile answers with an error; its work goes elsewhere.
            if version is None or (isinstance(version, str) and version != __version__):
                has = "no nasrank" if version is None else f"nasrank {version}"
                raise DataError(
                    f"worker {worker} has {has}, but this is nasrank {__version__}. Install "
                    "this version in the worker's environment and restart the worker"
                )

    def _next(self, client: Any, done: queue.SimpleQueue[Any]) -> Any:  # noqa: ANN401
        warned = False
        while True:
            with contextlib.suppress(queue.Empty):
                return done.get(timeout=_LOOK_SECONDS)
            if client.status == "closed":
                raise self._gone()
            if not warned and not client.scheduler_info(n_workers=-1)["workers"]:
                warned = True
                _LOG.warning("no worker is left at %s; waiting for one", self.scheduler)

    def _result(self, future: Any) -> Any:  # noqa: ANN401
        try:
            return future.result()
        except self._distributed.KilledWorker as error:
            raise DataError(
                f"several workers were lost on the same work, the last of them "
                f"{error.last_worker.address}, probably out of memory. Use --memory-limit, or "
                "give workers more memory"
            ) from error
        except ModuleNotFoundError as error:
            raise DataError(
                f"a worker at {self.scheduler} lacks the package {error.name}. Install nasrank "
                f"{__version__} with the same extras in its environment and restart it"
            ) from error
        except (self._distributed.CancelledError, OSError) as error:
            raise self._gone() from error

    def _gone(self) -> DataError:
        return DataError(
            f"the Dask scheduler at {self.scheduler} is gone. Finished runs are saved: restart it "
            "and run the same command again to resume"
        )


def _on_worker(function: Callable[[Item, OnWork | None], Result], item: Item) -> Result:
    """Execute one item, and name the worker if that fails."""
    try:
        return function(item, None)
    except NasrankError as error:
        worker = _distributed().get_worker()
        raise type(error)(
            f"worker {worker.address} on {platform.node()}: {str(error).rstrip('.')}. Workers "
            "have their own installation and data: run the same pip install or nasrank data "
            "import there"
        ) from None


def _distributed() -> ModuleType:
    with needing("dask", "--engine dask needs distributed"):
        import distributed
    return distributed


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep Dask's own lines off stderr: nasrank reports what matters."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

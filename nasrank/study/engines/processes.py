"""Several processes of this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar, TypeVar

from nasrank.errors import DataError
from nasrank.lifetime import as_worker
from nasrank.study.engines.engine import Engine, OnWork

__all__ = ["ProcessEngine", "usual_jobs"]

_LOG = logging.getLogger("nasrank")
_MOST_LOSSES = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


def usual_jobs(kind: str) -> int:
    """Return the default number of processes: one per core, or one per CUDA device.

    Args:
        kind: ``cpu`` or ``cuda``.
    """
    import joblib
    import torch

    return max(1, torch.cuda.device_count() if kind == "cuda" else joblib.cpu_count())


class ProcessEngine(Engine):
    """Executes in processes that share this machine's cores evenly."""

    parallel: ClassVar[bool] = True

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def map(
        self,
        function: Callable[[Item, OnWork | None], Result],
        items: Sequence[Item],
        on_work: OnWork | None = None,
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute all items; see :meth:`Engine.map`.

        When a process is killed, so are the others, and new ones execute their work.

        Raises:
            DataError: Processes were killed three times in a row, with nothing finished in
                between.
        """
        from joblib.externals.loky.process_executor import BrokenProcessPool

        left = dict(enumerate(items))
        losses = 0
        while left:
            try:
                with contextlib.closing(self._once(function, left)) as results:
                    for place, result in results:
                        del left[place]
                        losses = 0
                        yield place, result
            except BrokenProcessPool as error:
                losses += 1
                if losses == _MOST_LOSSES:
                    raise DataError(
                        f"worker processes were killed {losses} times in a row, probably out of "
                        f"memory. Use fewer --jobs than {self.jobs}, or --memory-limit where "
                        "there is one"
                    ) from error
                _LOG.warning(
                    "a worker process was killed; its work is executed again (%d left)", len(left)
                )

    def _once(
        self, function: Callable[[Item, OnWork | None], Result], items: dict[int, Item]
    ) -> Generator[tuple[int, Result], None, None]:
        """Execute items with one pool, until it breaks."""
        import torch
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor

        placed = delayed(_placed)
        # The threads of this process, as set by OMP_NUM_THREADS, are shared among the jobs.
        threads = max(1, torch.get_num_threads() // self.jobs)
        with parallel_config(
            "loky",
            inner_max_num_threads=threads,
            initializer=as_worker,
            initargs=(os.getpid(),),
        ):
            results: Any = Parallel(
                n_jobs=self.jobs, batch_size=1, return_as="generator_unordered"
            )(placed(function, place, item) for place, item in [*items.items()])
        try:
            # Not yield from, which would close them outside of what follows.
            for result in results:  # noqa: UP028
                yield result
        finally:
            with warnings.catch_warnings():
                # Missing results are expected when the caller stops early.
                warnings.simplefilter("ignore")
                results.close()
            get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _placed(
    function: Callable[[Item, OnWork | None], Result], place: int, item: Item
) -> tuple[int, Result]:
    return place, function(item, None)

"""The piece of work of a grid: a fleet, trained in whatever process it comes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nasrank.benchmarks import load_task
from nasrank.errors import DataError
from nasrank.predictors.recipe import Recipe
from nasrank.runs.extras import Extras
from nasrank.runs.memory import MemoryLimit
from nasrank.runs.run import Run
from nasrank.study.device import choose_device
from nasrank.study.study import OnWork

if TYPE_CHECKING:
    import torch

    from nasrank.runs.train import Trainer

__all__ = ["FleetSettings", "FleetTrainer", "device_of"]


@dataclass(frozen=True)
class FleetSettings:
    """What is the same for all fleets of a grid.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        recipe: How networks are trained.
        extras: What to keep beyond the rows.
        memory: The most memory to use, in bytes, or None for no limit.
    """

    kind: str
    recipe: Recipe
    extras: Extras
    memory: int | None = None

    @property
    def limit(self) -> MemoryLimit:
        """What a process that trains may need."""
        return MemoryLimit(self.memory, self.recipe, self.kind, self.extras.predictions)


class FleetTrainer:
    """Trains fleets; it saves nothing.

    Sent to another process it becomes the one that this process has for the same settings, so
    graphs are laid out once in each.
    """

    def __init__(self, settings: FleetSettings) -> None:
        self.settings = settings
        self._trainers: dict[torch.device, Trainer] = {}
        self._free = threading.Lock()

    def __reduce__(self) -> tuple[Callable[[FleetSettings], FleetTrainer], tuple[FleetSettings]]:
        return _of_this_process, (self.settings,)

    def __call__(self, runs: Sequence[Run], on_work: OnWork) -> list[dict[str, Any]]:
        """Train a fleet, in parts where it needs more memory than it may.

        Returns:
            The rows of its runs, in their order.

        Raises:
            UsageError: This machine has no such device, or lacks an extra.
            DataError: The data of a task is missing or damaged here, or differs from that of the
                machine that made the grid.
        """
        for run in runs:
            if load_task(run.task).fingerprint != run.fingerprint:
                raise DataError(
                    f"{run.task}: the data here differ from those where the run was planned. "
                    "Import the same file with: nasrank data import"
                )
        # Late: grids are planned without torch.
        from nasrank.runs.train import Trainer

        parts = self.settings.limit.parts(runs)
        # Wherever the fleet comes to, its place among several devices is the same.
        device = device_of(self.settings.kind, int(runs[0].run_id, 16))
        # Dask workers may have several threads, of which each would want all cores and memory.
        with self._free:
            if device not in self._trainers:
                self._trainers[device] = Trainer(
                    device, self.settings.recipe, self.settings.extras
                )
            trainer = self._trainers[device]
            rows = [row for part in parts for row in trainer.train(part, on_work)]
        # The trainer tells CUDA devices from the rest.
        return [{**row, "device": "mps"} for row in rows] if device.type == "mps" else rows


def device_of(kind: str, number: int) -> torch.device:
    """Return the device that a fleet goes to: CUDA devices take turns.

    Args:
        kind: ``cpu``, ``cuda`` or ``mps``.
        number: A number of the fleet's own.

    Raises:
        UsageError: There is no such device here.
    """
    import torch

    device = choose_device(kind)
    if device.type != "cuda":
        return device
    return torch.device("cuda", number % max(1, torch.cuda.device_count()))


@lru_cache(maxsize=1)
def _of_this_process(settings: FleetSettings) -> FleetTrainer:
    return FleetTrainer(settings)

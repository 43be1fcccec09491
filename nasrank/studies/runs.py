"""Runs: what makes two of them the same, and where finished ones are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nasrank.errors import DataError
from nasrank.studies.results import FINISHED, PREDICTIONS
from nasrank.tables import read_parquet

__all__ = ["RESULTS_VERSION", "FinishedRuns", "Run"]

RESULTS_VERSION = 1
"""Raised when the same configuration would give other numbers, so that old runs are not reused."""


@dataclass(frozen=True)
class Run:
    """The identity of a run: everything that its numbers depend on.

    Attributes:
        task: Canonical name of the task.
        fingerprint: Digest of the task's data.
        predictor: Name of the predictor.
        loss: Canonical spelling of the loss.
        n_train: Training architectures.
        seed: Seed of the run.
        split: ``class`` or ``random``.
        labels: ``mean`` or ``single``.
        test: ``rest`` or ``all``.
        sampling: How training architectures are drawn.
    """

    task: str
    fingerprint: str
    predictor: str
    loss: str
    n_train: int
    seed: int
    split: str
    labels: str
    test: str
    sampling: str

    @cached_property
    def run_id(self) -> str:
        """Sixteen hexadecimal digits that stand for this run in tables and file names."""
        text = json.dumps([RESULTS_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class FinishedRuns:
    """A folder with one file a finished run.

    A file is complete or absent, so whatever stops a process, its finished runs can be used by
    the next one. A damaged file counts as absent.

    Args:
        folder: The folder; it is made when the first run is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, run: Run) -> Path:
        """Return where a run is, or would be, kept."""
        return self.folder / f"{run.run_id}.parquet"

    def load(self, run: Run, *, with_parts: Collection[str] = ()) -> dict[str, Any] | None:
        """Return what was measured on a run, or None if that is not known.

        Args:
            run: The run.
            with_parts: Optional parts it must hold: ``predictions``, ``curves``.
        """
        path = self.path(run)
        if not path.exists():
            return None
        try:
            rows = read_parquet(path).to_pylist()
        except DataError:
            return None
        names = {column.name for column in FINISHED.columns}
        if len(rows) != 1 or rows[0].keys() != names or rows[0]["run_id"] != run.run_id:
            return None
        row: dict[str, Any] = rows[0]
        lacking = {"predictions": f"{PREDICTIONS.name}.item", "curves": "curves.epoch"}
        return None if any(row[lacking[part]] is None for part in with_parts) else row

    def save(self, run: Run, row: dict[str, Any]) -> None:
        """Keep a run.

        Raises:
            DataError: The folder cannot be written, or the disk is full.
        """
        FINISHED.write([row], self.path(run), {"run": asdict(run)})

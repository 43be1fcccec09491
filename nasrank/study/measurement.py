"""One measurement of speed or memory: its table, and the clock and gauge behind it."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from nasrank.tables import Column, Table

__all__ = ["BENCH", "Measurement", "Memory", "Setting", "Trend", "seconds_of", "watched_memory"]

_SHARED = "not of one setting"

BENCH = Table(
    "bench",
    "One measurement.",
    (
        Column("name", "string", "", "What was measured."),
        Column("axis", "string", "", "What varies in its series.", null=_SHARED),
        Column("predictor", "string", "", "Name of the predictor.", null=_SHARED),
        Column("members", "int64", "predictors", "Trained together.", null=_SHARED),
        Column("n_train", "int64", "architectures", "Trained on by each.", null=_SHARED),
        Column("architectures", "int64", "architectures", "Different ones scored.", null=_SHARED),
        Column("nodes", "int64", "nodes", "The most one architecture has.", null=_SHARED),
        Column("value", "double", "", "What came out, in the unit of this row."),
        Column("unit", "string", "", "Unit of value and goal."),
        Column("goal", "double", "", "What nasrank aims at.", null="no goal"),
        Column("better", "string", "", "higher or lower."),
        Column("reached", "bool", "", "Whether the goal is reached.", null="no goal"),
        Column("note", "string", "", "How it was measured."),
    ),
)
"""The table that a bench writes."""


@dataclass(frozen=True)
class Setting:
    """Where in a series something was measured.

    Attributes:
        axis: What varies: ``members``, ``n_train``, ``architectures`` or ``nodes``.
        predictor: Name of the predictor.
        members: Predictors trained together.
        n_train: Architectures each is trained on.
        architectures: Different architectures laid out and scored.
        nodes: Nodes of the largest of them.
    """

    axis: str
    predictor: str
    members: int
    n_train: int
    architectures: int
    nodes: int


@dataclass(frozen=True)
class Trend:
    """A whole series.

    Attributes:
        axis: What varies in it.
        predictor: Name of the predictor.
    """

    axis: str
    predictor: str


@dataclass(frozen=True)
class Measurement:
    """One line of the result.

    Attributes:
        name: What was measured; it ends with the unit where that is seconds.
        value: What came out.
        unit: Its unit.
        note: How it was measured.
        goal: What is aimed at, or None.
        better: ``higher`` or ``lower``.
        setting: The series or the point of one that it belongs to; None for what stands alone.
    """

    name: str
    value: float
    unit: str
    note: str
    goal: float | None = None
    better: str = "lower"
    setting: Setting | Trend | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def row(self) -> dict[str, str | float | bool | None]:
        """Return it as a row of :data:`BENCH`."""
        where: dict[str, str | int | None] = dict.fromkeys(f.name for f in fields(Setting))
        return {
            "name": self.name,
            **where,
            **({} if self.setting is None else asdict(self.setting)),
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "better": self.better,
            "reached": self.reached,
            "note": self.note,
        }


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Time something; CUDA runs ahead of the clock unless it is waited for."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


@dataclass
class Memory:
    """What :func:`watched_memory` found.

    Attributes:
        mebibytes: The most held, beyond what was held before; None where nobody knows.
    """

    mebibytes: float | None = None


@contextmanager
def watched_memory(device: torch.device) -> Iterator[Memory]:
    """Find the most memory that is held within the block, beyond what was held before it.

    On CUDA that is the memory of tensors on the device. On a CPU it is the memory of the process,
    which Linux alone can tell. What the allocator keeps of freed memory is given back before, as
    far as it can, so that it does not hide what is taken from it again.

    Args:
        device: Where the block computes.

    Yields:
        What is filled in when the block has ended.
    """
    memory = Memory()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield memory
        memory.mebibytes = (torch.cuda.max_memory_allocated(device) - before) / 2**20
        return
    _give_back()
    forgotten = _forget_peak()
    held = _resident("VmRSS")
    yield memory
    peak = _resident("VmHWM")
    if forgotten and held is not None and peak is not None:
        memory.mebibytes = max(0.0, peak - held)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _give_back() -> None:
    """Return freed memory to the system, where the C library has a word for it."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _forget_peak() -> bool:
    """Let the peak start anew, as `man 5 proc` says of clear_refs; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(which: str) -> float | None:
    """Return a line of the process's status in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1024
    return None

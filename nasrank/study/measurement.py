"""Measurements of time and memory."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["Memory", "seconds_of", "watched_memory"]


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Time something; CUDA is asynchronous, so it is synchronised before and after."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


@dataclass
class Memory:
    """What :func:`watched_memory` found.

    Attributes:
        mebibytes: Peak memory beyond what was held before; None where it is unknown.
    """

    mebibytes: float | None = None


@contextmanager
def watched_memory(device: torch.device) -> Iterator[Memory]:
    """Measure the peak memory within the block, beyond what was held before it.

    On CUDA that is the memory of tensors on the device. On a CPU it is the memory of the process,
    which only Linux reports. Freed memory that the allocator still holds is returned to the
    system first, as far as possible, since reusing it would not be seen.

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
    """Return freed memory to the system, where the C library can."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _forget_peak() -> bool:
    """Reset the peak through clear_refs, see `man 5 proc`; False where that is impossible."""
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

"""Seconds of something and of the least that it could take, measured in turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import torch

from nasrank.study.measurement import seconds_of

__all__ = ["child_seconds", "clock_of", "in_turns", "own_seconds"]


def in_turns(
    work: Callable[[], float], least: Callable[[], float], repeats: int
) -> tuple[float, float]:
    """Return the medians of both, measured in turns after one time that does not count."""
    work()
    pairs = [(work(), least()) for _ in range(repeats)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


def own_seconds(work: Callable[[], object]) -> float:
    """Return the seconds of the processor that something takes in this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def clock_of(device: torch.device) -> Callable[[Callable[[], object]], float]:
    """Return what measures seconds: of the processor on a CPU, by the clock on a device."""
    if device.type == "cpu":
        return own_seconds
    return lambda work: seconds_of(work, device)


def child_seconds(*arguments: str) -> float:
    """Run this very Python and return the seconds of the processor that it took."""
    before = os.times()
    subprocess.run(  # noqa: S603 - our own interpreter with our own words
        [sys.executable, *arguments], capture_output=True, check=True
    )
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])

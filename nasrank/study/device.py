"""Where to compute."""

from __future__ import annotations

import torch

from nasrank.errors import UsageError

__all__ = ["choose_device"]


def choose_device(name: str) -> torch.device:
    """Return the device a command means.

    Args:
        name: ``cpu``, ``cuda``, or ``auto``, which is ``cuda`` where there is one.

    Raises:
        UsageError: The name is unknown, or there is no such device.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"unknown device {name!r}. Known: auto, cpu, cuda.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("--device cuda: torch sees no CUDA device here. Use --device cpu.")
    return torch.device("cuda" if available and name != "cpu" else "cpu")

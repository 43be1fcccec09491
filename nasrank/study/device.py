"""The device to compute on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nasrank.errors import UsageError
from nasrank.study.engines.engine import OnEngines
from nasrank.study.options import Config, OnDevice

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "kind_of"]

_CARDS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""Files of drivers: Nvidia's cards and boards, Windows' cards seen from Linux, AMD's."""


_CHOSEN = ("cuda", "mps")
"""Devices that are there because somebody says so."""


def choose_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: ``cpu``, ``cuda``, ``mps``, or ``auto``: ``cuda`` where it is available.

    Raises:
        UsageError: The name is unknown, or there is no such device.
    """
    import torch

    if name not in {"auto", "cpu", "cuda", "mps"}:
        raise UsageError(f"unknown device {name!r}. Known: auto, cpu, cuda, mps.")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("--device mps: torch sees no Apple GPU here. Use --device cpu.")
        return torch.device("mps")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("--device cuda: torch sees no CUDA device here. Use --device cpu.")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def kind_of(config: Config) -> str:
    """Return ``cpu``, ``cuda`` or ``mps``: what the runs of a command are computed on.

    Raises:
        UsageError: There is no such device here.
    """
    if not isinstance(config, OnDevice):
        return "cpu"
    # Only the workers of a cluster know their devices.
    if isinstance(config, OnEngines) and config.engine == "dask" and config.device in _CHOSEN:
        return config.device
    if config.device not in _CHOSEN and (config.device == "cpu" or _no_card()):
        return "cpu"
    return choose_device(config.device).type


def _no_card() -> bool:
    """Say whether there is certainly no card, as drivers make a file; importing torch is slow."""
    return sys.platform == "linux" and not any(Path(each).exists() for each in _CARDS)

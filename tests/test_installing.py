"""Hints of what to install name a command that reaches this environment."""

import importlib.util
import json
import sys
from importlib import metadata

import pytest

from nasrank.installing import install_again, install_command


@pytest.mark.parametrize(
    ("made_by", "pip", "active", "expected"),
    [
        ("venv", True, True, "pip install POT"),
        ("venv", True, False, "'{here}/bin/python' -m pip install POT"),
        ("pipx", True, False, "pipx runpip 'my env' install POT"),
        # As uv tool install and uv venv make them.
        ("uv", False, True, "uv pip install --python '{here}/bin/python' POT"),
        ("system", True, False, "pip install POT"),
    ],
)
def test_the_command_is_that_of_what_made_the_environment(
    made_by, pip, active, expected, tmp_path, monkeypatch
):
    here = tmp_path / "my env"
    here.mkdir()
    if made_by == "pipx":
        (here / "pipx_metadata.json").touch()
    monkeypatch.setattr(sys, "prefix", str(here))
    monkeypatch.setattr(sys, "executable", f"{here}/bin/python")
    if made_by == "system":
        monkeypatch.setattr(sys, "base_prefix", str(here))
    monkeypatch.setenv("VIRTUAL_ENV", str(here) if active else "/elsewhere")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object() if pip else None)
    assert install_command("POT") == expected.format(here=here)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"url": "file:///a%20b/nasrank", "dir_info": {}}, "'/a b/nasrank'"),
        ({"url": "file:///n.whl", "archive_info": {}}, "/n.whl"),
        (
            {"url": "https://x.org/n.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "git+https://x.org/n.git@ab12",
        ),
        (None, None),
        ({"dir_info": {}}, None),
        ([], None),
    ],
)
def test_nasrank_comes_again_from_where_it_came(told, expected, monkeypatch):
    class Installed:
        @staticmethod
        def read_text(_name):
            return None if told is None else json.dumps(told)

    monkeypatch.setattr(metadata, "distribution", lambda _name: Installed)
    said = install_again("nasrank")
    if expected is None:
        assert said == "Install nasrank again from where you have it"
    else:
        wanted = install_command(f"--force-reinstall --no-deps {expected}")
        assert said == f"Install it again with: {wanted}"
    assert install_again("x==1").endswith("install --force-reinstall --no-deps x==1") or (
        "uv pip" in install_again("x==1")
    )

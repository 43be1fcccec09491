"""The machine and its packages, also where there are none."""

import sys

from nasrank.runs import environment as described
from nasrank.runs.environment import environment


def test_a_cache_that_cannot_be(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "file" / "cache"))
    assert environment()["cache"]["writable"] is False


def test_no_home_is_no_error(monkeypatch):
    for name in ("NASRANK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nowhere():
        raise RuntimeError("no home")

    monkeypatch.setattr("pathlib.Path.home", nowhere)
    assert environment()["cache"] == {"folder": None, "exists": False, "writable": False}


def test_packages_that_are_not_there(monkeypatch):
    monkeypatch.setattr(described, "DATA_PACKAGES", ("no-such-package",))
    assert environment()["data_packages"] == {"no-such-package": None}


def test_a_processor_the_system_does_not_name(monkeypatch, tmp_path):
    monkeypatch.setattr("platform.processor", str)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert described._processor(tmp_path / "none") == "riscv64"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: fast one\n")
    assert described._processor(tmp_path / "cpuinfo") == "A: fast one"


def test_an_environment_for_planning_has_no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = environment()
    assert (found["devices"], found["torch_threads"], found["instructions"]) == (
        ["cpu"],
        None,
        None,
    )

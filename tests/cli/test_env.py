import json
import platform

import typer
from typer.testing import CliRunner

import nasrank
from nasrank.cli import env as command
from nasrank.cli.env import environment

app = typer.Typer()
app.command("env", epilog=command.EPILOG)(command.env)


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_json(monkeypatch, tmp_path):
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    result = run("--format", "json")
    found = json.loads(result.stdout)["answer"]
    assert result.stderr == ""
    assert list(found) == [
        "nasrank",
        "python",
        "platform",
        "processor",
        "cores",
        "usable_cores",
        "torch_threads",
        "instructions",
        "devices",
        "executable",
        "cache",
        "packages",
        "data_packages",
    ]
    assert found["nasrank"] == nasrank.__version__
    assert found["python"] == platform.python_version()
    assert found["processor"]
    assert 1 <= found["usable_cores"] <= found["cores"]
    assert found["devices"][0] == "cpu"
    assert found["cache"] == {
        "folder": str(tmp_path / "cache"),
        "exists": False,
        "writable": True,
    }
    assert not (tmp_path / "cache").exists()
    assert all(found["packages"][name] for name in ("torch", "numpy", "pyarrow"))
    assert all(found["data_packages"].values())


def test_table_and_csv_tell_the_same():
    table = run().stdout
    rows = [line.partition(",") for line in run("--format", "csv").stdout.splitlines()[1:]]
    assert ("nasrank", ",", nasrank.__version__) in rows
    for name, _, _ in rows:
        assert name.replace("_", " ") in table


def test_help_names_every_key():
    described = command.env.__doc__
    assert all(key in described for key in environment())


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
    monkeypatch.setattr(command, "DATA_PACKAGES", ("no-such-package",))
    assert environment()["data_packages"] == {"no-such-package": None}


def test_a_processor_the_system_does_not_name(monkeypatch, tmp_path):
    monkeypatch.setattr("platform.processor", str)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert command._processor(tmp_path / "none") == "riscv64"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: fast one\n")
    assert command._processor(tmp_path / "cpuinfo") == "A: fast one"

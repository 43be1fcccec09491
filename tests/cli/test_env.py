import json
import platform

import typer
from typer.testing import CliRunner

import nasrank
from nasrank.cli import env as command
from nasrank.runs.environment import environment

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

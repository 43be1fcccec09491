"""What each command must not import. Seconds are not tested here; ``nasrank bench`` has them."""

import subprocess
import sys

import pytest

NUMBERS = {"torch", "scipy", "pandas"}
DRAWING = {"matplotlib"}
TRAINING = {"torch._dynamo", "torch_geometric", "sklearn"}
COMPARE = ["compare", "--losses", "mse,listmle", "--n-train", "20", "--seeds", "2", "--quiet"]

RUN = """
import sys
from nasrank.cli import run
sys.argv = ["nasrank", *sys.argv[1:]]
code = run()
print()
print(*sys.modules)
sys.exit(code)
"""


def modules_of(*arguments):
    """All modules that are loaded when a command ends well."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {*done.stdout.splitlines()[-1].split()}


@pytest.fixture(autouse=True)
def _cached(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {*NUMBERS, *DRAWING, "numpy", "pydantic", "pyarrow", "nasrank.losses"}),
        # Typer reads the options of what is around a group with pydantic.
        (["ot", "--help"], {*NUMBERS, *DRAWING, "numpy", "pyarrow", "nasrank.losses"}),
        (["data", "list"], {*NUMBERS, *DRAWING, "pyarrow", "jinja2"}),
        (["data", "path"], {*NUMBERS, *DRAWING, "pyarrow", "jinja2"}),
        (["data", "info", "nb201/cifar10"], {"torch", "pandas", *DRAWING}),
        (["compare", "--dry-run"], {*NUMBERS, *DRAWING}),
    ],
)
def test_asking_imports_little(arguments, unwanted, load):
    if arguments[-1] == "nb201/cifar10":
        # What is computed once, with torch, is then in the cache.
        load(arguments[-1])
    assert not unwanted & modules_of(*arguments)


def test_names_of_commands_complete_without_their_options(monkeypatch):
    monkeypatch.setenv("_NASRANK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "nasrank co")
    monkeypatch.setenv("COMP_CWORD", "1")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nasrank"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "compare" in done.stdout
    assert "pydantic" not in done.stderr


@pytest.mark.parametrize("command", ["budget", "recommend"])
def test_answers_from_tables_need_no_torch(command, stored_folder, tmp_path):
    found = modules_of(command, "--results", stored_folder, "--out", tmp_path / "out")
    assert not {"torch", "scipy.stats", *DRAWING} & found


def test_a_comparison_trains_without_the_compiler_and_is_repeated_without_torch(tmp_path):
    out = tmp_path / "out"
    # Pictures are drawn the first time alone.
    assert not TRAINING & modules_of(*COMPARE, "--device", "cpu", "--out", out)
    again = modules_of(*COMPARE, "--device", "cpu", "--out", out)
    assert not {"torch", "scipy.stats", *DRAWING} & again
    report = modules_of("report", out, "--out", tmp_path / "page.html")
    assert not {*NUMBERS, *DRAWING} & report
    baseline = tmp_path / "baseline.parquet"
    for update in (["--update"], []):
        found = modules_of(
            "check", out, "--against", baseline, *update, "--out", tmp_path / "check"
        )
        assert not {"torch", "scipy.stats", *DRAWING} & found

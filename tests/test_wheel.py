"""The built wheel carries everything the command needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )  # fmt: skip
    (path,) = folder.glob("nasrank-*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "nasrank/py.typed" in names
    assert {name.split("/")[0] for name in names} == {
        "nasrank",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
    in_tree = {str(p.relative_to(ROOT)) for p in (ROOT / "nasrank").rglob("*.py")}
    assert in_tree <= set(names)
    shipped = {path.name for path in (ROOT / "nasrank/benchmarks/shipped").iterdir()}
    assert {f"nasrank/benchmarks/shipped/{name}" for name in shipped} <= set(names)
    assert "LICENSE-scan-bench" in shipped


@pytest.mark.slow
def test_the_command_runs_from_the_wheel(wheel, tmp_path):
    home = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(home)
    done = subprocess.run(
        [
            sys.executable, "-m", "nasrank", "compare", "--losses", "hr", "--n-train", "10",
            "--seeds", "1", "--quiet", "--out", str(tmp_path / "out"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(home), "NASRANK_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nb201/cifar10, gnn, 1 seed\n" in done.stdout


@pytest.mark.slow
def test_the_reference_results_come_with_the_wheel(wheel, tmp_path):
    home = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(home)
    inside = zipfile.ZipFile(wheel)
    carried = [info for info in inside.infolist() if info.filename.startswith("nasrank/reference")]
    assert sum(info.file_size for info in carried) < 1_500_000
    for command in ("budget", "recommend"):
        done = subprocess.run(
            [sys.executable, "-m", "nasrank", command, "--format", "json", "--quiet"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert str(home / "nasrank" / "reference") in done.stdout

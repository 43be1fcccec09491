"""What the README says can be typed, can be typed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from nasrank.tables import write_parquet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    part.strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    for part in line.split("&&")
    if part.strip().startswith("nasrank ")
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
LINKS = [link for link in re.findall(r"\]\(([^)#]+)\)", PROSE) if "://" not in link]


def test_there_is_something_to_check():
    assert len(COMMANDS) >= 2
    assert len(PYTHON) >= 3


CSV = re.findall(r"```csv\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder with the README's own table, grown to a size one can train on, and its data."""
    folder = tmp_path_factory.mktemp("readme")
    header, *rows = CSV[0].strip().splitlines()
    more = [f"c{k},input;{';'.join(['conv3x3'] * k)};output,"
            f"{';'.join(f'{n}-{n + 1}' for n in range(k + 1))},{90 - k / 10}"
            for k in range(3, 103)]  # fmt: skip
    (folder / "archs.csv").write_text("\n".join([header, *rows, *more]) + "\n")
    new = ["c,input;pool;conv3x3;output,0-1;1-2;2-3,", "d,input;pool;pool;output,0-1;1-2;2-3,"]
    with (folder / "archs.csv").open("a") as file:
        file.write("\n".join(new) + "\n")
    (folder / "new-labels.csv").write_text("id,label\nc,91.2\n")
    vectors = {"x": [0.0, 0.1, 1.0, 1.1] * 8, "y": [1.0, 1.1, 0.0, 0.1] * 8}
    content = pa.table({**vectors, "kind": ["a", "a", "b", "b"] * 8})
    write_parquet(content, folder / "features.parquet")
    (folder / "candidates.csv").write_text("\n".join([header, *new]) + "\n")
    return folder, {**os.environ, "NASRANK_DATA": str(folder / "data")}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_can_be_typed(command, imported, tmp_path):
    folder, environment = imported
    if "test_acc" in command:
        pytest.skip("needs labels that do not come with pip")
    arguments = shlex.split(command)[1:]
    if arguments[0] in {"compare", "search", "hard"} or arguments[1] in {"train", "simulate"}:
        arguments += ["--dry-run", "--out", str(tmp_path)]
    if arguments[:2] == ["ot", "speed"]:
        arguments += ["--samples", "8,16", "--dimensions", "4,8", "--classes", "2,3"]
        arguments += ["--repeats", "1", "--out", str(tmp_path)]
    if arguments[0] == "rank":
        # A choice of one loss, and a predictor that trains at once.
        quick = [] if "--loss" in arguments else ["--losses", "mse"]
        arguments += [*quick, "--predictor", "mlp", "--ensemble", "1", "--out", str(tmp_path)]
    if arguments[0] == "check":
        # Results that are there already, and a baseline that the line before has made of them.
        places = {"nasrank-out/ci": str(ROOT / "results"), "baseline.parquet": "b.parquet"}
        arguments = [places.get(argument, argument) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "nasrank", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.splitlines()[0])
def test_python_blocks_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own text


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_every_loss_predictor_and_space_is_named():
    from nasrank.benchmarks import SPACES
    from nasrank.losses import LOSSES
    from nasrank.predictors import PREDICTORS

    for name in (*LOSSES, *PREDICTORS, *SPACES):
        assert f"`{name}`" in README, name

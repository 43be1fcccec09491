"""The committed results belong to their commands: typed again on a copy, each gives its tables.

Nothing is computed (``--only-cached``): finished runs are taken from the committed tables, and
summaries, claims and headlines are made of them again.
"""

import math
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nasrank.cli import command as command_module
from nasrank.cli.app import app
from nasrank.errors import DataError, UsageError
from nasrank.studies import config_of
from nasrank.tables import read_parquet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
NOT_MADE_AGAIN = {
    # Computed at once and not run by run: there is nothing to summarise again.
    "bench", "budget", "recommend", "check", "rank",
}  # fmt: skip


def commands():
    """Every command line in a README under results/ that writes a folder there."""
    for page in sorted(RESULTS.rglob("README.md")):
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("nasrank ") and "--out results" in line:
                yield shlex.split(line)[1:]


def name_of(words):
    return " ".join(words[:2]) if words[0] in {"pr", "ot", "supcon"} else words[0]


def resumable(words):
    return name_of(words) not in NOT_MADE_AGAIN and config_of(name_of(words)).keeps_runs


def by_pip(words):
    """Whether the images that a command reads come with pip."""
    return not {"mnist", "fashion-mnist", "emoji", "emoji-topics"} & set(words)


COMMANDS = [words for words in commands() if resumable(words) and by_pip(words)]


# Controls are computed anew, on features that another processor rounds otherwise.
OF_CONTROLS = {"value", "least", "most", "control_value"}


def same(before, after):
    """Whether two rows are equal, but for the last digits of sums in another order."""
    # What a run predicts at the top is in no final table, and so is its stability.
    if before.get("metric") == "top_stability":
        return after["mean"] is None
    rounded = OF_CONTROLS if "control" in before else ()
    return all(
        math.isclose(value, after[name], rel_tol=1e-9, abs_tol=0.01 if name in rounded else 1e-12)
        if isinstance(value, float) and isinstance(after[name], float)
        else value == after[name]
        for name, value in before.items()
        if name != "top_stability" or after[name] is not None
    )


def test_rows_are_told_apart():
    row = {"metric": "kendall_tau", "mean": 0.5, "rank": None}
    assert same(row, {**row, "mean": 0.5 + 1e-16})
    assert not same(row, {**row, "mean": 0.51})
    assert not same(row, {**row, "rank": 1})


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[words.index("--out") + 1])
def test_a_command_gives_its_committed_tables(words, tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setattr(command_module, "_draw", lambda *_: "")
    place = words.index("--out") + 1
    committed = ROOT / words[place]
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in committed.glob("*.parquet"):
        shutil.copy(path, copy)
    again = [
        *words[:place],
        str(copy),
        *words[place + 1 :],
        "--only-cached",
        "--any-code",
        "--quiet",
    ]
    done = CliRunner().invoke(app, [*again, "--format", "json"])
    if isinstance(done.exception, UsageError | DataError) and "import" in str(done.exception):
        pytest.skip(f"needs data that does not come with pip: {done.exception}")
    assert done.exit_code == 0, done.exception
    for path in sorted(committed.glob("*.parquet")):
        before, after = read_parquet(path), read_parquet(copy / path.name)
        assert after.schema.names == before.schema.names, path.name
        rows = list(zip(before.to_pylist(), after.to_pylist(), strict=True))
        assert not [pair for pair in rows if not same(*pair)], path.name


def test_there_are_commands_of_every_resumable_study():
    assert {"compare", "search", "pr train", "ot train", "hard", "supcon train"} <= {
        name_of(words) for words in COMMANDS
    }

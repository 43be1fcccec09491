"""``nasrank rank``, typed as a user would type it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import DataError, NasrankError
from nasrank.tables import read_parquet

OPERATIONS = ("conv3x3", "pool", "identity")
QUICK = ("--predictor", "mlp", "--loss", "listmle", "--ensemble", "2")


def nasrank(*arguments):
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


def chains(count, first=0):
    """Different chains of layers, and what they are worth."""
    for number in range(first, first + count):
        digits = np.base_repr(number + 3**4, 3)[1:]
        layers = [OPERATIONS[int(digit)] for digit in digits]
        worth = 90 + 1.5 * layers.count("conv3x3") - layers.count("pool") + number % 7 / 10
        yield f"net{number}", ";".join(layers), f"{worth:.2f}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    rows = [
        f"{name},{layers},{label if place % 2 else ''}"
        for place, (name, layers, label) in enumerate(chains(80))
    ]
    (tmp_path / "archs.csv").write_text("\n".join(["id,layers,label", *rows]) + "\n")
    assert nasrank("data", "import", "my-space", "archs.csv", "--unit", "%").exit_code == 0
    return tmp_path


def test_the_page(elsewhere):
    done = nasrank("rank", "--space", "my-space", "--top", "5", *QUICK)
    assert done.exit_code == 0
    assert "my-space/own: 5 of 40 candidates, by mlp(ensemble=2) with listmle" in done.stdout
    assert "Best evaluated so far" in done.stdout
    assert done.stderr.strip() == "tables: nasrank-out/rank"
    assert (elsewhere / "nasrank-out" / "rank" / "ranking.parquet").exists()
    # The task can be named too, and quiet is quiet.
    again = nasrank("rank", "--space", "my-space/own", "--top", "5", "--quiet", *QUICK)
    assert again.stdout == done.stdout
    assert again.stderr == ""


def test_a_wrong_pool_is_refused_before_anything_is_trained(elsewhere, monkeypatch):
    monkeypatch.setattr("nasrank.questions.rank.study.learn", None)
    (elsewhere / "wrong.csv").write_text("id,layers\na,conv;nonsense\n")
    (elsewhere / "empty.csv").touch()
    for name in ("none.csv", ".", "empty.csv", "wrong.csv"):
        done = nasrank("rank", "--space", "my-space", "--pool", name, *QUICK)
        assert isinstance(done.exception, DataError)
        assert str(done.exception).startswith(name)


def test_choosing_prints_the_table_behind_it(elsewhere):
    done = nasrank(
        "rank", "--space", "my-space", "--predictor", "mlp", "--losses", "mse,hr,listmle",
        "--ensemble", "1", "--diverse", "--top", "4",
    )  # fmt: skip
    assert "Choosing a loss: 40 labels, 3 x 5 folds" in done.stdout
    assert "< chosen" in done.stdout
    assert "by score" in done.stdout
    table = read_parquet(elsewhere / "nasrank-out" / "rank" / "choice.parquet")
    assert table.num_rows == 3
    assert b"unit" in table.schema.field("kendall_tau").metadata


def test_json_and_csv_hold_the_same_rows():
    given = ("rank", "--space", "my-space", "--top", "5", *QUICK, "--format")
    document = json.loads(nasrank(*given, "json").stdout)
    assert document["answer"]["evaluated"] == 40
    assert document["answer"]["candidates"] == 40
    assert set(document["answer"]["calibration"]) >= {"method", "kendall_tau", "coverage"}
    rows = list(csv.DictReader(io.StringIO(nasrank(*given, "csv").stdout)))
    assert [row["id"] for row in rows] == [row["id"] for row in document["tables"]["ranking"]]
    assert set(rows[0]) == set(document["tables"]["ranking"][0])


def test_an_update_says_what_changed(elsewhere):
    known = {name: label for name, _, label in chains(80)}
    first = nasrank("rank", "--space", "my-space", "--top", "4", *QUICK, "--format", "json")
    chosen = [row["id"] for row in json.loads(first.stdout)["tables"]["ranking"]]
    lines = [f"{name},{known[name]}" for name in chosen]
    (elsewhere / "new.csv").write_text("\n".join(["id,label", *lines]) + "\n")
    done = nasrank("rank", "--space", "my-space", "--update", "new.csv", *QUICK)
    assert "New labels: 4." in done.stdout
    assert "Order of 36 candidates before and now" in " ".join(done.stdout.split())


def test_options_from_a_file(elsewhere):
    (elsewhere / "own.toml").write_text(
        'space = "my-space"\npredictor = "mlp"\nloss = "hr"\nensemble = 1\ntop = 3\nout = "o"\n'
    )
    done = nasrank("rank", "--config", "own.toml", "--top", "2", "--format", "json")
    document = json.loads(done.stdout)
    assert (document["answer"]["loss"], len(document["tables"]["ranking"])) == ("hr", 2)
    assert (elsewhere / "o" / "run.json").exists()


def test_labels_held_back_are_told():
    done = nasrank("rank", "--space", "my-space", "--n-train", "20", "--top", "5", *QUICK)
    assert "Against the labels held back" in done.stdout
    assert " true " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "--space is missing"),
        (["--space", "nowhere"], 2, "unknown space"),
        (["--space", "nb101"], 4, "not imported yet"),
        (["--space", "my-space/other"], 2, "unknown dataset"),
        (["--space", "my-space", "--top", "0"], 2, "--top"),
        (["--space", "my-space", "--confidence", "1"], 2, "--confidence"),
        (["--space", "my-space", "--ensemble", "0"], 2, "--ensemble"),
        (["--space", "my-space", "--loss", "mess"], 2, "unknown loss"),
        (["--space", "my-space", "--losses", "mse,mess"], 2, "unknown loss"),
        (["--space", "my-space", "--predictor", "x"], 2, "unknown predictor"),
        (["--space", "my-space", "--device", "tpu"], 2, "unknown device"),
        (["--space", "my-space", "--pool", "none.csv"], 4, "not a file"),
        (["--space", "my-space", "--update", "none.csv"], 4, "not a file"),
        (["--space", "my-space", "--n-train", "3"], 4, "3 different evaluated architectures"),
        (["--space", "nb201/cifar10"], 4, "every architecture is evaluated"),
    ],
)
def test_what_is_refused_or_missing(arguments, code, text, warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    quick = () if {"--loss", "--losses", "--predictor", "--ensemble"} & {*arguments} else QUICK
    with pytest.raises(NasrankError, match=text) as caught:
        CliRunner().invoke(app, ["rank", *arguments, *quick], catch_exceptions=False)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_killed_pool_goes_on(elsewhere):
    count = 60_000
    rows = [f"p{name[3:]},{layers}" for name, layers, _ in chains(count, first=1000)]
    (elsewhere / "pool.csv").write_text("\n".join(["id,layers", *rows]) + "\n")
    command = [
        *(sys.executable, "-m", "nasrank", "rank", "--space", "my-space", "--pool", "pool.csv"),
        *(*QUICK, "--top", "5", "--format", "csv", "--device", "cpu"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def whole(out):
        done = subprocess.run(
            [*command, "--out", out], capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout

    with subprocess.Popen(
        [*command, "--out", "killed"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
    ) as process:  # fmt: skip
        scores = elsewhere / "killed" / "scores"
        while process.poll() is None and not list(scores.glob("*/part-000001.parquet")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    (first,) = scores.glob("*/part-000000.parquet")
    written = first.stat().st_mtime_ns
    resumed = subprocess.run(
        [*command, "--out", "killed", "--all-scores"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    assert first.stat().st_mtime_ns == written
    assert not list(scores.glob("*/*.part"))
    assert resumed.stdout == whole("fresh")


@pytest.mark.long
def test_a_pool_of_a_million_rows_stays_within_memory(elsewhere):
    # Of a chain the layers differ, so few texts: numbers of one's own make each row another.
    table = elsewhere / "trials.csv"
    rows = [f"t{row},{row % 97},{row % 89},{(row % 97) - 0.3 * (row % 89)}" for row in range(300)]
    table.write_text("\n".join(["id,depth,width,label", *rows]) + "\n")
    with (elsewhere / "pool.csv").open("w") as file:
        file.write("id,depth,width\n")
        file.writelines(f"p{row},{row % 1000},{row // 1000}\n" for row in range(10**6))
    program = (
        "import resource, sys; from nasrank.cli import run\n"
        "sys.argv = ['nasrank', *sys.argv[1:]]\n"
        "try: code = run()\n"
        "except SystemExit as leaving: code = leaving.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(code)"
    )
    for words in (
        ("data", "import", "trials", "trials.csv"),
        (
            *("rank", "--space", "trials", "--pool", "pool.csv", "--predictor", "ridge"),
            *("--top", "5", "--quiet", "--format", "csv", "--out", "million"),
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert int(done.stderr.split()[-1]) < 2_000_000

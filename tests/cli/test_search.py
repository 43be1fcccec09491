"""``nasrank search``, typed as a user would type it."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import NasrankError

QUICK = ("--seeds", "2", "--initial", "5", "--budget", "12", "--per-round", "4")


def nasrank(*arguments):
    done = CliRunner().invoke(app, ["search", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(elsewhere):
    """A space of one's own: chains of convolutions and pools, worth their convolutions."""
    lines = ["id,operations,edges,label"]
    for number in range(2, 64):
        bits = f"{number:b}"[1:]
        operations = ";".join({"1": "conv", "0": "pool"}[bit] for bit in bits)
        edges = ";".join(f"{n}-{n + 1}" for n in range(len(bits) + 1))
        worth = 80 + bits.count("1") - 0.3 * len(bits) + number / 1000
        lines.append(f"{bits},input;{operations};output,{edges},{worth}")
    (elsewhere / "archs.csv").write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(app, ["data", "import", "chains", "archs.csv", "--quiet"])
    assert done.exit_code == 0, done.output
    return "chains/own"


def test_a_table_for_people(own, elsewhere):
    done = nasrank("--tasks", own, *QUICK)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "chains/own, 2 searches of 12 evaluations, 5 to start, 4 a round"
    methods = [line.split()[0] for line in lines[4:9]]
    assert methods == ["gp", "random", "evolution", "local", "oracle"]
    assert "* headline" in done.stdout
    folder = elsewhere / "nasrank-out" / "search"
    assert "tables: nasrank-out/search" in done.stderr
    assert (folder / "search.parquet").exists()
    assert (folder / "chains-own-search.svg").exists()
    assert nasrank("--tasks", own, *QUICK).stdout == done.stdout


def test_json_and_csv_hold_the_same_rows(own):
    document = json.loads(nasrank("--tasks", own, *QUICK, "--format", "json", "--quiet").stdout)
    assert set(document["tables"]) == {"search_methods", "search_summary", "search"}
    rows = document["tables"]["search_methods"]
    table = nasrank("--tasks", own, *QUICK, "--format", "csv", "--quiet").stdout
    listed = list(csv.DictReader(io.StringIO(table)))
    assert [row["method"] for row in listed] == [row["method"] for row in rows]
    assert rows[-1]["evaluations_to_optimum"] == 1


def test_a_dry_run_writes_nothing(own, elsewhere):
    done = nasrank("--tasks", own, *QUICK, "--dry-run", "--format", "json")
    row = json.loads(done.stdout)["answer"]
    assert (row["runs"], row["to_do"]) == (10, 10)
    assert not (elsewhere / "nasrank-out").exists()


def test_options_from_a_file(own, elsewhere):
    (elsewhere / "own.toml").write_text(
        f'tasks = ["{own}"]\nseeds = 2\ninitial = 5\nbudget = 9\nout = "there"\n'
    )
    done = nasrank("--config", "own.toml", "--quiet", "--format", "json", "--budget", "8")
    rows = json.loads(done.stdout)["tables"]["search_methods"]
    assert {row["budget"] for row in rows} == {8}
    assert (elsewhere / "there" / "search_summary.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--tasks", "nb202/x"], 2, "unknown space"),
        (["--acquisitions", "eo"], 2, "unknown acquisition"),
        (["--acquisitions", "ucb(kappa=0)"], 2, "above 0"),
        (["--predictors", "gnn"], 2, "ensemble=4"),
        (["--losses", "mess"], 2, "unknown loss"),
        (["--budget", "10"], 2, "--budget 10"),
        (["--budget", "0"], 2, "--budget 0"),
        (["--initial", "1"], 2, "--initial 1"),
        (["--per-round", "0"], 2, "--per-round 0"),
        (["--seeds", "0"], 2, "--seeds 0"),
        (["--candidates", "none"], 2, "candidates"),
        (["--subset", "big"], 2, "unknown subset"),
        (["--device", "tpu"], 2, "unknown device"),
        (["--only-cached", "--force"], 2, "leave one out"),
        (["--only-cached"], 5, "none of the 100"),
        (["--tasks", "nb201/cifar10:test_acc"], 4, "import"),
        (["--config", "nowhere.toml"], 4, "nowhere.toml"),
    ],
)
def test_what_is_refused_or_missing(arguments, code, text):
    with pytest.raises(NasrankError) as caught:
        CliRunner().invoke(app, ["search", *arguments], catch_exceptions=False)
    assert caught.value.exit_code == code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)

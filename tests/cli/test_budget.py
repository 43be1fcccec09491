"""``nasrank budget`` and ``nasrank recommend``, typed as a user would type them."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import NasrankError
from nasrank.questions.budget.stored import reference_folders


def nasrank(*arguments):
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_default_answer(elsewhere):
    done = nasrank("budget")
    assert done.exit_code == 0
    assert "To find one of the top 0.1 % with 80 % confidence" in done.stdout
    assert "If your space is unlike these" in done.stdout
    assert "random search" in done.stdout
    checklist = [line for line in done.stdout.splitlines() if line.startswith("[ ] ")]
    assert [line.split()[3] for line in checklist] == [
        "sample", "train", "evaluate", "stop", "value",
    ]  # fmt: skip
    assert done.stderr.strip() == "tables: nasrank-out/budget"
    assert (elsewhere / "nasrank-out" / "budget" / "plan.parquet").exists()


@pytest.mark.parametrize(("command", "width"), [("budget", 100), ("recommend", 80)])
def test_a_page_fits_a_terminal(command, width):
    page = CliRunner().invoke(app, [command], env={"FORCE_COLOR": "1", "COLUMNS": str(width)})
    assert page.exit_code == 0
    assert max(map(len, page.stdout.splitlines())) <= width


def test_ones_own_space_with_costs():
    done = nasrank(
        "budget", "--regret", "0.2", "--space-size", "100000", "--hours-per-eval", "4",
        "--cost-per-hour", "2.5", "--overhead", "5000", "--k", "20",
    )  # fmt: skip
    assert done.exit_code == 0
    assert "return on" in done.stdout
    assert "draws from 100,000 architectures" in " ".join(done.stdout.split())
    assert "found by n + k" in done.stdout
    assert "--keep-predictions" in done.stdout
    said = nasrank("budget", "--regret", "0.2", "--format", "csv").stderr
    assert said.startswith("note: ")
    assert "--keep-predictions" in said


def test_a_limit_nothing_keeps_is_an_answer():
    done = nasrank("budget", "--k", "0", "--losses", "mse", "--n-train", "39")
    assert done.exit_code == 0
    assert "so there is no plan" in done.stdout


def test_json_and_csv_hold_the_same_rows():
    document = json.loads(nasrank("budget", "--format", "json").stdout)
    assert document["tables"]["stages"][0]["stage"] == "sample"
    assert document["answer"]["target"] == {"kind": "top", "value": 0.001}
    rows = list(csv.DictReader(io.StringIO(nasrank("budget", "--format", "csv").stdout)))
    # 12 losses: 4 sizes on 3 tasks of one space, 3 sizes on 2 and on 3 tasks of two others.
    assert len(rows) == len(document["tables"]["plan"]) == 12 * (4 * 3 + 3 * 2 + 3 * 3)
    assert [int(row["evaluations"]) for row in rows] == [
        row["evaluations"] for row in document["tables"]["plan"]
    ]


def test_options_from_a_file_and_the_command_line_beats_it(tmp_path):
    (tmp_path / "own.toml").write_text('top = 0.01\nlosses = ["mse"]\nn-train = [78]\n')
    settings = ["budget", "--config", "own.toml", "--format", "json"]
    document = json.loads(nasrank(*settings, "--top", "0.05").stdout)
    assert document["answer"]["target"]["value"] == 0.05
    assert {row["loss"] for row in document["tables"]["plan"]} == {"mse"}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["budget", "--top", "0.0001", "--space-size", "500"], 2, "less than one"),
        (["budget", "--top", "2"], 2, "--top 2"),
        (["budget", "--top", "nan"], 2, "--top"),
        (["budget", "--regret", "-1"], 2, "--regret -1"),
        (["budget", "--better-than", "99"], 2, "nothing is better"),
        (["budget", "--top", "0.1", "--better-than", "9"], 2, "not several"),
        (["budget", "--confidence", "0"], 2, "--confidence"),
        (["budget", "--confidence", "1"], 2, "--confidence"),
        (["budget", "--confidence", "0.99"], 5, "needs 99 seeds"),
        (["budget", "--cost-per-eval", "-1"], 2, "--cost-per-eval"),
        (["budget", "--cost-per-hour", "-1"], 2, "--cost-per-hour"),
        (["budget", "--overhead", "-1"], 2, "--overhead"),
        (["budget", "--hours-per-eval", "0"], 2, "--hours-per-eval"),
        (["budget", "--space-size", "0"], 2, "--space-size"),
        (["budget", "--k", "-1"], 2, "--k"),
        (["budget", "--n-train", "a"], 2, "--n-train"),
        (["budget", "--losses", "mess"], 2, "unknown loss"),
        (["budget", "--losses", "hr(margin=0.7)"], 5, "not in the tables"),
        (["budget", "--results", "nowhere"], 4, "nowhere"),
        (["recommend", "--goal", "best"], 2, "unknown goal"),
        (["recommend", "--replicate-tau", "1.5"], 2, "--replicate-tau"),
        (["recommend", "--n-train", "0"], 2, "--n-train"),
        (["recommend", "--losses", "mse"], 5, "needs two"),
        (["recommend", "--results", "nowhere"], 4, "nowhere"),
    ],
)
def test_what_is_invalid_or_cannot_be_answered(arguments, code, text):
    with pytest.raises(NasrankError, match=text) as caught:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


def test_a_damaged_folder(tmp_path):
    for name in ("runs", "discovery", "budget"):
        content = (reference_folders()[0] / f"{name}.parquet").read_bytes()
        (tmp_path / f"{name}.parquet").write_bytes(content[: len(content) // 2])
    for command in ("budget", "recommend"):
        with pytest.raises(NasrankError, match="damaged") as caught:
            CliRunner().invoke(app, [command, "--results", "."], catch_exceptions=False)
        assert caught.value.exit_code == 4


def test_a_recommendation_tests_itself():
    done = nasrank("recommend", "--n-train", "100")
    assert done.exit_code == 0
    for words in ("Goal top", "The advice tested", "always listmle", "any loss, drawn blindly"):
        assert words in done.stdout
    document = json.loads(nasrank("recommend", "--goal", "order", "--format", "json").stdout)
    assert document["tables"]["rules"][0]["rule"] == "listmle"
    rows = list(csv.DictReader(io.StringIO(nasrank("recommend", "--format", "csv").stdout)))
    assert {row["goal"] for row in rows} == {"top"}


def test_the_value_is_not_measured_and_it_says_so():
    done = nasrank("recommend", "--goal", "value", "--quiet")
    said = " ".join(done.stdout.split())
    assert "no table measures the error of predicted values" in said

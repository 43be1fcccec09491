"""A study of one's own: everything about its command follows from its declaration."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nasrank.cli.command import command_of, epilog_of, help_of
from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.study.conduct import conduct, estimate
from nasrank.study.finished import FinishedRuns
from nasrank.study.options import checked
from nasrank.study.study import Answer, Study
from nasrank.tables import Table, share


@pytest.fixture
def nasrank(toy, tmp_path, monkeypatch):
    """Run its command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(rich_markup_mode="markdown")
    made = command_of(toy.ToyConfig, toy.TOY)
    app.command("toy", help=help_of(toy.ToyConfig), epilog=epilog_of(toy.ToyConfig))(made)

    def run(*words):
        return CliRunner().invoke(app, words, env={"COLUMNS": "100", "NO_COLOR": "1"})

    return run


def test_a_study_is_less_than_sixty_lines(toy):
    lines = [line for line in Path(toy.__file__).read_text().splitlines() if line.strip()]
    assert len(lines) < 60


def test_help_says_all_that_is_declared(nasrank):
    said = " ".join(re.sub("[│╭╰─╮╯]", " ", nasrank("--help").stdout).split())
    assert "Throw dice, and ask whether their mean is above a number." in said
    for part in (
        "--sides INTEGER,... Sides of the dice. [default: 6]",
        "Throws of each die. [default: 10]",
        "What the mean should be above. [default: 3]",
        "--seeds", "--seed", "--config", "--only-cached", "--force", "--dry-run", "--out",
        "nasrank-out/toy", "--format", "--quiet", "nasrank toy --sides 6,20",
    ):  # fmt: skip
        assert part in said, part


def test_what_is_finished_is_not_done_again(toy, tmp_path):
    first = conduct(toy.ToyConfig(seeds=2), tmp_path, study=toy.TOY)
    assert (first.computed, len(first.rows), first.left_out) == (2, 2, ())
    again = conduct(toy.ToyConfig(seeds=3, sides=[6, 20]), tmp_path, study=toy.TOY)
    assert again.computed == 4
    assert again.rows[:2] == first.rows
    forced = conduct(toy.ToyConfig(seeds=3), tmp_path, study=toy.TOY, force=True)
    assert forced.computed == 3
    assert forced.rows == again.rows[:3]


def test_only_cached_names_what_is_left_out(toy, tmp_path):
    with pytest.raises(NothingToCompare, match="none of the 3 runs"):
        conduct(toy.ToyConfig(), tmp_path, study=toy.TOY, only_cached=True)
    conduct(toy.ToyConfig(seeds=2), tmp_path, study=toy.TOY)
    found = conduct(toy.ToyConfig(seeds=5), tmp_path, study=toy.TOY, only_cached=True)
    assert len(found.rows) == 2
    assert found.left_out == (f"3 of 5 runs are missing from {tmp_path / 'runs.d'}",)
    about = json.loads((tmp_path / "run.json").read_text())
    assert (about["left_out"], about["notes"]) == (list(found.left_out), [])
    with pytest.raises(UsageError, match="leave one out"):
        conduct(toy.ToyConfig(), tmp_path, study=toy.TOY, only_cached=True, force=True)


@pytest.mark.parametrize("runs", [True, False])
def test_a_full_disk_leaves_no_record_beside_tables_of_another_command(
    toy, tmp_path, monkeypatch, runs
):
    answered = conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    # As a study that computes its answer at once, such as `rank`.
    answer = Answer({toy.TOY.main: answered.tables[toy.TOY.main.name]})
    study = toy.TOY if runs else Study(toy.ToyConfig, toy.TOY.main, lambda _job: answer)
    conduct(toy.ToyConfig(), tmp_path, study=study)

    def full(*_):
        raise DataError("the disk is full")

    monkeypatch.setattr(Table, "write", full)
    with pytest.raises(DataError, match="the disk is full"):
        conduct(toy.ToyConfig(above=5.0), tmp_path, study=study, only_cached=runs)
    assert (tmp_path / f"{toy.TOY.main.name}.parquet").exists()
    assert not (tmp_path / "run.json").exists()
    monkeypatch.undo()
    conduct(toy.ToyConfig(above=5.0), tmp_path, study=study)
    assert json.loads((tmp_path / "run.json").read_text())["config"]["above"] == 5.0


def test_finished_runs_are_found_in_the_final_tables(toy, tmp_path):
    first = conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    for file in (tmp_path / "runs.d").iterdir():
        file.unlink()
    again = conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    assert (again.computed, again.rows) == (0, first.rows)


def test_an_estimate_counts_and_writes_nothing(toy, tmp_path):
    planned = estimate(toy.ToyConfig(sides=[6, 8]), tmp_path / "a", study=toy.TOY)
    assert planned.row() | {"folder": ""} == {
        "command": "toy", "runs": 6, "finished": 0, "to_do": 6, "estimated_seconds": None,
        "device": "cpu", "folder": "",
    }  # fmt: skip
    assert not (tmp_path / "a").exists()


def test_a_fleet_is_kept_whole(toy, tmp_path):
    def fail(_config, _plan):
        def throw(tosses, on_work):
            if tosses[0].sides == 20:
                raise KeyboardInterrupt
            return toy.throw(tosses, on_work)

        return throw

    from dataclasses import replace

    from nasrank.errors import Interrupted

    broken = replace(toy.TOY, runs=replace(toy.TOY.runs, worker=fail))
    with pytest.raises(
        Interrupted, match=r"stopped: 3 of 6 runs are saved .* the same command again to"
    ):
        conduct(toy.ToyConfig(sides=[6, 20]), tmp_path, study=broken)
    kept = FinishedRuns(tmp_path / "runs.d", table=toy.TOSSES, kind=toy.Toss)
    assert kept.load(toy.Toss(6, 10, 0)) is not None
    assert kept.load(toy.Toss(20, 10, 0)) is None


def test_a_plan_may_grow_with_its_results(toy, tmp_path):
    """Dice get larger until the mean of one is above the number."""
    from dataclasses import replace

    def more(config, plan, rows):
        if not rows or max(row["mean"] for row in rows.values()) > config.above:
            return []
        last = max(row["sides"] for row in rows.values())
        return [[toy.Toss(2 * last, config.throws, config.seed)]]

    growing = replace(toy.TOY, runs=replace(toy.TOY.runs, more=more, more_runs=lambda *_: 5))
    config = toy.ToyConfig(sides=[2], above=8, seeds=1)
    found = conduct(config, tmp_path, study=growing)
    sides = [row["sides"] for row in found.rows]
    assert sides == [2 ** (n + 1) for n in range(len(sides))]
    assert len(sides) > 2
    assert conduct(config, tmp_path, study=growing).computed == 0
    assert estimate(config, tmp_path, study=growing).runs == 6
    cached = conduct(config, tmp_path, study=growing, only_cached=True)
    assert cached.rows == found.rows


def test_the_command_prints_every_format(nasrank, tmp_path):
    done = nasrank("--sides", "6,20", "--seeds", "5")
    assert done.exit_code == 0
    assert re.search(r"^ +6 +\d\.\d{3} ± \d\.\d{3}$", done.stdout, re.MULTILINE)
    assert "The mean is above" in done.stdout
    document = json.loads(nasrank("--seeds", "5", "--format", "json").stdout)
    assert document.keys() == {
        "command", "version", "answer", "tables", "claims", "left_out", "notes",
    }  # fmt: skip
    assert len(document["tables"]["toy"]) == 5
    assert len(document["claims"]) == 1
    for output_format, start in (("csv", "run_id,"), ("markdown", "| run"), ("latex", "\\begin")):
        assert nasrank("--seeds", "5", "--format", output_format).stdout.startswith(start)
    planned = json.loads(nasrank("--dry-run", "--format", "json").stdout)
    assert planned["answer"]["to_do"] == 0


def test_a_file_gives_options_and_the_command_line_beats_it(nasrank, tmp_path):
    (tmp_path / "toy.toml").write_text('sides = [4]\nthrows = 2\nout = "there"\n')
    done = nasrank("--config", "toy.toml", "--throws", "3", "--quiet")
    assert done.exit_code == 0
    record = json.loads((tmp_path / "there" / "run.json").read_text())
    assert record["config"] == {"sides": [4], "throws": 3, "above": 3.0, "seeds": 3, "seed": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sides", "six"], "--sides 'six' should be whole numbers"),
        (["--throws", "0"], "--throws 0: input should be greater than or equal to 1"),
        (["--only-cached", "--force"], "leave one out"),
        (["--sides", "6\0"], "--sides '6\\x00' should be whole numbers"),
    ],
)
def test_a_wrong_value_is_one_line(nasrank, words, message):
    done = nasrank(*words)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_null_character_is_refused_wherever_it_stands(toy):
    for value in ("a\0", ["6", "\0"]):
        with pytest.raises(UsageError, match="--sides holds a null character"):
            checked(toy.ToyConfig, {"sides": value})


def test_only_what_is_still_to_do_is_checked_and_before_anything_is_written(toy, tmp_path):
    def refuse(_config, fleets):
        if fleets:
            raise UsageError(f"{sum(map(len, fleets))} runs do not fit")

    picky = replace(toy.TOY, runs=replace(toy.TOY.runs, check=refuse))
    for act in (conduct, estimate):
        with pytest.raises(UsageError, match="2 runs do not fit"):
            act(toy.ToyConfig(seeds=2), tmp_path / "new", study=picky)
    assert not (tmp_path / "new").exists()
    conduct(toy.ToyConfig(seeds=2), tmp_path, study=toy.TOY)
    assert conduct(toy.ToyConfig(seeds=2), tmp_path, study=picky).computed == 0
    with pytest.raises(UsageError, match="1 runs do not fit"):
        conduct(toy.ToyConfig(seeds=3), tmp_path, study=picky)


def test_a_list_of_nothing_is_refused(toy):
    with pytest.raises(UsageError, match=r"--sides is empty\. Give it one value or more"):
        checked(toy.ToyConfig, {"sides": []})


def test_a_damaged_run_is_computed_again_and_not_taken_from_the_tables(toy, tmp_path):
    first = conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    damaged = tmp_path / "runs.d" / f"{first.rows[0]['run_id']}.parquet"
    damaged.write_bytes(b"PAR1")
    again = conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    assert (again.computed, again.rows) == (1, first.rows)


def test_a_summary_of_an_earlier_command_does_not_stay_beside_new_runs(toy, tmp_path):
    def with_more(more):
        def answer(job):
            found = toy.TOY.answer(job)
            return replace(found, tables={**found.tables, **more})

        return replace(toy.TOY, answer=answer)

    summary = Table("sums", "All dice", (share("mean", "Mean of all"),))
    runs = replace(toy.TOSSES, name="other_tosses")
    toss = {"run_id": "0" * 16, "sides": 6, "mean": 3.0}
    more = {summary: [{"mean": 3.0}], runs: [toss]}
    conduct(toy.ToyConfig(), tmp_path, study=with_more(more))
    summary.write([{"mean": 3.0}], tmp_path / "kept.parquet", {"command": "toy"})
    summary.write([{"mean": 3.0}], tmp_path / "strange.parquet", {"command": "another"})
    assert (tmp_path / "sums.parquet").exists()
    conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    left = {path.name for path in tmp_path.glob("*.parquet")}
    assert left == {
        "toy.parquet", "claims.parquet", "controls.parquet", "other_tosses.parquet",
        "kept.parquet", "strange.parquet",
    }  # fmt: skip


def test_what_a_study_without_runs_has_found_stays(toy, tmp_path):
    summary = Table("sums", "All dice", (share("mean", "Mean of all"),))
    found = {toy.TOSSES: [], summary: [{"mean": 3.0}]}
    at_once = replace(toy.TOY, runs=None, answer=lambda _job: Answer(found))
    conduct(toy.ToyConfig(), tmp_path, study=at_once)
    conduct(
        toy.ToyConfig(),
        tmp_path,
        study=replace(at_once, answer=lambda _job: Answer({toy.TOSSES: []})),
    )
    assert (tmp_path / "sums.parquet").exists()

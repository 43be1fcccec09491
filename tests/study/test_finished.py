import re
from dataclasses import dataclass, fields
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.errors import DataError
from nasrank.runs.run import Run
from nasrank.runs.tables import FINISHED
from nasrank.study import finished as runs_module
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.tables import write_parquet


def has(*columns):
    return lambda row: all(row[column] is not None for column in columns)


def test_equal_configurations_are_the_same_run(make_run):
    one, other = make_run(), make_run()
    assert one == other
    assert one.run_id == other.run_id
    assert re.fullmatch("[0-9a-f]{16}", one.run_id)


def test_everything_a_run_depends_on_is_in_its_name(make_run, monkeypatch):
    changed = {
        "task": "toy/y",
        "fingerprint": "e" * 64,
        "predictor": "mlp",
        "loss": "hr",
        "n_train": 21,
        "seed": 1,
        "split": "random",
        "labels": "single",
        "test": "all",
        "sampling": "diverse",
    }
    assert changed.keys() == {field.name for field in fields(Run)}
    names = {make_run().run_id, *(make_run(**{k: v}).run_id for k, v in changed.items())}
    monkeypatch.setattr(runs_module, "RESULTS_VERSION", 10**6)
    names.add(make_run().run_id)
    assert len(names) == len(changed) + 2


def test_a_field_that_is_gone_leaves_the_names_of_runs_that_stay():
    @dataclass(frozen=True)
    class Earlier(Identity):
        seed: int
        labels: int | None = None

    @dataclass(frozen=True)
    class Now(Identity):
        removed: ClassVar = {"labels": None}
        seed: int

    assert Now(3).run_id == Earlier(3).run_id
    assert Now(3).run_id != Earlier(3, labels=2).run_id


def test_a_finished_run_is_loaded_as_it_was_saved(tmp_path, make_run, finished_row):
    finished = FinishedRuns(tmp_path / "runs.d", table=FINISHED, kind=Run)
    run, row = make_run(), finished_row()
    assert finished.load(run) is None
    assert not finished.folder.exists()
    finished.save(run, row)
    assert finished.load(run) == row
    assert finished.load(make_run(seed=1)) is None
    assert finished.path(run) == tmp_path / "runs.d" / f"{run.run_id}.parquet"
    about = pq.read_schema(finished.path(run)).metadata[b"nasrank.about"].decode()
    assert '"loss": "mse"' in about


def test_parts_that_were_not_kept_make_a_run_unfinished(tmp_path, make_run, finished_row):
    finished, run = FinishedRuns(tmp_path, table=FINISHED, kind=Run), make_run()
    finished.save(run, finished_row())
    assert finished.load(run) is not None
    assert finished.load(run, whole=has("predictions.item")) is None
    assert finished.load(run, whole=has("curves.epoch")) is None
    finished.save(run, finished_row(keep_predictions=True))
    assert finished.load(run, whole=has("predictions.item")) is not None
    assert finished.load(run, whole=has("predictions.item", "curves.epoch")) is None


def test_a_damaged_file_counts_as_absent(tmp_path, make_run, finished_row):
    finished, run = FinishedRuns(tmp_path, table=FINISHED, kind=Run), make_run()
    finished.save(run, finished_row())
    whole = finished.path(run).read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-1]):
        finished.path(run).write_bytes(content)
        assert finished.load(run) is None
    finished.path(run).write_bytes(whole)
    assert finished.load(run) is not None


def test_a_file_of_another_run_or_version_counts_as_absent(tmp_path, make_run, finished_row):
    finished, run = FinishedRuns(tmp_path, table=FINISHED, kind=Run), make_run()
    finished.save(make_run(seed=1), finished_row(seed=1))
    finished.path(make_run(seed=1)).rename(finished.path(run))
    assert finished.load(run) is None
    table = FINISHED.build([finished_row()])
    write_parquet(table.drop_columns(["spearman_rho"]), finished.path(run))
    assert finished.load(run) is None
    write_parquet(table.append_column("more", pa.array([1])), finished.path(run))
    assert finished.load(run) is None
    write_parquet(pa.concat_tables([table, table]), finished.path(run))
    assert finished.load(run) is None
    write_parquet(table, finished.path(run))
    assert finished.load(run) is not None


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, make_run, finished_row):
    (tmp_path / "runs.d").write_text("")
    with pytest.raises(DataError, match="cannot be written") as caught:
        FinishedRuns(tmp_path / "runs.d", table=FINISHED, kind=Run).save(
            make_run(), finished_row()
        )
    assert "\n" not in str(caught.value)

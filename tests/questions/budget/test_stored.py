"""Result tables read back."""

import pyarrow.parquet as pq
import pytest
from later import Later

from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.questions.budget.options import RecommendConfig
from nasrank.questions.budget.stored import (
    load_results,
    make_command,
    reference_folders,
    seed_range,
    without_each,
)
from nasrank.study.conduct import conduct

pandas = Later("pandas")


def test_the_reference_results_are_there():
    results = load_results()
    assert results.folders == tuple(reference_folders())
    assert set(results.tasks) >= {"nb201/cifar10", "nb201/cifar100", "nb201/imagenet16-120"}
    assert results.hours["nb201/cifar10"] == pytest.approx(1828 / 3600, rel=0.01)
    assert set(results.runs["universe"]) >= {5425}


def test_hours_universe_and_seeds(stored_folder):
    results = load_results([stored_folder])
    assert results.hours == {"toy/a": 0.5, "toy/b": 0.5}
    assert set(results.runs["universe"]) == {1000}
    assert results.predictions == (stored_folder,)
    assert seed_range(results) == "10"


def test_a_folder_given_twice_counts_once(stored_folder, write_results, tmp_path):
    once = load_results([stored_folder])
    again = load_results([stored_folder, stored_folder])
    assert len(again.runs) == len(once.runs)
    write_results(tmp_path, tasks=("other/c",), seeds=2)
    both = load_results([stored_folder, tmp_path])
    assert both.tasks == ["toy/a", "toy/b", "other/c"]
    assert len(both.runs) == len(once.runs) + 2 * 2 * 2


def test_protocols_are_not_mixed(stored_folder, write_results, tmp_path):
    write_results(tmp_path, seeds=1, change=lambda run: {**run, "split": "random"})
    with pytest.raises(UsageError, match=r"different --split \(class, random\)"):
        load_results([stored_folder, tmp_path])


def copied(stored_folder, tmp_path):
    for name in ("runs", "discovery", "budget"):
        (tmp_path / f"{name}.parquet").write_bytes(
            (stored_folder / f"{name}.parquet").read_bytes()
        )
    return tmp_path


@pytest.mark.parametrize("name", ["runs", "discovery", "budget"])
def test_damaged_and_missing_files(stored_folder, tmp_path, name):
    folder = copied(stored_folder, tmp_path)
    path = folder / f"{name}.parquet"
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"PAR1" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            load_results([folder])
    path.unlink()
    with pytest.raises(DataError, match=rf"{name}\.parquet"):
        load_results([folder])


@pytest.mark.parametrize("name", ["runs", "discovery", "budget"])
def test_tables_of_another_version(stored_folder, tmp_path, name):
    folder = copied(stored_folder, tmp_path)
    path = folder / f"{name}.parquet"
    table = pq.read_table(path)
    changed = {
        "missing": table.drop_columns([table.schema.names[0]]),
        "type": table.set_column(0, table.schema.names[0], [[1] * table.num_rows]),
        "unmarked": table.replace_schema_metadata({}),
        "other": table.replace_schema_metadata({"nasrank.table": "curves"}),
    }
    for other in changed.values():
        pq.write_table(other, path)
        with pytest.raises(DataError, match=f"not a table '{name}' of this version"):
            load_results([folder])


def test_empty_cells_empty_tables_and_lost_runs(stored_folder, tmp_path):
    folder = copied(stored_folder, tmp_path)
    runs = pq.read_table(folder / "runs.parquet")
    place = runs.schema.get_field_index("n_train")
    holes = runs.set_column(place, "n_train", [[None] * runs.num_rows]).cast(
        runs.schema.set(place, runs.schema.field(place).with_nullable(True))
    )
    pq.write_table(holes, folder / "runs.parquet")
    with pytest.raises(DataError, match="'n_train' has empty cells"):
        load_results([folder])
    pq.write_table(runs.slice(0, 0), folder / "runs.parquet")
    with pytest.raises(NothingToCompare, match="hold no run"):
        load_results([folder])
    pq.write_table(runs, folder / "runs.parquet")
    steps = pq.read_table(folder / "discovery.parquet")
    pq.write_table(steps.slice(0, steps.num_rows // 2), folder / "discovery.parquet")
    with pytest.raises(DataError, match="lacks 40 of the runs"):
        load_results([folder])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("n_train", value) for value in (0, 2**62)],
        *[("n_test", value) for value in (0, 2**62)],
        *[("space_size", value) for value in (0, 1)],
        ("first_hit_1pct", 2**62),
    ],
)
def test_counts_that_no_comparison_gives_are_refused_in_a_line(
    name, value, write_results, tmp_path
):
    write_results(tmp_path, seeds=2, sizes=(20,), change=lambda run: {**run, name: value})
    with pytest.raises(DataError, match=f"{name.removesuffix('_1pct')}.* of a run .* impossible"):
        load_results([tmp_path])


@pytest.mark.parametrize(
    ("name", "value"), [("first_hit_1pct", None), ("task", "slashless"), ("space_size", 2**62)]
)
def test_what_can_be_is_reckoned_with(name, value, write_results, tmp_path):
    tasks = ("toy/a", "toy/b") if name != "task" else (value,)
    change = (lambda run: run) if name == "task" else (lambda run: {**run, name: value})
    write_results(tmp_path, tasks=tasks, sizes=(20,), change=change)
    assert len(load_results([tmp_path]).runs) == 2 * 10 * len(tasks)
    asked = RecommendConfig(goal="order", space_size=1_000, n_train=(1,), results=(tmp_path,))
    assert conduct(asked, tmp_path / "advice").rows


def test_a_search_of_another_version(stored_folder, tmp_path):
    folder = copied(stored_folder, tmp_path)
    pandas.DataFrame({"task": ["toy/a"]}).to_parquet(folder / "search.parquet")
    with pytest.raises(DataError, match="not a table 'search'"):
        load_results([folder])


def test_commands_to_type(stored_folder):
    own = make_command(load_results([stored_folder]), seeds=19)
    assert own == (
        "nasrank compare --tasks toy/a,toy/b --losses listmle,mse --n-train 20,40 --seeds 19 "
        "--out nasrank-out/more"
    )
    reference = make_command(load_results(), keep_predictions=True)
    assert reference == "nasrank compare --subset full --keep-predictions --out nasrank-out/more"


def test_spaces_are_left_out_where_there_are_two():
    assert without_each(["a/x", "a/y", "b/z"]) == ("space", {"a": ["a/x", "a/y"], "b": ["b/z"]})
    assert without_each(["a/x"]) == ("task", {"a/x": ["a/x"]})

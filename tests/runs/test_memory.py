import logging

import pytest

from nasrank.errors import UsageError
from nasrank.predictors.recipe import Recipe
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs import memory
from nasrank.runs.memory import MemoryLimit, fleet_bytes
from nasrank.study.conduct import conduct
from nasrank.study.engines.sizes import parse_memory

MIB = 1 << 20


@pytest.fixture(name="toy")
def _toy(make_task, monkeypatch):
    task = make_task(classes=150, twins=2)
    monkeypatch.setattr(memory, "load_task", lambda name: task)
    return task


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 4 << 30), ("512 MB", 512_000_000), ("0.5kib", 512), ("7", 7), (" 1B ", 1)],
)
def test_sizes_are_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "4 gallons", "-1GiB", "0", "0.4", "nan", "1e9", "9" * 400])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match=r"--memory-limit .* should be a size such as 4GiB"):
        parse_memory(text)


def test_the_estimate_by_hand(toy, make_run):
    runs = [make_run(seed=seed, n_train=40) for seed in range(3)]
    recipe = Recipe(epochs=10, list_length=32)
    # 150 classes of 7 nodes at most, 5 operations; 40 are cut into two lists of 20.
    network = 24 * (54_000 + 320 * 5 + 10 * 40) + 16 * 150 + 10_240 * 20 * 7
    scoring = 7_168 * 3 * 150 * 7
    expected = 400 * MIB + 400 * 150 * 7 + 3 * network + scoring
    assert fleet_bytes(runs, toy.space, recipe, kind="cpu") == expected
    on_cuda = fleet_bytes(runs, toy.space, recipe, kind="cuda")
    assert on_cuda == expected - 400 * MIB
    kept = fleet_bytes(runs, toy.space, recipe, kind="cpu", predictions=True)
    assert kept == expected + 200 * 3 * 300


def test_an_ensemble_needs_what_as_many_members_need(toy, make_run):
    one = [make_run(predictor="gnn(ensemble=4)")]
    four = [make_run(seed=seed) for seed in range(4)]
    sizes = {fleet_bytes(runs, toy.space, Recipe(), kind="cpu") for runs in (one, four)}
    assert len(sizes) == 1


def test_predictors_that_are_no_networks_by_hand(toy, make_run):
    size = fleet_bytes([make_run(predictor="gp", n_train=40)] * 2, toy.space, Recipe(), kind="cpu")
    assert size == 650 * MIB + 400 * 150 * 7 + 8 * 2 * 40 * (150 + 3 * 40)


def test_fleets_are_halved_until_they_fit(toy, make_run):
    runs = [make_run(seed=seed) for seed in range(7)]

    def needs(count):
        return fleet_bytes(runs[:count], toy.space, Recipe(), kind="cpu")

    def sizes(limit):
        parts = MemoryLimit(limit, Recipe(), "cpu").parts(runs)
        assert [run for part in parts for run in part] == runs
        return [len(part) for part in parts]

    assert sizes(None) == sizes(needs(7)) == [7]
    assert sizes(needs(7) - 1) == sizes(needs(4)) == [3, 4]
    assert sizes(needs(3)) == [3, 2, 2]
    assert sizes(needs(1)) == [1] * 7
    with pytest.raises(UsageError, match=r"one gnn on toy/x with 20 training .* Give at least"):
        sizes(needs(1) - 1)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_limit_changes_nothing_beyond_rounding(tmp_path, caplog):
    config = CompareConfig(losses=("mse", "hr"), n_train=(20,), seeds=4, device="cpu")
    whole = conduct(config, tmp_path / "whole")
    with caplog.at_level(logging.WARNING, "nasrank"):
        limited = config.model_copy(update={"memory_limit": "800MiB"})
        parts = conduct(limited, tmp_path / "parts")
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 1 fleets need more than --memory-limit; they are halved, to at most 1 runs at once"
    ]
    for one, other in zip(whole.tables["runs"], parts.tables["runs"], strict=True):
        assert one["run_id"] == other["run_id"]
        assert one["kendall_tau"] == pytest.approx(other["kendall_tau"], abs=0.005)

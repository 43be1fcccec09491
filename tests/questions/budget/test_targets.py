"""When stored runs had reached a target: the stored steps against every score."""

import numpy as np
import pytest
from later import Later

from nasrank.errors import DataError, UsageError
from nasrank.questions.budget.options import BudgetConfig
from nasrank.questions.budget.stored import load_results
from nasrank.questions.budget.targets import Target, reached, search_reached
from nasrank.study.options import checked

pandas = Later("pandas")

UNIVERSE = 1000


@pytest.fixture(scope="module")
def exact(stored_folder):
    return load_results([stored_folder])


@pytest.fixture(scope="module")
def rough(stored_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rough")
    for name in ("runs", "discovery", "budget"):
        (folder / f"{name}.parquet").write_bytes((stored_folder / f"{name}.parquet").read_bytes())
    return load_results([folder])


@pytest.mark.parametrize("fraction", [0.001, 0.005, 0.01, 0.05])
def test_stored_fractions_are_exact_and_agree_with_every_score(exact, rough, fraction):
    known = reached(rough, "toy/a", Target("top", fraction))
    assert known.exact
    assert known.least == known.most == fraction * UNIVERSE
    # A fraction next to it takes the other way, through the scores.
    scores = reached(exact, "toy/a", Target("top", fraction * (1 + 1e-13)))
    assert scores.exact
    pandas.testing.assert_series_equal(known.after, scores.after, check_names=False)
    assert scores.most == known.most


@pytest.mark.parametrize(
    ("target", "size"),
    [
        # labels are 90, 89.99, 89.98, ...: 21 lie within .2 and 100 above 89
        (Target("regret", 0.2), 21),
        (Target("regret", 0), 1),
        (Target("better", 89.0), 100),
        (Target("top", 0.02), 20),
    ],
)
def test_steps_bound_the_truth(exact, rough, target, size):
    truth, bound = (reached(results, "toy/b", target) for results in (exact, rough))
    assert truth.exact
    assert truth.most == truth.least == size
    assert bound.least <= size <= bound.most
    assert (truth.after <= bound.after).all()
    # One step of 1, 2, 5, 10, ... is at most a factor of 2.5.
    assert (bound.after <= np.maximum(2.5 * truth.after, truth.after)).all()


def test_lower_is_better_is_seen_in_the_tables(write_results, tmp_path):
    write_results(tmp_path, tasks=("toy/a",), seeds=3, lower=True, predictions=True)
    results = load_results([tmp_path])
    # labels are -90, -89.99, ...: of those below -89.9 there are ten
    found = reached(results, "toy/a", Target("better", -89.9))
    assert found.most == found.least == 10
    same = reached(results, "toy/a", Target("top", 0.01))
    pandas.testing.assert_series_equal(found.after, same.after, check_names=False)
    with pytest.raises(UsageError, match="nothing is better"):
        reached(results, "toy/a", Target("better", -90.5))


def test_what_nothing_can_reach(exact):
    with pytest.raises(UsageError, match="less than one architecture"):
        reached(exact, "toy/a", Target("top", 0.0005))
    with pytest.raises(UsageError, match="the best of toy/a is 90, so nothing is better"):
        reached(exact, "toy/a", Target("better", 90.0))


@pytest.mark.parametrize(
    ("option", "value"), [("top", 0), ("top", 1.5), ("regret", -1), ("better_than", np.nan)]
)
def test_targets_that_are_invalid(option, value):
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')}"):
        checked(BudgetConfig, {option: value})


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, Target("top", 0.001)),
        ({"top": 0.05}, Target("top", 0.05)),
        ({"regret": 0}, Target("regret", 0)),
        ({"better_than": 0}, Target("better", 0)),
    ],
)
def test_what_is_asked_is_a_target(options, target):
    assert Target.of(BudgetConfig(**options)) == target


def test_a_space_of_another_size_has_the_same_share(exact):
    found = reached(exact, "toy/a", Target("top", 0.01))
    assert found.top_in(None) == (UNIVERSE, 10)
    assert found.top_in(5000) == (5000, 50)
    assert found.top_in(120) == (120, 2)  # 1.2, rounded up


def test_predictions_of_another_version(stored_folder, tmp_path):
    for path in stored_folder.glob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pandas.DataFrame({"run_id": ["a"]}).to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match="not a table 'predictions'"):
        reached(load_results([tmp_path]), "toy/a", Target("regret", 0.1))


def test_searches_that_never_get_there():
    searches = pandas.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "evaluations": [10, 20, 10, 20],
            "rank": [30, 5, 40, 40],
            "regret": [0.3, 0.05, 0.4, 0.4],
            "best_label": [89.7, 89.95, 89.6, 89.6],
        }
    )
    # the fifth is one of the top 1 % of 1,000, and 1 % of 90 is none
    for target in (Target("top", 0.01), Target("regret", 0.1), Target("better", 89.9)):
        assert search_reached(searches, target, 1000).tolist() == [20, np.inf]
    assert search_reached(searches, Target("top", 0.01), 90) is None

"""Whether a distance tells where advice carries over is judged in the right direction."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SPACES = np.array(["a", "a", "b", "c", "d", "e", "f"])


@pytest.fixture(scope="module")
def transfer():
    path = Path(__file__).with_name("advice_transfer.py")
    specification = importlib.util.spec_from_file_location("advice_transfer", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_regret_is_what_the_best_loss_of_one_task_loses_on_another(transfer):
    tau = pd.DataFrame({"mse": [0.5, 0.9], "listmle": [0.7, 0.6]}, index=["s/x", "t/y"])
    # listmle is best on x and loses .3 on y; mse is best on y and loses .2 on x.
    assert transfer.regrets(tau) == pytest.approx(np.array([[0, 0.3], [0.2, 0]]))


def test_a_pair_of_spaces_is_the_mean_over_its_tasks(transfer):
    values = np.arange(49.0).reshape(7, 7)
    found = transfer.by_space(values, SPACES)
    assert found.shape == (6, 6)
    assert found[0, 1] == pytest.approx((values[0, 2] + values[1, 2]) / 2)
    assert found[1, 0] == pytest.approx((values[2, 0] + values[2, 1]) / 2)


@pytest.mark.parametrize(("sign", "surely"), [(1, True), (-1, False)])
def test_a_distance_tells_where_near_tasks_agree(transfer, sign, surely):
    rng = np.random.default_rng(0)
    regret = rng.random((6, 6))
    found, p_value = transfer.judged(sign * regret, regret, np.random.default_rng(1), 500)
    assert found == pytest.approx(sign)
    assert (p_value < 0.05) == surely
    assert p_value == pytest.approx(1 / 501 if surely else 1)


def test_noise_tells_nothing(transfer):
    rng = np.random.default_rng(0)
    found = [
        transfer.judged(rng.random((6, 6)), rng.random((6, 6)), rng, 40)[1] for _ in range(200)
    ]
    # p values of nothing are uniform: 10 of 200 below .05, give or take.
    assert 1 <= sum(p < 0.05 for p in found) <= 24


def test_labels_apart_by_a_shape_are_apart_and_units_do_not_matter(transfer):
    rng = np.random.default_rng(0)
    plain, tailed = rng.normal(size=2000), -(rng.exponential(size=2000) ** 2)
    labels = {"s/x": plain, "s/y": 3 + 100 * plain, "t/z": tailed}
    labels = {name: transfer.standard(each) for name, each in labels.items()}
    tau = pd.DataFrame({"mse": [0.5, 0.4, 0.1], "listmle": [0.5, 0.5, 0.6]}, index=list(labels))
    found = transfer.distances(tau, labels, {"s/x": 10, "s/y": 10, "t/z": 1000})
    assert found["labels"][0, 1] == pytest.approx(0, abs=1e-9)
    assert found["labels"][0, 2] > 0.3
    assert found["gaps"][0, 1] == pytest.approx(0.1)
    assert found["sizes"][0, 2] == pytest.approx(np.log(100))

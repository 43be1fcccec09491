"""Other libraries' predictors: each of them learns, alone and in a comparison."""

import inspect
import sys

import numpy as np
import pytest
from scipy.stats import kendalltau

import nasrank as nr
from nasrank import peers
from nasrank.errors import UsageError

SCIKIT = {"ridge", "svr", "extra_trees", "random_forest", "hist_boosting", "ard_gp"}


def made(name):
    if name not in SCIKIT:
        pytest.importorskip({"botorch_gp": "botorch"}.get(name, name))
    return getattr(peers, name)()


@pytest.mark.parametrize("name", peers.__all__)
def test_a_peer_learns_what_one_column_says(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    y = x[:, 1] + 0.1 * rng.normal(size=120)
    scores = made(name).fit(x[:80], y[:80]).predict(x[80:])
    assert scores.shape == (40,)
    assert kendalltau(scores, y[80:]).statistic > 0.7


@pytest.mark.parametrize("name", peers.__all__)
def test_a_missing_package_is_named_with_its_extra(name, monkeypatch):
    source = inspect.getsource(getattr(peers, name))
    packages = ("sklearn", "xgboost", "lightgbm", "botorch")
    package = next(each for each in packages if each in source)
    for part in [package, *(each for each in sys.modules if each.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, part, None)
    with pytest.raises(UsageError, match="scikit-learn lightgbm botorch gpytorch xgboost"):
        getattr(peers, name)()


def test_peers_are_compared_by_their_place(tmp_path):
    found = nr.compare(
        tasks=["scaling-llm/valid_loss"],
        predictors=["ridge", "nasrank.peers:ridge", "nasrank.peers:ard_gp"],
        losses=["listmle"],
        n_train=[78],
        seeds=2,
        out=tmp_path,
    )
    runs = found.frame("runs")
    taus = runs.groupby("predictor").kendall_tau.mean()
    assert taus["nasrank.peers:ridge"] == pytest.approx(taus["ridge"], abs=0.15)
    assert taus["nasrank.peers:ard_gp"] > 0.5

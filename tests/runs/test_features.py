"""Predictors get the proxies of their space when their name asks for them."""

from types import SimpleNamespace

import numpy as np
import pytest

from nasrank.benchmarks.space import build_space
from nasrank.errors import UsageError
from nasrank.predictors.targets import normal_scores
from nasrank.runs import features
from nasrank.runs.features import predictor_on


@pytest.fixture(name="toy", scope="module")
def _toy(make_graphs):
    """A space whose operations are called conv, pool and skip: nothing says what they do."""
    graphs = make_graphs(40, seed=2)
    return SimpleNamespace(space=build_space("toy", [str(i) for i in range(40)], graphs))


@pytest.fixture(name="raw")
def _raw(toy, monkeypatch):
    raw = np.random.default_rng(0).lognormal(3, 4, (toy.space.classes, 3))
    asked = []

    def known(name, graphs):
        asked.append((name, len(graphs)))
        return raw

    monkeypatch.setattr(features, "space_proxies", known)
    return raw, asked


def test_proxies_come_as_normal_quantiles(toy, raw):
    proxies, asked = raw
    made = predictor_on(toy.space, "gp(features=proxies)")
    for column in range(3):
        np.testing.assert_allclose(made.proxies[:, column], normal_scores(proxies[:, column]))
    assert asked == [(toy.space.name, toy.space.classes)]


@pytest.mark.parametrize("name", ["gnn", "gp", "gp(features=graph)"])
def test_nobody_waits_for_proxies_in_vain(toy, raw, name):
    assert predictor_on(toy.space, name).proxies is None
    assert raw[1] == []


def test_a_space_without_pictures_has_none(toy):
    with pytest.raises(UsageError, match="operation"):
        predictor_on(toy.space, "gp(features=proxies)")

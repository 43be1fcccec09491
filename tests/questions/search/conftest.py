"""Toy problems to search, and a predictor that knows the labels but for some noise."""

import numpy as np
import pytest

from nasrank.predictors.predictor import Fitted, Predictor
from nasrank.questions.search import plan as plan_module
from nasrank.questions.search import study as search_module
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.problem import problem_of
from nasrank.seeds import numpy_generator


class KnowingFitted(Fitted):
    def __init__(self, members, worth, noise):
        self.final_loss = np.zeros(len(members))
        rows = [
            worth + noise * numpy_generator(m.seed, n=len(m.items)).normal(size=len(worth))
            for m in members
        ]
        self._scores = np.stack(rows)

    @property
    def diverged(self):
        return np.zeros(len(self._scores), bool)

    def scores(self, items=None):
        return self._scores if items is None else self._scores[:, items]

    def spread(self, items=None):
        return np.ones_like(self.scores(items))

    def on(self, graphs, proxies=None):
        raise NotImplementedError


class Knowing(Predictor):
    """Scores are labels with noise that depends on the member alone."""

    def __init__(self, problem, noise):
        super().__init__(problem.task.space.graphs)
        self._worth = np.full(problem.task.space.classes, np.nan)
        self._worth[problem.classes] = problem.labels
        self._noise, self.fits = noise, []

    def fit(self, members, *, on_step=None, on_epoch=None):
        self.fits.append(members)
        return KnowingFitted(members, self._worth, self._noise)


@pytest.fixture
def problem(make_task):
    return problem_of(make_task(replicates=3, cost=np.full(120, 1800.0)))


@pytest.fixture
def knowing():
    return Knowing


@pytest.fixture
def make_search(problem):
    def make(**changes):
        usual = {
            "task": "toy/x", "fingerprint": "f" * 64, "initial": 5, "budget": 30, "seed": 0,
            "predictor": "gp", "acquisition": "greedy", "loss": "mse(targets=robust)", "batch": 3,
            "candidates": "all",
        }  # fmt: skip
        return SearchRun(**{**usual, **changes})

    return make


@pytest.fixture
def toy(problem, monkeypatch):
    """Studies search the toy problem, whatever its name."""
    for module in (search_module, plan_module):
        monkeypatch.setattr(module, "load_problem", lambda name, *_: problem)
    monkeypatch.setattr(plan_module, "parse_task", lambda name: name)
    return problem

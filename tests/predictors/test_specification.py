"""The names of predictors."""

import pytest

from nasrank.errors import UsageError
from nasrank.predictors import PREDICTORS
from nasrank.predictors.predictor import Predictor
from nasrank.predictors.specification import PredictorSpec, parse_predictor


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("gnn", "gnn"),
        (" gnn( ensemble = 04 ) ", "gnn(ensemble=4)"),
        ("gnn(ensemble=1)", "gnn"),
        ("gnn(features=graph)", "gnn"),
        ("blend(features=proxies,ensemble=2)", "blend(ensemble=2,features=proxies)"),
    ],
)
def test_one_meaning_has_one_spelling(text, canonical):
    spec = parse_predictor(text)
    assert str(spec) == canonical
    assert parse_predictor(canonical) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gmn", "unknown predictor 'gmn'. Did you mean 'gnn'?"),
        ("gnn(ensembel=2)", "Did you mean 'ensemble'?"),
        ("gnn(ensemble=0)", "must be a whole number above 0, not '0'"),
        ("gnn(4)", "cannot read '4' in 'gnn(4)'"),
        ("gnn(", "cannot read 'gnn('"),
        ("gp(features=all)", "one of graph, proxies"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse_predictor(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equal_meanings_are_equal_objects():
    assert PredictorSpec("gnn", (("ensemble", "3"),)) == PredictorSpec("gnn", (("ensemble", 3),))
    assert PredictorSpec("gnn", (("ensemble", 1),)) == PredictorSpec("gnn")


def test_every_registered_name_is_a_predictor():
    for name in PREDICTORS:
        assert issubclass(PREDICTORS[name], Predictor)


@pytest.mark.parametrize("name", list(PREDICTORS))
@pytest.mark.parametrize("options", [{}, {"ensemble": 3}])
def test_a_grid_is_planned_by_what_the_class_says(name, options):
    facts, kind = PREDICTORS.facts(name), PREDICTORS[name]
    assert facts.own_loss == kind.own_loss
    assert facts.networks(options) == kind.networks(options)
    assert facts.seconds(78, options) == kind.seconds(78, options)


def test_networks_need_no_extra():
    for name in ("gnn", "mlp"):
        PREDICTORS.facts(name).require_extra()
        assert PREDICTORS[name].extra is None

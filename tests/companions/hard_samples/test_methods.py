import pytest
import torch

from nasrank.companions.hard_samples.methods import make_synthesiser, parse_method
from nasrank.companions.hard_samples.synthesis import Sizes
from nasrank.errors import UsageError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("semi-hard", "semi-hard"),
        ("untrained", "untrained"),
        ("two-stage", "two-stage"),
        ("two-stage()", "two-stage"),
        ("two-stage(stretch=0.20)", "two-stage"),
        ("two-stage( weight=1, stretch=.5 )", "two-stage(stretch=0.5,weight=1)"),
        ("two-stage(without=stage-one)+batch-hard", "two-stage(without=stage-one)+batch-hard"),
        ("hdml+triplet-random", "hdml"),
        ("daml(reverse=1e+1)", "daml(reverse=10)"),
    ],
)
def test_names(text, canonical):
    method = parse_method(text)
    assert str(method) == canonical
    assert parse_method(canonical) == method


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two-stages", "Did you mean 'two-stage'"),
        ("two-stage+hard", "way to mine"),
        ("semi-hard+batch-hard", "neither options"),
        ("semi-hard(margin=1)", "neither options"),
        ("two-stage(fast)", "cannot read"),
        ("two-stage(stretch=0)", "above 0"),
        ("two-stage(adaptive=never)", "one of gap"),
        ("two-stage(speed=1)", "unknown option"),
        ("two-stage(", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_what_cannot_be_meant(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_method(text)
    assert "\n" not in str(caught.value)


def test_an_option_more():
    method = parse_method("two-stage(weight=1)+semi-hard")
    assert str(method.with_option("weight", 0.5)) == "two-stage+semi-hard"
    assert str(method.with_option("end", 0.1)) == "two-stage(end=0.1,weight=1)+semi-hard"


def test_what_generates_and_what_does_not():
    sizes = Sizes(features=8, embedding=4, classes=3, margin=0.2)
    cpu = torch.device("cpu")
    assert make_synthesiser(parse_method("batch-hard"), sizes, cpu) is None
    for name in ("hdml", "daml", "two-stage"):
        assert make_synthesiser(parse_method(name), sizes, cpu) is not None
    with pytest.raises(UsageError, match="below its start"):
        make_synthesiser(parse_method("two-stage(start=0.5)"), sizes, cpu)

"""Names with options: what can be written, what it means, and how it is spelled."""

import pickle
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.errors import UsageError
from nasrank.losses import LOSSES, LossSpec, PiecewiseSpec, parse, resolve, split_list
from nasrank.losses.named import options_of
from nasrank.named import Option


def value_of(option: Option) -> st.SearchStrategy[float | int | str]:
    if option.words:
        return st.sampled_from(option.words)
    if option.kind is int:
        return st.integers(1, 10**6)
    return st.floats(min_value=1e-12, max_value=1e12)


def options_among(known: dict[str, Option]) -> st.SearchStrategy:
    """Some of the options, in any order, each with a value it may have."""
    pairs = [st.tuples(st.just(name), value_of(option)) for name, option in known.items()]
    if not pairs:
        return st.just(())
    return st.lists(st.one_of(pairs), unique_by=lambda pair: pair[0]).map(tuple)


PLAIN = st.one_of([st.tuples(st.just(name), options_among(options_of(name))) for name in LOSSES])
ANY = PLAIN | st.tuples(PLAIN, PLAIN, st.integers(1, 10**6))


def build(drawn: tuple) -> LossSpec | PiecewiseSpec:
    if len(drawn) == 2:
        return LossSpec(*drawn)
    first, then, switch = drawn
    return PiecewiseSpec(LossSpec(*first), LossSpec(*then), switch)


@given(drawn=ANY)
def test_a_spelling_is_read_back_as_it_was(drawn):
    spec = build(drawn)
    assert parse(str(spec)) == spec
    assert str(parse(str(spec))) == str(spec)
    assert hash(parse(str(spec))) == hash(spec)


@given(drawn=st.lists(ANY, min_size=1, max_size=4), blank=st.sampled_from(["", " ", "\n\t"]))
def test_a_list_is_split_into_what_was_joined(drawn, blank):
    texts = [str(build(each)) for each in drawn]
    assert split_list(f"{blank},{blank}".join(texts)) == texts


@given(drawn=ANY)
def test_blanks_around_signs_mean_nothing(drawn):
    spec = build(drawn)
    airy = str(spec)
    for sign in "(),=":
        airy = airy.replace(sign, f" {sign} ")
    assert parse(f" {airy} ") == spec


@given(text=st.text(alphabet="hrmsepw(),=.0159 margin", max_size=30))
def test_any_text_is_either_read_for_good_or_refused(text):
    with suppress(UsageError):
        spec = parse(text)
        assert parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("hr", "hr"),
        ("hr()", "hr"),
        ("hr(margin=0.1)", "hr"),
        ("hr(margin=.50)", "hr(margin=0.5)"),
        ("hr(margin=1.0)", "hr(margin=1)"),
        ("hr(margin=+5e-1)", "hr(margin=0.5)"),
        ("hr(margin=1e-5)", "hr(margin=1e-05)"),
        ("listmle(top=010)", "listmle(top=10)"),
        ("ew(variant=exp)", "ew"),
        ("ew(variant=expm1)", "ew(variant=expm1)"),
        ("approxndcg(grades=3, alpha=2)", "approxndcg(alpha=2,grades=3)"),
        ("mse+sr(weight=0.20)", "mse+sr(weight=0.2)"),
        (" pw( hr(margin = 0.50) , mape(gap=0.1), 050 ) ", "pw(hr(margin=0.5),mape,50)"),
    ],
)
def test_the_canonical_spelling(text, canonical):
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listmel", "unknown loss 'listmel'. Did you mean 'listmle'? Known: mse, mse+sr, hr,"),
        ("HR", "unknown loss 'HR'. Did you mean 'hr'?"),
        (
            "hr(margn=1)",
            "unknown option of loss 'hr' 'margn'. Did you mean 'margin'? Known: margin.",
        ),
        ("softtau(margin=1)", "unknown option of loss 'softtau' 'margin'"),
        ("hr(where=1)", "unknown option of loss 'hr' 'where'."),
        ("mape(bound=1)", "unknown option of loss 'mape' 'bound'. Known: targets, gap."),
        ("hr(margin=0)", "margin of loss 'hr' must be a number above 0, not '0'. Default: 0.1."),
        ("hr(margin=nan)", "must be a number above 0, not 'nan'"),
        ("hr(margin=1e999)", "must be a number above 0, not '1e999'"),
        ("hr(margin=1_0)", "must be a number above 0, not '1_0'"),
        ("hr(margin=wide)", "must be a number above 0, not 'wide'"),
        ("listmle(top=2.5)", "top of loss 'listmle' must be a whole number above 0, not '2.5'. "),
        ("listmle(top=0)", "a whole number above 0, not '0'. Default: off."),
        ("ew(variant=log)", "must be one of exp, expm1, not 'log'. Default: exp."),
        ("hr(margin=1,margin=2)", "option 'margin' is given twice in"),
        ("hr(0.5)", "cannot read '0.5' in 'hr(0.5)'. Write options like hr(margin=0.5)."),
        ("hr(margin=)", "cannot read 'margin=' in"),
        ("hr(=1)", "cannot read '=1' in"),
        ("hr(margin=1", "cannot read 'hr(margin=1'."),
        ("hr(margin=(1)", "unmatched bracket in"),
        ("hr(margin=1,)", "a name is missing in"),
        ("", "cannot read ''."),
        ("hr mse", "cannot read 'hr mse'."),
        ("./a\x1b[31m.py:loss", "holds a character that cannot be seen. Leave it out"),
        ("pw", "'pw' should name two losses and a whole number. Write it like pw(hr,mape,50)."),
        ("pw(hr,mape)", "should name two losses and a whole number"),
        ("pw(hr,mape,ten)", "should name two losses and a whole number"),
        ("pw(hr,mape,-5)", "should name two losses and a whole number"),
        ("pw(hr,mape,switch=5)", "should name two losses and a whole number"),
        ("pw(hr,mape,0)", "the switch of pw(hr,mape,0) must be at least 1 architecture."),
        ("pw(hr,mapes,5)", "unknown loss 'mapes'. Did you mean 'mape'?"),
        ("pw(pw(hr,mape,5),mape,9)", "has a pw inside a pw."),
    ],
)
def test_what_cannot_be_meant_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["mse,", ",mse", "mse,,hr", "", "  "])
def test_a_list_has_no_gaps(text):
    with pytest.raises(UsageError, match="a name is missing"):
        split_list(text)


@pytest.mark.parametrize("text", ["hr(margin=1", "hr)", "mse,hr)(,lr"])
def test_a_list_has_its_brackets_in_pairs(text):
    with pytest.raises(UsageError, match="unmatched bracket"):
        split_list(text)


def test_a_specification_is_canonical_however_it_is_made():
    made = LossSpec("approxndcg", (("grades", 5), ("alpha", "2.0")))
    assert made == parse("approxndcg(alpha=2)")
    assert made.options == (("alpha", 2.0),)
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes
    with pytest.raises(UsageError, match="unknown loss 'hinge'"):
        LossSpec("hinge")


def test_options_are_those_of_the_signature_and_what_it_is_fed_with():
    assert options_of("softtau").keys() == {"temperature"}
    assert list(options_of("mse")) == ["targets"]
    assert list(options_of("mape")) == ["targets", "gap"]
    assert list(options_of("approxndcg")) == ["targets", "alpha", "grades"]
    assert options_of("listmle")["top"].kind is int
    assert options_of("listmle")["top"].default is None


def test_a_piecewise_loss_switches_after_so_many():
    pw = parse("pw(hr,mape,50)")
    assert isinstance(pw, PiecewiseSpec)
    assert [str(pw.at(n)) for n in (1, 50, 51)] == ["hr", "hr", "mape"]


def test_resolving_fills_the_options_in():
    assert resolve("listmle") is LOSSES["listmle"]
    assert resolve(LossSpec("mse")) is LOSSES["mse"]
    filled = resolve("hr(margin=0.5)")
    assert isinstance(filled, partial)
    assert (filled.func, filled.keywords) == (LOSSES["hr"], {"margin": 0.5})
    with pytest.raises(UsageError, match=r"pw\(hr,mape,50\) is two losses. Use hr or mape."):
        resolve("pw(hr,mape,50)")

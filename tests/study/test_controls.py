"""A claim stands on measures that controls could not fool, or it gets no verdict."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.study.claims import CLAIMS, claim_row, claims_parts
from nasrank.study.conduct import conduct
from nasrank.study.controls import (
    CONTROLS,
    Control,
    controls_parts,
    negative,
    positive,
    unchanged,
    vouched,
)
from tests.study.toy import TOY, ToyConfig

ENDS = {"best": 1.0, "chance": 0.0}
numbers = st.floats(-1e6, 1e6)


def claim(*measures, values=(1.0, 1.1, 0.9, 1.0, 1.2)):
    return claim_row("c", "s", "d", values, source="t", measures=measures)


def test_good_values_pass_as_positive_and_bad_ones_as_negative():
    assert positive("m", "c", 0.76, **ENDS).passed
    assert not positive("m", "c", 0.74, **ENDS).passed
    assert negative("m", "c", 0.24, **ENDS).passed
    assert not negative("m", "c", 0.26, **ENDS).passed


def test_where_low_is_good_the_bounds_are_turned_round():
    ends = {"best": 0.0, "chance": 4.0}
    assert positive("m", "c", 0.9, **ends).passed
    assert not positive("m", "c", 1.1, **ends).passed
    assert negative("m", "c", 3.1, **ends).passed
    assert not negative("m", "c", 2.9, **ends).passed


@given(best=numbers, chance=numbers, value=numbers)
def test_nothing_is_good_and_bad_at_once(best, chance, value):
    if abs(best - chance) > 1e-3:
        ends = {"best": best, "chance": chance}
        both = [make("m", "c", value, **ends).passed for make in (positive, negative)]
        assert not all(both)
        assert positive("m", "c", best, **ends).passed
        assert negative("m", "c", chance, **ends).passed


def test_no_value_is_right_and_nan_is_not():
    assert negative("m", "c", None, **ENDS).passed
    assert not negative("m", "c", float("nan"), **ENDS).passed
    assert not unchanged("m", "c", None, usual=0.5, span=1.0).passed


def test_units_may_change_nothing_but_rounding():
    assert unchanged("m", "c", 0.505, usual=0.5, span=1.0).passed
    assert not unchanged("m", "c", 0.52, usual=0.5, span=1.0).passed
    assert unchanged("m", "c", 50.5, usual=50.0, span=100.0).passed


def test_a_fooled_measure_gives_no_verdict():
    noise = negative("precision", "noise", 0.868, **ENDS)
    real = positive("precision", "other real samples", 0.96, **ENDS)
    good = negative("recall", "one sample", 0.0, **ENDS)
    (found,) = vouched([claim("precision", "recall")], [real, noise, good])
    assert found["verdict"] == "not measurable"
    assert (found["control"], found["control_value"]) == ("precision: noise", 0.868)
    (found,) = vouched([claim("recall")], [real, noise, good])
    assert found["verdict"] == "holds"
    assert found["control"] == "recall: one sample"
    CLAIMS.build([found])


def test_of_passed_controls_the_nearest_negative_one_is_named():
    controls = [
        unchanged("m", "scaled", 0.5, usual=0.5, span=1.0),
        negative("m", "far", 0.01, **ENDS),
        negative("m", "near", 0.2, **ENDS),
        positive("m", "real", 0.76, **ENDS),
    ]
    (found,) = vouched([claim("m")], controls)
    assert found["control"] == "m: near"


@pytest.mark.parametrize("measures", [(), ("bare",), ("m", "bare")])
def test_a_measure_without_a_control_gives_no_verdict(measures):
    (found,) = vouched([claim(*measures)], [negative("m", "c", 0.0, **ENDS)])
    assert found["verdict"] == "not measurable"
    assert "no control" in found["control"]


def test_a_study_runs_the_controls_of_its_claims(tmp_path):
    config = ToyConfig(seeds=5, sides=(20,))
    done = conduct(config, tmp_path / "sound", study=TOY)
    assert done.claims[0]["verdict"] == "holds"
    assert [row["passed"] for row in done.tables["controls"]] == [True]
    fooled = replace(
        TOY, controls=lambda _job, _names: [negative("mean", "a one", 6.0, best=6.0, chance=3.5)]
    )
    done = conduct(config, tmp_path / "fooled", study=fooled)
    assert done.claims[0]["verdict"] == "not measurable"
    assert CONTROLS.read(tmp_path / "fooled" / "controls.parquet") == done.tables["controls"]


def test_a_study_that_declares_no_controls_gives_no_verdict(tmp_path):
    bare = replace(TOY, controls=lambda _job, _names: ())
    done = conduct(ToyConfig(seeds=5, sides=(20,)), tmp_path, study=bare)
    assert done.claims[0]["verdict"] == "not measurable"


def test_people_see_which_controls_were_not_passed():
    rows = [
        each.row()
        for each in (negative("m", "noise", 0.9, **ENDS), positive("m", "real", 1.0, **ENDS))
    ]
    sheet, line = controls_parts(rows)
    assert [row["control"] for row in sheet.rows] == ["noise"]
    assert "2 controls of 1 measure: 1 control not passed" in line
    assert controls_parts(rows[1:]) == ["1 control of 1 measure: all passed."]
    (shown, _) = claims_parts(vouched([claim("m")], [Control("m", "negative", "noise", 0.9)]))
    assert [field.text(shown.rows[0]) for field in shown.fields if field.key == "control"] == [
        "m: noise 0.9"
    ]

"""Columns of texts, and the values that they mean."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.benchmarks.importers.columns import (
    list_of,
    mapping_of,
    printable,
    read_column,
    says_failed,
    stray_cell,
)


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", " 2 ", "-3"], [1, 2, -3]),
        (["-1", "0"], [-1, 0]),
        (["1", "0.5", "-2e-05"], [1.0, 0.5, -2e-05]),
        (["00.5", "1"], [0.5, 1.0]),
        (["1", "2.5", "1e-3"], [1.0, 2.5, 0.001]),
        (["+.5", "5.", "\u22123"], [0.5, 5.0, -3.0]),
        (["0.1", "none", "null", "-", "NA", ""], [0.1, None, None, None, None, None]),
        (["3", "nan", "-inf"], [3.0, math.nan, -math.inf]),
        (["76,06", "8"], [76.06, 8.0]),
        (["1.234,5", "2,5"], [1234.5, 2.5]),
        (["1,234.5", "12"], [1234.5, 12.0]),
        (["12%", "3.5 %"], [12.0, 3.5]),
        (["1 ± 2", "3+-4", "5 +/- 6", "7 \\pm 8"], [1, 3, 5, 7]),
        (["1.5", "FAILED", "Out of memory"], [1.5, "FAILED", "Out of memory"]),
        (["64;128", "32", "16;;8"], [[64, 128], 32, [16, None, 8]]),
        (["True", "false", "NA"], [True, False, None]),
        (["[1, 2]", "(3,)", "[]", "NA"], [[1, 2], [3], [], None]),
        (['["a", null]', "['b', None]"], [["a", None], ["b", None]]),
        (["[1 2 3]", "[0.5 nan]"], [[1, 2, 3], [0.5, math.nan]]),
        (["['a' 'b']", "['c']"], [["a", "b"], ["c"]]),
        (["[[1, 2], (3, 4)]"], [[[1, 2], [3, 4]]]),
        # What stays as it is: words, codes, and what could mean two things.
        (["adam", "none", "na", "None", "NaN"], ["adam", "none", "na", None, None]),
        (["007", "010"], ["007", "010"]),
        (["1,234", "5"], ["1,234", "5"]),
        (["64,128,256"], ["64,128,256"]),
        (["0,5", "0.5"], ["0,5", "0.5"]),
        (["5%", "5"], ["5%", "5"]),
        (["1", "1e999"], ["1", "1e999"]),
        (["1_000", "0x1f", "\u0661"], ["1_000", "0x1f", "\u0661"]),
        (["failed", "failed"], ["failed", "failed"]),
        (["[1]", "x"], ["[1]", "x"]),
        (["{'a': 1}"], ["{'a': 1}"]),
        (["[1 for x in y]"], ["[1 for x in y]"]),
        # What is no text keeps its type beside text that means the same.
        ([1, "2", None], [1, 2, None]),
        ([0.5, "diverged"], [0.5, "diverged"]),
        ([True, "false"], [True, False]),
        ([1, "x"], [1, "x"]),
        ([True, "1"], [True, "1"]),
    ],
)
def test_columns_by_hand(texts, values):
    found = read_column(texts).values
    assert [repr(each) for each in found] == [repr(each) for each in values]


def test_a_comma_is_decimal_where_another_column_says_so():
    assert read_column(["1,234", "5"], decimal_comma=True).values == [1.234, 5.0]


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.sampled_from(["{!r}", "{!r} ", " {}"]))
def test_numbers_are_read_as_python_writes_them(numbers, form):
    assert read_column([form.format(each) for each in numbers]).values == numbers


LISTS = st.recursive(
    st.integers()
    | st.booleans()
    | st.none()
    | st.text(st.characters(exclude_categories=["C", "Z"])),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(LISTS, max_size=4))
def test_lists_are_read_as_python_writes_them(value):
    def depth(one):
        return 1 + max(map(depth, one), default=0) if isinstance(one, list) else 0

    found = list_of(str(value))
    assert found == (value if depth(value) <= 8 else None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": {"c": [true, null]}}', {"a": 1, "b": {"c": [True, None]}}),
        ("{'a': -1, 'b': (2, +3), 'c': -inf}", {"a": -1, "b": [2, 3], "c": -math.inf}),
        ("{}", {}),
        ("{'a': '\x1b[1m'}", {"a": "\\x1b[1m"}),
        ("{'a': f(1)}", None),
        ("{'a': x.y}", None),
        ("{'a': -'b'}", None),
        ("{'a': b'x'}", None),
        ("{1: 2}", None),
        ("{**{}}", None),
        ("{'a'}", None),
        ("['a']", None),
        ("{" * 5000, None),
        ("{'a': " * 9 + "1" + "}" * 9, None),
    ],
)
def test_dicts_are_read_and_never_evaluated(text, value):
    assert mapping_of(text) == value


@given(st.text())
def test_any_text_prints_safely(text):
    assert printable(text).isprintable()
    assert not text.isprintable() or printable(text) == text


def test_words_of_failure():
    words = ["failed", "FAIL", "Diverged (nan)", "CUDA error", "oom", "timeout", "Killed"]
    assert all(map(says_failed, words))
    assert not any(map(says_failed, ["good", "oomph", "1", "", "complete"]))


@pytest.mark.parametrize(
    ("texts", "stray"),
    [
        (["1", "2", "", "failed", "nan"], None),
        (["1", "good", "worse"], (1, "is 'good', not a finite number")),
        (["76,5", "good"], (1, "is 'good', not a finite number")),
        (["5", "76,063"], (1, "is '76,063', whose comma may be decimal or of thousands")),
        (["76", "75%"], (1, "is '75%', and other rows have no percent sign")),
        (["1", "1e999"], (1, "is '1e999', not a finite number")),
        (["true"], (0, "is 'True', not a finite number")),
        ([1, 10**400], (1, f"is '1{'0' * 39}', not a finite number")),
    ],
)
def test_the_cell_that_is_no_number_is_named(texts, stray):
    assert stray_cell(read_column(texts).values) == stray

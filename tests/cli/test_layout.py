"""Tables that fit: nothing is cut, and what is left out is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nasrank.cli.layout import ENDLESS, lay_out, wrapped
from nasrank.escapes import visible
from nasrank.study.view import Field, Sheet

ROWS = [
    {"loss": "listmle(temperature=0.5)", "n": 78, "tau": "0.744 ± 0.012", "needs": "54 / 648"},
    {"loss": "mse", "n": 15625, "tau": "0.701 ± 0.020", "needs": "1,204 / 64,800"},
]
FIELDS = (
    Field("loss", keep=9),
    Field("n", right=True, keep=9),
    Field("tau", "Kendall tau", right=True, keep=8),
    Field("needs", "evaluations\nto the top", right=True, keep=3),
)


def test_a_file_gets_everything_on_one_line_a_row():
    assert lay_out(Sheet(ROWS, FIELDS, "a task"), ENDLESS) == [
        "a task",
        "                                                    evaluations",
        "loss                           n    Kendall tau      to the top",
        "─" * 63,
        "listmle(temperature=0.5)      78  0.744 ± 0.012        54 / 648",
        "mse                       15,625  0.701 ± 0.020  1,204 / 64,800",
    ]


def test_the_column_of_the_lowest_rank_goes_first_and_is_named():
    lines = lay_out(Sheet(ROWS, FIELDS), 50)
    assert lines[-2].startswith("No room for: evaluations to the top.")
    assert lines[-4].split() == ["listmle(temperature=0.5)", "78", "0.744", "±", "0.012"]
    assert not any("648" in line for line in lines)


def test_rows_become_blocks_where_nothing_may_go():
    fields = [Field(field.key, field.title, right=field.right, keep=9) for field in FIELDS]
    lines = lay_out(Sheet(ROWS, fields), 40)
    assert lines[:4] == [
        "loss: listmle(temperature=0.5)",
        "n: 78",
        "Kendall tau: 0.744 ± 0.012",
        "evaluations to the top: 54 / 648",
    ]
    assert lines[4] == ""


def test_headings_are_broken_at_blanks_before_a_column_goes():
    lines = lay_out(Sheet(ROWS, FIELDS), 63)
    assert "evaluations" in lines[0]
    assert not lines[-1].startswith("No room")


def test_control_characters_are_made_visible():
    assert visible("a\x1b]0;x\x07\u202e") == "a\\x1b]0;x\\x07\\u202e"
    row = {"name": "\x1b[2Jgone\r\n"}
    assert lay_out(Sheet.of([row]), 80)[-1] == "\\x1b[2Jgone\\r"


def test_captions_are_wrapped_in_a_terminal_alone():
    text = "word " * 40
    assert all(len(line) <= 80 for line in wrapped(text, 80))
    assert len(wrapped(text, ENDLESS)) == 1
    assert max(map(len, wrapped(text, 300))) <= 100


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=True, allow_infinity=True)


WORDS = st.from_regex(r"[a-z]{1,9}([ \n][a-z%]{1,9}){0,4}", fullmatch=True)


@st.composite
def sheets(draw):
    count = draw(st.integers(1, 8))
    right = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    fields = [
        Field(f"k{n}", draw(WORDS), right=kind, keep=draw(st.integers(0, 9)))
        for n, kind in enumerate(right)
    ]
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {f"k{n}": NUMBERS if kind else TEXTS for n, kind in enumerate(right)}
            ),
            max_size=5,
        )
    )
    return Sheet(rows, fields, draw(st.none() | TEXTS))


@given(sheets(), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(sheet, width):
    from nasrank.study.view import number

    lines = lay_out(sheet, width)
    assert all(cell_len(line) <= width for line in lines), max(map(cell_len, lines))
    text = " ".join(" ".join(lines).split())
    named = text.partition("No room for: ")[2]
    for field in sheet.fields:
        if not field.right:
            continue
        missing = [row for row in sheet.rows if number(row[field.key]) not in text]
        gone = " ".join(field.heading.split()) in named
        assert not missing or gone or {number(row[field.key]) for row in missing} <= {"-"}


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_wide_figure_is_never_cropped(width):
    """What a library did: 7 for 78 and 54 / 64 for 54 / 648."""
    wide = [{**row, "more": "x" * 70} for row in ROWS]
    fields = [*FIELDS, Field("more", keep=9)]
    text = " ".join(" ".join(lay_out(Sheet(wide, fields), width)).split())
    assert {"78", "15,625"} <= set(text.split())
    for figure, heading in (("54 / 648", "evaluations to the top"), ("0.744", "Kendall tau")):
        assert figure in text or heading in text.partition("No room for: ")[2]

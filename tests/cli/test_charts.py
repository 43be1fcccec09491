"""Charts in a terminal: they fit, say what the rows say, and are in nobody's way."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nasrank.cli.charts import draw_chart
from nasrank.cli.output import print_parts
from nasrank.escapes import visible
from nasrank.study.view import Bar, Chart

CHART = Chart(
    "a task, 78 labels: evaluations",
    [
        Bar("mse", 200, 100, 400, "200 [100, 400]"),
        Bar("listmle", 100, 100, None, "100 [100, ∞)"),
        Bar("random", None, None, None, "> 1,000"),
        Bar("local", None, 400, None, "> 1,000 [400, > 1,000]"),
    ],
    mark=400,
    most=1_000,
)


def test_a_chart_by_hand():
    assert draw_chart(CHART, 70) == [
        "a task, 78 labels: evaluations",
        "mse       ├─────────●──────────┤                        200 [100, 400]",
        "listmle   ●──▸                 ┊                          100 [100, ∞)",
        "random                         ┊            ▸                  > 1,000",
        "local                          ├────────────▸   > 1,000 [400, > 1,000]",
        "         100       200           500     1,000",
    ]


values = st.none() | st.floats(1e-3, 1e9)
bars = st.builds(Bar, st.text(max_size=20), values, values, values, st.text(max_size=20))


@given(
    st.builds(Chart, st.text(max_size=90), st.lists(bars, max_size=6), values, values),
    st.integers(1, 120),
)
def test_no_line_is_wider_than_the_terminal(chart, width):
    lines = draw_chart(chart, width)
    assert all(cell_len(line) <= width for line in lines)
    if lines:
        assert len(lines) >= len(chart.bars) + 2
        assert all("\n" not in line for line in lines)


@pytest.mark.parametrize("width", [40, 80])
def test_names_are_text(width):
    name = "\x1b[31m[bold]"
    lines = draw_chart(Chart(name, [Bar(name, 1.0, None, None, name)]), width)
    assert all(line == visible(line) for line in lines)
    assert "[bold]" in lines[0]
    assert lines[1].startswith(visible(name))


def test_only_a_terminal_gets_charts(capsys, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_parts([CHART, "said"])
    assert capsys.readouterr().out == "said\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "70")
    print_parts([CHART, "said"])
    assert capsys.readouterr().out.splitlines() == [*draw_chart(CHART, 70), "", "said"]


def test_few_characters_are_enough(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "70")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    print_parts([CHART])
    lines = stream.buffer.getvalue().decode("ascii").splitlines()
    assert "?" not in "".join(lines)
    assert lines[2].split() == ["listmle", "o-->", ":", "100", "[100,", ".."]
    assert [len(line) for line in lines] == [len(line) for line in draw_chart(CHART, 70)]

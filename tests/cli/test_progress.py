"""Progress: it is there at once, and counts what a stop would keep."""

import io

import pytest
from rich.console import Console

from nasrank.cli import progress as progress_module
from nasrank.cli.progress import CountBar, ProgressBar, bytes_bar, waiting


@pytest.fixture
def terminal(monkeypatch):
    """A terminal whose output can be read."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(progress_module, "Console", lambda **_: console)
    return written


def shown(bar):
    """What stands on the line of the bar now."""
    (task,) = bar._bar.tasks
    return task.description, task.fields["kept"], task.completed, task.total


def test_it_is_there_before_anything_is_planned(terminal):
    with ProgressBar() as bar:
        assert shown(bar) == ("preparing", "", 0, None)
    assert "preparing" in terminal.getvalue()


@pytest.mark.usefixtures("terminal")
def test_it_counts_what_a_stop_would_keep():
    with ProgressBar() as bar:
        bar.start(240, 24, 0)
        bar.advance(80)
        assert shown(bar) == ("running", "0 of 24 saved,", 80, 240)
        bar.saved(8)
        assert shown(bar) == ("running", "8 of 24 saved,", 80, 240)


@pytest.mark.usefixtures("terminal")
def test_a_plan_that_grows_is_added():
    with ProgressBar() as bar:
        bar.start(10, 2, 0)
        bar.advance(10)
        bar.saved(2)
        bar.start(5, 1, 2)
        assert shown(bar)[1:] == ("2 of 3 saved,", 10, 15)


def test_a_file_gets_a_line_at_the_end(capsys):
    with ProgressBar() as bar:
        bar.start(10, 2, 3)
        bar.saved(2)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "3 runs are already finished, 2 are left"
    assert said[1].startswith("2 of 2 runs saved after ")


def test_quiet_says_nothing(capsys):
    with ProgressBar(quiet=True) as bar:
        bar.start(10, 2, 3)
        bar.advance(5)
        bar.saved(2)
        with bar.stage("scoring") as tell:
            tell(1, 2)
    assert capsys.readouterr() == ("", "")


NAME = "\x1b]0;owned[red]x[/red]\u202e"


@pytest.mark.parametrize("kind", ["count", "bytes", "stage", "wait"])
def test_no_name_beside_a_bar_is_obeyed(kind, terminal):
    if kind == "count":
        with CountBar(NAME):
            pass
    elif kind == "bytes":
        with bytes_bar(quiet=False) as bar:
            bar.add_task(NAME, total=None)
    elif kind == "stage":
        with ProgressBar() as bar, bar.stage(NAME):
            pass
    else:
        with waiting(NAME):
            pass
    assert r"\x1b]0;owned[red]x[/red]\u202e" in terminal.getvalue()
    assert "\x1b]" not in terminal.getvalue()
    assert "\u202e" not in terminal.getvalue()


def test_no_name_in_a_line_is_obeyed(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "_QUIET_SECONDS", 0.0)
    with ProgressBar() as bar, bar.stage(NAME) as tell:
        tell(1, 2)
    assert capsys.readouterr().err.startswith(r"\x1b]0;owned[red]x[/red]\u202e: 1 of 2 after ")

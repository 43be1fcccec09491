from dataclasses import dataclass

import pytest

from nasrank.errors import Interrupted, NothingToCompare
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.study.finishing import finish, missing
from nasrank.tables import Column, Table

SQUARES = Table(
    "squares",
    "A square",
    (Column("run_id", "string", "", "Run"), Column("square", "int64", "1", "The square")),
)


@dataclass(frozen=True)
class Square(Identity):
    number: int


FLEETS = [[Square(1), Square(2)], [Square(3)]]


class Work:
    """Squares numbers, remembers which, and stops at one if asked to."""

    def __init__(self, stop=None):
        self.done, self.stop, self.told = [], stop, []

    def __call__(self, fleet):
        if any(run.number == self.stop for run in fleet):
            raise KeyboardInterrupt
        self.done += [run.number for run in fleet]
        return [{"run_id": run.run_id, "square": run.number**2} for run in fleet]

    def start(self, work, runs, finished):
        self.told.append((work, runs, finished))

    def advance(self, work):
        pass

    def saved(self, runs):
        self.told.append(runs)


@pytest.fixture
def finished(tmp_path):
    return FinishedRuns(tmp_path / "runs.d", table=SQUARES, kind=Square)


def squares(rows):
    return sorted(row["square"] for row in rows.values())


def test_nothing_is_done_twice(finished):
    first, second, forced = Work(), Work(), Work()
    rows, count = finish(FLEETS, first, finished, what="squares", progress=first)
    assert (squares(rows), count, first.done) == ([1, 4, 9], 3, [1, 2, 3])
    assert first.told == [(3, 3, 0), 2, 1]
    rows, count = finish(FLEETS, second, finished, what="squares")
    assert (squares(rows), count, second.done) == ([1, 4, 9], 0, [])
    assert finish(FLEETS, forced, finished, what="squares", force=True)[1] == 3


def test_what_is_missing_of_a_fleet_is_done_alone(finished):
    finish([[FLEETS[0][1]]], Work(), finished, what="squares")
    runs = [run for fleet in FLEETS for run in fleet]
    assert [run.number for run in missing(runs, finished)] == [1, 3]
    assert missing(runs, finished, only_cached=True) == []
    assert len(missing(runs, finished, force=True)) == 3
    work = Work()
    finish(FLEETS, work, finished, what="squares")
    assert work.done == [1, 3]


def test_a_stopped_grid_goes_on(finished):
    with pytest.raises(Interrupted, match=r"2 of 3 squares are saved in .* same command to go on"):
        finish(FLEETS, Work(stop=3), finished, what="squares")
    work = Work()
    assert squares(finish(FLEETS, work, finished, what="squares")[0]) == [1, 4, 9]
    assert work.done == [3]


def test_only_what_is_there(finished):
    with pytest.raises(NothingToCompare, match="none of the 3 squares"):
        finish(FLEETS, Work(), finished, what="squares", only_cached=True)
    finish(FLEETS[1:], Work(), finished, what="squares")
    rows, count = finish(FLEETS, Work(), finished, what="squares", only_cached=True)
    assert (squares(rows), count) == ([9], 0)

"""A comparison as a page shows it: places, methods, their order, and what the tables say of each.

Nothing is estimated here: means, intervals, ranks and verdicts are those of ``summary`` and
``headline``; what is new is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from nasrank.report.folders import SCORES, Stored, StoredTable
from nasrank.runs.discovery import mean_discovery
from nasrank.runs.tables import DISCOVERY, HEADLINE, PREDICTIONS, RUNS, SUMMARY
from nasrank.study.view import fixed, joined, with_interval
from nasrank.tables import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ORDER", "Comparison", "Place", "Scored", "comparisons_of"]

Row = Mapping[str, Any]

ORDER = "kendall_tau"
"""The metric that methods are put in order by."""
REGRET = "regret_at_10"
_TOP = 0.01
_three = fixed(3)
_NEEDED = (HEADLINE, SUMMARY, RUNS)
_SCORES = Table(PREDICTIONS.name, PREDICTIONS.about, PREDICTIONS.pick(*SCORES))


class Place(NamedTuple):
    """Where methods are compared with one another.

    Attributes:
        task: Name of the task.
        sampling: How training sets were drawn.
    """

    task: str
    sampling: str

    def text(self, *, sampled: bool) -> str:
        """Write it as people read it."""
        return joined([self.task, f"{self.sampling} sampling" if sampled else ""])


class Wins(NamedTuple):
    """Of how many pairs of runs on one seed the first method was ahead.

    Attributes:
        won: Pairs in which it was.
        pairs: Pairs in which both had a value and these differed.
    """

    won: int
    pairs: int


class Scored(NamedTuple):
    """What one predictor said of the architectures that it was not trained on.

    Attributes:
        place: Where it was.
        n: Training size.
        method: Its name.
        seed: Its seed.
        scores: ``[N]``, higher is better.
        values: ``[N]`` labels, with their sign turned where less is better.
    """

    place: Place
    n: int
    method: str
    seed: int
    scores: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One comparison, of one folder or of several with the same methods.

    Attributes:
        studies: The folders.
    """

    studies: Sequence[Stored]

    @cached_property
    def places(self) -> list[Place]:
        """Where methods are compared, in the order of the tables."""
        return list(dict.fromkeys(_place(row) for row in self._headline))

    @cached_property
    def sizes(self) -> list[int]:
        """Training sizes, the smallest first."""
        return sorted({row["n_train"] for row in self._headline})

    @cached_property
    def size(self) -> int:
        """The size to look at first: of those that most places have, the middle one."""
        count = Counter(n for n in self.sizes for place in self.places if self._at(place, n))
        most = [n for n in self.sizes if count[n] == max(count.values())]
        return most[(len(most) - 1) // 2]

    @cached_property
    def methods(self) -> list[str]:
        """Names of the methods, those best in order first.

        First come those that were least often shown to be worse than the best, of these those
        that were most often it or equivalent to it, of these the ones with the best mean rank.
        """
        tally: dict[str, Counter[str]] = defaultdict(Counter)
        ranks: dict[str, list[float]] = defaultdict(list)
        for place in self.places:
            for n in self.sizes:
                for method in self._at(place, n):
                    tally[method][self.verdict(place, n, method, ORDER)] += 1
                    row = self.value(place, n, method, ORDER)
                    last = float(len(self._at(place, n)))
                    ranks[method].append(last if row["rank"] is None else row["rank"])
        return sorted(
            self._names,
            key=lambda m: (
                tally[m]["worse"],
                -tally[m]["best"] - tally[m]["equivalent"],
                sum(ranks[m]) / max(len(ranks[m]), 1),
            ),
        )

    @cached_property
    def chosen(self) -> list[str]:
        """Methods in colour at first: the first two, the one that was named first, the last."""
        few = len(self.methods) <= 4
        names = self.methods if few else [*self.methods[:2], self._names[0], self.methods[-1]]
        return [method for method in self.methods if method in names]

    @property
    def baseline(self) -> str:
        """The method that the command named first."""
        return self._names[0]

    @property
    def sampled(self) -> bool:
        """Whether several ways to draw training sets are compared."""
        return len({place.sampling for place in self.places}) > 1

    @cached_property
    def what(self) -> str:
        """What the methods are."""
        return "loss" if self._lines == "loss" else "method" if "+" in self._lines else "predictor"

    @cached_property
    def predictors(self) -> list[str]:
        """Names of the predictors."""
        return list(dict.fromkeys(row["predictor"] for row in self._headline))

    @cached_property
    def seeds(self) -> tuple[int, int]:
        """Fewest and most seeds of a row."""
        counts = [row["n_seeds"] for row in self._headline]
        return min(counts), max(counts)

    @cached_property
    def margin(self) -> float:
        """The difference of tau that does not matter."""
        rows = self._summary.items()
        return float(max(row["margin"] for (*_, metric), row in rows if metric == ORDER))

    def spread(self, row: Row, show: Callable[[Any], str] = _three) -> str:
        """Write the mean of a row of ``summary`` with its interval."""
        mean = {"mean": row["mean"], "mean_lower": row["lower"], "mean_upper": row["upper"]}
        return with_interval(mean, "mean", show)

    def verdict(self, place: Place, n: int, method: str, metric: str) -> str:
        """Return best, equivalent, undecided or worse, or none where there is no value."""
        row = self.value(place, n, method, metric)
        if row["best"]:
            return "best"
        return "none" if row["mean"] is None else row["verdict"] or "undecided"

    def value(self, place: Place, n: int, method: str, metric: str) -> Row:
        """Return a row of ``summary``; an empty one where there is none."""
        return self._summary.get((place, n, method, metric), _NO_VALUE)

    def head(self, place: Place, n: int, method: str) -> Row | None:
        """Return a row of ``headline``; None where there is none."""
        return self._at(place, n).get(method)

    def has(self, place: Place, n: int) -> bool:
        """Whether anything was compared there."""
        return bool(self._at(place, n))

    def found(self, place: Place, n: int, method: str) -> list[tuple[int, float]]:
        """Return evaluations after training and the mean share of the top 1 % found by then."""
        return self._discovery.get((place, n, method), [])

    def seconds(self, place: Place, n: int, method: str) -> float | None:
        """Return the seconds that fitting and scoring took, the median over seeds."""
        runs = self._runs.get((place, n, method), [])
        return (
            median(run["fit_seconds"] + run["predict_seconds"] for run in runs) if runs else None
        )

    def ceiling(self, place: Place) -> float | None:
        """Return the highest tau that the noise of the labels allows, where it is known."""
        known = (run["ceiling_tau"] for run in self._all_runs if _place(run) == place)
        return next((value for value in known if value is not None), None)

    def universe(self, place: Place, n: int) -> int:
        """Return how many architectures there are to find something among."""
        run = next(run for run in self._all_runs if _place(run) == place and run["n_train"] == n)
        return int(run["n_test"]) + (n if run["test"] == "rest" else 0)

    def scored(self) -> Iterator[Scored]:
        """Yield the scores of every run that kept them; runs of one score for all have none."""
        import numpy as np

        runs = {run["run_id"]: run for run in self._all_runs}
        for study in self.studies:
            if not _holds(study, _SCORES):
                continue
            kept = study.tables[PREDICTIONS.name].data
            names = kept["run_id"].combine_chunks().dictionary_encode()
            of = names.indices.to_numpy(zero_copy_only=False)
            scores, labels, trained = (
                kept[name].to_numpy().astype(kind)
                for name, kind in (("score", float), ("label", float), ("in_train", bool))
            )
            order = np.argsort(of, kind="stable")
            ends = np.searchsorted(of[order], np.arange(len(names.dictionary) + 1))
            for place, run_id in enumerate(names.dictionary.to_pylist()):
                own = order[ends[place] : ends[place + 1]]
                own = own[~trained[own] & np.isfinite(scores[own] + labels[own])]
                run = runs.get(run_id)
                if run is not None and len(own):
                    best, known = run["best_possible"], labels[own]
                    higher = abs(best - known.max()) <= abs(best - known.min())
                    yield Scored(
                        _place(run), run["n_train"], run["_method"], run["seed"],
                        scores[own], known if higher else -known,
                    )  # fmt: skip

    def wins(self, first: str, second: str) -> Wins:
        """Count the seeds, over all places and sizes, on which one method had the higher tau."""
        won = pairs = 0
        for (place, n, method), runs in self._runs.items():
            if method == first:
                theirs = {run["seed"]: run for run in self._runs.get((place, n, second), [])}
                for run in runs:
                    other = theirs.get(run["seed"])
                    a, b = run[ORDER], None if other is None else other[ORDER]
                    if a is not None and b is not None and a != b:
                        won, pairs = won + (a > b), pairs + 1
        return Wins(won, pairs)

    @cached_property
    def _headline(self) -> list[Row]:
        return self._named("headline")

    @cached_property
    def _summary(self) -> dict[tuple[Place, int, str, str], Row]:
        return {
            (_place(row), row["n_train"], row["_method"], row["metric"]): row
            for row in self._named("summary")
        }

    @cached_property
    def _all_runs(self) -> list[Row]:
        return self._named("runs")

    @cached_property
    def _runs(self) -> dict[tuple[Place, int, str], list[Row]]:
        runs = defaultdict(list)
        for run in self._all_runs:
            runs[_place(run), run["n_train"], run["_method"]].append(run)
        return dict(runs)

    @cached_property
    def _discovery(self) -> dict[tuple[Place, int, str], list[tuple[int, float]]]:
        keys = {r["run_id"]: (_place(r), r["n_train"], r["_method"]) for r in self._all_runs}
        found: dict[tuple[Place, int, str], list[tuple[int, float]]] = {}
        for study in self.studies:
            if _holds(study, DISCOVERY):
                found |= mean_discovery(keys, _of_top(study.tables["discovery"]), _TOP)
        return found

    @cached_property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(row["_method"] for row in self._headline))

    @cached_property
    def _lines(self) -> str:
        return _lines_of(self.studies[0].tables["headline"].rows)

    def _named(self, table: str) -> list[Row]:
        lines = self._lines
        rows = (row for study in self.studies for row in study.tables[table].rows)
        return [{**row, "_method": _method(row, lines)} for row in rows]

    def _at(self, place: Place, n: int) -> Mapping[str, Row]:
        return self._by_place.get((place, n), {})

    @cached_property
    def _by_place(self) -> dict[tuple[Place, int], dict[str, Row]]:
        found: dict[tuple[Place, int], dict[str, Row]] = defaultdict(dict)
        for row in self._headline:
            found[_place(row), row["n_train"]][row["_method"]] = row
        return dict(found)


_NO_VALUE: Row = dict.fromkeys(
    ("mean", "sd", "lower", "upper", "rank", "difference", "difference_lower",
     "difference_upper", "verdict", "p_holm")
) | {"best": False, "n_seeds": 0, "margin": 0.0}  # fmt: skip


def comparisons_of(studies: Iterable[Stored]) -> list[Comparison]:
    """Put comparisons of the same methods on other tasks together.

    Args:
        studies: What was read; folders that hold no comparison are left out.
    """
    groups: list[list[Stored]] = []
    for study in studies:
        if study.command != "compare" or not all(_holds(study, each) for each in _NEEDED):
            continue
        for group in groups:
            if _methods(group[0]) == _methods(study) and not any(
                _tasks(each) & _tasks(study) for each in group
            ):
                group.append(study)
                break
        else:
            groups.append([study])
    return [Comparison(group) for group in groups]


def _holds(study: Stored, contract: Table) -> bool:
    table = study.tables.get(contract.name)
    return table is not None and table.data.num_rows > 0 and table.keeps(contract)


def _of_top(table: StoredTable) -> list[dict[str, Any]]:
    """Return the rows of one definition of the top; there are tens of thousands of others."""
    names = ("run_id", "top_fraction", "k", "discovery_rate")
    columns = [table.data[name].to_pylist() for name in names]
    return [
        dict(zip(names, cells, strict=True))
        for cells in zip(*columns, strict=True)
        if cells[1] == _TOP
    ]


def _tasks(study: Stored) -> set[str]:
    return {row["task"] for row in study.tables["headline"].rows}


def _methods(study: Stored) -> tuple[str, frozenset[str]]:
    rows = study.tables["headline"].rows
    lines = _lines_of(rows)
    return lines, frozenset(_method(row, lines) for row in rows)


def _lines_of(rows: Sequence[Row]) -> str:
    """Say what tells methods apart: their loss, their predictor, or both."""
    losses: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        losses[row["predictor"]].add(row["loss"])
    if len(losses) == 1:
        return "loss"
    return "predictor" if all(len(own) == 1 for own in losses.values()) else "predictor+loss"


def _method(row: Row, lines: str) -> str:
    return " ".join(row[each] for each in lines.split("+"))


def _place(row: Row) -> Place:
    return Place(row["task"], row["sampling"])

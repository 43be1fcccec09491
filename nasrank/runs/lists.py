r"""Lists of candidates: how good they are, and how much of what is good they hold.

A list is the k highest predicted of the candidates. Taken as a generator that draws one of them,
it has a precision and a recall for every trade-off :math:`\lambda` (Sajjadi et al. 2018;
Verine et al. 2023): with p uniform over the list and q over the T candidates of the top,

.. math:: \alpha_\lambda = \sum_x \min(\lambda q(x), p(x)), \qquad \beta_\lambda =
    \alpha_\lambda / \lambda

A list of :math:`k = T / \lambda` has the greatest of both: there :math:`\alpha` is its precision,
the share of it that is top, and :math:`\beta` its recall, the share of the top that is in it. So a
wish between precision and recall is a length of the list, and all lengths are the frontier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrank.runs.tables import DISCOVERY, DISCOVERY_AT, RUNS
from nasrank.seeds import numpy_generator
from nasrank.statistics import Interval, compare_with_best, mean_interval
from nasrank.study.view import grouped
from nasrank.tables import Table, bounds, count, number, share, text

__all__ = ["LISTS", "LIST_TOP", "Listed", "list_at", "lists_table"]

Row = dict[str, Any]

LIST_TOP = 0.01
"""Share of the universe that counts as top."""
_MARGIN = DISCOVERY_AT.margin or 0.0
"""Share of a list that does not matter, as of what is found of the top."""
_NO_TOP = "no candidate is of the top in any seed, or the universe is too small for one"
_FEW = "fewer than two seeds with a candidate of the top"

LISTS = Table(
    "lists",
    "The candidates that one loss lists first, cut where a wish between precision and recall says",
    (
        *RUNS.pick("task", "predictor", "loss", "n_train", "sampling"),
        number("lambda", "1", f"The wish: candidates of the top {LIST_TOP:.0%} over the length of "
               "the list; below 1 for recall, above for precision"),
        count("n_seeds", "runs", "Seeds with a candidate of the top"),
        number("length", "candidates", "Mean length of the list", _NO_TOP),
        share("precision", "Mean share of the list that is top", _NO_TOP, better="higher",
              margin=_MARGIN),
        *bounds("1", "95 % Student interval", _FEW, of="precision"),
        share("recall", "Mean share of the candidates of the top that the list holds", _NO_TOP,
              better="higher", margin=_MARGIN),
        *bounds("1", "95 % Student interval", _FEW, of="recall"),
        share("chance", "Mean share of all candidates that is top: precision of a blind list",
              _NO_TOP),
        count("rank", "rank", "Rank among predictors and losses, 1 is best: by the precision of "
              "lists shorter than the top, by the recall of longer ones", _NO_TOP),
        number("difference", "1", "That precision or recall minus that of the best, same seeds",
               "the best itself, or no value"),
        *bounds("1", "95 % Student interval", "the best itself, or too few seeds",
                of="difference"),
        text("verdict", "worse or better where the whole interval is beyond the margin, "
             "equivalent where it is all within, or undecided", "the best itself, or no value"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """One list of one run.

    Attributes:
        length: How long it is.
        precision: Share of it that is top.
        recall: Share of the candidates of the top that it holds.
        chance: Share of all candidates that is top.
    """

    length: float
    precision: float
    recall: float
    chance: float

    @property
    def attained(self) -> float:
        """Share of the most that so long a list can hold of the top, from 0 to 1."""
        return max(self.precision, self.recall)


def list_at(row: Mapping[str, Any], wish: float) -> Listed | None:
    """Cut the list of a run where a wish says.

    Between the lengths that the run has been followed at what it holds is taken as a line, which
    understates it a little, as later candidates are worse.

    Args:
        row: One of :data:`~nasrank.runs.tables.FINISHED`.
        wish: lambda, above 0. A list longer than all candidates is all of them, one shorter than
            one candidate is one.

    Returns:
        The list, or None where no candidate is of the top.

    Example:
        Of 100 candidates 4 are top; the first 2 hold 1 of them, the first 8 hold 3:

        >>> row = {"discovery.top_fraction": [0.01] * 4, "discovery.top_size": [5] * 4,
        ...     "discovery.k": [0, 2, 8, 100], "discovery.discovery_rate": [0.2, 0.4, 0.8, 1.0]}
        >>> list_at(row, 0.5)
        Listed(length=8.0, precision=0.375, recall=0.75, chance=0.04)
    """
    names = ("top_fraction", "top_size", "k", "discovery_rate")
    columns = [row[f"{DISCOVERY.name}.{name}"] for name in names]
    own = [each[1:] for each in zip(*columns, strict=True) if each[0] == LIST_TOP]
    if not own:
        return None
    sizes, lengths, rates = (np.array(each, np.float64) for each in zip(*own, strict=True))
    # The rate counts what the training set holds, which is no candidate.
    found = np.rint((rates - rates[0]) * sizes)
    top, every = float(found[-1]), float(lengths[-1])
    if top == 0:
        return None
    length = float(np.clip(top / wish, 1.0, every))
    hits = float(np.interp(length, lengths, found))
    return Listed(length, hits / length, hits / top, top / every)


def lists_table(rows: Sequence[Mapping[str, Any]], wishes: Sequence[float]) -> list[Row]:
    """Return rows of :data:`LISTS`: every predictor and loss at every wish, on shared seeds.

    Args:
        rows: Rows of :data:`~nasrank.runs.tables.FINISHED`.
        wishes: Every lambda; one that is named twice counts once.
    """
    names = ("task", "n_train", "sampling")
    result: list[Row] = []
    for key, runs in grouped(rows, names).items():
        own = grouped(runs, ("predictor", "loss"))
        for wish in dict.fromkeys(wishes):
            cut = {
                # The top of a diverged run is that of a random order, nothing about the loss.
                pair: {run["seed"]: list_at(run, wish) for run in each if not run["diverged"]}
                for pair, each in own.items()
            }
            result += [
                {**dict(zip(names, key, strict=True)), "lambda": wish, **row}
                for row in _compared(cut)
            ]
    return result


def _compared(cut: Mapping[tuple[str, str], Mapping[int, Listed | None]]) -> Iterator[Row]:
    """Compare the lists of every predictor and loss, given by seed."""
    seeds = sorted({seed for own in cut.values() for seed in own})
    compared = compare_with_best(
        {
            "\n".join(pair): [_attained(own.get(seed)) for seed in seeds]
            for pair, own in cut.items()
        },
        sign=1.0,
        margin=_MARGIN,
        rng=numpy_generator(0, stream="flips"),
    )
    for (pair, own), against in zip(cut.items(), compared.values(), strict=True):
        known = [each for each in own.values() if each is not None]
        yield {
            "predictor": pair[0],
            "loss": pair[1],
            "n_seeds": len(known),
            "length": _mean([each.length for each in known]),
            **_spelt("precision", mean_interval([each.precision for each in known])),
            **_spelt("recall", mean_interval([each.recall for each in known])),
            "chance": _mean([each.chance for each in known]),
            "rank": against.rank,
            **_spelt("difference", against.difference),
            "verdict": against.verdict,
        }


def _spelt(name: str, interval: Interval | None) -> Row:
    """Spell an interval in three columns."""
    ends = {"": "mean", "_lower": "lower", "_upper": "upper"}
    return {f"{name}{end}": getattr(interval, of, None) for end, of in ends.items()}


def _attained(listed: Listed | None) -> float:
    return float("nan") if listed is None else listed.attained


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None

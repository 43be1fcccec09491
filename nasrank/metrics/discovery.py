"""How early a predictor finds the best architectures.

A run orders its test items by score. From that order follow the ranking metrics of one run and
its discovery curve: what is found when, after the training set, the k highest predicted
architectures are evaluated too. Labels are higher for better items throughout; the caller negates
lower-is-better metrics first and negates ``best_possible`` and ``best_label`` back. Regret needs
no negation: it is never negative and in the metric's unit.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64

from nasrank.metrics.inputs import FloatArray, checked_labels, checked_scores
from nasrank.metrics.top import TOP_FRACTIONS, ceil_share, top_threshold

__all__ = [
    "Ranking",
    "discovery_table",
    "evaluation_grid",
    "first_hits",
    "precision_at",
    "rank_items",
    "rank_order",
    "ranking_metrics",
]

Value = float | int | None

_PRECISION = {"0.5pct": 0.005, "1pct": 0.01, "5pct": 0.05}
_FIRST_HIT = {"0.1pct": 0.001, "0.5pct": 0.005, "1pct": 0.01, "5pct": 0.05}


@dataclass(frozen=True, eq=False)
class Ranking:
    """The labels of one run, in the order in which its predictor would evaluate them.

    Attributes:
        train: Labels of the training items; may be empty.
        ranked: Labels of all test items, highest predicted first.
        candidates: ``ranked`` without the items that are training items too. The same array
            as ``ranked`` unless a run scores its training items.
    """

    train: Float64[FloatArray, "n_train"]
    ranked: Float64[FloatArray, "n_test"]
    candidates: Float64[FloatArray, "candidates"]

    @cached_property
    def universe(self) -> Float64[FloatArray, "universe"]:
        """Labels of training and test items together, each once, ascending."""
        return np.sort(np.concatenate([self.train, self.candidates]))


def rank_order(
    scores: npt.ArrayLike, tie_order: npt.ArrayLike, *, groups: npt.ArrayLike | None = None
) -> Int64[npt.NDArray[np.intp], "items"]:
    """Indices of the items, highest score first.

    Equal scores are ordered by ``tie_order``. A nan score (a diverged predictor) ranks last, so
    a predictor of nothing but nan gives the order of ``tie_order``.

    With ``groups`` one item stands for its group: the group's first by index. Its score and its
    priority place the group, and the other members follow directly, in ``tie_order``. Taking
    the first by index, not the first by priority, keeps large groups from winning every tie.

    Args:
        scores: Predicted values ``[items]``; no unit.
        tie_order: Priority of each item ``[items]``, a permutation of 0 to items - 1; the lower
            comes first.
        groups: A class number for each item ``[items]``, or None where no items share a class.

    Returns:
        Item indices ``[items]``.

    Raises:
        ValueError: Lengths differ, or ``tie_order`` is not a permutation.

    Examples:
        Items 1 and 2 are tied and 2 has the lower priority number:

        >>> rank_order([0.1, 0.7, 0.7, 0.3], [0, 3, 1, 2]).tolist()
        [2, 1, 3, 0]

        Item 3 is a twin of item 1, which stands for both:

        >>> rank_order([0.1, 0.7, 0.8, 0.7], [0, 3, 1, 2], groups=[0, 1, 2, 1]).tolist()
        [2, 3, 1, 0]
    """
    priority = np.asarray(tie_order)
    if priority.ndim != 1 or not np.array_equal(np.sort(priority), np.arange(len(priority))):
        raise ValueError("'tie_order' should be a permutation of 0 to items - 1")
    predicted = checked_scores(scores, len(priority))
    if groups is None:
        return np.lexsort((priority, -predicted))
    members = np.asarray(groups)
    if members.shape != priority.shape:
        raise ValueError(f"'groups' should have shape {priority.shape} and has {members.shape}")
    _, first, inverse = np.unique(members, return_index=True, return_inverse=True)
    stands_for = first[inverse]
    return np.lexsort((priority, priority[stands_for], -predicted[stands_for]))


def rank_items(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    tie_order: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    in_train: npt.ArrayLike | None = None,
) -> Ranking:
    """Order the test items of one run by score.

    Args:
        scores: Predicted values of the test items ``[n_test]``.
        labels: True values of the test items ``[n_test]``, higher is better.
        train_labels: True values of the training items ``[n_train]`` by the same measure as
            ``labels``, which need not be the values the predictor was trained on.
        tie_order: Priority of each test item, see `rank_order`.
        groups: Class of each test item, see `rank_order`.
        in_train: True for test items that are training items too ``[n_test]``. They count in
            precision, ``n_at`` and ``regret_at``, but are neither doubled in the universe nor
            evaluated again.

    Returns:
        The labels in predicted order.

    Raises:
        ValueError: There is no test item, or lengths differ.
        DataError: A label is not finite.

    Examples:
        >>> rank_items([0.2, 0.9], [70.0, 60.0], [50.0], [0, 1]).ranked.tolist()
        [60.0, 70.0]
    """
    true = checked_labels(labels)
    if len(true) == 0:
        raise ValueError("'labels' should hold at least one test item")
    order = rank_order(checked_scores(scores, len(true)), tie_order, groups=groups)
    ranked = true[order]
    candidates = ranked
    if in_train is not None:
        known = np.asarray(in_train, dtype=bool)
        if known.shape != true.shape:
            raise ValueError(f"'in_train' should have shape {true.shape} and has {known.shape}")
        candidates = ranked[~known[order]]
    return Ranking(train=checked_labels(train_labels), ranked=ranked, candidates=candidates)


def precision_at(ranked_labels: npt.ArrayLike, fraction: float) -> float:
    """Share of the predicted top that is truly top, K = max(1, ceil(fraction * n_test)).

    The predicted top is the first K items of the order. The true top has K places: items better
    than the K-th best label hold theirs, and the rest are open to any item that equals it. So
    ``(better + min(equal, open places)) / K``, where ``better`` and ``equal`` count items of the
    predicted top. Ties at the border can neither push the value above 1 nor keep a perfect order
    below it.

    Args:
        ranked_labels: True values ``[n_test]``, highest predicted first.
        fraction: Share of the test items, in (0, 1].

    Returns:
        A value in [0, 1], higher is better.

    Raises:
        ValueError: There is no item, or the fraction is outside (0, 1].
        DataError: A label is not finite.

    Examples:
        K = 2, the true top is 9 and one of the two 8s; the predicted top holds both 8s, and only
        one place is open to them:

        >>> precision_at([8, 8, 9, 1], 0.5)
        0.5
    """
    labels = checked_labels(ranked_labels)
    if len(labels) == 0 or not 0 < fraction <= 1:
        raise ValueError("'ranked_labels' should not be empty and 'fraction' lie in (0, 1]")
    size = max(1, ceil_share(fraction, len(labels)))
    place = len(labels) - size
    border = np.partition(labels, place)[place]
    open_places = size - np.count_nonzero(labels > border)
    head = labels[:size]
    better = np.count_nonzero(head > border)
    equal = np.count_nonzero(head == border)
    return float((better + min(equal, open_places)) / size)


def first_hits(ranking: Ranking) -> dict[str, int | None]:
    """Evaluations after the training set until the first member of each top set is found.

    Args:
        ranking: One run.

    Returns:
        ``first_hit_0.1pct``, ``first_hit_0.5pct``, ``first_hit_1pct``, ``first_hit_5pct``: 0
        where the training set holds a member of T, else the 1-based place of T's first member
        among the test items by score; None where T is undefined. Lower is better.

    Examples:
        In a universe of 20 labels the top 5 % is the label 20 alone, predicted third:

        >>> ranking = rank_items([3, 2, 1], [18, 19, 20], range(1, 18), [0, 1, 2])
        >>> first_hits(ranking)["first_hit_5pct"]
        3
    """
    hits: dict[str, int | None] = {}
    for name, fraction in _FIRST_HIT.items():
        threshold = top_threshold(ranking.universe, fraction)
        if threshold is None:
            hits[f"first_hit_{name}"] = None
        elif (ranking.train >= threshold).any():
            hits[f"first_hit_{name}"] = 0
        else:
            hits[f"first_hit_{name}"] = 1 + int(np.argmax(ranking.candidates >= threshold))
    return hits


def ranking_metrics(ranking: Ranking) -> dict[str, Value]:
    """Every metric of one run that concerns the top of the order.

    Args:
        ranking: One run.

    Returns:
        - ``precision_at_0.5pct``, ``_1pct``, ``_5pct``: see `precision_at`; higher is better.
        - ``n_at_1``, ``n_at_10``: best true rank among the k highest predicted test items, 1 for
          the best of the test set; equal labels share the best of their ranks; lower is better.
          All items count where there are fewer than k.
        - ``regret_at_1``, ``regret_at_10``: best label of the test set minus the best among the k
          highest predicted, in the metric's unit, at least 0; lower is better.
        - ``best_possible``: best label of the test set.
        - ``first_hit_*``: see `first_hits`.

    References:
        Ning et al. (2020), "A Generic Graph-based Neural Architecture Encoding Scheme for
        Predictor-based NAS", ECCV, for N@K.

    Examples:
        >>> ranking = rank_items([3, 2, 1], [70.0, 90.0, 80.0], [50.0], [0, 1, 2])
        >>> metrics = ranking_metrics(ranking)
        >>> metrics["n_at_1"], metrics["regret_at_1"], metrics["regret_at_10"]
        (3, 20.0, 0.0)
    """
    ranked = ranking.ranked
    best = float(ranked.max())
    metrics: dict[str, Value] = {
        f"precision_at_{name}": precision_at(ranked, fraction)
        for name, fraction in _PRECISION.items()
    }
    found = {k: float(ranked[:k].max()) for k in (1, 10)}
    for k, label in found.items():
        metrics[f"n_at_{k}"] = 1 + int(np.count_nonzero(ranked > label))
        metrics[f"regret_at_{k}"] = best - label
    metrics["best_possible"] = best
    metrics.update(first_hits(ranking))
    return metrics


def evaluation_grid(n_test: int) -> list[int]:
    """The numbers k of evaluated candidates: 0, 1, 2, 5, 10, 20, 50, ... and ``n_test`` itself.

    Args:
        n_test: Number of candidates.

    Returns:
        Ascending, each once, none above ``n_test``.

    Examples:
        >>> evaluation_grid(60)
        [0, 1, 2, 5, 10, 20, 50, 60]
    """
    steps = [0]
    decade = 1
    while decade < n_test:
        steps += [step * decade for step in (1, 2, 5) if step * decade < n_test]
        decade *= 10
    return [*steps, n_test] if n_test else steps


def discovery_table(ranking: Ranking) -> dict[str, list[Value]]:
    """What is found after the training set and the k highest predicted candidates.

    Args:
        ranking: One run.

    Returns:
        Columns of equal length, one row for each top fraction with a defined top set T and each
        k of `evaluation_grid`:

        - ``top_fraction``, ``top_size`` (members of T in the universe), ``k``.
        - ``discovery_rate``: (members of T in train + among the k highest predicted) / |T|;
          never falls with k, and 1 at the last k.
        - ``test_discovery_rate``: members of T among the k highest predicted / members of T in
          test; None where test holds none.
        - ``hit``: whether a member of T is found by then.
        - ``best_rank``: rank in the universe of the best architecture found by then, 1 = best,
          equal labels sharing the best of their ranks.
        - ``best_label``: its label; ``regret``: best label of the universe minus ``best_label``,
          in the metric's unit, at least 0.

        The last three count the training set, so k = 0 is the training set alone, and they are
        None at k = 0 where it is empty. They do not depend on ``top_fraction``.

    Examples:
        >>> ranking = rank_items([2, 1], [18, 20], [*range(1, 18), 19], [0, 1])
        >>> table = discovery_table(ranking)
        >>> list(zip(table["k"], table["discovery_rate"], table["best_rank"]))
        [(0, 0.0, 2), (1, 0.0, 2), (2, 1.0, 1)]
    """
    names = ("top_fraction", "top_size", "k", "discovery_rate", "test_discovery_rate", "hit",
             "best_rank", "best_label", "regret")  # fmt: skip
    table: dict[str, list[Value]] = {name: [] for name in names}
    grid = evaluation_grid(len(ranking.candidates))
    progress = _best_so_far(ranking, grid)
    for fraction in TOP_FRACTIONS:
        threshold = top_threshold(ranking.universe, fraction)
        if threshold is None:
            continue
        in_train = int(np.count_nonzero(ranking.train >= threshold))
        found = np.concatenate([[0], np.cumsum(ranking.candidates >= threshold)])[grid]
        in_test = int(found[-1])
        total = in_train + in_test
        table["top_fraction"] += [fraction] * len(grid)
        table["top_size"] += [total] * len(grid)
        table["k"] += grid
        table["discovery_rate"] += ((in_train + found) / total).tolist()
        table["test_discovery_rate"] += (
            (found / in_test).tolist() if in_test else [None] * len(grid)
        )
        table["hit"] += (in_train + found > 0).tolist()
        for name, values in progress.items():
            table[name] += values
    return table


def _best_so_far(ranking: Ranking, grid: list[int]) -> dict[str, list[Value]]:
    """Columns ``best_rank``, ``best_label`` and ``regret`` over the values of k."""
    universe = ranking.universe
    start = ranking.train.max() if len(ranking.train) else -np.inf
    best = np.maximum.accumulate(np.concatenate([[start], ranking.candidates]))[grid]
    rank = 1 + len(universe) - np.searchsorted(universe, best, side="right")
    evaluated = np.isfinite(best).tolist()
    columns = {
        "best_rank": rank.tolist(),
        "best_label": best.tolist(),
        "regret": (universe[-1] - best).tolist(),
    }
    return {
        name: [value if any_ else None for value, any_ in zip(values, evaluated, strict=True)]
        for name, values in columns.items()
    }

"""Why an architecture is in the list: its nearest evaluated one, and what each part of it adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch, joined
from nasrank.graphs.dag import INPUT, OUTPUT
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.graphs.setting_columns import SettingColumns
from nasrank.graphs.settings import Setting, Settings
from nasrank.questions.rank.calibration import Calibration
from nasrank.questions.rank.case import Case
from nasrank.questions.rank.scorer import Scorer

__all__ = [
    "Nearest",
    "diverse_order",
    "effects_of",
    "features_of",
    "nearest_of",
    "usual_operations",
]

DIVERSITY = 0.5
"""Weight of distance against quality in a diverse batch."""


@dataclass(frozen=True)
class Nearest:
    """The evaluated architecture that is most like a candidate.

    Attributes:
        item: Its position among the evaluated ones.
        distance: Distance of :func:`~nasrank.graphs.features.graph_features`.
        difference: What the candidate has more or fewer, such as ``+1 conv3x3, -2 edges``, and how
            its settings differ, such as ``lr 0.0003 -> 0.001, depth +1``.
    """

    item: int
    distance: float
    difference: str


def features_of(case: Case, graphs: GraphBatch) -> NDArray[np.float64]:
    """Return graph features measured against the space, so that all of them compare."""
    return graph_features(graphs, FeatureReference.of(case.graphs)).astype(np.float64)


def nearest_of(case: Case, graphs: GraphBatch) -> list[Nearest]:
    """Find the nearest evaluated architecture of each graph; of equally near ones the best.

    Settings are compared by their standardised columns, so that a step in one counts as much as a
    step in another.
    """
    from scipy.spatial.distance import cdist

    known = case.graphs[case.items]
    measure = FeatureReference.of(case.graphs).settings
    distances = cdist(features_of(case, graphs), features_of(case, known)).round(6)
    same = "same operations and edges, joined in another way"
    if graphs.only_settings:
        same = "the same settings"
    counts, known_counts = graphs.operation_counts(), known.operation_counts()
    edges = graphs.adjacency.sum(axis=(1, 2), dtype=np.int64)
    known_edges = known.adjacency.sum(axis=(1, 2), dtype=np.int64)
    found = []
    for row, distance in enumerate(distances):
        item = int(np.lexsort((-case.labels, distance))[0])
        more = counts[row] - known_counts[item]
        changes = [
            f"{int(change):+d} {graphs.vocabulary[code]}"
            for code, change in enumerate(more)
            if change
        ]
        if (wires := int(edges[row] - known_edges[item])) != 0:
            changes.append(f"{wires:+d} edge{'s' if abs(wires) > 1 else ''}")
        if graphs.settings is not None:
            changes += _setting_changes(measure, joined([known[[item]], graphs[[row]]]))
        found.append(Nearest(item, float(distance[item]), ", ".join(changes) or same))
    return found


def effects_of(
    case: Case,
    scorer: Scorer,
    graphs: GraphBatch,
    scores: NDArray[np.float64],
    calibration: Calibration,
) -> list[list[tuple[str, float]]]:
    """Say what each operation, attribute and setting adds to the score.

    All nodes of one operation are given the space's usual alternative instead: the operation most
    frequent in the evaluated architectures, or the second where it is that one itself. What the
    calibrated value loses by it is the effect. An attribute is taken from all nodes, which means
    its average. A setting is given its usual value: the median of evaluated architectures where it
    is a number, else the most frequent level, or the second; settings that no longer apply are
    taken away with it. It is what the predictor has learnt, one change at a time; effects do not
    add up to the score, and nobody has evaluated the changed architectures.

    Args:
        case: The space.
        scorer: The predictor.
        graphs: ``[k]`` canonical graphs.
        scores: ``[k]`` their scores.
        calibration: From scores to labels.

    Returns:
        For each graph pairs of a name and its effect in oriented labels, largest gain first.
    """
    usual = _usual(case)
    changed, meaning = [], []
    for row in range(len(graphs)):
        codes = np.unique(graphs.operations[row][graphs.mask[row]]).tolist()
        for code in codes:
            other = next((each for each in usual if each != code), None)
            if code in {INPUT, OUTPUT} or other is None:
                continue
            operations = graphs.operations[[row]].copy()
            operations[(operations == code) & graphs.mask[[row]]] = other
            changed.append(_with(graphs, row, operations=operations))
            meaning.append((row, graphs.vocabulary[code]))
        for number, name in enumerate(graphs.attribute_names):
            attributes = None if graphs.attributes is None else graphs.attributes[[row]].copy()
            if attributes is None or np.isnan(attributes[:, :, number]).all():
                continue
            attributes[:, :, number] = np.nan
            changed.append(_with(graphs, row, attributes=attributes))
            meaning.append((row, name))
        for name, settings in _resettings(case, graphs.settings, row):
            changed.append(replace(graphs[[row]], settings=settings))
            meaning.append((row, name))
    effects: list[list[tuple[str, float]]] = [[] for _ in range(len(graphs))]
    if changed:
        without, _ = scorer.score(joined(changed))
        values, changed_values = calibration.values(scores), calibration.values(without)
        for (row, name), value in zip(meaning, changed_values.tolist(), strict=True):
            effects[row].append((name, float(values[row] - value)))
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in effects]


def diverse_order(
    scores: NDArray[np.float64], features: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    r"""Choose a batch that is good and spread out, greedily.

    The best candidate comes first. Then, each time, the one with the greatest

    .. math:: \tfrac12\, q_i + \tfrac12\, \frac{\min_{j \in B} d_{ij}}{\max_i d_{i,1}}

    where q is the score brought to 0, the worst of the candidates looked at, to 1, the best; and
    d the distance of graph features to those in the batch B already, in units of the greatest
    distance from the first. It is the greedy max-min rule with quality in the balance.

    Args:
        scores: ``[m]`` falling scores of the candidates to choose from.
        features: ``[m, F]`` their graph features.
        count: Size of the batch.

    Returns:
        ``[min(count, m)]`` positions in the order chosen.

    References:
        Gonzalez (1985), "Clustering to minimize the maximum intercluster distance", TCS 38.
        Carbonell and Goldstein (1998), "The use of MMR, diversity-based reranking", SIGIR.

    Example:
        The second best is a twin of the best, so the third is taken before it:

        >>> features = np.array([[0.0], [0.0], [1.0]])
        >>> diverse_order(np.array([3.0, 2.9, 2.0]), features, 2).tolist()
        [0, 2]
    """
    span = float(scores[0] - scores.min()) or 1.0
    quality = (scores - scores.min()) / span
    distance = np.sqrt(((features - features[0]) ** 2).sum(axis=1))
    farthest = float(distance.max()) or 1.0
    chosen = [0]
    free = np.ones(len(scores), bool)
    free[0] = False
    while len(chosen) < min(count, len(scores)):
        worth = (1 - DIVERSITY) * quality + DIVERSITY * distance / farthest
        newest = int(np.where(free, worth, -np.inf).argmax())
        chosen.append(newest)
        free[newest] = False
        away = np.sqrt(((features - features[newest]) ** 2).sum(axis=1))
        distance = np.minimum(distance, away)
    return np.array(chosen, np.int64)


def usual_operations(case: Case) -> tuple[str, ...]:
    """Name the two operations most frequent in evaluated architectures, most frequent first."""
    return tuple(case.graphs.vocabulary[code] for code in _usual(case)[:2])


def _usual(case: Case) -> Sequence[int]:
    """Return operations of evaluated architectures, most frequent first."""
    counts = case.graphs[case.items].operation_counts().sum(axis=0)
    counts[[INPUT, OUTPUT]] = 0
    order = np.argsort(-counts, kind="stable")
    return [int(code) for code in order if counts[code] > 0]


def _setting_changes(measure: SettingColumns | None, pair: GraphBatch) -> list[str]:
    """Spell how the settings of the first of two differ from those of the second, most first."""
    both = pair.settings
    if both is None or measure is None:
        return []
    first, second = measure.rows(both)
    steps = np.bincount(measure.group, (second - first) ** 2, minlength=len(both.columns))
    order = np.argsort(-steps, kind="stable")
    columns = tuple(both.columns[number] for number in order.tolist())
    return Settings(columns, both.values[:, order]).changes(0, 1)


def _resettings(case: Case, settings: Settings | None, row: int) -> Iterator[tuple[str, Settings]]:
    """Yield each setting of a row as it is spelt, and the row with its usual value instead."""
    known = case.graphs[case.items].settings
    if settings is None or known is None:
        return
    place = {column.name: number for number, column in enumerate(settings.columns)}
    for number, column in enumerate(settings.columns):
        value = settings.values[row, number]
        usual = _usual_value(column, known.values[:, number], value)
        if np.isnan(value) or usual is None:
            continue
        values = settings.values[[row]].copy()
        values[0, number] = usual
        for other in settings.columns:
            condition = other.condition
            if condition and condition.setting == column.name and usual not in condition.values:
                values[0, place[other.name]] = np.nan
        yield f"{column.name}={settings.brief(row, number)}", replace(settings, values=values)


def _usual_value(column: Setting, evaluated: NDArray[np.float64], own: float) -> float | None:
    """Return the value to compare one with: another one, or None where there is none."""
    given = evaluated[~np.isnan(evaluated)]
    if not len(given):
        return None
    if column.kind == "number":
        # An evaluated value, so that whole numbers stay whole.
        middle = float(np.quantile(given, 0.5, method="lower"))
        return None if middle == own else middle
    levels, counts = np.unique(given, return_counts=True)
    order = levels[np.argsort(-counts, kind="stable")]
    return next((float(level) for level in order.tolist() if level != own), None)


def _with(
    graphs: GraphBatch,
    row: int,
    *,
    operations: NDArray[np.int16] | None = None,
    attributes: NDArray[np.float32] | None = None,
) -> GraphBatch:
    one = graphs[[row]]
    return replace(
        one,
        operations=one.operations if operations is None else operations,
        attributes=one.attributes if attributes is None else attributes,
    )

"""Why predictors like what they like, as a study."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import load_task
from nasrank.benchmarks.space import class_labels
from nasrank.errors import DataError
from nasrank.graphs import joined
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import parse_predictor
from nasrank.questions.explain.edits import Editor, wiring
from nasrank.questions.explain.effects import (
    Seen,
    edit_rows,
    effect_rows,
    gains_of,
    reward_rows,
    with_truth,
)
from nasrank.questions.explain.figures import draw_explained
from nasrank.questions.explain.judges import Judge, jackknife, learn_judge
from nasrank.questions.explain.options import ALL_LABELS, FEW_LABELS, ExplainConfig
from nasrank.questions.explain.tables import AGREEMENT, EDITS, EFFECTS, EXPLAINED, REWARDS
from nasrank.questions.explain.view import view_explained
from nasrank.questions.rank.case import Case, load_case, task_of_space
from nasrank.questions.rank.explaining import nearest_of
from nasrank.runs.grid import losses_for
from nasrank.seeds import numpy_generator
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, Study

__all__ = ["EXPLAIN"]

Row = dict[str, Any]

_SAMPLE = 60
"""Architectures over which rewards are averaged."""
_LEAST_SAMPLE, _MOST_CELLS = 6, 20_000_000
"""Fewest of them, and about how many pairs of nodes all their edits may have."""
_MOST_LISTED = 40
"""Edits of an architecture that are kept, by each method."""
_CLOSED = 0.5
"""Share of edits that lead into the space from which on all others are left out."""


def _explained(job: Job[ExplainConfig, Any]) -> Answer:
    config = job.config
    case = _case(config)
    device = choose_device(config.device)
    asked = [str(parse(loss)) for loss in config.losses]
    methods = [
        (spec, loss)
        for spec in map(parse_predictor, dict.fromkeys(config.predictors))
        for loss in losses_for(spec, list(dict.fromkeys(asked)))
    ]
    for spec, _ in methods:
        PREDICTORS[spec.name].require_extra()
    judges = []
    for spec, loss in methods:
        with job.progress.stage(f"training {spec} with {loss}") as tell:
            judges.append(
                learn_judge(case, spec, loss, seed=config.seed, device=device, on_step=tell)
            )
    worth = _worth(case)
    with job.progress.stage("scoring the space"):
        values = [judge.fitted.scores()[0] for judge in judges]
    chosen = _chosen(config, case, values[0])
    classes = len(case.graphs)
    # Edits of one graph grow with its nodes, and so does each of them.
    cells = case.graphs.nodes**3 * len(case.graphs.vocabulary)
    size = max(_LEAST_SAMPLE, min(_SAMPLE, _MOST_CELLS // cells))
    sample = numpy_generator(config.seed, stream="explained").permutation(classes)[:size]
    editor = Editor(case)
    with job.progress.stage("editing architectures"):
        first, others, closed = _seen(editor, worth, chosen, sample.tolist())
    tables: dict[Any, list[Row]] = {
        table: [] for table in (EXPLAINED, EFFECTS, EDITS, REWARDS, AGREEMENT)
    }
    for judge, scores in zip(judges, values, strict=True):
        with job.progress.stage(f"asking {judge.name}"):
            _ask(case, judge, scores, first, worth=worth, tables=tables)
            method = {"predictor": judge.predictor, "loss": judge.loss}
            gains = gains_of(judge, case.graphs, others)
            tables[REWARDS] += [{**method, **row} for row in reward_rows(others, gains)]
    for table in (EXPLAINED, EFFECTS, EDITS):
        tables[table].sort(key=lambda row: row["place"])
    tables[AGREEMENT] = _agreement(judges, values, tables[REWARDS], worth, sample)
    record = {
        "task": case.task.name,
        "unit": case.task.metric.unit,
        "better": "higher" if case.sign > 0 else "lower",
        "evaluated": len(case.items),
        "held_out_tau": {judge.name: _known(judge.tau) for judge in judges},
        "closed": closed,
        "wiring": {_name(case, item): wiring(case.graphs, item) for item in chosen},
    }
    about = {"task": case.task.name, "fingerprint": case.task.fingerprint}
    drawn = [case.graphs[[item]] for item in chosen]
    return Answer({EFFECTS: tables[EFFECTS], **tables}, record=record, about=about, shown=drawn)


def _case(config: ExplainConfig) -> Case:
    task = task_of_space(config.space)
    n_train = config.n_train
    if n_train is None:
        known = load_task(task)
        labelled = len(np.unique(known.space.class_of[known.evaluated]))
        n_train = FEW_LABELS if labelled > ALL_LABELS else None
    return load_case(task, n_train, config.seed)


def _worth(case: Case) -> NDArray[np.float64]:
    """Return ``[classes]`` oriented labels; NaN where there is none, or all trainings failed."""
    space = case.task.space
    return class_labels(case.task.oriented_labels, space.class_of, space.classes)


def _chosen(config: ExplainConfig, case: Case, scores: NDArray[np.float64]) -> list[int]:
    """Return the classes to explain: those named, or the first of the list."""
    space = case.task.space
    if config.arch:
        named = [int(space.class_of[space.position(name)]) for name in config.arch]
        return list(dict.fromkeys(named))
    pool = case.candidates if len(case.candidates) else np.arange(len(case.graphs))
    order = pool[np.argsort(-scores[pool], kind="stable")]
    return [int(item) for item in order[: config.top]]


def _seen(
    editor: Editor, worth: NDArray[np.float64], chosen: Sequence[int], sample: Sequence[int]
) -> tuple[list[Seen], list[Seen], bool]:
    """Edit architectures, and find out whether the space holds what edits lead to."""
    edited = [*editor.edits(chosen), *editor.edits(sample, only_parts=True)]
    if not any(edits for edits, _ in edited):
        raise DataError(
            "no architecture of this space can be edited: they have one operation and no "
            "settings. Name another --space"
        )
    becomes = editor.found(joined([graphs for _, graphs in edited]))
    ends = np.cumsum([0, *(len(edits) for edits, _ in edited)]).tolist()
    items = [*chosen, *sample]
    seen = [
        with_truth(item, edits, graphs, becomes[start:end], worth)
        for item, (edits, graphs), (start, end) in zip(items, edited, pairwise(ends), strict=True)
    ]
    places = [each.replaces for own in seen for each in own.edits]
    closed = float((becomes >= 0)[np.array(places)].mean()) >= _CLOSED if any(places) else False
    if closed:
        seen = [own.part(np.flatnonzero(own.becomes >= 0)) for own in seen]
    return seen[: len(chosen)], seen[len(chosen) :], closed


def _ask(
    case: Case,
    judge: Judge,
    scores: NDArray[np.float64],
    seen: Sequence[Seen],
    *,
    worth: NDArray[np.float64],
    tables: dict[Any, list[Row]],
) -> None:
    """Add what a method says of the architectures that are explained."""
    sign = case.sign
    graphs = case.graphs[[own.item for own in seen]]
    nearest, predicted = nearest_of(case, graphs), judge.values(graphs)
    every = gains_of(judge, case.graphs, seen)
    for place, (own, near) in enumerate(zip(seen, nearest, strict=True), start=1):
        gains = every[place - 1]
        head = {"place": place, "id": _name(case, own.item)}
        method = {"predictor": judge.predictor, "loss": judge.loss}
        value, *ends = (sign * each for each in jackknife(predicted[:, place - 1]))
        label = _known(float(worth[own.item]))
        tables[EXPLAINED].append(
            {
                **head,
                **method,
                "rank": int((scores > scores[own.item]).sum()) + 1,
                "value": value,
                "value_lower": min(ends),
                "value_upper": max(ends),
                "label": None if label is None else sign * label,
                "trained_on": bool((case.items == own.item).any()),
                "nearest": case.names[near.item],
                "nearest_label": float(sign * case.labels[near.item]),
                "distance": near.distance,
                "difference": near.difference,
            }
        )
        names = {item: _name(case, item) for item in own.becomes.tolist() if item >= 0}
        tables[EFFECTS] += [{**head, **method, **row} for row in effect_rows(own, gains)]
        listed = edit_rows(own, gains, names)[:_MOST_LISTED]
        tables[EDITS] += [{**head, **method, **row} for row in listed]


def _agreement(
    judges: Sequence[Judge],
    values: Sequence[NDArray[np.float64]],
    rewards: Sequence[Row],
    worth: NDArray[np.float64],
    sample: NDArray[np.int64],
) -> list[Row]:
    """Compare every two methods, and each with the labels."""
    orders = {judge.name: own[sample] for judge, own in zip(judges, values, strict=True)}
    effects = {
        judge.name: {
            (row["kind"], row["part"]): row["effect"]
            for row in rewards
            if (row["predictor"], row["loss"]) == (judge.predictor, judge.loss)
        }
        for judge in judges
    }
    orders["labels"] = worth[sample]
    effects["labels"] = {
        (row["kind"], row["part"]): row["true_effect"]
        for row in rewards
        if row["true_effect"] is not None
    }
    rows = []
    for first, second in combinations(orders, 2):
        shared = [each for each in effects[first] if each in effects[second]]
        pairs = [[effects[side][each] for each in shared] for side in (first, second)]
        known = ~np.isnan(orders[first]) & ~np.isnan(orders[second])
        rows.append(
            {
                "first": first,
                "second": second,
                "order_tau": _tau(orders[first][known], orders[second][known]),
                "effects_tau": _tau(np.array(pairs[0]), np.array(pairs[1])),
                "architectures": int(known.sum()),
            }
        )
    return rows


def _tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    return _known(kendall_tau(first, second)) if len(first) > 1 else None


def _name(case: Case, item: int) -> str:
    """Return the first architecture of a class."""
    space = case.task.space
    return space.architectures[int(space.first_of_class[item])]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


EXPLAIN = Study(
    config=ExplainConfig,
    main=EFFECTS,
    answer=_explained,
    view=view_explained,
    pictures=lambda result: draw_explained(
        result.tables, result.shown, (result.record or {})["unit"], result.out
    ),
)

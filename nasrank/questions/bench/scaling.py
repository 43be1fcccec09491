"""What predictors cost, and how that grows with fleet, training set, space and graphs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch, canonicalise
from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.predictor import Fitted, Member, Predictor
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import make_predictor, parse_predictor
from nasrank.questions.bench.matrix_rate import products_of, replay
from nasrank.questions.bench.tables import Measurement, Setting, Trend
from nasrank.runs.grid import losses_for
from nasrank.seeds import numpy_generator
from nasrank.study.measurement import seconds_of, watched_memory

__all__ = [
    "AXES",
    "Series",
    "growth",
    "installed",
    "measure_scaling",
    "random_graphs",
    "trains_networks_alone",
]

AXES = ("members", "n_train", "architectures", "nodes")
"""What can vary, in the order it is measured."""
_LOSS = "listmle"
_OPERATIONS = ("input", "output", "conv", "pool", "gate", "sum")


@dataclass(frozen=True)
class Series:
    """Points along one axis.

    Attributes:
        axis: One of :data:`AXES`.
        values: The points, ascending.
        predictors: Predictors measured at each, in their canonical spelling.
        members: Predictors trained together, where that is not the axis.
        n_train: Architectures of each, where that is not the axis.
        architectures: Different ones, where that is not the axis; None for those of the space.
        patience: A predictor's series ends with the first point that takes longer, in seconds.
    """

    axis: str
    values: tuple[int, ...]
    predictors: tuple[str, ...]
    members: int = 1
    n_train: int = 156
    architectures: int | None = None
    patience: float = 30.0


def installed(names: Iterable[str]) -> list[str]:
    """Return those predictors of which everything is installed, in their canonical spelling."""
    known = []
    for name in names:
        spec = parse_predictor(name)
        try:
            PREDICTORS[spec.name].require_extra()
        except UsageError:
            continue
        known.append(str(spec))
    return known


def trains_networks_alone(predictor: str) -> bool:
    """Say whether a predictor is networks and nothing beside them, and so learns in epochs."""
    spec = parse_predictor(predictor)
    kind, options = PREDICTORS[spec.name], dict(spec.options)
    return kind.networks(options) > 0 and not kind.seconds(1, options)


def measure_scaling(
    series: Iterable[Series],
    space: GraphBatch,
    device: torch.device,
    *,
    epochs: int,
    repeats: int,
) -> Iterator[Measurement]:
    """Measure, one point after the other.

    Args:
        series: What to measure.
        space: The graphs to train on and score where nodes are not the axis.
        device: Where to compute.
        epochs: Epochs of networks that are timed; times of a training are scaled up from them.
        repeats: Times that each is measured; the median counts.

    Yields:
        Of each point ``prepare_seconds``, ``fit_seconds``, ``score_seconds`` (of all members),
        ``score_rate``, ``peak_memory`` where it can be known, and ``share_of_matrix_rate`` of
        networks along the axis of members; of each other series with three points
        ``growth_of_...``.
    """
    for one in series:
        for predictor in one.predictors:
            _warm_up(predictor, device)
            taken: list[tuple[int, dict[str, float]]] = []
            for value in one.values:
                graphs, setting = _point(one, value, predictor, space)
                found = {}
                started = time.perf_counter()
                for measurement in _measured(graphs, setting, device, epochs, repeats):
                    found[measurement.name] = measurement.value
                    yield measurement
                taken.append((value, found))
                if time.perf_counter() - started > one.patience:
                    break
            yield from _grown(one, predictor, taken)


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return the power with which a cost grows: 1 is in proportion, 2 with the square.

    The slope of the least-squares line through the logarithms.

    Args:
        points: Pairs of (what varies, cost), two at least, all above zero.

    Example:
        >>> round(growth([(10, 3.0), (20, 12.0), (40, 48.0)]), 6)
        2.0
    """
    along, cost = np.log(np.array(points)).T
    centred = along - along.mean()
    return float(centred @ cost / (centred @ centred))


@cache
def random_graphs(items: int, nodes: int) -> GraphBatch:
    """Make graphs of a given size: a chain of operations with shortcuts, about two a node.

    Args:
        items: Graphs.
        nodes: Nodes of each, input and output included; 3 at least.

    Returns:
        Canonical graphs, the same in every call.
    """
    draw = numpy_generator(0, stream="bench graphs", nodes=nodes)
    codes = draw.integers(2, len(_OPERATIONS), (items, nodes)).astype(np.int16)
    codes[:, 0], codes[:, -1] = 0, 1
    chance = min(0.5, 4 / nodes)
    adjacency = np.triu(draw.random((items, nodes, nodes)) < chance, 1).astype(np.uint8)
    step = np.arange(nodes - 1)
    adjacency[:, step, step + 1] = 1
    return canonicalise(GraphBatch(codes, adjacency, np.ones((items, nodes), bool), _OPERATIONS))


def _point(
    series: Series, value: int, predictor: str, space: GraphBatch
) -> tuple[GraphBatch, Setting]:
    along = {
        "members": series.members,
        "n_train": series.n_train,
        "architectures": series.architectures or len(space),
        "nodes": space.nodes,
        series.axis: value,
    }
    setting = Setting(series.axis, predictor, **along)
    if series.axis == "nodes":
        return random_graphs(setting.architectures, value), setting
    # A larger space than there is repeats itself, which costs as much as one that does not.
    return space[np.arange(setting.architectures) % len(space)], setting


def _measured(
    graphs: GraphBatch, setting: Setting, device: torch.device, epochs: int, repeats: int
) -> Iterator[Measurement]:
    spec = parse_predictor(setting.predictor)
    whole = Recipe()
    # Only the steps of networks can be timed in part.
    network = trains_networks_alone(setting.predictor)
    timed = replace(whole, epochs=epochs) if network else whole
    scale = whole.epochs / timed.epochs
    members = _members(graphs, setting, losses_for(spec, [_LOSS])[0])
    made: list[Predictor] = []

    def prepare() -> None:
        made.append(make_predictor(spec, graphs, device=device, recipe=timed))
        # Lays out what is laid out when first needed.
        made[0].fit([replace(members[0], items=members[0].items[:2], targets=np.arange(2.0))])

    fitted: list[Fitted] = []
    fit, score = [], []
    with watched_memory(device) as memory:
        prepared = seconds_of(prepare, device)
        if device.type == "cuda":
            # The first fleet of a shape also loads and chooses kernels.
            made[0].fit(members)
        for _ in range(repeats):
            fit.append(seconds_of(lambda: fitted.append(made[0].fit(members)), device))
            score.append(seconds_of(fitted.pop().scores, device))
    note = f"{timed.epochs} of {whole.epochs} epochs timed, {repeats} times" if network else ""

    def line(name: str, value: float, unit: str, about: str, better: str = "lower") -> Measurement:
        return Measurement(name, value, unit, about, better=better, setting=setting)

    yield line(
        "prepare_seconds", prepared, "s", "laying out the graphs, and a member of two labels"
    )
    seconds = median(fit) * scale
    yield line("fit_seconds", seconds, "s", f"whole training of all members; {note}".strip("; "))
    yield line("score_seconds", median(score), "s", "all architectures by all members")
    rate = setting.members * setting.architectures / median(score)
    yield line("score_rate", rate, "architectures/s", "one member's score of each", "higher")
    if memory.mebibytes is not None:
        about = "the most held in preparing, training and scoring, beyond what was held before"
        yield line("peak_memory", memory.mebibytes, "MiB", about)
    if network and setting.axis == "members":
        recipe = replace(whole, epochs=1)
        once = make_predictor(spec, graphs, device=device, recipe=recipe)
        again = replay(products_of(lambda: once.fit(members)), device, torch.float32)
        again()
        share = 100 * whole.epochs * seconds_of(again, device) / seconds
        about = "of the training time goes into matrix products at full rate"
        yield line("share_of_matrix_rate", share, "%", about, "higher")


def _warm_up(predictor: str, device: torch.device) -> None:
    """Load what is loaded when first needed: it would be counted to whoever comes first."""
    graphs = random_graphs(16, 6)
    recipe = Recipe(epochs=2)
    loss = losses_for(parse_predictor(predictor), [_LOSS])[0]
    small = Member(np.arange(8), np.arange(8.0), parse(loss), 0)
    make_predictor(predictor, graphs, device=device, recipe=recipe).fit([small]).scores()


def _members(graphs: GraphBatch, setting: Setting, loss: str) -> list[Member]:
    """Training sets of made-up labels: counts of operations, weighted, with some noise."""
    draw = numpy_generator(0, stream="bench members")
    counts = graphs.operation_counts().astype(np.float64)
    labels: NDArray[np.float64] = counts @ draw.normal(size=counts.shape[1])
    labels += 0.3 * labels.std() * draw.normal(size=len(labels)) + 1e-3 * draw.random(len(labels))
    n = min(setting.n_train, len(graphs))
    members = []
    for seed in range(setting.members):
        items = draw.permutation(len(graphs))[:n]
        members.append(Member(items, labels[items], parse(loss), seed))
    return members


def _grown(
    series: Series, predictor: str, taken: Sequence[tuple[int, dict[str, float]]]
) -> Iterator[Measurement]:
    # What a fleet gains is read from the time of one of its members.
    if len(taken) < 3 or series.axis == "members":
        return
    usual, last = taken[0][0], taken[-1][0]
    for name in ("fit_seconds", "score_seconds"):
        power = growth([(value, found[name]) for value, found in taken])
        yield Measurement(
            f"growth_of_{name}",
            power,
            "power",
            f"{name.split('_', maxsplit=1)[0]} time of {predictor} grows with this power of "
            f"{series.axis}, {usual:,} to {last:,}",
            setting=Trend(series.axis, predictor),
        )

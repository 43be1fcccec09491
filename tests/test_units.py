"""Numbers do not depend on the unit, the origin, the type or the order of what they measure.

One law over all metrics, distances and losses: shift, scale, dtype and order change nothing beyond
rounding, and a number that is none is refused.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.distances import DISTANCES, parse_distance
from nasrank.companions.precision_recall.measures import neighbour_precision_recall
from nasrank.errors import NasrankError
from nasrank.losses import LOSSES, prepare, resolve
from nasrank.metrics import kendall_tau, spearman_rho, weighted_tau
from nasrank.metrics.embeddings import effective_rank, knn_accuracy
from nasrank.metrics.retrieval import pair_distances, recall_at, separation
from nasrank.seeds import torch_generator

SEEDS = st.integers(0, 2**31)
UNITS = st.sampled_from([1e-9, 1e-3, 1.0, 1e4, 1e12])
SHIFTS = st.sampled_from([0.0, -3.0, 1e3])
ITEMS = 40


CORRELATIONS = {"kendall": kendall_tau, "weighted": weighted_tau, "spearman": spearman_rho}
POINTS = {
    "recall": recall_at,
    "separation": lambda points, classes: separation(pair_distances(points, classes)),
}
ANGLES = {
    "effective rank": lambda points, _: effective_rank(points),
    "neighbours": lambda points, classes: knn_accuracy(points, classes, points, classes),
}


def grid(seed):
    """Scores and labels on a grid, with ties, so that no unit makes or breaks one."""
    rng = np.random.default_rng(seed)
    return rng.integers(-20, 20, ITEMS) / 8, rng.integers(-20, 20, ITEMS) / 8


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, unit=UNITS, shift=SHIFTS)
@pytest.mark.parametrize("name", CORRELATIONS)
def test_correlations(name, seed, unit, shift):
    measure, (scores, labels) = CORRELATIONS[name], grid(seed)
    usual = measure(scores, labels)
    order = np.random.default_rng(seed).permutation(ITEMS)
    for other in (
        measure(unit * (scores + shift), labels),
        measure(scores, unit * (labels + shift)),
        measure(scores[order], labels[order]),
        measure(scores.astype(np.float32), labels.astype(np.float16)),
    ):
        assert other == pytest.approx(usual, abs=1e-9, nan_ok=True)


def clouds(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, ITEMS)
    points = rng.normal(size=(ITEMS, 6))
    points[np.arange(ITEMS), classes] += 2
    return points, classes


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, unit=UNITS, shift=SHIFTS)
@pytest.mark.parametrize("name", [*POINTS, *ANGLES])
def test_measures_of_embeddings(name, seed, unit, shift):
    points, classes = clouds(seed)
    measure = {**POINTS, **ANGLES}[name]
    usual = measure(points, classes)
    order = np.random.default_rng(seed).permutation(ITEMS)
    # Angles are seen from the origin, which is then part of what is measured.
    origin = shift if name in POINTS else 0.0
    assert measure(unit * (points + origin), classes) == pytest.approx(usual, rel=1e-6)
    assert measure(points[order], classes[order]) == pytest.approx(usual, rel=1e-9)
    assert measure(points.astype(np.float32), classes) == pytest.approx(usual, rel=0.02)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, unit=UNITS, shift=SHIFTS)
def test_precision_and_recall_of_draws(seed, unit, shift):
    rng = np.random.default_rng(seed)
    real, drawn = rng.normal(size=(ITEMS, 4)), 0.7 * rng.normal(size=(ITEMS, 4))
    usual = neighbour_precision_recall(real, drawn)
    assert neighbour_precision_recall(unit * (real + shift), unit * (drawn + shift)) == usual
    assert neighbour_precision_recall(real[::-1], drawn[::-1]) == usual


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS, unit=st.sampled_from([1e-3, 1.0, 1e4]), shift=SHIFTS)
@pytest.mark.parametrize("name", DISTANCES.names())
def test_distances(name, seed, unit, shift):
    if name == "sinkhorn":
        unit = 1.0  # its regularisation has the unit of the points
    rng = np.random.default_rng(seed)
    points, labels = torch.tensor(rng.normal(size=(12, 3))), torch.arange(12) % 3

    def measure(rows, classes=labels):
        return parse_distance(name)(make_clouds(rows, classes, 3), torch_generator(0, stream="t"))

    usual = measure(points)
    torch.testing.assert_close(measure(unit * (points + shift)), unit * usual, rtol=1e-5, atol=0)
    torch.testing.assert_close(measure(points.float()).double(), usual, rtol=1e-3, atol=1e-4)
    if name != "fastft":  # which takes samples in the order of the batch
        order = torch.tensor(rng.permutation(12))
        torch.testing.assert_close(measure(points[order], labels[order]), usual)


def loss_of(name, scores, raw):
    prepared = prepare(name, raw)
    given = {key: value.to(scores.dtype) for key, value in prepared.arguments.items()}
    return resolve(name)(scores, prepared.labels.to(scores.dtype), **given)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, unit=st.sampled_from([1e-6, 1e-2, 1.0, 1e2, 1e6]), shift=SHIFTS)
@pytest.mark.parametrize("name", list(LOSSES))
def test_losses(name, seed, unit, shift):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 12, dtype=torch.float64, generator=generator)
    raw = 50 + torch.randn(2, 12, dtype=torch.float64, generator=generator)
    usual = loss_of(name, scores, raw)
    order = torch.randperm(12, generator=generator)
    torch.testing.assert_close(loss_of(name, scores[:, order], raw[:, order]), usual)
    # Training prepares labels so that their unit and origin are gone; mape is of the labels.
    if name != "mape":
        torch.testing.assert_close(
            loss_of(name, scores, unit * (raw + shift)), usual, rtol=1e-5, atol=1e-8
        )
    torch.testing.assert_close(
        loss_of(name, scores.float(), raw).double(), usual, rtol=1e-3, atol=1e-5
    )


REFUSES = {
    **{name: lambda bad, m=m: m(bad, np.arange(ITEMS) % 3) for name, m in POINTS.items()},
    "draws": lambda bad: neighbour_precision_recall(bad, np.zeros((ITEMS, 6))),
}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("name", REFUSES)
def test_what_is_no_number_is_refused(name, wrong):
    bad, _ = clouds(0)
    bad[3, 0] = wrong
    with pytest.raises((NasrankError, ValueError)) as caught:
        REFUSES[name](bad)
    assert len(str(caught.value).splitlines()) == 1

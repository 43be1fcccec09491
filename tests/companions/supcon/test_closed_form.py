import math

import numpy as np
import pytest

from nasrank.companions.supcon.closed_form import (
    Batch,
    alpha_star,
    gram_matrix,
    optimal_embedding,
    optimum,
    temperature_star,
)
from nasrank.errors import UsageError

BOTH = pytest.mark.parametrize("anchor", ["included", "excluded"])


@pytest.mark.parametrize(
    ("shape", "temperatures", "wanted"),
    [
        ((2, 3), [1, 0.5, 0.2], [0.4923, 0.3573, 0.3334]),
        ((3, 4), [1, 0.5, 0.2], [0.5971, 0.3519, 0.2512]),
        ((10, 50), [0.1, 0.2, 0.5, 1], [0.0201, 0.0566, 0.5576, 0.8341]),
        ((100, 5), [0.1, 0.2, 0.5], [0.2033, 0.5136, 0.9509]),
        ((10, 20), [0.1, 0.2, 0.5], [0.0501, 0.0855, 0.5712]),
        ((5, 10), [0.1, 0.2, 0.5, 1], [0.1, 0.1086, 0.3781, 0.7008]),
    ],
)
def test_thresholds(shape, temperatures, wanted):
    assert alpha_star(Batch(*shape, 2, temperatures)).round(4).tolist() == wanted


def test_a_threshold_by_hand():
    # m = 2, n = 3, tau = 1: E = e^2 = 7.38906, (E - 1) / (E + 1) = .761594, times 2/3.
    assert float(alpha_star(Batch(2, 3, 1, 1.0))) == pytest.approx(1 - 2 / 3 * math.tanh(1.0))


@pytest.mark.parametrize(
    ("shape", "temperature", "alphas", "wanted"),
    [
        ((2, 3), 1, [0.4, 0.5, 0.7, 0.9, 1], [0, 0.0134, 0.3341, 0.6393, 0.8]),
        ((2, 3), 0.5, [0.5, 0.7, 0.9], [0.1753, 0.4023, 0.6514]),
        ((3, 4), 0.5, [0.5, 0.7, 0.9, 1], [0.1838, 0.4094, 0.6591, 0.8182]),
        ((10, 50), 0.1, [0.2, 0.5, 0.8, 1], [0.2446, 0.3802, 0.5155, 0.982]),
        ((100, 5), 0.1, [0.2, 0.5, 0.8, 1], [0, 0.1093, 0.2201, 0.8016]),
        ((10, 20), 0.1, [0.2, 0.5, 0.8, 1], [0.1477, 0.2793, 0.4108, 0.9548]),
    ],
)
def test_optimal_variances(shape, temperature, alphas, wanted):
    found = optimum(Batch(*shape, 2, temperature), alphas)
    assert found.within_variance.round(4).tolist() == wanted
    assert found.between_variance == pytest.approx(1 - found.within_variance)


def test_threshold_temperatures():
    found = temperature_star(Batch([2, 3, 10], [3, 4, 20], 2), [0.5, 0.5, 0.2])
    assert found.round(4).tolist() == [1.0278, 0.7708, 0.2781]


def test_an_excluded_anchor():
    assert float(alpha_star(Batch(2, 3, 2, 1, anchor="excluded")).round(4)) == 0.4049
    found = optimum(Batch(2, 3, 2, 1, anchor="excluded"), [0.5, 0.7, 0.9])
    assert found.within_variance.round(4).tolist() == [0.149, 0.419, 0.6704]


def test_views_spread_where_the_anchor_is_excluded_and_the_temperature_low():
    # E > mnp = 12 at temperatures below 2 / ln 12 = .805.
    found = optimum(Batch(2, 3, 2, [1.0, 0.82, 0.79, 0.5], anchor="excluded"), 0.0)
    assert found.collapsed.all()
    assert found.view_cosine[:2].tolist() == [1, 1]
    assert (found.view_cosine[2:] < 1).all()
    # Instances share the mean of their views.
    assert found.within_cosine == pytest.approx((1 + found.view_cosine) / 2)
    assert optimum(Batch(2, 3, 2, 0.5), 0.0).view_cosine == 1


@BOTH
def test_the_loss_has_no_lower_value_nearby(anchor):
    """The bound, written out anew, at other cosines of the same zero sum."""
    m, n, p, t = 3, 4, 2, 0.4
    for alpha in (0.05, 0.3, 0.5, 0.8, 1.0):
        found = optimum(Batch(m, n, p, t, anchor=anchor), alpha)
        own = p if anchor == "included" else p - 1

        def bound(view, within, own=own, alpha=alpha):
            between = -((1 + (p - 1) * view) / p + (n - 1) * within) / (n * (m - 1))
            # An included anchor is a view of cosine 1 of its own.
            parts = [(p - 1, view), (p * (n - 1), within), (p * n * (m - 1), between)]
            parts += [(1, 1.0)] if own == p else []
            self_view = view if own == p - 1 else (1 + (p - 1) * view) / p
            total = sum(weight * math.exp(cosine / t) for weight, cosine in parts)
            return -((1 - alpha) * within + alpha * self_view) / t + math.log(total)

        view, within = float(found.view_cosine), float(found.within_cosine)
        least = float(found.loss)
        assert bound(view, within) == pytest.approx(least)
        for step in (1e-3, 1e-2):
            for other in (
                (view - step, within - step),
                (view, within - step),
                (view, within + step),
            ):
                shared = (1 + (p - 1) * other[0]) / p
                if other[1] <= shared + 1e-12:
                    assert bound(*other) >= least - 1e-12


@BOTH
def test_thresholds_and_optima_agree(anchor):
    m, n, p = np.meshgrid([2, 3, 10], [2, 5, 20], [2, 4], indexing="ij")
    for t in (0.05, 0.3, 1.0, 5.0):
        edge = alpha_star(Batch(m, n, p, t, anchor=anchor))
        assert optimum(
            Batch(m, n, p, t, anchor=anchor), np.maximum(edge - 1e-9, 0)
        ).collapsed.all()
        above = np.minimum(edge + 1e-6, 1)
        assert not optimum(Batch(m, n, p, t, anchor=anchor), above).collapsed.any()
        warm = temperature_star(Batch(m, n, p, anchor=anchor), edge)
        if t >= 0.3:
            assert warm == pytest.approx(np.full(m.shape, t), rel=1e-4)


def test_limits_of_the_threshold():
    assert float(alpha_star(Batch(4, 5, 2, 1e-3))) == pytest.approx(1 / 5)
    assert float(alpha_star(Batch(4, 5, 2, 1e6))) == pytest.approx(1, abs=1e-5)
    assert temperature_star(Batch(4, 5, 2), [0.0, 0.2, 1.0]).tolist() == [0, 0, math.inf]


def test_many_views_make_the_conventions_one():
    apart = alpha_star(Batch(3, 4, 10_000, 0.5, anchor="excluded"))
    assert float(apart) == pytest.approx(float(alpha_star(Batch(3, 4, 2, 0.5))), abs=1e-4)


def test_pure_self_supervision_makes_one_simplex_of_all():
    found = optimum(Batch(4, 5, 2, [1e-3, 0.1, 10]), 1.0)
    assert found.within_cosine == pytest.approx(np.full(3, -1 / 19))
    assert found.between_cosine == pytest.approx(np.full(3, -1 / 19))
    # 1 - (m - 1) / (m n - 1) = 1 - 3 / 19.
    assert found.within_variance == pytest.approx(np.full(3, 16 / 19))


@pytest.mark.filterwarnings("error")
def test_extremes_are_finite():
    found = optimum(Batch(2, 3, 2, [[1e-4], [1e4]]), [0.0, 0.2, 1 / 3, 0.9, 1.0])
    for name in ("within_variance", "view_cosine", "between_cosine", "loss"):
        assert np.isfinite(getattr(found, name)).all()
    # Without temperature nothing competes: alpha <= 1/n collapses, more hardly spreads.
    assert found.within_variance[0, 1] == 0
    assert 0 < found.within_variance[0, 3] < 1e-3


@BOTH
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_embeddings_have_the_gram_matrix(anchor, alpha, temperature):
    setting = (3, 4, 2, temperature, alpha)
    gram = gram_matrix(Batch(*setting[:-1], anchor=anchor), setting[-1])
    points = optimal_embedding(Batch(*setting[:-1], anchor=anchor), setting[-1])
    assert points @ points.T == pytest.approx(gram, abs=1e-9)
    assert points.sum(axis=0) == pytest.approx(np.zeros(points.shape[1]), abs=1e-9)
    means = points.reshape(3, 8, -1).mean(axis=1)
    found = optimum(Batch(*setting[:-1], anchor=anchor), setting[-1])
    assert 1 - np.mean(np.sum(means**2, axis=1)) == pytest.approx(float(found.within_variance))
    if found.within_variance == 0:
        assert points.shape[1] == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, 3, 2, 1, 0), "classes 1"),
        ((2, 1, 2, 1, 0), "instances 1"),
        ((2, 3, 0, 1, 0), "views 0"),
        ((2, 2.5, 2, 1, 0), "instances 2.5"),
        ((2, 3, 2, 0, 0), "temperature 0"),
        ((2, 3, 2, math.nan, 0), "temperature nan"),
        ((2, 3, 2, math.inf, 0), "temperature inf"),
        ((2, 3, 2, 1, 1.01), "alpha 1.01"),
        ((2, 3, 2, 1, math.nan), "alpha nan"),
    ],
)
def test_what_cannot_be_meant(arguments, text):
    with pytest.raises(UsageError, match=text):
        optimum(Batch(*arguments[:-1]), arguments[-1])


def test_an_excluded_anchor_needs_two_views():
    with pytest.raises(UsageError, match="--views 2"):
        optimum(Batch(2, 3, 1, 1, anchor="excluded"), 0.5)
    assert optimum(Batch(2, 3, 1, 1, anchor="excluded"), 0.0).collapsed
    with pytest.raises(UsageError, match="unknown anchor"):
        optimum(Batch(2, 3, 1, 1, anchor="in"), 0.5)

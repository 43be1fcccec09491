import math

import numpy as np
import pytest
import torch

from nasrank.companions.supcon.closed_form import (
    Batch,
    alpha_star,
    gram_matrix,
    noisy_optimum,
    optimal_embedding,
    optimum,
    temperature_star,
)
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
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


def test_label_noise_by_hand():
    # Two classes, e = .3: q = 2 * .3 * .7 = .42, s = 1 + .5 ln(.42 / .58), variance (1 - s) / 2.
    found = noisy_optimum(2, 0.5, 0.3)
    assert float(found.wrong_pairs) == pytest.approx(0.42)
    assert float(found.between_cosine) == pytest.approx(1 + 0.5 * math.log(0.42 / 0.58))
    assert float(found.total_variance) == pytest.approx(0.0807, abs=1e-4)


@pytest.mark.parametrize("m", [2, 3, 10])
def test_without_noise_classes_form_a_simplex_and_without_labels_a_point(m):
    found = noisy_optimum(m, [0.1, 1.0], 0.0)
    assert found.between_cosine == pytest.approx(-1 / (m - 1))
    assert found.total_variance == pytest.approx(1)
    nothing = noisy_optimum(m, [0.1, 1.0], (m - 1) / m)
    assert nothing.between_cosine == pytest.approx(1)
    assert nothing.total_variance == pytest.approx(0)
    steps = noisy_optimum(m, 0.3, np.linspace(0, (m - 1) / m, 20)).total_variance
    assert (np.diff(steps) <= 1e-12).all()


@pytest.mark.parametrize(
    ("m", "noise", "temperature"), [(2, 0.3, 0.5), (2, 0.1, 0.5), (4, 0.3, 0.5)]
)
def test_descent_on_the_loss_itself_ends_there(m, noise, temperature):
    """One free point a class: an encoder that cannot see which labels are wrong."""
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(m), 600 // m)
    told = true.copy()
    for number in range(m):
        own = rng.permutation(np.flatnonzero(true == number))[: round(noise * 600 / m)]
        told[own] = (number + 1 + np.arange(len(own)) % (m - 1)) % m
    pairs = pair_up(torch.from_numpy(told)[None], torch.arange(600)[None], anchor="included")
    points = torch.randn(m, m, generator=torch.Generator().manual_seed(0)).requires_grad_()
    adam = torch.optim.Adam([points], lr=0.05)
    for _ in range(120):
        unit = torch.nn.functional.normalize(points, dim=1)
        loss = contrastive_loss(unit[true][None], pairs, alpha=0.0, temperature=temperature)
        adam.zero_grad()
        loss.sum().backward()
        adam.step()
    gram = torch.nn.functional.normalize(points.detach(), dim=1)
    found = (gram @ gram.T)[~torch.eye(m, dtype=torch.bool)]
    wanted = float(noisy_optimum(m, temperature, noise).between_cosine)
    assert found.numpy() == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(("m", "noise"), [(2, 0.6), (3, -0.1), (1, 0.1)])
def test_impossible_noise_is_refused(m, noise):
    with pytest.raises(UsageError):
        noisy_optimum(m, 0.5, noise)

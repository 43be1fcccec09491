"""Every loss against arithmetic done by hand."""

from itertools import permutations
from math import e, exp, expm1, log, log1p, log2, tanh

import pytest
import torch

from nasrank.losses import LOSSES, resolve
from nasrank.losses.listwise import listmle_loss
from nasrank.losses.regression import mse_with_sequence_ranking_loss
from nasrank.losses.weighted import lambdarank_loss, warp_loss

EVERY = pytest.mark.parametrize("name", list(LOSSES))


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def softmax(*values: float) -> list[float]:
    total = sum(exp(value) for value in values)
    return [exp(value) / total for value in values]


# Three items of which the second is scored too low. The pairs of known order lead by
# 0 - 1 (second before first), 2 - 1 (third before first) and 2 - 0 (third before second).
SCORES = [1.0, 0.0, 2.0]
LABELS = [0.0, 0.5, 1.0]
# Gains 2^(5 y) - 1, and the best sum of discounted gains.
GAIN = [0, 2**2.5 - 1, 31]
IDEAL = 31 / log2(2) + GAIN[1] / log2(3)
# Ranks by score are 2, 3, 1; what a swap changes for each pair in the order given above.
SWAP = [
    GAIN[1] * (1 / log2(3) - 1 / log2(4)),
    31 * (1 / log2(2) - 1 / log2(3)),
    (31 - GAIN[1]) * (1 / log2(2) - 1 / log2(4)),
]

BY_HAND = {
    "mse": ((1 - 0) ** 2 + (0 - 0.5) ** 2 + (2 - 1) ** 2) / 3,
    # Errors are 1, -.5, 1; each of the two gaps of 1.5 counts twice among the 9 pairs.
    "mse+sr": (1 + 0.25 + 1) / 3 + 0.1 * 2 * (1.5 + 0 + 1.5) / 9,
    "hr": ((0.1 + 1) + 0 + 0) / 3,
    "lr": (log(1 + exp(1)) + log(1 + exp(-1)) + log(1 + exp(-2))) / 3,
    "softtau": 1 - (tanh(-1) + tanh(1) + tanh(2)) / 3,
    "listmle": ((log(exp(2) + 1 + e) - 2) + (log(1 + e) - 0) + (log(e) - 1)) / 3,
    "listnet": sum(
        target * (log(e + 1 + exp(2)) - score)
        for target, score in zip(softmax(0, 5, 10), SCORES, strict=True)
    ),
    "approxndcg": 1
    - (
        GAIN[1] / log2(1 + 1 + sigmoid(1 - 0) + sigmoid(2 - 0))
        + GAIN[2] / log2(1 + 1 + sigmoid(1 - 2) + sigmoid(0 - 2))
    )
    / IDEAL,
    "ew": (exp(-1) * 1 + exp(-0.5) * 0.25 + 1 * 1) / 3,
    # The bound is 1 + 0.1 (0.75 - 0.25).
    "mape": (1 / 1.05 + 0.5 / 0.55 + 1 / 0.05) / 3,
    # Only the second item has a violator, the first, which should trail it by 1.
    "warp": (1 - (0 - 1)) * 1 / 1,
    "lambdarank": (
        SWAP[0] * log(1 + exp(1)) + SWAP[1] * log(1 + exp(-1)) + SWAP[2] * log(1 + exp(-2))
    )
    / sum(SWAP),
}

WITH_OPTIONS_BY_HAND = {
    "mse+sr(weight=0.2)": 2.25 / 3 + 0.2 * 6 / 9,
    "hr(margin=1.5)": ((1.5 + 1) + (1.5 - 1) + 0) / 3,
    "lr(temperature=2)": (log1p(exp(0.5)) + log1p(exp(-0.5)) + log1p(exp(-1))) / 3,
    "softtau(temperature=2)": 1 - (tanh(-0.5) + tanh(0.5) + tanh(1)) / 3,
    "listmle(top=1)": log(exp(2) + 1 + e) - 2,
    "listmle(top=2)": ((log(exp(2) + 1 + e) - 2) + log(1 + e)) / 2,
    "listnet(temperature=0.5)": sum(
        target * (log(e + 1 + exp(2)) - score)
        for target, score in zip(softmax(0, 1, 2), SCORES, strict=True)
    ),
    "approxndcg(alpha=2,grades=1)": 1
    - (
        (2**0.5 - 1) / log2(1 + 1 + sigmoid(2) + sigmoid(4))
        + (2 - 1) / log2(1 + 1 + sigmoid(-2) + sigmoid(-4))
    )
    / (1 + (2**0.5 - 1) / log2(3)),
    "ew(variant=expm1)": (0 + expm1(0.5) * 0.25 + (e - 1) * 1) / (e - 1) / 3,
    "mape(gap=0.2)": (1 / 1.1 + 0.5 / 0.6 + 1 / 0.1) / 3,
    # Third item: leads by 1 and 2, so one violator short by .5; second: one short by 2.5.
    "warp(margin=1.5)": (0.5 + 2.5) / 2,
    "lambdarank(grades=1)": (
        (2**0.5 - 1) * (1 / log2(3) - 0.5) * log1p(exp(1))
        + (2 - 1) * (1 - 1 / log2(3)) * log1p(exp(-1))
        + (2 - 2**0.5) * (1 - 0.5) * log1p(exp(-2))
    )
    / ((2**0.5 - 1) * (1 / log2(3) - 0.5) + (1 - 1 / log2(3)) + (2 - 2**0.5) * 0.5),
}

# Scores 60, 0, -60 for labels 1, 0, .5: leads of 60 and 120 on the right side, 60 on the wrong.
EXTREME_SCORES, EXTREME_LABELS = [60.0, 0.0, -60.0], [1.0, 0.0, 0.5]
EXTREME_SWAP = [
    31 * (1 - 1 / log2(3)),
    (31 - GAIN[1]) * (1 - 1 / log2(4)),
    GAIN[1] * (1 / log2(3) - 1 / log2(4)),
]
EXTREME_BY_HAND = {
    "mse": (59**2 + 0 + 60.5**2) / 3,
    "mse+sr": (59**2 + 0 + 60.5**2) / 3 + 0.1 * 2 * (59 + 119.5 + 60.5) / 9,
    "hr": (0 + 0 + (0.1 + 60)) / 3,
    "lr": (0 + 0 + 60) / 3,
    "softtau": 1 - (1 + 1 - 1) / 3,
    "listmle": (0 + (0 - -60) + 0) / 3,
    "listnet": softmax(10, 0, 5)[1] * 60 + softmax(10, 0, 5)[2] * 120,
    "approxndcg": 1 - (31 / log2(2) + GAIN[1] / log2(4)) / IDEAL,
    "ew": (1 * 59**2 + exp(-1) * 0 + exp(-0.5) * 60.5**2) / 3,
    "mape": (59 / 0.05 + 0 + 60.5 / 0.55) / 3,
    "warp": 1 + 60,
    "lambdarank": 60 * EXTREME_SWAP[2] / sum(EXTREME_SWAP),
}


@EVERY
def test_value_by_hand(name):
    scores, labels = torch.tensor([SCORES, LABELS], dtype=torch.float64)
    assert LOSSES[name](scores, labels).item() == pytest.approx(BY_HAND[name], rel=1e-12)


@pytest.mark.parametrize("text", WITH_OPTIONS_BY_HAND)
def test_value_with_options_by_hand(text):
    scores, labels = torch.tensor([SCORES, LABELS], dtype=torch.float64)
    expected = pytest.approx(WITH_OPTIONS_BY_HAND[text], rel=1e-12)
    assert resolve(text)(scores, labels).item() == expected


@EVERY
def test_extreme_scores_give_the_exact_value_and_gradient(name):
    loss = LOSSES[name]
    scores = torch.tensor(EXTREME_SCORES, requires_grad=True)
    labels = torch.tensor(EXTREME_LABELS)
    value = loss(scores, labels)
    assert value.item() == pytest.approx(EXTREME_BY_HAND[name], rel=1e-5)
    double = scores.detach().double().requires_grad_()
    loss(double, labels.double()).backward()
    value.backward()
    torch.testing.assert_close(scores.grad.double(), double.grad, rtol=1e-4, atol=1e-5)


def test_listmle_pulls_the_underrated_item_up_and_only_its_rival_down():
    scores = torch.tensor([60.0, 0.0, -60.0], requires_grad=True)
    listmle_loss(scores, torch.tensor([3.0, 1.0, 2.0])).backward()
    torch.testing.assert_close(scores.grad, torch.tensor([0, 1 / 3, -1 / 3]), atol=1e-6, rtol=0)


def test_tied_items_share_one_denominator_in_listmle():
    a, b, c = 0.3, -1.2, 0.8
    expected = (2 * log(exp(a) + exp(b) + exp(c)) - a - b + (c - c)) / 3
    for order in permutations([(a, 1.0), (b, 1.0), (c, 0.0)]):
        scores, labels = torch.tensor(order, dtype=torch.float64).T
        assert listmle_loss(scores, labels).item() == pytest.approx(expected, rel=1e-12)


def test_listmle_equals_the_double_loop():
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(20, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, 6, (20,), generator=generator).double()
    terms = [
        log(sum(exp(t) for t, z in zip(scores, labels, strict=True) if z <= y)) - s
        for s, y in zip(scores, labels, strict=True)
    ]
    assert listmle_loss(scores, labels).item() == pytest.approx(sum(terms).item() / 20, rel=1e-12)


def test_a_tie_at_the_end_of_the_top_is_kept_whole():
    scores = torch.tensor([0.3, -1.2, 0.8, 2.0], dtype=torch.float64)
    labels = torch.tensor([2.0, 2.0, 1.0, 0.0], dtype=torch.float64)
    everything = log(exp(0.3) + exp(-1.2) + exp(0.8) + exp(2.0))
    assert listmle_loss(scores, labels, top=1).item() == pytest.approx(
        ((everything - 0.3) + (everything + 1.2)) / 2, rel=1e-12
    )


def test_sequence_ranking_is_the_mean_over_all_permutations():
    scores = torch.tensor([0.4, -1.0, 2.5], dtype=torch.float64)
    labels = torch.tensor([1.0, 0.2, -0.7], dtype=torch.float64)
    drawn = [
        ((scores - scores[list(order)]) - (labels - labels[list(order)])).abs().mean()
        for order in permutations(range(3))
    ]
    squares = (scores - labels).square().mean()
    expected = squares + 0.1 * torch.stack(drawn).mean()
    torch.testing.assert_close(mse_with_sequence_ranking_loss(scores, labels), expected)


def test_warp_weighs_violators_harmonically():
    # The best item has three violators, short by 1, 3 and 2; the second one has two, short by
    # 3 and 2; the third one, short by 0, none; so H(3)/3 = 11/18 and H(2)/2 = 3/4.
    scores = torch.tensor([0.0, 0.0, 2.0, 1.0], dtype=torch.float64)
    labels = torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    expected = (11 / 18 * (1 + 3 + 2) + 3 / 4 * (3 + 2)) / 2
    assert warp_loss(scores, labels).item() == pytest.approx(expected, rel=1e-12)


def test_lambdarank_learns_from_scores_that_are_all_equal():
    scores = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0.0, 1 / 3, 2 / 3, 1.0], dtype=torch.float64)
    lambdarank_loss(scores, labels).backward()
    assert scores.grad[3] < 0 < scores.grad[0]

"""Labels are scaled by the statistics of their own training set and of nothing else."""

import math

import pytest
import torch

from nasrank.errors import UsageError
from nasrank.losses import LOSSES, LossSpec, prepare, resolve
from nasrank.losses.preparation import standardised, unit_range, upper_bound
from nasrank.losses.targets import beaten_share

EVERY = pytest.mark.parametrize("name", list(LOSSES))
SCALES = pytest.mark.parametrize("scale", [standardised, beaten_share, unit_range])


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_standardised_by_hand():
    # Mean 92, variance (4 + 0 + 4) / 3.
    expected = tensor(-2, 0, 2) / (8 / 3) ** 0.5
    torch.testing.assert_close(standardised(tensor(90, 92, 94)), expected)


def test_beaten_share_by_hand():
    # Of four others, the two 92s beat one and tie with one.
    expected = tensor(0, 1.5 / 4, 1.5 / 4, 3 / 4, 1)
    torch.testing.assert_close(beaten_share(tensor(10, 92, 92, 93, 94)), expected)


def test_upper_bound_by_hand():
    # Quartiles 2 and 4 of five labels: 5 + 0.1 (4 - 2).
    torch.testing.assert_close(upper_bound(tensor(1, 2, 3, 4, 5)), tensor(5.2))
    torch.testing.assert_close(upper_bound(tensor(1, 2, 3, 4, 5), gap=0.5), tensor(6.0))
    # Quartiles are equal, so the standard deviation: variance (4 (8/5)^2 ... ) is 16/25 * 4.
    labels = tensor(2, 2, 2, 2, 6)
    deviation = (4 * 0.8**2 + 3.2**2) / 5
    torch.testing.assert_close(upper_bound(labels), tensor(6 + 0.1 * deviation**0.5))
    torch.testing.assert_close(upper_bound(tensor(7, 7)), tensor(7.1))


@pytest.mark.parametrize("value", [93.7, 0.1, -1e9])
def test_equal_labels_stand_in_the_middle(value):
    # Whose mean need not be exactly the value, so that a naive deviation is not exactly 0.
    labels = torch.full((7,), value)
    assert (standardised(labels) == 0).all()
    assert (beaten_share(labels) == 0.5).all()
    assert (unit_range(labels) == 0.5).all()
    assert (upper_bound(labels) > labels).all() or value == -1e9


@SCALES
def test_a_list_in_a_padded_batch_is_scaled_as_it_is_alone(scale):
    labels = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0)).double()
    where = torch.arange(6) < torch.tensor([[6, 5], [4, 3], [2, 1]]).unsqueeze(-1)
    dirty = torch.where(where, labels, torch.nan)
    together, bounds = scale(dirty, where), upper_bound(dirty, where=where)
    assert bounds.shape == (3, 2, 1)
    for i in range(3):
        for j in range(2):
            alone = labels[i, j][where[i, j]]
            torch.testing.assert_close(together[i, j][where[i, j]], scale(alone))
            torch.testing.assert_close(bounds[i, j], upper_bound(alone))
    assert (together[~where] == 0).all()


@SCALES
def test_nothing_to_scale_gives_numbers(scale):
    nowhere = torch.zeros(2, 3, dtype=torch.bool)
    assert (scale(torch.full((2, 3), torch.nan), nowhere) == 0).all()
    assert scale(torch.zeros(2, 0)).shape == (2, 0)
    assert upper_bound(torch.zeros(2, 3), where=nowhere).isfinite().all()
    assert upper_bound(torch.zeros(2, 0)).shape == (2, 1)


@EVERY
def test_the_unit_of_the_labels_does_not_matter(name):
    labels = torch.randn(2, 9, generator=torch.Generator().manual_seed(1)).double()
    percent, fraction = prepare(name, 90 + labels), prepare(name, 0.9 + labels / 100)
    torch.testing.assert_close(percent.labels, fraction.labels)
    for key, value in percent.arguments.items():
        torch.testing.assert_close(value, fraction.arguments[key])


@EVERY
def test_a_better_label_stays_better(name):
    labels = torch.randn(9, generator=torch.Generator().manual_seed(2)).double()
    assert torch.equal(prepare(name, labels).labels.argsort(), labels.argsort())


@EVERY
def test_a_mini_batch_takes_its_items_and_all_arguments(name):
    generator = torch.Generator().manual_seed(3)
    labels = torch.randn(4, 30, generator=generator).double()
    chosen = torch.rand(4, 30, generator=generator).argsort(-1)[:, :8]
    prepared = prepare(name, labels)
    scores = torch.zeros(4, 8, dtype=torch.float64)
    values = resolve(name)(
        scores, prepared.labels.gather(-1, chosen), reduction="none", **prepared.arguments
    )
    assert values.shape == (4,)
    assert (values > 0).all()


@EVERY
def test_no_gradient_flows_into_the_labels(name):
    labels = torch.randn(5, generator=torch.Generator().manual_seed(4)).requires_grad_()
    prepared = prepare(name, labels)
    assert not prepared.labels.requires_grad
    assert not any(value.requires_grad for value in prepared.arguments.values())


def test_the_bound_follows_the_gap_of_the_loss_and_lies_above_every_label():
    labels = tensor(10, 92, 93, 93.5, 94)
    narrow = prepare("mape(gap=0.01)", labels)
    wide = prepare(LossSpec("mape", (("gap", 0.5),)), labels)
    assert (narrow.labels < narrow.arguments["bound"]).all()
    assert narrow.arguments["bound"] < wide.arguments["bound"]


def test_mape_on_a_whole_training_set_needs_no_bound():
    labels, scores = tensor(10, 92, 93, 93.5, 94), tensor(0, 1, 2, 3, 4)
    prepared = prepare("mape", labels)
    loss = LOSSES["mape"]
    torch.testing.assert_close(
        loss(scores, prepared.labels), loss(scores, prepared.labels, **prepared.arguments)
    )


def test_mape_does_not_change_when_everything_is_rescaled():
    scores, labels, bound = tensor(0, 3, 1), tensor(1, 2, 3), tensor(3.5)
    torch.testing.assert_close(
        LOSSES["mape"](scores, labels, bound=bound),
        LOSSES["mape"](7 * scores - 2, 7 * labels - 2, bound=7 * bound - 2),
    )


def test_a_piecewise_loss_is_prepared_in_two_parts():
    with pytest.raises(UsageError, match=r"pw\(hr,mape,50\) is two losses. Use hr or mape."):
        prepare("pw(hr,mape,50)", tensor(1, 2))


def test_exponential_weights_span_the_training_set_whatever_the_unit():
    prepared = prepare("ew", tensor(10, 50, 90))
    best, spread = prepared.arguments["best"], prepared.arguments["spread"]
    unit = 1 + (prepared.labels - best) / spread
    torch.testing.assert_close(unit, tensor(0, 0.5, 1))
    # An error of 1 in z-scored units at the worst, the middle and the best item.
    errors = [
        resolve("ew")(prepared.labels + one, prepared.labels, **prepared.arguments).item() * 3
        for one in torch.eye(3).to(prepared.labels)
    ]
    assert errors == pytest.approx([math.exp(-1), math.exp(-0.5), 1.0])


def test_equal_labels_get_the_greatest_weight_and_no_division_by_zero():
    prepared = prepare("ew", tensor(5, 5))
    assert prepared.arguments["spread"].item() == 1
    loss = resolve("ew")(prepared.labels + 2, prepared.labels, **prepared.arguments)
    assert loss.item() == 4.0

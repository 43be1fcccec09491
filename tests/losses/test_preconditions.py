"""A loss that is called directly: what it forbids it refuses, and units do not matter."""

import pytest
import torch

from nasrank.errors import UsageError
from nasrank.losses import LOSSES, prepare

EVERY = pytest.mark.parametrize("name", list(LOSSES))
OF_SHARES = pytest.mark.parametrize(
    "name", [name for name in LOSSES if LOSSES.entry(name).scale == "unit"] + ["ew"]
)
ACCURACIES = torch.tensor([94.1, 90.3, 93.2])
SCORES = torch.tensor([2.0, 0.5, 1.0])


@OF_SHARES
@pytest.mark.parametrize("wrong", [94.1, -0.01, 1.01, torch.nan, torch.inf])
def test_labels_that_are_no_shares_are_refused_in_a_line(name, wrong):
    labels = torch.tensor([[0.0, 1.0], [0.5, wrong]])
    with pytest.raises(UsageError, match=f"{name} needs labels from 0 to 1, not") as told:
        LOSSES[name](torch.zeros(2, 2), labels)
    assert "\n" not in str(told.value)
    # At padding anything may stand.
    where = torch.tensor([[True, True], [True, False]])
    assert LOSSES[name](torch.zeros(2, 2), labels, where=where).isfinite()


@OF_SHARES
def test_what_the_message_advises_works(name):
    with pytest.raises(UsageError, match=rf"nasrank\.losses\.prepare\('{name}', labels\)"):
        LOSSES[name](SCORES, ACCURACIES)
    scaled = prepare(name, ACCURACIES)
    assert LOSSES[name](SCORES, scaled.labels, **scaled.arguments).isfinite()


@EVERY
def test_the_best_and_the_worst_share_are_allowed_in_every_precision(name):
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        labels = torch.tensor([0.0, 1.0, 0.3333333], dtype=dtype)
        assert LOSSES[name](SCORES.to(dtype), labels).isfinite()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_precision_changes_a_loss_by_its_rounding_alone(name, dtype):
    drawn = torch.Generator().manual_seed(5)
    scores = torch.randn(12, generator=drawn).to(dtype)
    prepared = prepare(name, torch.randn(12, generator=drawn).double())
    labels = prepared.labels.to(dtype)
    given = {key: value.to(dtype) for key, value in prepared.arguments.items()}
    exact = {key: value.double() for key, value in given.items()}
    exact = LOSSES[name](scores.double(), labels.double(), **exact)
    found = LOSSES[name](scores, labels, **given)
    tolerance = 20 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.double(), exact, rtol=tolerance, atol=tolerance)


def test_whole_numbers_are_labels_too(unchecked):
    for name in ("mse", "mape", "hr", "lr", "listmle", "warp", "softtau"):
        found = LOSSES[name](SCORES, torch.tensor([3, 1, 2]))
        torch.testing.assert_close(found, LOSSES[name](SCORES, torch.tensor([3.0, 1.0, 2.0])))


@EVERY
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
def test_a_label_that_is_no_number_is_refused_before_training(name, wrong):
    labels = torch.tensor([1.0, wrong, 2.0])
    with pytest.raises(UsageError, match="a label is not a finite number"):
        prepare(name, labels)
    assert prepare(name, labels, torch.tensor([True, False, True])).labels.isfinite().all()


@EVERY
@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_the_unit_of_labels_changes_nothing_after_preparation(name, unit, shift):
    drawn = torch.Generator().manual_seed(6)
    scores, labels = torch.randn(2, 3, 9, generator=drawn).double()
    one, other = prepare(name, labels), prepare(name, unit * (labels + shift))
    torch.testing.assert_close(
        LOSSES[name](scores, one.labels, **one.arguments),
        LOSSES[name](scores, other.labels, **other.arguments),
        rtol=1e-6,
        atol=1e-9,
    )


PAIRWISE = {"hr", "lr", "mse+sr", "warp", "softtau", "lambdarank", "approxndcg"}


@EVERY
def test_a_list_whose_pairs_do_not_fit_into_memory_is_refused_in_a_line(name):
    items = 100_000
    drawn = torch.Generator().manual_seed(2)
    scores, labels = torch.rand(2, items, generator=drawn)
    given = prepare(name, labels.double()[:8]).arguments
    if name in PAIRWISE:
        with pytest.raises(UsageError, match=r"100,000 items .* at most 16,384 items"):
            LOSSES[name](scores, labels, **given)
    else:
        assert LOSSES[name](scores, labels, **given).isfinite()

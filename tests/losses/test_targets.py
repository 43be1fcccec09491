"""What a loss is fed with is one thing, what it makes of it another."""

import numpy as np
import pytest
import torch
from scipy import stats

from nasrank.errors import UsageError
from nasrank.losses import LOSSES, LossSpec, fed_with, prepare, resolve
from nasrank.losses.catalogue import TARGETS
from nasrank.losses.targets import transformed

EVERY = pytest.mark.parametrize("targets", TARGETS)
FEELING = [name for name in LOSSES if not LOSSES.entry(name).order_only]


def labels_with_failures(items=60, seed=0):
    """Accuracies around 93 percent, of which four failed at 10."""
    drawn = torch.randn(items, generator=torch.Generator().manual_seed(seed)).double() + 93
    drawn[:4] = 10 + torch.arange(4)
    return drawn


def test_by_hand():
    # Median 92.5; deviations 82.5, .5, .5, 1.5; their median 1; unit 1.4826.
    labels = torch.tensor([10.0, 92.0, 93.0, 94.0]).double()
    clipped = torch.tensor([-3.0, -0.5 / 1.4826, 0.5 / 1.4826, 1.5 / 1.4826]).double()
    torch.testing.assert_close(transformed("clipped", labels), clipped)
    quantiles = torch.from_numpy(stats.norm.ppf([1 / 8, 3 / 8, 5 / 8, 7 / 8]))
    torch.testing.assert_close(transformed("normal", labels), quantiles)
    torch.testing.assert_close(transformed("robust", labels), (clipped + quantiles) / 2)
    torch.testing.assert_close(
        transformed("rank", labels), torch.tensor([0, 1 / 3, 2 / 3, 1]).double()
    )
    torch.testing.assert_close(transformed("raw", labels), labels)


def test_normal_scores_are_those_of_scipy():
    labels = torch.randint(0, 9, (50,), generator=torch.Generator().manual_seed(1)).double()
    expected = stats.norm.ppf((stats.rankdata(labels.numpy()) - 0.5) / 50)
    np.testing.assert_allclose(transformed("normal", labels).numpy(), expected, atol=1e-12)


@EVERY
def test_order_is_kept(targets):
    labels = labels_with_failures()
    found = transformed(targets, labels)[labels.argsort()]
    assert (found.diff() >= 0).all()
    # Only clipping makes ties, and only among what is far out.
    ties = int((found.diff() == 0).sum())
    assert ties == (3 if targets == "clipped" else 0)


@EVERY
def test_units_do_not_matter(targets):
    labels = labels_with_failures()
    for name in FEELING:
        spec = LossSpec(name, (("targets", targets),))
        one, other = prepare(spec, labels), prepare(spec, 0.01 * labels - 3)
        torch.testing.assert_close(one.labels, other.labels, rtol=1e-8, atol=1e-8)


@EVERY
def test_a_padded_list_is_what_it_is_alone(targets):
    labels = torch.randn(4, 9, generator=torch.Generator().manual_seed(3)).double()
    where = torch.arange(9) < torch.tensor([[9], [6], [2], [1]])
    together = transformed(targets, torch.where(where, labels, torch.nan), where)
    for row, size in enumerate((9, 6, 2, 1)):
        torch.testing.assert_close(together[row, :size], transformed(targets, labels[row, :size]))
        assert not together[row, size:].any()
    assert transformed(targets, labels[:, :0]).shape == (4, 0)


@EVERY
@pytest.mark.parametrize("value", [93.7, 0.0, -1e9])
def test_equal_labels_give_equal_targets(targets, value):
    found = transformed(targets, torch.full((7,), value, dtype=torch.float64))
    assert (found == found[0]).all()
    assert found.isfinite().all()


def test_where_most_labels_are_equal_there_is_nothing_to_clip_by():
    labels = torch.tensor([1.0] * 6 + [2.0, 50.0]).double()
    torch.testing.assert_close(transformed("clipped", labels), labels)
    torch.testing.assert_close(transformed("robust", labels), transformed("normal", labels))


def test_failures_set_the_scale_of_raw_targets_and_of_no_others():
    labels = labels_with_failures()
    good = labels > 80
    spread = {
        targets: float(
            prepare(LossSpec("mse", (("targets", targets),)), labels).labels[good].std()
        )
        for targets in TARGETS
    }
    assert spread["raw"] < 0.1
    assert min(spread[each] for each in ("clipped", "robust", "normal", "rank")) > 0.6


@pytest.mark.parametrize("name", FEELING)
@EVERY
def test_every_loss_takes_its_targets_on_its_own_scale(name, targets):
    spec = LossSpec(name, (("targets", targets),))
    labels = labels_with_failures()
    prepared = prepare(spec, labels)
    if LOSSES.entry(name).scale == "unit":
        assert prepared.labels.min() == 0
        assert prepared.labels.max() == 1
    else:
        assert prepared.labels.mean() == pytest.approx(0, abs=1e-12)
        assert prepared.labels.std(correction=0) == pytest.approx(1)
    scores = labels.clone().requires_grad_()
    loss = resolve(spec)(scores, prepared.labels, **prepared.arguments)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    # What is fed is no argument of the function.
    assert "targets" not in spec.arguments


def test_the_published_form_is_the_default():
    assert str(LossSpec("mse", (("targets", "raw"),))) == "mse"
    assert str(LossSpec("approxndcg", (("targets", "rank"),))) == "approxndcg"
    assert str(LossSpec("ew", (("targets", "robust"),))) == "ew(targets=robust)"


def test_a_loss_that_sees_only_order_has_no_choice():
    with pytest.raises(UsageError, match="targets"):
        LossSpec("listmle", (("targets", "robust"),))
    assert fed_with("listmle", TARGETS) == ["listmle"]


def test_losses_are_spelt_once_for_each_kind_of_target():
    assert fed_with("mse", []) == ["mse"]
    assert fed_with("mse(targets=rank)", ["robust"]) == ["mse(targets=rank)"]
    assert fed_with("mape(gap=0.2)", ["raw", "normal"]) == [
        "mape(gap=0.2)",
        "mape(gap=0.2,targets=normal)",
    ]
    assert fed_with("pw(hr,mse,20)", ["raw", "rank"]) == [
        "pw(hr,mse,20)",
        "pw(hr,mse(targets=rank),20)",
    ]

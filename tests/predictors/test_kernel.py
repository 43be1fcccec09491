"""What the kernel machine promises, on settings and on graphs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.losses import LOSSES, parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import kernel
from nasrank.predictors.gp import GaussianProcess
from nasrank.predictors.kernel import KernelMachine, cut_folds
from nasrank.predictors.predictor import Member

ITEMS = 240


def drawn(seed=0, noise=0):
    """A learning rate, a width, an optimizer, a switch, and settings that do nothing."""
    rng = np.random.default_rng(seed)
    rate, width = 10 ** rng.uniform(-5, -1, ITEMS), rng.choice([64, 128, 256, 512, 1024], ITEMS)
    temperature = rng.normal(20, 5, ITEMS)
    kind, switch = rng.integers(0, 3, ITEMS), rng.integers(0, 2, ITEMS)
    columns = [
        Setting("rate", "number", "log"),
        Setting("width", "number", "log"),
        Setting("temperature", "number"),
        Setting("optimizer", "category", levels=("adam", "sgd", "lion")),
        Setting("warm", "yes/no", levels=("no", "yes")),
    ]
    values = [rate, width, temperature - 20, kind, switch]
    for number in range(noise):
        columns.append(Setting(f"idle {number}", "number"))
        values.append(rng.normal(size=ITEMS))
    worth = (
        np.log2(width)
        - (np.log10(rate) + 3 + 0.3 * (np.log2(width) - 8) + (kind == 1)) ** 2
        + 0.5 * switch
        + 0.1 * (temperature - 20)
        + 0.3 * rng.normal(size=ITEMS)
    )
    return Settings(tuple(columns), np.stack(values, axis=1)), worth


def scored(settings, worth, loss="listmle", items=None, kind=KernelMachine):
    items = np.arange(60) if items is None else items
    machine = kind(GraphBatch.of_settings(settings))
    return machine.fit([Member(items, worth[items], parse(loss), 0)]).scores()[0]


SETTINGS, WORTH = drawn()
BOTH = pytest.mark.parametrize("kind", [KernelMachine, GaussianProcess])


@pytest.fixture(name="machine", scope="module")
def _machine():
    return KernelMachine(GraphBatch.of_settings(SETTINGS))


@pytest.mark.parametrize("loss", LOSSES.names())
def test_every_loss_learns_the_better_architectures(machine, loss):
    member = Member(np.arange(60), WORTH[:60], parse(loss), 0)
    fitted = machine.fit([member])
    assert kendall_tau(fitted.scores()[0][60:], WORTH[60:]) > 0.5
    assert np.isfinite(fitted.final_loss).all()
    assert not fitted.diverged.any()
    assert (fitted.spread()[0] > 0).all()


def test_members_are_what_they_are_alone(machine):
    members = [
        Member(np.arange(start, start + n), WORTH[start : start + n], parse(loss), seed)
        for start, n, loss, seed in (
            (0, 30, "listmle", 0), (0, 30, "mse", 0), (5, 50, "hr", 1), (0, 30, "hr", 2),
        )
    ]  # fmt: skip
    together = machine.fit(members)
    for place, each in enumerate(members):
        alone = machine.fit([each])
        np.testing.assert_array_equal(together.scores()[place], alone.scores()[0])
        np.testing.assert_array_equal(together.spread()[place], alone.spread()[0])


@BOTH
def test_order_of_the_training_set_does_not_count(kind):
    items = np.random.default_rng(1).permutation(60)
    one = scored(SETTINGS, WORTH, kind=kind)
    other = scored(SETTINGS, WORTH, items=items, kind=kind)
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-3 * np.ptp(one))


@BOTH
def test_order_of_settings_does_not_count(kind):
    order = [3, 0, 4, 2, 1]
    turned = Settings(tuple(SETTINGS.columns[i] for i in order), SETTINGS.values[:, order])
    one, other = (scored(each, WORTH, kind=kind) for each in (SETTINGS, turned))
    assert kendall_tau(one, other) > 0.99


@BOTH
def test_units_of_settings_and_labels_do_not_count(kind):
    # Seconds for milliseconds on a log scale, Fahrenheit for Celsius on a linear one.
    factor, shift = np.array([1000.0, 7.0, 1.8, 1, 1]), np.array([0.0, 0, 32, 0, 0])
    other = Settings(SETTINGS.columns, SETTINGS.values * factor + shift)
    one, again = scored(SETTINGS, WORTH, kind=kind), scored(other, 100 * WORTH - 7, kind=kind)
    assert kendall_tau(one, again) > 0.99


@BOTH
def test_a_setting_that_stands_there_twice_does_not_count(kind):
    copy = replace(SETTINGS.columns[1], name="again")
    twice = Settings((*SETTINGS.columns, copy), SETTINGS.values[:, [0, 1, 2, 3, 4, 1]])
    one, again = (scored(each, WORTH, kind=kind) for each in (SETTINGS, twice))
    np.testing.assert_allclose(one, again, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@BOTH
def test_a_setting_that_is_noise_costs_nearly_nothing(kind):
    costs = []
    for seed in range(8):
        (plain, worth), (noisy, _) = drawn(seed), drawn(seed)
        idle = np.random.default_rng(100 + seed).normal(size=(ITEMS, 1))
        noisy = Settings(
            (*plain.columns, Setting("idle", "number")), np.append(plain.values, idle, axis=1)
        )
        taus = [
            kendall_tau(scored(each, worth, kind=kind)[60:], worth[60:]) for each in (plain, noisy)
        ]
        costs.append(taus[0] - taus[1])
    assert np.mean(costs) < 0.01


def test_folds_keep_copies_together_and_leave_everything_out_once_a_repeat():
    folds = cut_folds(np.array([4, 4, 1, 0, 7, 9, 3, 4]), np.arange(8.0), 0, 4).numpy()
    assert folds.shape == (20, 8)
    np.testing.assert_array_equal(folds.reshape(4, 5, 8).sum(axis=1), 1)
    np.testing.assert_array_equal(folds[:, 0], folds[:, 1])
    np.testing.assert_array_equal(folds[:, 0], folds[:, 7])
    assert cut_folds(np.array([2, 2, 5, 5, 2]), np.arange(5.0), 0, 1).shape == (0, 5)


def test_beyond_its_limit_all_labels_still_count(machine, monkeypatch):
    def taught(n):
        monkeypatch.setattr(kernel, "_FOLDED_ON", 30)
        fitted = machine.fit([Member(np.arange(n), WORTH[:n], parse("lr"), 0)])
        assert len(fitted._machines[0].coefficients) == n
        assert (fitted.spread() > 0).all()
        return kendall_tau(fitted.scores()[0][150:], WORTH[150:])

    assert taught(150) > taught(30) + 0.02


@pytest.mark.parametrize("loss", ["listmle", "mse", "softtau", "mape"])
@pytest.mark.parametrize("items", [[3, 3, 3, 3], [0, 1], [0, 1, 2], [5]])
def test_few_architectures_or_one_again_and_again(machine, items, loss):
    labels = np.arange(len(items), dtype=float)
    fitted = machine.fit([Member(np.array(items), labels, parse(loss), 0)])
    assert np.isfinite(fitted.scores()).all()
    assert np.isfinite(fitted.spread()).all()
    if items == [0, 1]:
        assert fitted.scores()[0][1] > fitted.scores()[0][0]


@pytest.mark.parametrize("loss", LOSSES.names())
def test_labels_all_alike_give_one_score(machine, loss):
    fitted = machine.fit([Member(np.arange(9), np.full(9, 5.0), parse(loss), 0)])
    assert np.ptp(fitted.scores()) < 1e-6
    assert (fitted.spread() > 0).all()


@pytest.mark.parametrize("loss", ["listmle", "lr", "hr", "mape"])
def test_labels_of_two_values(machine, loss):
    labels = (WORTH[:60] > np.median(WORTH)).astype(float)
    fitted = machine.fit([Member(np.arange(60), labels, parse(loss), 0)])
    assert kendall_tau(fitted.scores()[0][60:], WORTH[60:]) > 0.4


def test_a_piecewise_loss_is_the_part_for_the_number_of_labels(machine):
    def fit(loss, n):
        return machine.fit([Member(np.arange(n), WORTH[:n], parse(loss), 0)]).scores()

    np.testing.assert_array_equal(fit("pw(hr,listmle,50)", 40), fit("hr", 40))
    np.testing.assert_array_equal(fit("pw(hr,listmle,50)", 60), fit("listmle", 60))


def test_spread_covers_what_was_not_seen(machine):
    n = 60
    fitted = machine.fit([Member(np.arange(n), WORTH[:n], parse("listmle"), 0)])
    scores, doubt = fitted.scores()[0], fitted.spread()[0]
    assert doubt[:n].mean() < doubt[n:].mean()
    # The unit of listmle is its own: bring labels to it by the training set.
    slope, start = np.polyfit(WORTH[:n], scores[:n], 1)
    away = np.abs(start + slope * WORTH[n:] - scores[n:])
    assert 0.5 < np.mean(away < 1.5 * doubt[n:]) < 0.99


def test_it_says_how_far_it_is(machine):
    heard = []
    member = Member(np.arange(9), WORTH[:9], parse("mse"), 0)
    machine.fit([member] * 3, on_step=lambda done, of: heard.append((done, of)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_graphs_and_their_settings_are_both_learnt(graphs):
    rate = np.random.default_rng(0).uniform(-3, 3, len(graphs))
    worth = graphs.operation_counts()[:, 2] - rate**2
    both = replace(graphs, settings=Settings((Setting("rate", "number"),), rate[:, None]))
    own = np.arange(30)
    taus = [
        kendall_tau(
            KernelMachine(each)
            .fit([Member(own, worth[own], parse("listmle"), 0)])
            .scores()[0][30:],
            worth[30:],
        )
        for each in (graphs, both)
    ]
    assert taus[1] > taus[0] + 0.2


def test_proxies_are_used_when_asked_for(graphs):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    proxies = np.stack([truth * 7 + 100, np.ones(50)], axis=1)
    members = [Member(np.arange(15), truth[:15], parse("lr"), 0)]
    told = KernelMachine(graphs, proxies=proxies, features="proxies").fit(members)
    assert kendall_tau(told.scores()[0][15:], truth[15:]) > 0.6
    with pytest.raises(UsageError, match="proxies"):
        told.on(graphs[[40]])


def test_scores_are_those_of_the_coefficients(machine):
    fitted = machine.fit([Member(np.arange(20), WORTH[:20], parse("listmle"), 0)])
    (own,) = fitted._machines
    choice = own.basis.posterior.choice
    rows = machine.rows.reference[choice.reading]
    expected = choice.kernel.between(rows, choice.rows) @ own.coefficients
    np.testing.assert_allclose(fitted.scores()[0], expected, atol=1e-9)
    whole = own.basis.rows @ own.basis.rows.T
    torch.testing.assert_close(
        whole, choice.kernel.between(choice.rows, choice.rows), atol=1e-2, rtol=0
    )


def test_what_folds_left_out_compares_losses(machine):
    losses = [parse("listmle"), parse("mse(targets=robust)")]
    members = [Member(np.arange(30), WORTH[:30], loss, 0) for loss in losses]
    held = machine.fit(members).held
    folds = cut_folds(np.arange(30), WORTH[:30], 0, kernel._REPEATS).numpy()
    for each in held:
        np.testing.assert_array_equal(~np.isnan(each), folds)
    taus = [
        kendall_tau(row[out], WORTH[:30][out]) for row, out in zip(held[0], folds, strict=True)
    ]
    assert np.mean(taus) > 0.3
    assert (held[0][folds] != held[1][folds]).any()

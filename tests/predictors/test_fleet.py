"""A fleet is its members: what holds of one trained alone holds of it in any company."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.benchmarks.splits import make_split
from nasrank.losses import LOSSES, parse, prepare, resolve
from nasrank.metrics import kendall_tau
from nasrank.predictors import PREDICTORS, fleet
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.gnn import GNN
from nasrank.predictors.mlp import MLP
from nasrank.predictors.network import Network, Parameter
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.seeds import torch_generator

NETWORKS = pytest.mark.parametrize("kind", [GNN, MLP])
PLAIN = [*LOSSES.names(), "hr(margin=0.5)"]


class Linear(Network):
    """One weight a graph: small enough to follow every step, and it writes down its batches."""

    def __init__(self, graphs, **options):
        self.seen = []
        super().__init__(graphs, **options)

    def describe(self):
        return [Parameter("table", (50,), 1.0), Parameter("shift", (1,), 0.0)]

    def batches(self, items):
        self.seen += list(items)
        yield from items

    def forward(self, weights, batch):
        index = torch.from_numpy(np.maximum(batch, 0))
        return weights["table"].gather(1, index) + weights["shift"]


@pytest.fixture(name="truth", scope="module")
def _truth(graphs):
    """What a graph is worth: more convolutions, more edges; no two alike."""
    worth = graphs.operation_counts()[:, 2] + graphs.adjacency.sum((1, 2)) / 5
    return 80 + worth + np.random.default_rng(0).random(50) / 5


@pytest.fixture(name="member", scope="module")
def _member(truth):
    def make(loss="mse", n=20, seed=0):
        items = np.random.default_rng(seed).permutation(50)[:n]
        return Member(items, truth[items], parse(loss), seed)

    return make


@pytest.fixture(name="crowd", scope="module")
def _crowd(member):
    """Members that differ in everything: every loss, several sizes, piecewise ones among them."""
    members = [member(loss, 9 + 3 * (place % 6), place) for place, loss in enumerate(PLAIN)]
    return [*members, member("pw(hr,mape,8)", 18, 1), member("pw(listmle,mse,5)", 21, 2)]


def far(one, other):
    """How far two members' weights are apart, as a share of their length, the worst of all.

    Losses that a shift of all scores does not touch leave the last shift to rounding, so what is
    nearly nothing is not measured by its own length.
    """
    assert one.weights.keys() == other.weights.keys()
    gaps = []
    for name, weight in one.weights.items():
        gap = (weight - other.weights[name]).flatten(1).norm(dim=1)
        gaps.append(gap / weight.flatten(1).norm(dim=1).clamp_min(1e-2))
    return float(torch.stack(gaps).max())


def only(trained, *places):
    weights = {name: weight[list(places)] for name, weight in trained.weights.items()}
    return replace(trained, weights=weights, final_loss=trained.final_loss[list(places)])


def same(one, other):
    return all(torch.equal(w, other.weights[name]) for name, w in one.weights.items())


# Fleet = alone.


@NETWORKS
def test_outputs_losses_and_gradients_of_a_step_are_those_of_the_member_alone(
    kind, graphs, truth, score
):
    network = kind(graphs)
    sizes = [5 + place for place in range(len(PLAIN))]
    lists = [np.random.default_rng(n).permutation(50)[:n] for n in sizes]
    items = np.full((len(lists), max(sizes)), -1)
    labels = torch.full(items.shape, torch.nan, dtype=torch.float64)
    for row, own in enumerate(lists):
        items[row, : len(own)] = own
        labels[row, : len(own)] = torch.from_numpy(truth[own])
    where = torch.from_numpy(items >= 0)

    def step(rows, chosen, wanted, real):
        begin = network.initial([torch_generator(row, stream="initialisation") for row in rows])
        weights = {name: w.requires_grad_() for name, w in begin.items()}
        scores = score(network, weights, chosen)
        values = []
        for place, row in enumerate(rows):
            one = slice(place, place + 1)
            ready = prepare(PLAIN[row], wanted[one], real[one])
            arguments = {key: value.float() for key, value in ready.arguments.items()}
            values.append(
                resolve(PLAIN[row])(
                    scores[one],
                    ready.labels.float(),
                    where=real[one],
                    reduction="none",
                    **arguments,
                )
            )
        losses = torch.cat(values)
        losses.sum().backward()
        return scores.detach(), losses.detach(), {name: w.grad for name, w in weights.items()}

    scores, losses, gradients = step(range(len(lists)), items, labels, where)
    for row, own in enumerate(lists):
        n = len(own)
        one, value, slope = step(
            [row], own[None], labels[row : row + 1, :n], where[row : row + 1, :n]
        )
        torch.testing.assert_close(scores[row, :n], one[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(losses[row], value[0], rtol=1e-5, atol=1e-6)
        whole = torch.cat([part.flatten() for part in slope.values()]).norm()
        for name, part in slope.items():
            gap = (gradients[name][row] - part[0]).norm()
            assert gap <= 1e-5 * max(part.norm(), 1e-2 * whole), (PLAIN[row], name)


@NETWORKS
def test_fifty_steps_in_double_precision_are_those_of_the_member_alone(kind, graphs, crowd):
    network = kind(graphs, dtype=torch.float64)
    # Training is chaotic: at a greater rate rounding alone grows past the tolerance.
    recipe = Recipe(epochs=25, list_length=12, learning_rate=3e-3)
    together = train_fleet(network, crowd, recipe)
    assert max(recipe.steps(len(m.items)) for m in crowd) == 50
    for place, own in enumerate(crowd):
        alone = train_fleet(network, [own], recipe)
        assert far(alone, only(together, place)) < 1e-6, own.loss
        assert alone.final_loss[0] == pytest.approx(together.final_loss[place], rel=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@NETWORKS
def test_a_cuda_device_gives_what_the_processor_gives(kind, graphs, crowd):
    recipe = Recipe(epochs=25, list_length=12)
    here, there = (
        train_fleet(kind(graphs, device=device, dtype=torch.float64), crowd, recipe)
        for device in ("cpu", "cuda")
    )
    back = replace(there, weights={name: w.cpu() for name, w in there.weights.items()})
    assert far(here, back) < 1e-6
    np.testing.assert_allclose(there.final_loss, here.final_loss, rtol=1e-6)
    np.testing.assert_allclose(there.scores(), here.scores(), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("predictor", ["gnn", "mlp"])
def test_a_whole_training_ranks_real_cells_as_the_member_alone_does(predictor, load):
    task = load("nb201/cifar10")
    network = PREDICTORS[predictor].network(task.space.graphs)
    plan = [("mse", 24), ("listmle", 30), ("hr", 32), ("pw(hr,mape,16)", 32)]
    splits = [make_split(task, n, seed) for seed, (_, n) in enumerate(plan)]
    members = [
        Member(task.space.class_of[split.train], split.targets, parse(loss), seed)
        for seed, ((loss, _), split) in enumerate(zip(plan, splits, strict=True))
    ]
    together = train_fleet(network, members).scores()
    for place, (member, split) in enumerate(zip(members, splits, strict=True)):
        alone = train_fleet(network, [member]).scores()[0]
        tested = task.space.class_of[split.test]
        taus = [
            kendall_tau(scores[tested], split.test_labels) for scores in (alone, together[place])
        ]
        assert abs(taus[0] - taus[1]) < 0.02
        assert min(taus) > 0.1


# What a member does not depend on.


def test_the_order_of_the_members_does_not_matter(graphs, crowd):
    network = GNN(graphs, dtype=torch.float64)
    recipe = Recipe(epochs=6, list_length=12)
    order = np.random.default_rng(0).permutation(len(crowd))
    one = train_fleet(network, crowd, recipe)
    other = train_fleet(network, [crowd[place] for place in order], recipe)
    assert far(only(one, *order), other) < 1e-9
    np.testing.assert_allclose(one.final_loss[order], other.final_loss, rtol=1e-9)
    np.testing.assert_allclose(one.scores()[order], other.scores(), rtol=1e-8, atol=1e-9)


def test_the_same_call_gives_the_same_weights(graphs, crowd):
    recipe = Recipe(epochs=3, list_length=12)
    one, other = (train_fleet(GNN(graphs), crowd, recipe) for _ in range(2))
    assert same(one, other)


def test_equal_members_are_equal(graphs, member):
    twins = [member("listmle", 20, 3), member("mse", 14, 1), member("listmle", 20, 3)]
    trained = train_fleet(GNN(graphs, dtype=torch.float64), twins, Recipe(epochs=5))
    assert far(only(trained, 0), only(trained, 2)) < 1e-12


def test_first_weights_depend_on_the_seed_alone(graphs, member):
    # Nothing moves at a rate of zero.
    still = Recipe(epochs=2, learning_rate=0.0)
    plan = [("mse", 20, 5), ("listmle", 20, 5), ("mse", 44, 5), ("pw(hr,mse,9)", 30, 5)]
    trained = train_fleet(GNN(graphs), [member(*each) for each in [*plan, ("mse", 20, 6)]], still)
    assert same(only(trained, 0, 0, 0, 0), only(trained, 0, 1, 2, 3))
    assert far(only(trained, 0), only(trained, 4)) > 0.5
    begin = trained.network.initial([torch_generator(5, stream="initialisation")])
    assert all(torch.equal(w, trained.weights[name][:1]) for name, w in begin.items())


def met(graphs, members, recipe):
    """The lists each member met, step by step; members by steps, then by loss."""
    network = Linear(graphs)
    train_fleet(network, members, recipe)
    rows = [[step[place] for step in network.seen] for place in range(len(members))]
    return [[row[row >= 0].tolist() for row in own if row.max() >= 0] for own in rows]


def test_the_order_of_items_depends_on_seed_and_size_alone(graphs, member):
    plan = [("listmle", 20, 5), ("mse", 20, 5), ("mse", 20, 6), ("mse", 44, 5)]
    members, recipe = [member(*each) for each in plan], Recipe(epochs=4, list_length=8)
    lists = met(graphs, members, recipe)
    assert [len(own) for own in lists] == [12, 12, 12, 24]
    assert lists[0] == lists[1] != lists[2]
    assert met(graphs, members[2:3], recipe) == lists[2:3]
    assert met(graphs, [members[0], members[3]], recipe) == [lists[0], lists[3]]
    # Not even what the items are: the same places of another list of the same size.
    other = replace(members[0], items=members[0].items[::-1].copy())
    place = {item: at for at, item in enumerate(members[0].items)}
    (mirrored,) = met(graphs, [other], recipe)
    assert [[other.items[place[i]] for i in step] for step in lists[0]] == mirrored


def test_every_epoch_meets_every_item_once(graphs, member):
    own = member("mse", 20, 5)
    (lists,) = met(graphs, [own], Recipe(epochs=40, list_length=8))
    assert len(lists) == 40 * 3
    for epoch in range(40):
        once = np.concatenate(lists[3 * epoch : 3 * epoch + 3])
        assert sorted(once) == sorted(own.items)


def test_items_and_targets_stay_together_when_both_are_permuted(graphs, member):
    # With one list an epoch the order within it means nothing.
    network, recipe = GNN(graphs, dtype=torch.float64), Recipe(epochs=10, list_length=20)
    for loss in ("mse", "listmle", "hr", "mape"):
        own = member(loss, 20, 1)
        order = np.random.default_rng(3).permutation(20)
        other = replace(own, items=own.items[order], targets=own.targets[order])
        mixed = replace(own, targets=own.targets[order])
        first, second, third = (
            train_fleet(network, [each], recipe) for each in (own, other, mixed)
        )
        assert far(first, second) < 1e-6
        assert far(first, third) > 1e-2


def test_the_unit_of_the_targets_does_not_matter(graphs, member):
    network, recipe = GNN(graphs, dtype=torch.float64), Recipe(epochs=5)
    for loss in LOSSES.names():
        own = member(loss)
        fraction = replace(own, targets=own.targets / 100 - 3)
        assert far(*(train_fleet(network, [m], recipe) for m in (own, fraction))) < 1e-6


def test_an_item_may_come_twice(graphs, truth):
    items = np.repeat(np.arange(8), 2)
    trained = train_fleet(
        GNN(graphs), [Member(items, truth[items], parse("listmle"), 0)], Recipe(epochs=5)
    )
    assert np.isfinite(trained.scores()).all()


# What a member that has finished, and one that has failed, do to themselves and to others.


class Steady(Recipe):
    """A rate that does not end at nothing, so that nothing but the fleet stops a member."""

    def rate(self, step, steps):
        return self.learning_rate


@pytest.mark.parametrize("kind", [Recipe, Steady])
def test_a_member_past_its_last_step_is_left_as_it_is(kind, graphs, member):
    recipe = kind(epochs=5, list_length=8, weight_decay=1.0)
    short, long = member("mse", 8, 0), member("mse", 40, 1)
    after = []
    trained = train_fleet(
        GNN(graphs),
        [long, short],
        recipe,
        on_epoch=lambda epoch: after.append((epoch.finished, epoch.fitted)),
    )
    ends = [fleet for finished, fleet in after if finished[1]]
    assert len(ends) == 5
    # 5 steps of its own, then 20 of the other.
    assert same(only(ends[-1], 1), only(trained, 1))
    assert not same(only(ends[-1], 0), only(trained, 0))
    alone = train_fleet(GNN(graphs), [short], recipe)
    assert far(alone, only(trained, 1)) < 1e-4


@pytest.fixture
def explosive():
    """A loss whose gradient is infinite from the first step on."""

    @LOSSES.register("explosive")
    def explosive_loss(scores, labels, *, where=None, reduction="mean"):
        values = (scores * torch.inf).sum(-1)
        return values.mean() if reduction == "mean" else values

    yield "explosive"
    for registered in (LOSSES._objects, LOSSES._origins):
        registered.pop("explosive")


@pytest.mark.filterwarnings("error")
def test_a_diverged_member_does_not_touch_the_others(graphs, member, explosive):
    network = GNN(graphs)
    good = [member("mse", 20, 0), member("mse", 26, 1), member("listmle", 20, 2)]
    bad = member(explosive, 20, 3)
    recipe = Recipe(epochs=10)
    with_it = train_fleet(network, [good[0], bad, *good[1:]], recipe)
    assert with_it.diverged.tolist() == [False, True, False, False]
    scores = with_it.scores()
    assert np.isnan(scores[1]).all()
    assert np.isfinite(scores[[0, 2, 3]]).all()
    assert not np.isfinite(with_it.final_loss[1])
    without = train_fleet(network, good, recipe)
    assert far(without, only(with_it, 0, 2, 3)) < 1e-4


@NETWORKS
def test_an_absurd_rate_diverges_and_says_so(kind, graphs, member):
    trained = train_fleet(
        kind(graphs), [member("mse"), member("listmle")], Recipe(epochs=8, learning_rate=1e38)
    )
    assert trained.diverged.all()
    assert np.isnan(trained.scores()).all()


def test_one_infinite_weight_is_enough_to_score_nothing(graphs, member):
    trained = train_fleet(GNN(graphs), [member(), member(seed=1)], Recipe(epochs=2))
    # A rectified unit would hide it from the scores.
    trained.weights["hidden_shift"][1, 0, 0] = -torch.inf
    assert trained.diverged.tolist() == [False, True]
    scores = trained.scores()
    assert np.isfinite(scores[0]).all()
    assert np.isnan(scores[1]).all()


# Piecewise losses.


def test_piecewise_is_the_first_loss_on_the_first_items_then_the_second_on_all(
    graphs, member, monkeypatch
):
    network, recipe = GNN(graphs, dtype=torch.float64), Recipe(epochs=6, list_length=12)
    whole = member("pw(hr(margin=0.5),mape,14)", 30, 4)
    first = replace(
        whole, items=whole.items[:14], targets=whole.targets[:14], loss=parse("hr(margin=0.5)")
    )
    company = [member("mse", 20, 0), whole, member("pw(mse,lr,9)", 20, 1)]
    together = train_fleet(network, company, recipe)

    begun = train_fleet(network, [first], recipe)
    assert far(begun, only(together, 1)) > 1e-2
    monkeypatch.setattr(
        network, "initial", lambda generators: {n: w.clone() for n, w in begun.weights.items()}
    )
    by_hand = train_fleet(network, [replace(whole, loss=parse("mape"))], recipe)
    assert far(by_hand, only(together, 1)) < 1e-6


def test_steps_of_both_stages_are_counted(graphs, member):
    recipe = Recipe(epochs=4, list_length=8)
    heard = []
    train_fleet(
        Linear(graphs),
        [member("pw(hr,mse,16)", 20), member("mse", 40)],
        recipe,
        on_step=lambda done, total: heard.append((done, total)),
    )
    # 4 epochs of 2 lists for the first stage, then 4 of 5 for the longest member.
    assert heard == [(done, 8 + 20) for done in range(1, 29)]


# Learning.


@pytest.fixture(name="learnt", scope="module", params=[GNN, MLP], ids=lambda kind: kind.__name__)
def _learnt(request, graphs, member):
    """All losses on one list, before and after."""
    members = [member(loss, 16, 2) for loss in PLAIN]
    network = request.param(graphs)
    before = train_fleet(network, members, Recipe(epochs=1, list_length=16, learning_rate=0.0))
    after = train_fleet(network, members, Recipe(epochs=250, list_length=16))
    return before, after, members[0]


@pytest.mark.parametrize("loss", PLAIN)
def test_one_list_can_be_learnt_by_heart(loss, learnt):
    before, after, own = learnt
    place = PLAIN.index(loss)
    assert kendall_tau(after.scores(own.items)[place], own.targets) > 0.85
    assert after.final_loss[place] < 0.9 * before.final_loss[place]


def test_regression_learns_the_labels_themselves(graphs, member):
    own = member("mse", 16, 2)
    trained = train_fleet(GNN(graphs), [own], Recipe(epochs=300, list_length=16))
    labels = (own.targets - own.targets.mean()) / own.targets.std()
    np.testing.assert_allclose(trained.scores(own.items)[0], labels, atol=0.1)


def test_what_is_learnt_holds_for_graphs_never_seen(graphs, truth, member):
    members = [member("listmle", 25, seed) for seed in range(3)]
    scores = train_fleet(GNN(graphs), members).scores()
    for own, score in zip(members, scores, strict=True):
        rest = np.setdiff1d(np.arange(50), own.items)
        assert kendall_tau(score[rest], truth[rest]) > 0.5


@pytest.mark.parametrize(
    "other",
    [
        {"epochs": 5},
        {"list_length": 7},
        {"learning_rate": 2e-3},
        {"warm_up": 0.4},
        {"weight_decay": 0.5},
        {"betas": (0.5, 0.99)},
        {"betas": (0.9, 0.9)},
        {"clip": 1e-2},
    ],
    ids=str,
)
def test_every_setting_matters(other, graphs, member):
    network, own = GNN(graphs), [member("mse", 20, 0)]
    usual = Recipe(epochs=4, list_length=10)
    assert far(*(train_fleet(network, own, r) for r in (usual, replace(usual, **other)))) > 1e-4


def test_gradients_are_of_this_step_alone_and_no_longer_than_allowed(graphs, truth):
    # One weight a graph and one list: Adam by hand, in the order in which it is defined.
    items = np.arange(6)
    own = Member(items, truth[:6], parse("mse"), 0)
    recipe = Recipe(epochs=12, list_length=6, clip=0.3, weight_decay=0.2)
    network = Linear(graphs, dtype=torch.float64)
    trained = train_fleet(network, [own], recipe)

    begin = network.initial([torch_generator(0, stream="initialisation")])
    table, shift = begin["table"][0, :6].numpy(), begin["shift"][0].numpy()
    labels = (truth[:6] - truth[:6].mean()) / truth[:6].std()
    weight = np.concatenate([table, shift])
    first, second = np.zeros(7), np.zeros(7)
    for step in range(12):
        error = 2 * (weight[:6] + weight[6] - labels) / 6
        gradient = np.append(error, error.sum())
        gradient *= min(1, 0.3 / np.linalg.norm(gradient))
        rate = recipe.rate(step, 12)
        weight = weight * (1 - rate * 0.2)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        corrected = first / (1 - 0.9 ** (step + 1))
        spread = np.sqrt(second / (1 - 0.99 ** (step + 1)))
        weight = weight - rate * corrected / (spread + 1e-8)
    np.testing.assert_allclose(trained.weights["table"][0, :6], weight[:6], rtol=1e-6)
    np.testing.assert_allclose(trained.weights["shift"][0], weight[6:], rtol=1e-6)


# What is reported.


def test_the_final_loss_is_the_mean_over_the_lists_of_the_last_epoch(graphs, truth):
    items = np.arange(7)
    own = Member(items, truth[:7], parse("mse"), 0)
    # Nothing moves, so every epoch has the loss of the first weights.
    network = Linear(graphs, dtype=torch.float64)
    still = Recipe(epochs=3, list_length=4, learning_rate=0.0)
    trained = train_fleet(network, [own], still)
    scores = network.initial([torch_generator(0, stream="initialisation")])["table"][0, :7].numpy()
    error = (scores - (truth[:7] - truth[:7].mean()) / truth[:7].std()) ** 2
    lists = [step[0][step[0] >= 0] for step in network.seen][-2:]
    assert sorted(map(len, lists)) == [3, 4]
    expected = np.mean([error[own].mean() for own in lists])
    assert trained.final_loss[0] == pytest.approx(expected)


def test_epochs_are_told_when_they_end(graphs, member):
    told = []
    train_fleet(
        Linear(graphs),
        [member("mse", 8, 0), member("hr", 30, 1), member("mse", 16, 2)],
        Recipe(epochs=3, list_length=8),
        on_epoch=lambda epoch: told.append((epoch.number.tolist(), epoch.finished.tolist())),
    )
    # Epochs of 1, 4 and 2 steps: in step order, who has finished how many.
    assert told[0] == ([1, 0, 0], [True, False, False])
    assert told[1] == ([2, 0, 1], [True, False, True])
    assert told[2] == ([3, 0, 1], [True, False, False])
    assert told[3] == ([3, 1, 2], [False, True, True])
    assert told[-1] == ([3, 3, 3], [False, True, False])
    for place in range(3):
        assert [number[place] for number, ended in told if ended[place]] == [1, 2, 3]


def test_the_fleet_of_an_epoch_is_a_picture_of_its_moment(graphs, member):
    pictures = []
    trained = train_fleet(
        GNN(graphs), [member()], Recipe(epochs=40), on_epoch=lambda e: pictures.append(e.fitted)
    )
    assert len(pictures) == 40
    assert same(pictures[-1], trained)
    assert not same(pictures[0], trained)
    assert pictures[0].final_loss[0] > trained.final_loss[0]


def test_scores_do_not_depend_on_how_many_are_scored_at_once(graphs, crowd, monkeypatch):
    trained = train_fleet(GNN(graphs, dtype=torch.float64), crowd, Recipe(epochs=1))
    whole = trained.scores()
    assert whole.shape == (len(crowd), 50)
    assert whole.dtype == np.float64
    some = np.array([4, 4, 49, 0])
    np.testing.assert_allclose(trained.scores(some), whole[:, some], rtol=1e-10)
    assert trained.scores(np.array([], np.int64)).shape == (len(crowd), 0)
    monkeypatch.setattr("nasrank.predictors.network._SCORED_ROWS", 1)
    np.testing.assert_allclose(trained.scores(), whole, rtol=1e-10)


def test_training_does_not_depend_on_how_many_batches_are_laid_out_at_once(
    graphs, crowd, monkeypatch
):
    recipe = Recipe(epochs=4, list_length=12)
    network = GNN(graphs, dtype=torch.float64)
    whole = train_fleet(network, crowd[:4], recipe)
    monkeypatch.setattr(fleet, "_PACKED_STEPS", 3)
    assert far(whole, train_fleet(network, crowd[:4], recipe)) < 1e-9

import numpy as np
import pytest
import torch
from later import Later

from nasrank.companions.optimal_transport.transport import (
    TransportPlan,
    compress,
    greedy_plan,
    mirrored,
)

ot = Later("ot")


def dense(plan, n, m):
    full = torch.zeros(n, m, dtype=torch.float64)
    full.index_put_((plan.rows, plan.columns), plan.flow, accumulate=True)
    return full.numpy()


def shares(rng, n):
    weights = rng.random(n)
    return weights / weights.sum()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (4, 4), (6, 4), (7, 13)])
def test_margins_are_right_and_entries_few(n, m):
    rng = np.random.default_rng(n + m)
    a, b = shares(rng, n), shares(rng, m)
    plan = greedy_plan(torch.tensor(a), torch.tensor(b))
    full = dense(plan, n, m)
    assert full.sum(1) == pytest.approx(a, abs=1e-15)
    assert full.sum(0) == pytest.approx(b, abs=1e-15)
    assert (full > 1e-12).sum() <= n + m - 1


def test_on_a_line_it_is_exact():
    rng = np.random.default_rng(0)
    for n, m in ((5, 5), (6, 9), (20, 3)):
        x, y, a, b = np.sort(rng.normal(size=n)), np.sort(rng.normal(size=m)), *(
            shares(rng, size) for size in (n, m)
        )  # fmt: skip
        full = dense(greedy_plan(torch.tensor(a), torch.tensor(b)), n, m)
        cost = (full * np.abs(x[:, None] - y)).sum()
        assert cost == pytest.approx(ot.emd2_1d(x, y, a, b, metric="euclidean"), rel=1e-10)


def test_equal_sizes_and_weights_pair_one_to_one():
    full = dense(greedy_plan(*torch.full((2, 6), 1 / 6, dtype=torch.float64)), 6, 6)
    assert full == pytest.approx(np.eye(6) / 6, abs=1e-15)


def test_padding_is_never_used():
    padded = greedy_plan(torch.tensor([0.5, 0.5, 0, 0]), torch.tensor([0.2, 0.8, 0]))
    used = padded.flow > 1e-12
    assert padded.rows[used].tolist() == [0, 0, 1]
    assert padded.columns[used].tolist() == [0, 1, 1]
    assert greedy_plan(torch.zeros(3), torch.zeros(2)).flow.sum() == 0


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 5), (5, 3), (4, 7)])
def test_mirroring_changes_nothing_where_weights_are_equal(n, m):
    plan = greedy_plan(
        torch.full((n,), 1 / n, dtype=torch.float64), torch.full((m,), 1 / m, dtype=torch.float64)
    )
    back = mirrored(plan, torch.tensor(n), torch.tensor(m))
    assert dense(back, n, m) == pytest.approx(dense(plan, n, m), abs=1e-12)


def test_mirroring_moves_weights_and_their_mirror_image():
    a, b = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.5, 0.5])
    full = dense(mirrored(greedy_plan(a, b), torch.tensor(3), torch.tensor(2)), 3, 2)
    # The first half of the mass is all of row 0 up to .5; from the other end it is row 2.
    assert full == pytest.approx(np.array([[0.5, 0], [0, 0], [0, 0.5]]), abs=1e-7)


def test_compressing_keeps_what_flows():
    plan = TransportPlan(
        torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3]]),
        torch.tensor([[3, 2, 1, 0], [3, 2, 1, 0]]),
        torch.tensor([[0, 0.5, 0, 0.5], [1.0, 0, 0, 0]]).double(),
    )
    small = compress(plan)
    assert small.flow.tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert small.rows[0].tolist() == [1, 3]
    for pair in range(2):
        before, after = (
            dense(TransportPlan(p.rows[pair], p.columns[pair], p.flow[pair]), 4, 4)
            for p in (plan, small)
        )
        assert (before == after).all()

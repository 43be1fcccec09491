import numpy as np
import pytest
import torch
from later import Later

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.quadtree import make_cells, tree_plan, twd
from nasrank.seeds import torch_generator

ot = Later("ot")

GRIDS = 6


def chance():
    return torch_generator(3, stream="grid")


def tree_distances(clouds, cells):
    """Path lengths between all points, by walking up from each."""
    points = clouds.points.detach().flatten(-3, -2).numpy()
    real = (clouds.weights > 0).flatten().numpy()
    paths = []
    for at in range(len(points)):
        path = [points[real].mean(0)]
        for level in cells.levels:
            same = (level.flatten() == level.flatten()[at]).numpy() & real
            path.append(points[same].mean(0) if real[at] else points[at])
        paths.append(path)
    ids = np.stack([np.zeros(len(points)), *[level.flatten().numpy() for level in cells.levels]])
    result = np.zeros((len(points), len(points)))
    for a in range(len(points)):
        for b in range(len(points)):
            for level in range(1, len(ids)):
                if ids[level, a] != ids[level, b]:
                    result[a, b] += sum(
                        np.linalg.norm(paths[p][level] - paths[p][level - 1]) for p in (a, b)
                    )
    return result


def test_cells_are_nested_and_numbered_in_order(clouds):
    made, _ = clouds((9, 12, 7), width=3)
    cells = make_cells(made, chance(), GRIDS)
    assert len(cells.levels) == GRIDS + 1
    real = (made.weights > 0).flatten()
    for upper, lower in zip(cells.levels, cells.levels[1:], strict=False):
        up, low = upper.flatten()[real], lower.flatten()[real]
        for cell in low.unique():
            assert len(up[low == cell].unique()) == 1
        # Children of a later cell come later.
        assert (up[low.argsort(stable=True)].diff() >= 0).all()
    assert len(cells.levels[-1].flatten()[real].unique()) == int(real.sum())


def test_equal_points_share_the_last_cell():
    features = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [2.0, 3.0]])
    made = make_clouds(features, torch.tensor([0, 0, 1, 1]), 2)
    cells = make_cells(made, chance(), GRIDS)
    assert torch.equal(cells.levels[-1][0], cells.levels[-1][1])
    assert float(twd(made, chance())) == 0


@pytest.mark.parametrize("seed", range(3))
def test_distance_and_plan_are_optimal_on_the_tree(seed, clouds):
    made, _ = clouds((6, 9, 4), width=3, seed=seed, gap=0.5)
    cells = make_cells(made, chance(), GRIDS)
    between = tree_distances(made, cells)
    size, counts = made.points.shape[1], made.counts.tolist()
    plan = tree_plan(made, cells)
    found = twd(made, chance(), levels=GRIDS).detach()
    for at, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        n, m = counts[i], counts[j]
        costs = between[i * size : i * size + n, j * size : j * size + m]
        best = ot.emd2(ot.unif(n), ot.unif(m), np.ascontiguousarray(costs))
        assert float(found[at]) == pytest.approx(best)
        full = torch.zeros(n, m, dtype=torch.float64)
        used = plan.flow[at] > 1e-12
        full.index_put_((plan.rows[at][used], plan.columns[at][used]), plan.flow[at][used], True)
        assert full.sum(1).tolist() == pytest.approx([1 / n] * n)
        assert full.sum(0).tolist() == pytest.approx([1 / m] * m)
        assert float((full.numpy() * costs).sum()) == pytest.approx(best)


def test_tree_distances_are_at_least_those_in_space(clouds):
    made, _ = clouds((6, 6), width=3)
    between = tree_distances(made, make_cells(made, chance(), GRIDS))
    points = made.points.detach().flatten(-3, -2)
    assert (between + 1e-9 >= torch.cdist(points, points).numpy()).all()

import numpy as np
import pytest

from nasrank.graphs.features import graph_features

V = 6  # input, output, none, skip_connect, conv, pool
INPUT, OUTPUT, CONV, POOL = 0, 1, 4, 5


def test_counts_by_hand(write):
    # input -> conv twice, conv -> pool, conv -> output, pool -> output, input -> output.
    batch = write(("input conv pool output", [(0, 1, 2), (1, 2), (1, 3), (2, 3), (0, 3)]))
    expected = np.zeros(V + V * V)
    for operation in (INPUT, OUTPUT, CONV, POOL):
        expected[operation] = 1
    for source, target, many in [
        (INPUT, CONV, 2),
        (CONV, POOL, 1),
        (CONV, OUTPUT, 1),
        (POOL, OUTPUT, 1),
        (INPUT, OUTPUT, 1),
    ]:
        expected[V + V * source + target] = many**0.5
    np.testing.assert_allclose(graph_features(batch), [expected], rtol=1e-6)


def test_like_edges_add_up(write):
    batch = write(("input conv conv conv output", [(0, 1), (0, 2, 2), (1, 3), (2, 3), (3, 4)]))
    (row,) = graph_features(batch)
    assert row[CONV] == pytest.approx(3**0.5)
    assert row[V + V * INPUT + CONV] == pytest.approx((1 + 2) ** 0.5)
    assert row[V + V * CONV + CONV] == pytest.approx(2**0.5)
    assert row[V + V * CONV + OUTPUT] == pytest.approx(1)


def test_a_row_a_graph(draw, rng):
    batch = draw(rng, 30, 7, most=3)
    features = graph_features(batch)
    assert features.shape == (30, V + V * V)
    assert features.dtype == np.float32
    squared = features.astype(float) ** 2
    np.testing.assert_allclose(squared[:, :V].sum(1), batch.sizes(), rtol=1e-5)
    np.testing.assert_allclose(squared[:, V:].sum(1), batch.adjacency.sum((1, 2)), rtol=1e-5)
    for item in (0, 13, 29):
        np.testing.assert_array_equal(graph_features(batch[[item]])[0], features[item])
    assert graph_features(batch[[]]).shape == (0, V + V * V)


def test_numbering_and_padding_change_nothing(draw, shuffle, rng):
    batch = draw(rng, 30, 7, most=3)
    moved = shuffle(rng, batch, extra=3)
    np.testing.assert_array_equal(graph_features(moved), graph_features(batch))


def test_the_direction_of_an_edge_counts(write):
    one, other = graph_features(
        write(
            ("input conv pool output", [(0, 1), (1, 2), (2, 3)]),
            ("input pool conv output", [(0, 1), (1, 2), (2, 3)]),
        )
    )
    assert (one[:V] == other[:V]).all()
    assert (one != other).any()

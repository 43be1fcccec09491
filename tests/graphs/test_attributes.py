"""Numbers of nodes, from the batch to what predictors see of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.errors import DataError
from nasrank.graphs import canonicalise, isomorphism_classes
from nasrank.graphs.features import graph_features, standardised_attributes
from nasrank.graphs.packed import GraphStore

NAN = np.nan
V = 6  # input, output, none, skip_connect, conv, pool
CONV, POOL = 4, 5


def give(batch, *rows, names=("width",)):
    """Attributes by graph and node; padding has none."""
    table = np.full((*batch.operations.shape, len(names)), np.nan, np.float32)
    for item, values in enumerate(rows):
        table[item, : len(values)] = np.reshape(values, (len(values), -1))
    return replace(batch, attributes=table, attribute_names=names)


@pytest.fixture
def chain(write):
    """input, conv of 16, skip, pool of 48, output; and a dead conv of 99 beside it."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5)]
    batch = write(("input conv skip_connect pool output conv", edges))
    return give(batch, [NAN, 16, 7, 48, NAN, 99])


def test_what_does_not_fit_is_refused(write):
    batch = write(("input conv output", [(0, 1), (1, 2)]))
    with pytest.raises(DataError, match=r"attributes of shape \(1, 3, 2\) do not fit 1 graphs"):
        replace(batch, attributes=np.zeros((1, 3, 2), np.float32), attribute_names=("width",))
    with pytest.raises(DataError, match="do not fit"):
        replace(batch, attributes=np.zeros((1, 3, 2), np.float32), attribute_names=("a", "a"))
    with pytest.raises(DataError, match="do not fit"):
        replace(batch, attributes=np.zeros((1, 3, 0), np.float32))
    with pytest.raises(DataError, match="the attributes width have no values"):
        replace(batch, attribute_names=("width",))
    with pytest.raises(DataError, match="architecture 0 has an infinite attribute"):
        give(batch, [1, np.inf, 1])


def test_chosen_items_keep_theirs(write):
    cell = ("input conv output", [(0, 1), (1, 2)])
    batch = give(write(cell, cell, cell), [0, 1, 2], [3, 4, 5], [6, 7, 8])
    for chosen in ([2, 0], slice(2, None, -2)):
        assert batch[chosen].attributes[:, :, 0].tolist() == [[6, 7, 8], [0, 1, 2]]
        assert batch[chosen].attribute_names == ("width",)
    assert write(cell)[[0]].attributes is None


def test_contracted_and_removed_nodes_lose_theirs(chain):
    canonical = canonicalise(chain)
    np.testing.assert_array_equal(canonical.attributes[:, :, 0], [[NAN, 16, 48, NAN]])
    assert canonical.attribute_names == ("width",)


def test_padding_of_a_canonical_graph_has_none(write):
    batch = write(("input conv output", [(0, 1), (1, 2)]), ("input conv output", [(0, 2), (0, 1)]))
    canonical = canonicalise(give(batch, [1, 2, 3], [1, 2, 3]))
    np.testing.assert_array_equal(canonical.attributes[:, :, 0], [[1, 2, 3], [1, 3, NAN]])


def test_classes_tell_attributes_apart(write):
    cell = ("input conv conv output", [(0, 1), (0, 2), (1, 3), (2, 3)])
    batch = give(
        write(*[cell] * 6),
        [NAN, 16, 32, NAN],
        [NAN, 32, 16, NAN],  # the same with its branches exchanged
        [NAN, 16, 16, NAN],
        [NAN, 16, NAN, NAN],
        [NAN, NAN, 16, NAN],
        [NAN, 16, 32.000004, NAN],
    )
    assert isomorphism_classes(batch).tolist() == [0, 0, 1, 2, 2, 3]


def test_zero_and_nothing_have_one_spelling(write):
    cell = ("input conv output", [(0, 1), (1, 2)])
    batch = give(write(*[cell] * 4), [0, 1, 0], [-0.0, 1, 0], [NAN, 1, 0], [NAN, 1, 0])
    batch.attributes.view(np.uint32)[3, 0] = 0xFFC00001  # another of the many nans
    assert np.isnan(batch.attributes[3, 0, 0])
    assert isomorphism_classes(batch).tolist() == [0, 0, 1, 1]


def test_classes_without_attributes_are_those_of_equal_ones(draw, rng):
    batch = draw(rng, 200, 5)
    equal = replace(
        batch,
        attributes=np.ones((*batch.operations.shape, 1), np.float32),
        attribute_names=("width",),
    )
    np.testing.assert_array_equal(isomorphism_classes(equal), isomorphism_classes(batch))


def moved(batch, rng, extra=2):
    """The same graphs with nodes, and more padding, at random positions."""
    items, nodes = batch.operations.shape
    wide = nodes + extra
    parts = [np.zeros((items, wide), np.int16), np.zeros((items, wide, wide), np.uint8)]
    mask = np.zeros((items, wide), bool)
    attributes = np.full((items, wide, batch.attributes.shape[2]), np.nan, np.float32)
    for item in range(items):
        place = rng.permutation(wide)[:nodes]
        parts[0][item, place], mask[item, place] = batch.operations[item], batch.mask[item]
        parts[1][item][np.ix_(place, place)] = batch.adjacency[item]
        attributes[item, place] = batch.attributes[item]
    return type(batch)(*parts, mask, batch.vocabulary, attributes, batch.attribute_names)


@pytest.fixture
def drawn(draw, rng):
    batch = draw(rng, 60, 6, ("conv", "pool", "skip_connect"))
    numbers = rng.integers(1, 4, (*batch.operations.shape, 2)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.2] = np.nan
    numbers[~batch.mask] = np.nan
    return replace(batch, attributes=numbers, attribute_names=("width", "kernel"))


def test_numbering_and_padding_change_nothing(drawn, rng):
    other = moved(drawn, rng)
    both = canonicalise(drawn), canonicalise(other)
    width = max(batch.nodes for batch in both)
    assert width == both[0].nodes == both[1].nodes
    joined = type(drawn)(
        *(
            np.concatenate([getattr(batch, name) for batch in both])
            for name in ("operations", "adjacency", "mask")
        ),
        drawn.vocabulary,
        np.concatenate([batch.attributes for batch in both]),
        drawn.attribute_names,
    )
    classes = isomorphism_classes(joined)
    np.testing.assert_array_equal(classes[:60], classes[60:])
    np.testing.assert_allclose(*(graph_features(batch) for batch in both), atol=1e-5)
    np.testing.assert_allclose(graph_features(other), graph_features(drawn), atol=1e-5)


def test_standardisation_by_hand(write):
    cell = ("input conv pool output", [(0, 1), (1, 2), (2, 3)])
    batch = write(cell, cell)
    # Known widths 1, 1, 4, 6: mean 3, variance (4 + 4 + 1 + 9) / 4 = 4.5; 0.1 never changes.
    rows = np.array([[1, 1], [4, 6]]), [0.1, 0.1]
    table = np.full((2, 4, 3), np.nan, np.float32)
    table[:, 1:3, 0], table[:, 1:3, 1] = rows
    batch = replace(batch, attributes=table, attribute_names=("width", "same", "none"))
    found = standardised_attributes(batch)
    assert found.dtype == np.float32
    expected = np.array([[0, -2, -2, 0], [0, 1, 3, 0]]) / np.sqrt(4.5)
    np.testing.assert_allclose(found[:, :, 0], expected, rtol=1e-6)
    assert not found[:, :, 1:].any()
    assert standardised_attributes(write(cell)) is None


def test_features_by_hand(write):
    cell = ("input conv conv output", [(0, 1), (1, 2), (2, 3)])
    batch = give(write(cell, cell), [NAN, 10, 30, NAN], [NAN, 30, 30, NAN])
    plain = graph_features(write(cell, cell))
    found = graph_features(batch)
    # Mean 25, sd sqrt((225 + 3 * 25) / 4) = sqrt(75); depths 0 to 3.
    assert found.shape == (2, V + V * V + V + 4)
    np.testing.assert_array_equal(found[:, : V + V * V], plain)
    sums, layers = np.split(found[:, V + V * V :] * np.sqrt(75), [V], axis=1)
    np.testing.assert_allclose(sums[:, CONV], [-10, 10], rtol=1e-5)
    assert not np.delete(sums, CONV, axis=1).any()
    np.testing.assert_allclose(layers, [[0, -15, 5, 0], [0, 5, 5, 0]], rtol=1e-5)


def test_rows_of_a_batch_have_those_of_their_nodes(drawn, rng):
    drawn = moved(drawn, rng)
    pack = GraphStore(drawn, dtype=torch.float64).pack(np.array([[3, 0, -1], [7, -1, 3]]))
    table = standardised_attributes(drawn)
    for member, items in enumerate(([3, 0], [7, 3])):
        rows = np.concatenate([table[item, drawn.mask[item]] for item in items])
        np.testing.assert_allclose(pack.numbers[member, : len(rows)], rows, rtol=1e-6)
        assert not pack.numbers[member, len(rows) :].any()
    assert pack.numbers.shape == (2, pack.rows, 2)
    plain = replace(drawn, attributes=None, attribute_names=())
    assert GraphStore(plain).pack(np.array([[0]])).numbers is None


@pytest.mark.slow
def test_pyg_data_has_them_as_they_are(drawn):
    from nasrank.graphs.pyg import ArchitectureDataset, to_data

    expected = torch.from_numpy(drawn.attributes[3, drawn.mask[3]])
    torch.testing.assert_close(to_data(drawn, 3).attributes, expected, equal_nan=True)
    found = ArchitectureDataset(drawn)[3].attributes
    torch.testing.assert_close(found, expected, equal_nan=True)
    plain = replace(drawn, attributes=None, attribute_names=())
    assert "attributes" not in ArchitectureDataset(plain)[0]

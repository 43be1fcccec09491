"""Chains as tables of settings, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.graphs.chains import ChainLayout, are_chains
from nasrank.graphs.settings import Setting, Settings


def chains(layers, **attributes):
    """Chains such as ``["ab", "b"]``; attributes are lists of numbers for each."""
    width = max(map(len, layers)) + 2
    vocabulary = ("input", "output", *sorted(set("".join(layers))))
    codes = np.zeros((len(layers), width), np.int16)
    adjacency = np.zeros((len(layers), width, width), np.uint8)
    mask = np.zeros((len(layers), width), bool)
    numbers = np.full((len(layers), width, len(attributes)), np.nan, np.float32)
    for row, names in enumerate(layers):
        end = len(names) + 1
        codes[row, 1:end] = [vocabulary.index(name) for name in names]
        codes[row, end] = 1
        mask[row, : end + 1] = True
        adjacency[row, np.arange(end), np.arange(1, end + 1)] = 1
        for place, values in enumerate(attributes.values()):
            numbers[row, 1:end, place] = values[row]
    own = (numbers, (*attributes,)) if attributes else (None, ())
    return GraphBatch(codes, adjacency, mask, vocabulary, *own)


def table(graphs, layout=None):
    settings = (layout or ChainLayout.of(graphs)).settings(graphs)
    return {
        name: row.tolist() for name, row in zip(settings.names, settings.values.T, strict=True)
    }


def test_chains_of_one_length_have_operation_and_attribute_by_position():
    graphs = chains(["ab", "bb"], width=[[16, 32], [64, 8]])
    assert table(graphs) == {
        "chain: operations": [2, 2],
        "chain: number of a": [1, 0],
        "chain: number of b": [1, 2],
        "chain: operation 1": [0, 1],
        "chain: operation 2": [1, 1],
        "chain: mean width": [24, 36],
        "chain: width of position 1": [16, 64],
        "chain: width of position 2": [32, 8],
    }


def test_chains_of_several_lengths_have_attributes_by_operation_and_occurrence():
    graphs = chains(["aba", "b"], rate=[[1, 2, 3], [7]])
    found = table(graphs)
    assert found["chain: operations"] == [3, 1]
    assert found["chain: rate of a 1"] == [1, pytest.approx(np.nan, nan_ok=True)]
    assert found["chain: rate of a 2"] == [3, pytest.approx(np.nan, nan_ok=True)]
    assert found["chain: rate of b 1"] == [2, 7]
    assert found["chain: mean rate"] == [2, 7]
    assert found["chain: sum of rate"] == [6, 7]
    assert found["chain: operation 2"] == [1, pytest.approx(np.nan, nan_ok=True)]


def test_what_never_differs_within_a_chain_is_one_setting():
    found = table(chains(["ab", "bb"], width=[[16, 16], [8, 8]]))
    assert found["chain: width"] == [16, 8]
    assert not [name for name in found if "width of" in name]


def test_longer_chains_than_known_count_in_numbers_alone():
    layout = ChainLayout.of(chains(["ab", "b"], rate=[[1, 2], [3]]))
    longer = chains(["aab"], rate=[[5, 6, 7]])
    found = table(longer, layout)
    assert found["chain: operations"] == [3]
    assert found["chain: rate of a 1"] == [5]
    assert "chain: rate of a 2" not in found
    assert found["chain: mean rate"] == [6]


def test_own_settings_come_first_and_series_group_columns():
    settings = Settings((Setting("lr", "number"),), np.array([[1.0], [2.0]]))
    graphs = replace(chains(["ab", "ba"], k=[[1, 2], [3, 4]]), settings=settings)
    columns = ChainLayout.of(graphs).settings(graphs).columns
    assert columns[0].name == "lr"
    assert {c.name for c in columns if c.series == "chain: k"} == {
        "chain: k of position 1",
        "chain: k of position 2",
    }


def test_numbering_and_padding_of_nodes_do_not_count():
    graphs = chains(["aba", "b"], rate=[[1, 2, 3], [7]])
    order = np.array([4, 2, 0, 3, 1])
    moved = replace(
        graphs,
        operations=graphs.operations[:, order],
        adjacency=graphs.adjacency[:, order][:, :, order],
        mask=graphs.mask[:, order],
        attributes=graphs.attributes[:, order],
    )
    one, other = (ChainLayout.of(each).settings(each).values for each in (graphs, moved))
    np.testing.assert_array_equal(one, other)


def test_what_is_no_chain():
    graphs = chains(["aba", "ab"])
    assert are_chains(graphs)
    assert are_chains(chains([""]))
    branched = graphs.adjacency.copy()
    branched[0, 0, 2] = 1
    assert not are_chains(replace(graphs, adjacency=branched))
    double = graphs.adjacency.copy()
    double[0, 0, 1] = 2
    assert ChainLayout.of(replace(graphs, adjacency=double)) is None
    only = GraphBatch.of_settings(Settings((Setting("lr", "number"),), np.array([[1.0]])))
    assert not are_chains(only)


def test_attributes_are_on_the_scale_that_spaces_them_evenly():
    graphs = chains(["aa", "aa"], width=[[16, 32], [64, 128]], kernel=[[1, 2], [3, 4]])
    layout = ChainLayout.of(graphs)
    assert layout.least == (16, None)
    columns = {c.name: c.scale for c in layout.settings(graphs).columns}
    assert columns["chain: width of position 1"] == columns["chain: mean width"] == "log"
    assert columns["chain: kernel of position 1"] == "linear"
    smaller = chains(["aa"], width=[[-5, 64]], kernel=[[1, 1]])
    assert table(smaller, layout)["chain: width of position 1"] == [16]

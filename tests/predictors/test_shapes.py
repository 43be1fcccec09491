"""Shapes are checked wherever a test calls predictors; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.fleet import Fleet
from nasrank.predictors.gnn import GNN, WIDTH
from nasrank.predictors.predictor import Member
from nasrank.predictors.standard import Standard
from nasrank.predictors.targets import normal_scores, robust_scores


def test_members_of_other_shapes_are_refused():
    with pytest.raises(TypeCheckError, match="targets"):
        Member(np.arange(3), np.zeros(1), parse("mse"), 0)


@pytest.mark.parametrize(
    "name", ["gnn", "mlp", "gp", "kernel", "ridge", "trees", "boosting", "blend"]
)
def test_proxies_without_columns_are_refused(make_graphs, name):
    with pytest.raises(TypeCheckError, match="proxies"):
        PREDICTORS[name](make_graphs(3), proxies=np.zeros(3))


def test_networks_refuse_other_shapes(make_graphs):
    network = GNN(make_graphs(3))
    weights = network.initial([torch.Generator()])
    with pytest.raises(TypeCheckError, match="items"):
        next(network.batches(np.arange(3)))
    with pytest.raises(TypeCheckError, match="embedded"):
        network.score(weights, torch.zeros(3, WIDTH))
    with pytest.raises(TypeCheckError, match="items"):
        Fleet(network, weights, np.zeros(1)).scores(np.zeros((1, 1), np.int64))
    with pytest.raises(TypeCheckError, match="final_loss"):
        Fleet(network, weights, np.zeros(()))


@pytest.mark.parametrize("function", [normal_scores, robust_scores])
def test_labels_are_a_list(function):
    with pytest.raises(TypeCheckError, match="labels"):
        function(np.zeros((2, 2)))


def test_columns_have_rows():
    with pytest.raises(TypeCheckError, match="rows"):
        Standard.of(np.zeros(3))

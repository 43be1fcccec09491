"""A loss is chosen where one is better, and the default where none is."""

from dataclasses import replace

import numpy as np
import torch

from nasrank.predictors.specification import parse_predictor
from nasrank.questions.rank.choosing import choose_loss

CPU = torch.device("cpu")


def choose(case, losses, predictor="mlp", seed=0):
    return choose_loss(case, parse_predictor(predictor), losses, seed=seed, device=CPU)


def test_what_is_clearly_better_is_taken(own_case):
    case = own_case(count=100, labelled=100)
    # A few labels far above all others: a regression spends itself on them.
    steep = replace(case, labels=np.exp(2.5 * (case.labels - case.labels.mean())))
    found = choose(steep, ("mse", "hr"))
    assert found.loss == "hr"
    assert "better than mse" in found.reason
    first, second = found.rows
    assert (first["loss"], first["place"], first["chosen"]) == ("hr", 1, True)
    assert first["p_holm"] <= 0.05
    assert second["p_holm"] is None
    assert first["kendall_tau"] > second["kendall_tau"]


def test_noise_gives_the_default(own_case):
    case = own_case(count=40, labelled=40)
    noise = replace(case, labels=np.random.default_rng(0).normal(size=len(case.labels)))
    found = choose(noise, ("hr", "mse", "listmle", "warp"))
    assert found.loss == "listmle"
    assert "no loss" in found.reason


def test_the_first_is_the_default_where_the_usual_one_is_missing(own_case):
    case = own_case(count=24, labelled=24)
    assert choose(case, ("lr",)).loss == "lr"
    found = choose(case, ("lr", "lr(temperature=1)", "softtau"))
    assert [row["loss"] for row in found.rows if row["p_holm"] is None] == ["lr"]
    assert len(found.rows) == 2
    assert (found.items, found.folds, found.repeats) == (24, 5, 3)


def test_many_labels_are_drawn_from(own_case):
    case = own_case(count=450, labelled=450)
    found = choose(case, ("mse",))
    assert found.items == 400
    assert found.repeats == 1

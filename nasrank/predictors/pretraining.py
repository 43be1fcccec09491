"""What a network can learn about a space before there is any label."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float64

from nasrank.predictors.descent import AdamW
from nasrank.predictors.gnn import GNN, WIDTH
from nasrank.predictors.network import Weights
from nasrank.predictors.recipe import one_cycle
from nasrank.predictors.standard import Standard
from nasrank.seeds import numpy_generator, torch_generator

__all__ = ["pretrain"]

STEPS = 1200
BATCH = 96
RATE = 3e-3


def pretrain(
    network: GNN, proxies: Float64[np.ndarray, "items proxies"], seed: int = 0
) -> Weights:
    """Train a network to predict every proxy of a space at once, and keep all but its last layer.

    Proxies need no training of an architecture, so every graph of the space can be used. A network
    that has learned how structure affects them needs fewer labels to learn how it affects accuracy
    (Akhauri and Abdelfattah 2024, "Encodings for prediction-based neural architecture search",
    ICML, pre-train on the same kind of targets).

    Args:
        network: The network, with the graphs of the space.
        proxies: Those of its graphs; they are standardised and count equally.
        seed: Seed of initial weights and batches.

    Returns:
        Weights of one member by name, without those of the score.
    """
    weights = network.initial([torch_generator(seed, stream="pretraining")])
    wanted = Standard.of(proxies).apply(proxies)
    outputs = wanted.shape[1]
    head = torch.randn(
        1, WIDTH, outputs, generator=torch_generator(seed, stream="pretraining", part="head")
    ) / math.sqrt(WIDTH)
    weights = {name: w for name, w in weights.items() if not name.startswith("score")}
    trained = {
        **weights,
        "head": head.to(network.device, network.dtype),
        "head_shift": torch.zeros(1, 1, outputs, device=network.device, dtype=network.dtype),
    }
    for weight in trained.values():
        weight.requires_grad_()
    targets = torch.from_numpy(wanted).to(network.device, network.dtype)
    adam = AdamW([weight.detach() for weight in trained.values()], (0.9, 0.99), 1e-2)
    draw = numpy_generator(seed, stream="pretraining", part="batches")
    chosen = draw.integers(0, len(proxies), (STEPS, 1, min(BATCH, len(proxies))))
    for step, items in enumerate(chosen):
        (batch,) = network.batches(items[None])
        hidden = torch.relu(
            torch.baddbmm(
                trained["hidden_shift"], network.embed(trained, batch), trained["hidden"]
            )
        )
        predicted = torch.baddbmm(trained["head_shift"], hidden, trained["head"])
        loss = (predicted - targets[torch.from_numpy(items).to(network.device)]).pow(2).mean()
        for weight in trained.values():
            weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        rate = RATE * one_cycle((step + 1) / STEPS)
        adam.step([weight.grad for weight in trained.values()], rate)
    return {name: trained[name].detach() for name in weights}

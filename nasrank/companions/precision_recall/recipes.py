"""How a run is trained: its recipe, its networks, and what it starts from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nasrank.companions.precision_recall.networks import (
    MLP,
    ConvCritic,
    ConvGenerator,
    CouplingFlow,
    Network,
)
from nasrank.companions.precision_recall.run import PRRun
from nasrank.companions.precision_recall.training import Recipe

__all__ = ["networks_for", "recipe_for", "trained_before"]

_LEAST_NOISE, _NOISE_ROOT = 0.5, 7.0
_TUNED_FROM = 10


def recipe_for(run: PRRun, shape: tuple[int, ...]) -> Recipe:
    """Return how a run is trained.

    Settings were chosen on seeds from 100 on. Noise grows with the root of the numbers of a
    sample, as what tells draws apart adds up over them; a flow gets a higher rate and less noise,
    after half as many steps of maximum likelihood; fine-tuning twice the rate and less noise.
    """
    noise = max(_LEAST_NOISE, np.prod(shape) ** 0.5 / _NOISE_ROOT)
    recipe = Recipe(steps=run.steps, batch=run.batch, noise=float(noise))
    if run.method == "mle":
        return replace(recipe, rate=5e-3, noise=0.2 if len(shape) == 3 else 0.0)
    if run.model == "flow":
        recipe = replace(recipe, rate=3e-3, noise=0.5 * recipe.noise)
    if run.method == "tuned" or run.start is not None:
        return replace(recipe, rate=2 * recipe.rate, noise=0.6 * recipe.noise)
    return recipe


def networks_for(run: PRRun, shape: tuple[int, ...]) -> tuple[Network, Network]:
    """Return generator and critic of a run.

    Raises:
        UsageError: The model does not fit the data, or its extra is missing.
    """
    size = int(np.prod(shape))
    images = len(shape) == 3
    if run.model == "conv":
        pixels = (shape[0], shape[1], shape[2])
        return ConvGenerator(16, pixels, run.width), ConvCritic(pixels, 2 * run.width)
    small = size == 2
    critic = MLP((size, 32, 32, 1) if small else (size, 64, 64, 1))
    if run.model == "flow":
        return CouplingFlow(size, 4, run.width), critic
    latent = 2 if small else 8
    return MLP((latent, run.width, size), squashed=images), critic


def trained_before(run: PRRun) -> PRRun | None:
    """Return what a run of each seed is trained as first, if anything.

    Its steps are not counted as the run's own.
    """
    if run.method == "tuned":
        return replace(run, method="hinge", steps=_TUNED_FROM * run.steps)
    if run.model == "flow" and run.method != "mle" and run.start is None:
        return replace(run, method="mle", steps=max(1, run.steps // 2))
    return None

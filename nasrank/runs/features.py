"""Predictors with everything that is known of a space before any label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasrank.benchmarks import Space
from nasrank.benchmarks.proxies import space_proxies
from nasrank.predictors.predictor import Predictor
from nasrank.predictors.specification import make_predictor, parse_predictor
from nasrank.predictors.targets import normal_scores

if TYPE_CHECKING:
    import torch

    from nasrank.predictors.recipe import Recipe

__all__ = ["predictor_on"]


def predictor_on(
    space: Space,
    name: str,
    *,
    device: torch.device | str = "cpu",
    recipe: Recipe | None = None,
) -> Predictor:
    """Make a predictor for the distinct architectures of a space.

    Proxies, where an option asks for them, are computed on first use, which takes minutes, and
    kept in the user's cache. They are given as normal quantiles over the space, for their own
    units differ by orders of magnitude.

    Args:
        space: The space; its graphs, one a class, are what the predictor numbers.
        name: A predictor with options.
        device: Where to compute.
        recipe: How networks are trained; the default recipe if None.

    Raises:
        UsageError: The name is invalid, or the space has operations without proxies.
    """
    spec = parse_predictor(name)
    proxies = None
    if spec.needs_proxies:
        known = space_proxies(space.name, space.graphs)
        proxies = np.stack([normal_scores(column) for column in known.T], axis=1)
    return make_predictor(spec, space.graphs, proxies=proxies, device=device, recipe=recipe)

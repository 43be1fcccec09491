"""From the text a user writes, ``gnn`` or ``gnn(ensemble=4)``, to a predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nasrank.named import Named, Option
from nasrank.predictors import PREDICTORS
from nasrank.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nasrank.graphs import GraphBatch
    from nasrank.predictors.predictor import Predictor
    from nasrank.predictors.recipe import Recipe

__all__ = ["PredictorSpec", "make_predictor", "parse_predictor"]


@dataclass(frozen=True)
class PredictorSpec(Named):
    """A predictor and the options that differ from its defaults.

    Raises:
        UsageError: There is no such predictor or option, or the option cannot have this value.

    Example:
        >>> str(PredictorSpec("gnn", (("ensemble", "04"),)))
        'gnn(ensemble=4)'
        >>> str(parse_predictor("gnn( ensemble = 1 )"))
        'gnn'
    """

    registry: ClassVar[Registry[type[Predictor]]] = PREDICTORS
    example: ClassVar[str] = "gnn(ensemble=4)"

    @classmethod
    def known(cls, name: str) -> Mapping[str, Option]:
        """Return the options of a predictor, without the arguments that every one takes."""
        return PREDICTORS[name].options()

    @property
    def needs_proxies(self) -> bool:
        """Whether an option needs the proxies of the space."""
        return ("features", "proxies") in self.options


parse_predictor = PredictorSpec.parse


def make_predictor(
    spec: str | PredictorSpec,
    graphs: GraphBatch,
    *,
    proxies: NDArray[np.float64] | None = None,
    device: torch.device | str = "cpu",
    recipe: Recipe | None = None,
) -> Predictor:
    """Make a predictor for the graphs of a space.

    Args:
        spec: Which, with options.
        graphs: ``[items]`` canonical graphs that will be trained on and scored.
        proxies: ``[items, P]`` training-free proxies of each, or None.
        device: Where to compute.
        recipe: How networks are trained; the default recipe if None.

    Raises:
        UsageError: There is no such predictor or option, or its extra is not installed.
    """
    known = parse_predictor(spec) if isinstance(spec, str) else spec
    kind = PREDICTORS[known.name]
    options: dict[str, Any] = dict(known.options)
    return kind(graphs, proxies=proxies, device=device, recipe=recipe, **options)

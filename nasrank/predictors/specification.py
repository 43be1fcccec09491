"""From the text a user writes, ``gnn`` or ``gnn(ensemble=4)``, to a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasrank.errors import UsageError
from nasrank.grammar import read_call
from nasrank.losses.options import (
    OptionValue,
    canonical_options,
    options_of_signature,
    spelled_call,
)
from nasrank.predictors import PREDICTORS

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from nasrank.graphs import GraphBatch
    from nasrank.predictors.predictor import Predictor
    from nasrank.predictors.recipe import Recipe

__all__ = ["PredictorSpec", "make_predictor", "parse_predictor"]


@dataclass(frozen=True)
class PredictorSpec:
    """A predictor and the options that differ from its defaults.

    Options are checked, those equal to the default are dropped and the rest are sorted, so equal
    meanings are equal objects with the same text.

    Attributes:
        name: The name of a registered predictor.
        options: Pairs of an option's name and its value or the text of it.

    Raises:
        UsageError: There is no such predictor or option, or the option cannot have this value.

    Example:
        >>> str(PredictorSpec("gnn", (("ensemble", "04"),)))
        'gnn(ensemble=4)'
    """

    name: str
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        """Bring the options to their canonical form."""
        # The names are known without importing any; only options need the class.
        if self.options or self.name not in PREDICTORS:
            known = options_of_signature(PREDICTORS[self.name].__init__)
            options = canonical_options(f"predictor '{self.name}'", known, dict(self.options))
            object.__setattr__(self, "options", options)

    @property
    def needs_proxies(self) -> bool:
        """Whether an option asks for the proxies of the space."""
        return ("features", "proxies") in self.options

    def __str__(self) -> str:
        return spelled_call(self.name, self.options)


def parse_predictor(text: str) -> PredictorSpec:
    """Read a predictor: ``gnn``, ``gnn(ensemble=4)``.

    ``str`` of what is returned is the canonical spelling.

    Raises:
        UsageError: It cannot be read, or names a predictor, option or value that does not exist.

    Example:
        >>> str(parse_predictor("gnn( ensemble = 1 )"))
        'gnn'
    """
    call = read_call(text)
    if call.parts:
        raise UsageError(
            f"cannot read {call.parts[0]!r} in {text!r}. Write options like gnn(ensemble=4)."
        )
    return PredictorSpec(call.name, call.options)


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
        proxies: ``[items, P]`` what is known of each without training it, or None.
        device: Where to compute.
        recipe: How networks are trained; the default recipe if None.

    Raises:
        UsageError: There is no such predictor or option, or its extra is not installed.
    """
    known = parse_predictor(spec) if isinstance(spec, str) else spec
    kind = PREDICTORS[known.name]
    options: dict[str, Any] = dict(known.options)
    return kind(graphs, proxies=proxies, device=device, recipe=recipe, **options)

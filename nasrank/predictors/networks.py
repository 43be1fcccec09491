"""Networks as predictors: fleets, and ensembles within them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Unpack

import numpy as np
import torch
from jaxtyping import Float64

from nasrank.graphs import GraphBatch
from nasrank.named import Above
from nasrank.predictors.ensemble import Ensemble, spelled_out
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.gnn import GNN
from nasrank.predictors.mlp import MLP
from nasrank.predictors.network import Network, Weights
from nasrank.predictors.predictor import Epoch, Fitted, Given, Member, Predictor, required_proxies
from nasrank.predictors.pretraining import pretrain

__all__ = ["GNNPredictor", "MLPPredictor", "NetworkPredictor"]

PRETRAINED_RATE = 3e-3
"""Peak learning rate of a network that is not trained from scratch."""


class NetworkPredictor(Predictor):
    """A network trained in fleets, once or several times per member.

    Args:
        graphs: See `Predictor`.
        ensemble: Trainings of each member, whose scores are averaged.
        given: See `Predictor`.
    """

    network: ClassVar[type[Network]]

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        ensemble: Annotated[int, Above(0)] = 1,
        **given: Unpack[Given],
    ) -> None:
        super().__init__(graphs, **given)
        self.ensemble = ensemble
        self._laid_out = self.network(graphs, device=self.device)

    @classmethod
    def networks(cls, options: Mapping[str, float | int | str]) -> int:
        """Return the size of the ensemble; see :meth:`Predictor.networks`."""
        return int(options.get("ensemble", cls.options()["ensemble"].default or 1))

    @classmethod
    def knows_spread(cls, options: Mapping[str, float | int | str]) -> bool:
        """Only an ensemble does; see :meth:`Predictor.knows_spread`."""
        return cls.networks(options) > 1

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Train a fleet; see :meth:`Predictor.fit`.

        Epochs are reported only without an ensemble.
        """
        if self.ensemble == 1:
            return train_fleet(
                self._laid_out, members, self.recipe, on_step=on_step, on_epoch=on_epoch
            )
        fleet = train_fleet(
            self._laid_out, spelled_out(members, self.ensemble), self.recipe, on_step=on_step
        )
        return Ensemble.over(fleet, members, self.ensemble)


class GNNPredictor(NetworkPredictor):
    """:class:`~nasrank.predictors.gnn.GNN`, which can be pretrained on the space's proxies.

    Args:
        graphs: See `Predictor`.
        ensemble: Trainings of each member, whose scores are averaged.
        features: ``graph``, or ``proxies`` to start from a network that predicts these; it is
            then trained on at less than half the rate.
        given: See `Predictor`.
    """

    network = GNN

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        ensemble: Annotated[int, Above(0)] = 1,
        features: Literal["graph", "proxies"] = "graph",
        **given: Unpack[Given],
    ) -> None:
        super().__init__(graphs, ensemble=ensemble, **given)
        if features == "proxies":
            known = required_proxies(self.proxies)
            self.recipe = replace(self.recipe, learning_rate=PRETRAINED_RATE)
            self._laid_out = _Pretrained(graphs, known, device=self.device)


class _Pretrained(GNN):
    """Members start from the pretrained weights, except for those of the score."""

    def __init__(
        self,
        graphs: GraphBatch,
        proxies: Float64[np.ndarray, "items proxies"],
        *,
        device: torch.device | str,
    ) -> None:
        super().__init__(graphs, device=device)
        self._proxies = proxies

    @cached_property
    def start(self) -> Weights:
        return pretrain(GNN(self.graphs, device=self.device), self._proxies)

    def initial(self, generators: Sequence[torch.Generator]) -> Weights:
        drawn = super().initial(generators)
        return {
            name: self.start[name].expand_as(weight).clone() if name in self.start else weight
            for name, weight in drawn.items()
        }


class MLPPredictor(NetworkPredictor):
    """:class:`~nasrank.predictors.mlp.MLP`."""

    network = MLP

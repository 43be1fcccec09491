"""Predictors that rank architectures: networks in fleets, and classical ones.

Importing this package does not import torch; the names below do when they are first used.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nasrank.registry import Registry

if TYPE_CHECKING:
    from nasrank.predictors.predictor import Predictor

    Kinds = Registry[type[Predictor]]
else:
    Kinds = Registry

__all__ = ["PREDICTORS", "Facts", "PredictorRegistry"]


@runtime_checkable
class Facts(Protocol):
    """What a grid is planned by; the class methods of `Predictor` of the same names say more."""

    @property
    def own_loss(self) -> str | None:
        """The loss it always minimises."""

    def require_extra(self) -> None:
        """Raise where packages are missing."""

    def networks(self, options: Mapping[str, float | int | str]) -> int:
        """Return how many networks are trained for one member."""

    def seconds(self, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate how long one member takes, without its networks."""


class _OfNetworks:
    """Facts about what trains networks and nothing else, any number of them."""

    own_loss = None

    def require_extra(self) -> None:
        """Need nothing."""

    def networks(self, options: Mapping[str, float | int | str]) -> int:
        return int(options.get("ensemble", 1))

    def seconds(self, _n: int, _options: Mapping[str, float | int | str]) -> float:
        return 0.0


class PredictorRegistry(Kinds):
    """The predictors by name."""

    def facts(self, name: str) -> Facts:
        """Return what a grid is planned by: the class itself, but for networks without torch.

        Raises:
            UsageError: There is no such predictor.
        """
        return _OfNetworks() if name in _NETWORKS else self[name]


_NETWORKS = ("gnn", "mlp")

PREDICTORS = PredictorRegistry(
    "predictor", group="nasrank.predictors", adapter="nasrank.predictors.own:adapted"
)
"""Predictors by name. Those of others may be modules of PyTorch Geometric or regressors of
scikit-learn, see `nasrank.predictors.own`."""
PREDICTORS.register("gnn", target="nasrank.predictors.networks:GNNPredictor")
PREDICTORS.register("mlp", target="nasrank.predictors.networks:MLPPredictor")
PREDICTORS.register("ridge", target="nasrank.predictors.ridge:Ridge")
PREDICTORS.register("kernel", target="nasrank.predictors.kernel:KernelMachine")
PREDICTORS.register("gp", target="nasrank.predictors.gp:GaussianProcess")
PREDICTORS.register("trees", target="nasrank.predictors.trees:ExtraTrees")
PREDICTORS.register("boosting", target="nasrank.predictors.boosting:Boosting")
PREDICTORS.register("auto", target="nasrank.predictors.auto:Auto")
PREDICTORS.register("blend", target="nasrank.predictors.blend:Blend")

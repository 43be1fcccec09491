"""Predictors that rank architectures: networks in fleets, and classical ones.

Importing this package does not import torch; the names below do when they are first used.
"""

from typing import TYPE_CHECKING

from nasrank.registry import Registry

if TYPE_CHECKING:
    from nasrank.predictors.predictor import Predictor

__all__ = ["PREDICTORS"]

PREDICTORS: "Registry[type[Predictor]]" = Registry(
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

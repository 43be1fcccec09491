"""What ranks architectures: networks, and fleets of them trained together.

Importing this package does not import torch; the names below do when they are first used.
"""

from typing import TYPE_CHECKING

from nasrank.registry import Registry

if TYPE_CHECKING:
    from nasrank.predictors.network import Network

__all__ = ["PREDICTORS"]

PREDICTORS: "Registry[type[Network]]" = Registry("predictor", group="nasrank.predictors")
"""Networks by name."""
PREDICTORS.register("gnn", target="nasrank.predictors.gnn:GNN")
PREDICTORS.register("mlp", target="nasrank.predictors.mlp:MLP")

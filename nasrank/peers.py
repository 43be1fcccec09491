"""Predictors of other libraries, set up as their users would: what ours are measured against.

Each is a function that makes a regressor with ``fit(X, y)`` and ``predict(X)``, and is named by
its place, as anyone's own predictor is::

    nasrank compare --predictors auto,ridge,nasrank.peers:ard_gp,nasrank.peers:xgboost

All are given the same columns and targets, see `nasrank.predictors.own`, so what differs is the
model. Packages come with ``nasrank[peers]``.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from nasrank.errors import needing
from nasrank.named import Above

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = [
    "ard_gp",
    "botorch_gp",
    "extra_trees",
    "hist_boosting",
    "lightgbm",
    "random_forest",
    "ridge",
    "svr",
    "xgboost",
]

Trees = Annotated[int, Above(0)]


def ridge() -> Any:  # noqa: ANN401 - a regressor
    """scikit-learn's ridge regression, penalty by leave-one-out."""
    with needing("peers", "ridge needs scikit-learn"):
        from sklearn.linear_model import RidgeCV
    return RidgeCV(alphas=np.logspace(-3, 4, 15))


def svr(C: float = 1.0) -> Any:  # noqa: ANN401, N803 - scikit-learn's name
    """scikit-learn's support vector regression with its default kernel."""
    with needing("peers", "svr needs scikit-learn"):
        from sklearn.svm import SVR
    return SVR(C=C)


def extra_trees(trees: Trees = 300) -> Any:  # noqa: ANN401
    """scikit-learn's extremely randomised trees."""
    with needing("peers", "extra_trees needs scikit-learn"):
        from sklearn.ensemble import ExtraTreesRegressor
    return ExtraTreesRegressor(trees)


def random_forest(trees: Trees = 300) -> Any:  # noqa: ANN401
    """scikit-learn's random forest with a third of the columns a split."""
    with needing("peers", "random_forest needs scikit-learn"):
        from sklearn.ensemble import RandomForestRegressor
    return RandomForestRegressor(trees, max_features=1 / 3)


def hist_boosting() -> Any:  # noqa: ANN401
    """scikit-learn's gradient boosting on histograms, as it comes."""
    with needing("peers", "hist_boosting needs scikit-learn"):
        from sklearn.ensemble import HistGradientBoostingRegressor
    return HistGradientBoostingRegressor()


def xgboost(trees: Trees = 300) -> Any:  # noqa: ANN401
    """XGBoost with small steps, on one thread."""
    with needing("peers", "xgboost needs its package"):
        from xgboost import XGBRegressor
    return XGBRegressor(n_estimators=trees, learning_rate=0.05, max_depth=4, n_jobs=1)


def lightgbm(trees: Trees = 300) -> Any:  # noqa: ANN401
    """LightGBM with small steps and leaves that few labels can fill, on one thread."""
    with needing("peers", "lightgbm needs its package"):
        from lightgbm import LGBMRegressor
    return LGBMRegressor(
        n_estimators=trees, learning_rate=0.05, min_child_samples=5, n_jobs=1, verbose=-1
    )


def ard_gp() -> Any:  # noqa: ANN401
    """scikit-learn's Gaussian process: Matérn 5/2 with one length scale a column, and noise."""
    with needing("peers", "ard_gp needs scikit-learn"):
        import sklearn.gaussian_process  # noqa: F401 - now, so that a missing package is told now
    return _ArdGP()


def botorch_gp() -> Any:  # noqa: ANN401
    """BoTorch's default Gaussian process, which has one length scale a column and priors."""
    with needing("peers", "botorch_gp needs BoTorch"):
        import botorch  # noqa: F401 - as above
    return _BoTorchGP()


class _ArdGP:
    def fit(self, x: Float[np.ndarray, "n columns"], y: Float[np.ndarray, "n"]) -> _ArdGP:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        kernel = ConstantKernel() * Matern(np.ones(x.shape[1]), nu=2.5) + WhiteKernel()
        self._model = GaussianProcessRegressor(kernel, normalize_y=True)
        with warnings.catch_warnings():
            # A scale at its bound means a column without effect, which is what the scales are for.
            warnings.simplefilter("ignore")
            self._model.fit(x, y)
        return self

    def predict(self, x: Float[np.ndarray, "n columns"]) -> Float[np.ndarray, "n"]:
        found: Float[np.ndarray, "n"] = self._model.predict(x)
        return found


class _BoTorchGP:
    def fit(self, x: Float[np.ndarray, "n columns"], y: Float[np.ndarray, "n"]) -> _BoTorchGP:
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.transforms import Normalize, Standardize
        from gpytorch.mlls import ExactMarginalLogLikelihood

        with warnings.catch_warnings():
            # What it warns of is inputs before they are normalised, and an optimiser that stops
            # early; what this found is used.
            warnings.simplefilter("ignore")
            self._model = SingleTaskGP(
                torch.from_numpy(np.asarray(x, np.float64)),
                torch.from_numpy(np.asarray(y, np.float64))[:, None],
                input_transform=Normalize(x.shape[1]),
                outcome_transform=Standardize(1),
            )
            fit_gpytorch_mll(ExactMarginalLogLikelihood(self._model.likelihood, self._model))
        return self

    def predict(self, x: Float[np.ndarray, "n columns"]) -> Float[np.ndarray, "n"]:
        import torch

        parts = []
        with torch.no_grad():
            for start in range(0, len(x), 2000):
                part = torch.from_numpy(np.asarray(x[start : start + 2000], np.float64))
                parts.append(self._model.posterior(part).mean[:, 0].numpy())
        return np.concatenate(parts)

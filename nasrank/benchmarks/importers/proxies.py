"""Training-free proxies: scores of an untrained network that should predict its rank."""

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.space import Metric

__all__ = ["FAILED", "clean_scores", "proxy_metric"]

FAILED = -1e8
"""The value that NAS-Bench-Suite-Zero stores where a proxy could not be computed."""

_UNITS = {"flops": "million FLOPs", "params": "million parameters"}


def proxy_metric(name: str) -> Metric:
    """Describe a proxy as a metric named ``zc_NAME``.

    No proxy has a direction that holds everywhere; higher counts as better, as their authors
    intend, and a proxy that ranks backwards shows a negative correlation.

    Args:
        name: Name of the proxy, such as ``synflow``.

    Returns:
        The metric, higher is better.

    References:
        Krishnakumar et al. (2022), "NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost
        Proxies", NeurIPS Datasets and Benchmarks.

    Example:
        >>> proxy_metric("synflow").name
        'zc_synflow'
    """
    return Metric(
        f"zc_{name}",
        _UNITS.get(name, "score"),
        higher_is_better=True,
        description=f"training-free proxy {name}; its direction is not known, higher counts as "
        "better; missing where it failed or was infinite",
    )


def clean_scores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores of a proxy with failed and infinite ones as NaN.

    Args:
        scores: Any shape.

    Returns:
        A new array of the same shape.

    Example:
        >>> clean_scores(np.array([1.5, FAILED, -np.inf, np.nan]))
        array([1.5, nan, nan, nan])
    """
    return np.where(np.isfinite(scores) & (scores != FAILED), scores, np.nan)

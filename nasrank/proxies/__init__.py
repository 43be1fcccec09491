"""Training-free proxies: scores of tiny untrained networks that hint at its rank."""

from nasrank.proxies.compute import SEEDS, compute_proxies, settings_text
from nasrank.proxies.measures import PROXY_NAMES
from nasrank.proxies.operations import OPERATIONS, find_operation
from nasrank.proxies.wiring import require_known

__all__ = [
    "OPERATIONS",
    "PROXY_NAMES",
    "SEEDS",
    "compute_proxies",
    "find_operation",
    "require_known",
    "settings_text",
]

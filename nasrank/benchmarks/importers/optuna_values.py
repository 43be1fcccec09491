"""Values of Optuna's parameters, from the number that it stores and the distribution."""

import json
import math
from datetime import datetime

__all__ = ["LOWER", "parameter_value", "seconds_between"]

LOWER = {0: True, 1: True, 2: False, "NOT_SET": True, "MINIMIZE": True, "MAXIMIZE": False}
"""Whether lower is better, by the code or the word of a direction."""

_WHOLE = {"IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution"}
_REAL = {
    "FloatDistribution",
    "UniformDistribution",
    "LogUniformDistribution",
    "DiscreteUniformDistribution",
}
_LONGEST = 2**20


def parameter_value(stored: object, distribution: object) -> object:
    """Return the value of a parameter.

    Args:
        stored: The number that Optuna stores: the value, or the position among the choices.
        distribution: The distribution as JSON.

    Returns:
        An int, a float, or the choice; a choice that is null is the word ``None``.

    Raises:
        ValueError: The distribution is not known, or the number does not fit it.

    Example:
        >>> parameter_value(1, '{"name": "CategoricalDistribution", "attributes": {"choices": [3, \
"x"]}}')
        'x'
    """
    if not isinstance(stored, int | float) or not math.isfinite(stored):
        raise ValueError(f"a parameter has the value {str(stored)[:40]!a}")
    if not isinstance(distribution, str) or len(distribution) > _LONGEST:
        raise ValueError("a distribution is no text")
    try:
        described = json.loads(distribution)
    except RecursionError as error:
        raise ValueError("a distribution is nested too deeply") from error
    name = described.get("name") if isinstance(described, dict) else None
    if name == "CategoricalDistribution":
        choices = described["attributes"]["choices"]
        place = int(stored)
        if not isinstance(choices, list) or place != stored or not 0 <= place < len(choices):
            raise ValueError("a parameter is none of its choices")
        return "None" if choices[place] is None else choices[place]
    if name in _WHOLE:
        return int(stored)
    if name in _REAL:
        return float(stored)
    raise ValueError(f"{str(name)[:60]!a} is no known distribution")


def seconds_between(start: object, end: object) -> float | None:
    """Return the seconds from one time to another as ISO 8601 writes them; None for others."""
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None

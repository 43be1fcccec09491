"""Values of Optuna's parameters, from the number that it stores and the distribution."""

import json
import math
from datetime import datetime
from functools import lru_cache
from typing import Any

__all__ = ["LOWER", "parameter_value", "scale_of", "seconds_between"]

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
_REMEMBERED = 64


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
    name, attributes = _described(distribution)
    if name == "CategoricalDistribution":
        choices = attributes.get("choices")
        place = int(stored)
        if not isinstance(choices, list) or place != stored or not 0 <= place < len(choices):
            raise ValueError("a parameter is none of its choices")
        return "None" if choices[place] is None else choices[place]
    if name in _WHOLE:
        return int(stored)
    return float(stored)


def scale_of(distribution: object) -> str | None:
    """Return ``log`` or ``linear`` for the distribution of a number, None for choices.

    Args:
        distribution: The distribution as JSON, which :func:`parameter_value` has read.

    Example:
        >>> scale_of('{"name": "FloatDistribution", "attributes": {"log": true}}')
        'log'
    """
    name, attributes = _described(distribution)
    if name == "CategoricalDistribution":
        return None
    return "log" if attributes.get("log") is True or "Log" in name else "linear"


def _described(distribution: object) -> tuple[str, dict[str, Any]]:
    if not isinstance(distribution, str) or len(distribution) > _LONGEST:
        raise ValueError("a distribution is no text")
    return _parsed(distribution)


@lru_cache(maxsize=_REMEMBERED)
def _parsed(distribution: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the attributes of a distribution; trials repeat the same few."""
    try:
        found = json.loads(distribution)
    except RecursionError as error:
        raise ValueError("a distribution is nested too deeply") from error
    name = found.get("name") if isinstance(found, dict) else None
    attributes = found.get("attributes") if isinstance(found, dict) else None
    if name not in {"CategoricalDistribution", *_WHOLE, *_REAL}:
        raise ValueError(f"{str(name)[:60]!a} is no known distribution")
    return name, attributes if isinstance(attributes, dict) else {}


def seconds_between(start: object, end: object) -> float | None:
    """Return the seconds from one time to another as ISO 8601 writes them; None for others."""
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None

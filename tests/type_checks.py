"""Types and shapes are checked wherever a test calls numerical code.

Importing this module, before anything of nasrank, puts the checks in place.
"""

from functools import wraps

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

__all__ = ["PACKAGES", "checked"]

PACKAGES = [
    f"nasrank.{name}"
    for name in (
        "losses", "metrics", "graphs", "predictors", "encoders", "statistics", "companions",
    )
]  # fmt: skip
"""Where annotations say shapes."""

# An int is a float, as in annotations of Python.
_made = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function):
    """The function with its checks, which are made at its first call.

    To make those of all functions took a fifth of the time in which tests are collected.
    """
    made = None

    @wraps(function)
    def when_called(*args, **kwargs):
        nonlocal made
        if made is None:
            made = _made(function)
        return made(*args, **kwargs)

    return when_called


install_import_hook(PACKAGES, "type_checks.checked")

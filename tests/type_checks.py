"""Types and shapes are checked wherever a test calls numerical code.

Importing this module, before anything of nasrank, puts the checks in place.
"""

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
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

install_import_hook(PACKAGES, "type_checks.checked")

"""Embeddings epoch by epoch, as ``nasrank hard`` writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasrank.errors import DataError
from nasrank.limits import reading, require_regular

__all__ = ["FILM", "read_film"]

FILM = "embeddings.json"
_LARGEST = 2**24
_KINDS = ("real", "positive", "negative")
_LOG = ("triplet_loss", "active_share")


def read_film(path: Path) -> dict[str, Any]:
    """Read the embeddings of every method, in a form that a page can play.

    Args:
        path: The file that ``nasrank hard`` wrote.

    Returns:
        By method: ``names`` of the classes, and ``epochs``, each with ``points`` of x, y, place of
        the class and kind (0 real, 1 generated positive, 2 generated negative), and ``log``.

    Raises:
        DataError: It cannot be read, or holds no such data.
    """
    require_regular(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("too large")
        with reading(path):
            data = json.loads(path.read_text(encoding="utf-8"))
            return {str(method): _film(run) for method, run in data.items()}
    except (OSError, ValueError, LookupError, TypeError, OverflowError, AttributeError) as error:
        raise DataError(
            f"{path}: holds no embeddings that can be shown. Run nasrank hard again"
        ) from error


def _film(run: Mapping[str, Any]) -> dict[str, Any]:
    numbers = [str(number) for number in run["names"]]
    epochs = []
    for place, epoch in enumerate(run["epochs"]):
        points = [
            [_number(x), _number(y), numbers.index(str(label)), kind]
            for kind, name in enumerate(_KINDS)
            for (x, y), label in zip(epoch.get(name) or (), run["classes"][kind], strict=False)
        ]
        log = {name: run["log"][name][place] for name in _LOG if name in run["log"]}
        log = {name: _number(value) for name, value in log.items() if value is not None}
        epochs.append({"points": points, "log": log})
    return {"names": [str(name) for name in run["names"].values()], "epochs": epochs}


def _number(value: Any) -> float:  # noqa: ANN401 - whatever a file holds
    number = round(float(value), 3)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number

"""Trained models as files of plain arrays."""

from __future__ import annotations

import hashlib
import json
import tokenize
import zlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

from nasrank.companions.precision_recall.networks import Network, Weights
from nasrank.companions.precision_recall.training import Trained
from nasrank.errors import DataError
from nasrank.files import replacing
from nasrank.limits import reading, require_regular

__all__ = ["checkpoint_digest", "load_checkpoint", "save_checkpoint"]

_PARTS = ("generator", "critic")


def save_checkpoint(
    path: Path, trained: Trained, place: int, about: Mapping[str, str | int]
) -> None:
    """Write one model: NumPy's ``.npz`` with an array a weight.

    Args:
        path: Where to.
        trained: The models.
        place: Which one.
        about: What it is, for people; kept as JSON under ``about``.

    Raises:
        DataError: The folder cannot be written.
    """
    arrays = {
        f"{part}.{name}": weight[place].cpu().numpy()
        for part, weights in zip(_PARTS, (trained.weights, trained.critic_weights), strict=True)
        for name, weight in weights.items()
    }
    with replacing(path) as part_file, part_file.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(dict(about))), allow_pickle=False, **arrays)


def checkpoint_digest(path: Path) -> str:
    """Return sixteen hexadecimal digits that stand for a file.

    Raises:
        DataError: It cannot be read.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Name a file that pr train --keep-models "
            "has written"
        ) from error


def load_checkpoint(
    path: Path, networks: tuple[Network, Network], count: int
) -> tuple[Weights, Weights]:
    """Read a model as the start of several.

    Args:
        path: A file of `save_checkpoint`.
        networks: Generator and critic that it should fit.
        count: Models to start.

    Returns:
        Weights of generators and critics ``[count, ...]``; a critic may be missing.

    Raises:
        DataError: The file cannot be read, or holds another model.
    """
    require_regular(path)
    try:
        # A lone array would be no archive.
        with reading(path), ZipFile(path), np.load(path, allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files if name != "about"}
        if not all(each.dtype.kind == "f" and np.isfinite(each).all() for each in arrays.values()):
            raise ValueError("weights that are not finite numbers")
    except (
        OSError, ValueError, KeyError, EOFError, BadZipFile, SyntaxError, TypeError, OverflowError,
        NotImplementedError, zlib.error, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path}: not a checkpoint of plain arrays. Name a file that pr train --keep-models "
            "has written"
        ) from error
    parts: list[dict[str, Tensor]] = []
    for part, network in zip(_PARTS, networks, strict=True):
        needed = network.initial([0], part)
        found = {
            name.removeprefix(f"{part}."): torch.as_tensor(each)
            for name, each in arrays.items()
            if name.startswith(f"{part}.")
        }
        if part == "critic" and not found:
            parts.append({})
            continue
        for name, weight in needed.items():
            given = found.get(name)
            if given is None or given.shape != weight.shape[1:] or found.keys() != needed.keys():
                has = "nothing" if given is None else "x".join(map(str, given.shape))
                raise DataError(
                    f"{path}: another model ({part}'s {name} is {has}, not "
                    f"{'x'.join(map(str, weight.shape[1:]))}). Give one trained on such data with "
                    "the same --models and --width"
                )
        parts.append(
            {name: each.float().expand(count, *each.shape) for name, each in found.items()}
        )
    return parts[0], parts[1]

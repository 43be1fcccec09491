"""Mutations within a benchmark: architectures that differ from a given one in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.space import Space
from nasrank.seeds import numpy_generator

__all__ = ["Neighbourhood", "neighbourhood_of"]

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+")


class Neighbourhood:
    """The architectures of a space that differ in one token of their text.

    Tokens are words and numbers: in ``|nor_conv_1x1~0|`` the operation and the node it reads, in
    ``64-41414-0_00_011`` every digit of the cell, since runs of digits of the same length in the
    whole space are codes. An edit that leaves the space is not a neighbour.

    Args:
        architectures: ``[N]`` the architectures as text.
    """

    def __init__(self, architectures: Sequence[str]) -> None:
        tokens = _tokens(architectures)
        width = max((len(row) for row in tokens), default=0)
        numbers: dict[str, int] = {}
        codes = np.zeros((len(tokens), width), np.int64)
        for row, words in zip(codes, tokens, strict=True):
            row[: len(words)] = [numbers.setdefault(word, len(numbers) + 1) for word in words]
        # A sum of one random number per token: texts that agree except in one place agree in
        # the sum without that place.
        weights = numpy_generator(0, stream="tokens").integers(
            0, 2**63, (width, len(numbers) + 1), dtype=np.uint64
        )
        placed = weights[np.arange(width), codes]
        total = placed.sum(axis=1, dtype=np.uint64)
        self._keys = [
            total - placed[:, place] for place in range(width) if np.ptp(codes[:, place]) > 0
        ]
        self._order = [np.argsort(keys, kind="stable") for keys in self._keys]
        self._sorted = [k[order] for k, order in zip(self._keys, self._order, strict=True)]

    def of(self, architecture: int) -> NDArray[np.int64]:
        """Return the positions of all neighbours of one, ascending; may be empty."""
        found = [np.empty(0, np.int64)]
        for keys, order, ordered in zip(self._keys, self._order, self._sorted, strict=True):
            own = keys[architecture]
            start, end = (int(np.searchsorted(ordered, own, side)) for side in ("left", "right"))
            found.append(order[start:end])
        near = np.unique(np.concatenate(found))
        others: NDArray[np.int64] = near[near != architecture]
        return others


def _tokens(architectures: Sequence[str]) -> list[list[str]]:
    split = [_TOKEN.findall(text) for text in architectures]
    lengths: dict[int, set[int]] = {}
    for words in split:
        for place, word in enumerate(words):
            if word[0].isdigit():
                lengths.setdefault(place, set()).add(len(word))
    codes = {place for place, seen in lengths.items() if len(seen) == 1 and seen != {1}}
    if not codes:
        return split
    return [
        [
            part
            for place, word in enumerate(words)
            for part in (word if place in codes and word[0].isdigit() else (word,))
        ]
        for words in split
    ]


_KNOWN: dict[str, tuple[Space, Neighbourhood]] = {}


def neighbourhood_of(space: Space) -> Neighbourhood:
    """Return the neighbourhood of a space, computed once while that space is in use."""
    kept = _KNOWN.get(space.name)
    if kept is None or kept[0] is not space:
        kept = _KNOWN[space.name] = (space, Neighbourhood(space.architectures))
    return kept[1]

"""Nodes that messages cannot tell apart, so that each kind is computed once.

After k rounds of messages a node knows its neighbourhood to a distance of k. Nodes of all graphs
whose neighbourhoods are equal so far are of one colour (Weisfeiler and Leman 1968, "The reduction
of a graph to canonical form"). Here neighbourhoods are equal only if also the order is, in which
their messages are added: a sum then has the same bits whichever node it is computed for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt64
from torch import Tensor

from nasrank.graphs.packed import RELATIONS, Bags, PackedGraphs

__all__ = ["Round", "SharedNodes"]

_MIXERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True)
class Round:
    """The colours after one round of messages.

    Attributes:
        own: ``[colours]`` the colour of each before this round.
        operation: ``[colours]`` its operation.
        hear: Its messages; the table has `RELATIONS` rows for each colour before this round.
    """

    own: Int64[Tensor, "colours"]
    operation: Int64[Tensor, "colours"]
    hear: Bags


@dataclass(frozen=True)
class SharedNodes:
    """The colours of the nodes of some graphs, round by round; before the first: operations.

    Attributes:
        rounds: One for each round of messages.
        read: Readout: rows are graphs; the table has one row for each colour of the last round.
    """

    rounds: tuple[Round, ...]
    read: Bags

    @classmethod
    def of(cls, packed: PackedGraphs, rounds: int) -> SharedNodes:
        """Colour the nodes of a batch.

        Args:
            packed: A batch of one member without padding and without numbers.
            rounds: Rounds of messages.
        """
        device = packed.hear.index.device
        # A row of the batch is a node, and an entry tells whom it hears: node and relation.
        heard, relation = np.divmod(packed.hear.index.cpu().numpy().astype(np.int64), RELATIONS)
        start = packed.hear.start.cpu().numpy().astype(np.int64)
        count = np.diff(start, append=len(heard))
        weight = packed.hear.weight
        factor = (
            np.ones(len(heard), np.int64)
            if weight is None
            else weight.cpu().numpy().astype(np.int64)
        )
        operation = packed.operations[0].argmax(dim=1).cpu().numpy()
        colour, done = operation, []
        for _ in range(rounds):
            index = colour[heard] * RELATIONS + relation
            after, first = _colours(colour, index, factor, start, count)
            entries = _entries(start, count, first)
            done.append(
                Round(
                    torch.from_numpy(colour[first]).to(device),
                    torch.from_numpy(operation[first]).to(device),
                    Bags(
                        torch.from_numpy(index[entries].astype(np.int32)).to(device),
                        torch.from_numpy(
                            (np.cumsum(count[first]) - count[first]).astype(np.int32)
                        ).to(device),
                        None
                        if weight is None
                        else weight[torch.from_numpy(entries).to(weight.device)],
                    ),
                )
            )
            colour = after
        nodes = packed.read.index.cpu().numpy()
        read = Bags(
            torch.from_numpy(colour[nodes].astype(np.int32)).to(device), packed.read.start, None
        )
        return cls(tuple(done), read)


def _colours(
    colour: Int64[np.ndarray, "nodes"],
    index: Int64[np.ndarray, "entries"],
    factor: Int64[np.ndarray, "entries"],
    start: Int64[np.ndarray, "nodes"],
    count: Int64[np.ndarray, "nodes"],
) -> tuple[Int64[np.ndarray, "nodes"], Int64[np.ndarray, "colours"]]:
    """Return the colour of each node after a round, and the first node of each colour."""
    place = np.arange(len(index)) - np.repeat(start, count)
    mixed = _mixed(index, factor, place)
    ends = np.concatenate([[np.uint64(0)], np.cumsum(mixed, dtype=np.uint64)])
    summed = ends[start + count] - ends[start] + _mixed(colour, count, np.zeros_like(colour))
    _, first, after = np.unique(summed, return_index=True, return_inverse=True)
    # Different neighbourhoods may add up to the same number, once in a very long while.
    chosen = first[after]
    same = (colour[chosen] == colour) & (count[chosen] == count)
    if same.all():
        other = np.repeat(start[chosen], count) + place
        if (index[other] == index).all() and (factor[other] == factor).all():
            return after, first
    alone = np.arange(len(colour))
    return alone, alone


def _mixed(*parts: Int64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """Mix whole numbers to one of 64 bits each, which look drawn by chance."""
    result = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        result += part.astype(np.uint64) + np.uint64(_MIXERS[0])
        for mixer, shift in zip(_MIXERS[1:], (30, 27), strict=True):
            result ^= result >> np.uint64(shift)
            result *= np.uint64(mixer)
        result ^= result >> np.uint64(31)
    return result


def _entries(
    start: Int64[np.ndarray, "nodes"],
    count: Int64[np.ndarray, "nodes"],
    chosen: Int64[np.ndarray, "chosen"],
) -> Int64[np.ndarray, "entries"]:
    """Return the entries of chosen nodes, one node after the other."""
    many = count[chosen]
    ends = np.cumsum(many)
    whole = np.arange(int(ends[-1]) if len(ends) else 0)
    return np.asarray(whole + np.repeat(start[chosen] - ends + many, many))

"""Scores of every architecture of a batch, averaged over several draws of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch
from nasrank.proxies.maps import Maps
from nasrank.proxies.measures import PROXY_NAMES, SHAPE, measure
from nasrank.proxies.network import Networks
from nasrank.proxies.pictures import pictures_and_kinds
from nasrank.proxies.wiring import Cells, wire

__all__ = ["SEEDS", "compute_proxies", "settings_text"]

SEEDS = (0, 1, 2, 3)
"""Draws of weights and pictures that are averaged."""
VERSION = 1
"""Increased when the same graph gets other numbers."""
BATCH = 16
"""Cells computed together; more would not fit in a processor's cache."""


def settings_text() -> str:
    """Return everything besides the graphs that the numbers depend on, as text."""
    return repr((VERSION, SHAPE, SEEDS, PROXY_NAMES))


def compute_proxies(
    graphs: GraphBatch,
    *,
    seeds: Sequence[int] = SEEDS,
    device: torch.device | str = "cpu",
    on_done: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    r"""Score architectures without training any.

    Every cell is built as a small network with random weights, and measured in one forward and
    backward pass on random pictures. Its scores are means over the seeds,

    .. math:: p_{ij} = \frac{1}{S} \sum_{s=1}^{S} p_{ij}^{(s)}

    A seed's weights are the same for every cell. The scores of a cell depend neither on the
    order of its nodes nor, up to rounding, on the other cells. Attributes of nodes are ignored.
    The number of threads is torch's own setting.

    Args:
        graphs: ``[items]`` graphs whose operations are on pictures, as in
            :data:`~nasrank.proxies.operations.OPERATIONS`; they need not be canonical.
        seeds: Seeds of the draws; at least one.
        device: Where to compute.
        on_done: Called with the number of graphs whose scores have just become known.

    Returns:
        ``[items, P]`` in the order of :data:`~nasrank.proxies.measures.PROXY_NAMES`, always
        finite, each on its own scale: standardise a column before comparing it with others.
        A cell that passes nothing on gets the scores of a network that ignores its picture.
        No column has a direction that holds in every space.

    Raises:
        UsageError: An operation is not known.
        DataError: A graph has a cycle, or more than 255 parallel edges.

    References:
        Mellor et al. (2021), "Neural Architecture Search without Training", ICML.
    """
    where = torch.device(device)
    cells = wire(graphs)
    first, copies = _distinct(cells)
    distinct = cells[first]
    scores = np.zeros((len(first), len(PROXY_NAMES)))
    times = np.bincount(copies, minlength=len(first))
    draws = [
        (Maps(seed, where), *pictures_and_kinds(seed, SHAPE.pictures, SHAPE.side))
        for seed in seeds
    ]
    with torch.no_grad():
        for chosen in distinct.in_batches(BATCH):
            batch = distinct[chosen]
            for maps, pictures, kinds in draws:
                networks = Networks(batch, maps, SHAPE, where)
                scores[chosen] += measure(networks, pictures, kinds.to(where)).cpu().numpy()
            if on_done is not None:
                on_done(int(times[chosen].sum()))
    return (scores / len(draws))[copies]


def _distinct(cells: Cells) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first of each set of equal cells, and the set of each cell."""
    number: dict[bytes, int] = {}
    first: list[int] = []
    copies = np.empty(len(cells), np.int64)
    for item in range(len(cells)):
        parts = (cells.codes[item], cells.edges[item], cells.leaving[item])
        key = b"".join(part.tobytes() for part in parts)
        if key not in number:
            number[key] = len(first)
            first.append(item)
        copies[item] = number[key]
    return np.array(first, np.int64), copies

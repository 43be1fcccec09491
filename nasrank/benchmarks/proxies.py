"""Training-free proxies of the architectures of a space, computed once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasrank.cache import cached_columns
from nasrank.graphs import GraphBatch

__all__ = ["space_proxies"]

_LOG = logging.getLogger("nasrank")
_PART = 512
"""Graphs computed before each save: some seconds of work."""


def space_proxies(
    space: str,
    graphs: GraphBatch,
    *,
    on_done: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Return the proxies of a space's graphs, from the user's cache where they are known.

    Missing ones are computed in parts, each saved as soon as it is done, so that an interrupted
    call can be resumed. Where nobody hears of the parts, the log says that it takes a while.

    Args:
        space: Name of the space; fit for a file name.
        graphs: ``[items]`` graphs whose operations are on pictures.
        on_done: Called with the number of graphs whose proxies have just become known.

    Returns:
        ``[items, P]`` as from :func:`~nasrank.proxies.compute.compute_proxies`.

    Raises:
        UsageError: An operation is not a known one on pictures.
        DataError: A graph has a cycle, or more than 255 parallel edges.
    """
    from nasrank.proxies import PROXY_NAMES, compute_proxies, require_known, settings_text

    # Before the first part: a space is refused at once, not after minutes.
    require_known(graphs)
    told = False
    schema = dict.fromkeys(PROXY_NAMES, "float64")
    rows = [np.zeros((0, len(PROXY_NAMES)))]
    for start in range(0, len(graphs), _PART):
        part = graphs[start : start + _PART]

        def build(part: GraphBatch = part) -> dict[str, NDArray[np.float64]]:
            nonlocal told
            if not told and on_done is None:
                _LOG.info("proxies of %s: computed once, then kept", space)
            told = True
            scores = compute_proxies(part)
            return {
                name: np.ascontiguousarray(scores[:, column])
                for column, name in enumerate(PROXY_NAMES)
            }

        key = _digest(part, settings_text())
        columns = cached_columns(f"{space}-proxies-{start}", key, schema, len(part), build)
        rows.append(np.stack([columns[name] for name in PROXY_NAMES], axis=1))
        if on_done is not None:
            on_done(len(part))
    return np.concatenate(rows)


def _digest(graphs: GraphBatch, settings: str) -> str:
    digest = hashlib.sha256(repr((settings, graphs.vocabulary)).encode())
    for array in (graphs.operations, graphs.adjacency, graphs.mask):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

"""The only place where randomness comes from.

A run has a seed. Every stream of random numbers inside it is derived from that seed and from
named axes. What an axis does not name is shared on purpose: splits and initial weights do not
name the loss, so all losses of a comparison see the same data and start at the same point.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["derive_seed", "numpy_generator", "seeded_torch", "torch_generator"]


def derive_seed(seed: int, **axes: str | int) -> int:
    """Return a seed in [0, 2^63) that depends on the seed and on every axis by name.

    Args:
        seed: The run's seed.
        axes: What the stream is for; the order of the axes does not matter.

    Example:
        >>> derive_seed(0, stream="split") == derive_seed(0, stream="ties")
        False
        >>> derive_seed(3, stream="order", n=78) == derive_seed(3, n=78, stream="order")
        True
    """
    text = json.dumps([seed, axes], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, **axes: str | int) -> np.random.Generator:
    """Return NumPy's generator for one stream of a run."""
    return np.random.default_rng(derive_seed(seed, **axes))


def torch_generator(seed: int, **axes: str | int) -> torch.Generator:
    """Return a generator on the CPU, so that every device starts from the same numbers."""
    import torch

    generator = torch.Generator()
    generator.manual_seed(derive_seed(seed, **axes))
    return generator


@contextmanager
def seeded_torch(seed: int, **axes: str | int) -> Iterator[None]:
    """Draw torch's global random numbers from one stream of a run, within the block.

    For third-party code that takes no generator, such as the initial weights of modules. After
    the block the global state is restored. Numbers drawn on a GPU are not covered: make modules
    on the CPU and move them.

    Args:
        seed: The run's seed.
        axes: What the stream is for.

    Example:
        >>> import torch
        >>> with seeded_torch(0, stream="weights"):
        ...     first = torch.nn.Linear(2, 1).weight
        >>> with seeded_torch(0, stream="weights"):
        ...     second = torch.nn.Linear(2, 1).weight
        >>> torch.equal(first, second)
        True
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, **axes))
        yield

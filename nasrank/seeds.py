"""The only place where randomness comes from.

A run has a seed. Every stream of random numbers inside it is derived from that seed and from
named axes. What an axis does not name is shared on purpose: splits and initial weights do not
name the loss, so all losses of a comparison see the same data and start at the same point.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["derive_seed", "numpy_generator", "torch_generator"]


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

"""How this process gets memory from the system."""

import contextlib

__all__ = ["keep_memory"]

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_LARGEST, _SPARE = 1 << 28, 1 << 29
"""Bytes: the largest piece that is kept for the next use, and what is kept in all."""


def keep_memory() -> None:
    """Keep memory that was freed for the next tensor instead of returning it at once.

    By its defaults glibc maps every large tensor anew, and the system fills it with zeros: up to
    half of the time of scoring. Other systems are left as they are. Nothing is computed otherwise.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        # Only glibc has both: the numbers mean nothing elsewhere.
        libc.gnu_get_libc_version  # noqa: B018
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST)
        libc.mallopt(_TRIM_THRESHOLD, _SPARE)

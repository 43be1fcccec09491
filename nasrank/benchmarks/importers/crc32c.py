"""CRC-32C checksums of many short byte strings, without a compiled extension."""

import importlib
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["checksums", "checksums_plain"]

_EXTENSION = "google_crc32c"
_POLYNOMIAL = 0x82F63B78
# From state 0 these four bytes lead to the state all ones, in which the checksum starts. Zero
# bytes before them change nothing, so strings of all lengths can be aligned at their ends.
_START = bytes.fromhex("54641f64")
_TOGETHER = 1024


def checksums(strings: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return the CRC-32C (Castagnoli) of every string.

    The package ``google-crc32c`` does the work where it is installed with its compiled part;
    `checksums_plain` does it otherwise.

    Args:
        strings: ``[N]``, of any lengths.

    Returns:
        ``[N]``.

    Reference:
        RFC 3720, section 12.1.

    Example:
        >>> [hex(value) for value in checksums([b"123456789", b""]).tolist()]
        ['0xe3069283', '0x0']
    """
    value = _compiled()
    if value is None:
        return checksums_plain(strings)
    return np.fromiter(map(value, strings), np.uint32, len(strings))


def checksums_plain(strings: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return what `checksums` does, with numpy alone.

    Strings of similar length go together as the rows of a matrix that is walked by columns of
    four bytes.

    Args:
        strings: ``[N]``, of any lengths; the memory needed is 1,024 times the longest.

    Returns:
        ``[N]``.

    Example:
        >>> hex(checksums_plain([b"123456789"])[0])
        '0xe3069283'
    """
    low, high = _tables()
    result = np.empty(len(strings), np.uint32)
    order = np.argsort([len(string) for string in strings], kind="stable")
    for begin in range(0, len(order), _TOGETHER):
        part = order[begin : begin + _TOGETHER]
        width = -(-(len(strings[part[-1]]) + len(_START)) // 4) * 4
        aligned = b"".join((_START + strings[row]).rjust(width, b"\0") for row in part)
        words = np.frombuffer(aligned, "<u4").reshape(len(part), width // 4)
        state = np.zeros(len(part), np.uint32)
        for column in np.ascontiguousarray(words.T):
            state ^= column
            state = low[state & 0xFFFF] ^ high[state >> 16]
        result[part] = ~state
    return result


@cache
def _compiled() -> Callable[[bytes], int] | None:
    try:
        extension = importlib.import_module(_EXTENSION)
    except ImportError:
        return None
    # Without its compiled part the package is slower than numpy.
    value: Callable[[bytes], int] | None = (
        extension.value if getattr(extension, "implementation", None) == "c" else None
    )
    return value


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the states after four bytes: by the lower two and by the upper two bytes."""
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = np.where(byte & 1, byte >> 1 ^ np.uint32(_POLYNOMIAL), byte >> 1)
    halves: list[NDArray[np.uint32]] = []
    for shift in (0, 16):
        state = np.arange(2**16, dtype=np.uint32) << np.uint32(shift)
        for _ in range(4):
            state = (state >> 8) ^ byte[state & 0xFF]
        halves.append(state)
    return halves[0], halves[1]

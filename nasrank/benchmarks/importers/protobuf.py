"""Reads the fields of one protocol buffer message, without a schema."""

import struct

__all__ = ["read_fields"]

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_VARINT_BYTES = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_fields(message: bytes) -> dict[int, int | float | bytes]:
    """Return the fields of a message by tag, which is eight times the number plus the wire type.

    Of a repeated field the last value counts. Fields are distinguished by their tag, so one of an
    unexpected type is not mistaken for the expected one.

    Args:
        message: The bytes of the message.

    Returns:
        By wire type: 0 a whole number below 2^64, 1 a double, 2 bytes, 5 a single-precision
        number. An empty message has no fields.

    Raises:
        ValueError: The message ends early, or is not a message.

    Reference:
        Protocol Buffers documentation, "Encoding".

    Example:
        Field 2 as a whole number, then field 1 as a string:

        >>> read_fields(bytes([0x10, 0x96, 0x01, 0x0A, 2]) + b"ok")
        {16: 150, 10: b'ok'}
    """
    fields: dict[int, int | float | bytes] = {}
    at, size = 0, len(message)
    while at < size:
        # Almost all of these numbers are a single byte.
        tag, at = (message[at], at + 1) if message[at] < 0x80 else _varint(message, at)
        wire = tag & 7
        if wire == _FIXED64:
            end = at + 8
            if end <= size:
                fields[tag] = _DOUBLE.unpack_from(message, at)[0]
        elif wire == _BYTES:
            length, at = _varint(message, at)
            end = at + length
            fields[tag] = message[at:end]
        elif wire == _VARINT:
            fields[tag], end = _varint(message, at)
        elif wire == _FIXED32:
            end = at + 4
            if end <= size:
                fields[tag] = _FLOAT.unpack_from(message, at)[0]
        else:
            msg = f"field {tag >> 3} has the unknown wire type {wire}"
            raise ValueError(msg)
        if end > size:
            msg = "the message ends early"
            raise ValueError(msg)
        at = end
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that starts at a position, and the position after it."""
    value = 0
    for place, byte in enumerate(message[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + place + 1
    msg = "the message ends early or holds a number beyond 64 bits"
    raise ValueError(msg)

import struct

import numpy as np
import pytest

from nasrank.benchmarks.importers.protobuf import read_fields


def test_every_wire_type():
    parts = [
        b"\x08\x96\x01",  # field 1, whole number: 0x16 + (1 << 7) = 150
        b"\x11" + struct.pack("<d", 0.75),
        b"\x1a\x03abc",
        b"\x25" + struct.pack("<f", -2.5),
        b"\xa8\x06\x07",  # field 101: tag 101 * 8 = 808 = 0x28 + (6 << 7)
    ]
    message = b"".join(parts)
    assert read_fields(message) == {8: 150, 17: 0.75, 26: b"abc", 37: -2.5, 808: 7}


def test_the_last_of_repeated_fields_counts():
    assert read_fields(b"\x0a\x01a\x0a\x01b") == {10: b"b"}


def test_an_empty_message_has_no_fields():
    assert read_fields(b"") == {}


@pytest.mark.parametrize(
    "message",
    [
        b"\x80",  # half a tag
        b"\x08",  # no value
        b"\x09\0\0\0\0\0\0\0",  # seven bytes of eight
        b"\x0d\0\0\0",
        b"\x0a\x05abcd",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a string of 2^63 - 1 bytes
        b"\x08" + b"\xff" * 10 + b"\x01",  # eleven bytes of a number
        b"\x08" + b"\xff" * 9 + b"\x02",  # 2^64 and more
        b"\x0b\x0c",  # a group
        b"\x07",
    ],
)
def test_what_is_no_message_is_refused(message):
    with pytest.raises(ValueError, match=r"message ends early|wire type"):
        read_fields(message)


def test_the_largest_number():
    assert read_fields(b"\x08" + b"\xff" * 9 + b"\x01") == {8: 2**64 - 1}


def test_noise_is_read_or_refused():
    rng = np.random.default_rng(2)
    for _ in range(500):
        try:
            read_fields(rng.bytes(40))
        except ValueError:
            continue

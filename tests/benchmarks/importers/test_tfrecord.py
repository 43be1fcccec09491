import struct

import numpy as np
import pytest

from nasrank.benchmarks.importers import crc32c
from nasrank.benchmarks.importers.tfrecord import (
    RECORD_LIMIT,
    read_records,
    starts_as_tfrecord,
)
from nasrank.errors import DataError


def masked(strings):
    """Rotate right by 15 bits and add a constant, modulo 2^32."""
    values = crc32c.checksums_plain(strings).tolist()
    return [struct.pack("<I", ((v >> 15 | v << 17) + 0xA282EAD8) % 2**32) for v in values]


def frames(*records):
    lengths = [struct.pack("<Q", len(record)) for record in records]
    parts = zip(lengths, masked(lengths), records, masked(records), strict=True)
    return b"".join(b"".join(part) for part in parts)


@pytest.fixture(params=["installed", "numpy"])
def any_checksum(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(crc32c, "_compiled", lambda: None)


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "rows.tfrecord"
        path.write_bytes(content)
        return path

    return write


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        list(read_records(path, **options))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.usefixtures("any_checksum")
def test_records_come_back_in_order(file):
    records = [b"", b"a", b"row " * 300, bytes(range(256))]
    assert list(read_records(file(frames(*records)))) == records


def test_the_mask_by_hand(file):
    # CRC-32C of "abcd" is 92c80a31. Shifted left by 17 it is 14620000 (modulo 2^32), right by 15
    # it is 00012590; together 14632590, and 14632590 + a282ead8 = b6e61068.
    content = frames(b"abcd")
    assert content[-4:] == bytes.fromhex("6810e6b6")
    assert list(read_records(file(content))) == [b"abcd"]


def test_records_across_the_borders_of_chunks(file):
    rng = np.random.default_rng(1)
    records = [rng.bytes(60_000) for _ in range(150)]  # 9 MB, chunks of 4 MiB
    seen = []
    path = file(frames(*records))
    found = list(read_records(path, on_progress=lambda done, total: seen.append((done, total))))
    assert found == records
    size = 150 * (60_000 + 16)
    assert seen == [(2**22, size), (2**23, size), (size, size)]


def test_an_empty_file_has_no_records(file):
    assert list(read_records(file(b""))) == []


@pytest.mark.usefixtures("any_checksum")
def test_a_flipped_byte_anywhere_is_found(file):
    whole = frames(b"first", b"second")
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        number = 1 if at < len(frames(b"first")) else 2
        assert refused(file(bytes(damaged))).startswith(f"record {number}: ")


def test_a_file_cut_anywhere_is_found(file):
    whole = frames(b"first", b"second")
    for size in range(1, len(whole)):
        if size == len(frames(b"first")):
            continue
        number = 1 if size < len(frames(b"first")) else 2
        message = refused(file(whole[:size]))
        assert message.startswith(f"record {number}: the file ends within it. ")


@pytest.mark.parametrize("claimed", [RECORD_LIMIT + 1, 2**30, 2**64 - 1])
def test_a_huge_length_with_a_right_checksum_is_refused(file, claimed):
    length = struct.pack("<Q", claimed)
    path = file(frames(b"first") + length + masked([length])[0] + b"x" * 100)
    assert refused(path).startswith(f"record 2: it claims {claimed:,} bytes, more than the 65,536")


def test_the_limit_is_the_callers(file):
    path = file(frames(b"12345"))
    assert list(read_records(path, limit=5)) == [b"12345"]
    assert refused(path, limit=4).startswith("record 1: it claims 5 bytes, more than the 4")


def test_what_cannot_be_opened(tmp_path):
    assert refused(tmp_path).startswith("cannot be read (Is a directory). ")
    assert refused(tmp_path / "no.tfrecord").startswith("cannot be read (No such file")


def test_the_start_tells_the_format():
    assert starts_as_tfrecord(frames(b"data"))
    assert starts_as_tfrecord(frames(b"data")[:12])
    assert not starts_as_tfrecord(frames(b"data")[:11])
    assert not starts_as_tfrecord(b"PAR1" + bytes(20))

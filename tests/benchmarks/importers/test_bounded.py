import bz2

import pytest

from nasrank.benchmarks.importers.bounded import read_bz2
from nasrank.errors import DataError

ADVICE = "Get it again"


def refused(path, match, limit=10_000):
    with pytest.raises(DataError, match=match) as caught:
        read_bz2(path, limit=limit, advice=ADVICE)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith(ADVICE)
    assert "\n" not in message


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000])
def test_content_up_to_the_limit_is_read(tmp_path, size):
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(b"x" * size))
    assert read_bz2(path, limit=10_000, advice=ADVICE) == b"x" * size


def test_a_file_that_would_grow_is_stopped(tmp_path):
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(bytes(30_000_000)))
    assert path.stat().st_size < 100
    refused(path, "holds more than the 10,000 bytes")
    path.write_bytes(bz2.compress(b"x" * 10_001))
    refused(path, "holds more than the 10,000 bytes")


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.bz2"
    content = bz2.compress(bytes(range(256)) * 20)
    for length in (1, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path, "ends early")
    path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    refused(path, "damaged")
    path.write_bytes(b"no bz2 file")
    refused(path, "damaged")
    path.write_bytes(content + content)
    refused(path, "continues after the end")
    path.write_bytes(content * 1_000)
    refused(path, "larger than")
    path.write_bytes(b"")
    refused(path, "ends early")
    refused(tmp_path, "cannot be read")
    refused(tmp_path / "none", "cannot be read")

import bz2
import gzip
import io

import pytest

from nasrank.benchmarks.importers.bounded import GzipStream, read_bz2
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


def unzipped(path, limit=10_000, size=-1):
    with GzipStream(path, limit=limit, advice=ADVICE) as raw, io.BufferedReader(raw) as file:
        return file.read(size)


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000])
def test_gzip_up_to_the_limit_is_read(tmp_path, size):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"x" * size))
    assert unzipped(path) == b"x" * size


def test_gzip_in_pieces_and_with_zeros_at_its_end_is_read(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(b"".join(gzip.compress(each) for each in (b"ab", b"", b"cd")) + bytes(100))
    assert unzipped(path) == b"abcd"


def test_gzip_is_given_out_whole_in_small_parts(tmp_path):
    """The end of a stream may come out when all of the file has gone in."""
    path = tmp_path / "a.gz"
    content = bytes(range(256)) * 2_000
    path.write_bytes(gzip.compress(content))
    with GzipStream(path, limit=10**6, advice=ADVICE) as raw:
        parts = [*iter(lambda: raw.read(1_000), b"")]
    assert max(map(len, parts)) <= 1_000
    assert b"".join(parts) == content


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (gzip.compress(bytes(30_000_000), mtime=0), "holds more than 10,000 bytes"),
        (gzip.compress(b"x" * 5_000, mtime=0)[:-3], "the gzip file ends early"),
        (gzip.compress(b"x" * 5_000, mtime=0)[:12], "the gzip file ends early"),
        (gzip.compress(b"x", mtime=0) + b"rest", "damaged, not a readable gzip file"),
        (b"x" * 20, "damaged, not a readable gzip file"),
        (gzip.compress(b"") * 70_000, "is in more than 65,536 pieces"),
    ],
)
def test_bad_gzip_is_refused(tmp_path, content, match):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        unzipped(path)
    assert str(caught.value).endswith(ADVICE)

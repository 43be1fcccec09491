from types import SimpleNamespace

import numpy as np
import pytest

from nasrank.benchmarks.importers import crc32c

KNOWN = {
    # RFC 3720, appendix B.4, and the usual check value.
    bytes(32): 0x8A9136AA,
    b"\xff" * 32: 0x62A8AB43,
    bytes(range(32)): 0x46DD794E,
    bytes(range(31, -1, -1)): 0x113FDB5C,
    b"123456789": 0xE3069283,
    b"": 0,
}


@pytest.fixture
def without_extension(monkeypatch):
    monkeypatch.setattr(crc32c, "_compiled", lambda: None)


def by_bits(data):
    """The definition: long division by the reflected polynomial, one bit at a time."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize("function", [crc32c.checksums, crc32c.checksums_plain])
def test_published_values(function):
    assert function(list(KNOWN)).tolist() == list(KNOWN.values())
    assert function([]).shape == (0,)


def test_numpy_follows_the_definition_for_all_lengths_at_once():
    rng = np.random.default_rng(0)
    strings = [rng.bytes(length) for length in [*range(70), 999, 64]]
    assert crc32c.checksums_plain(strings).tolist() == [by_bits(string) for string in strings]


def test_more_strings_than_go_together():
    strings = [bytes([n % 251]) * (n % 37) for n in range(2500)]
    expected = {string: by_bits(string) for string in set(strings)}
    found = crc32c.checksums_plain(strings)
    assert found.tolist() == [expected[string] for string in strings]


@pytest.mark.usefixtures("without_extension")
def test_without_the_extension_numpy_does_it():
    assert crc32c.checksums([b"123456789"]).tolist() == [0xE3069283]


@pytest.mark.parametrize(("kind", "used"), [("c", True), ("python", False)])
def test_the_extension_is_used_only_if_compiled(monkeypatch, kind, used):
    package = SimpleNamespace(implementation=kind, value=lambda data: 7)
    monkeypatch.setattr(crc32c.importlib, "import_module", lambda name: package)
    crc32c._compiled.cache_clear()
    try:
        assert crc32c.checksums([b"123456789"]).tolist() == [7 if used else 0xE3069283]
    finally:
        crc32c._compiled.cache_clear()


def test_a_missing_extension_is_no_error(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(crc32c.importlib, "import_module", missing)
    crc32c._compiled.cache_clear()
    try:
        assert crc32c._compiled() is None
    finally:
        crc32c._compiled.cache_clear()

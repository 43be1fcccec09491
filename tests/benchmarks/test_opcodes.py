import pickle
import random
from collections import OrderedDict

import numpy as np
import pytest

from nasrank.benchmarks._opcodes import PickleReader
from nasrank.benchmarks.pickles import COLLECTIONS, NUMPY_ARRAYS, explained, safe_loads
from nasrank.errors import DataError


class OneByOne(PickleReader):
    """Reads every opcode by itself."""

    def run(self):
        return False

    def list_run(self):
        return False


def history(epochs, name="x-valid"):
    return {f"{name}@{epoch}": epoch / 7 for epoch in range(epochs)}


def make_value():
    shared = history(12, "é")
    return {
        "named": history(700),
        "numbered": {epoch: epoch / 3 for epoch in range(300)},
        "lists": [[0.1, 0.2], [], [1.5], [1, 2.5], [n / 3 for n in range(700)], ["x", 0.5]],
        "twice": [shared, shared, [*shared]],
        "one": {"a": 1.5},
        "whole": {"a": 1, "b": 2.5, 3: 4.5, 300: 0.5},
        "pairs": [(1, 2.5), (3, 4.5, 5, 6.5)],
        "long": {"x" * 255: 1.5, "x" * 256: 2.5},
    }


def read(content, kind, allowed=COLLECTIONS):
    with explained("data.pkl", "Get it again"):
        reader = kind(content, allowed)
        return reader.read(), reader.memo
    return None  # never reached: every complaint is raised


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_runs_mean_what_their_opcodes_mean(protocol):
    content = pickle.dumps(make_value(), protocol)
    value, memo = read(content, PickleReader)
    expected, expected_memo = read(content, OneByOne)
    assert value == expected == make_value()
    assert memo.keys() == expected_memo.keys()
    assert value["twice"][0] is value["twice"][1]


def test_damaged_runs_mean_what_their_opcodes_mean():
    content = pickle.dumps(make_value(), 4)
    generator = random.Random(0)
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        results = []
        for kind in (PickleReader, OneByOne):
            try:
                results.append(repr(read(bytes(damaged), kind)))
            except DataError:
                results.append("refused")
        assert results[0] == results[1]
        outcomes.add(results[0] == "refused")
    assert outcomes == {True, False}


@pytest.mark.parametrize("protocol", range(2, 6))
def test_ordered_dictionaries_sets_and_old_bytes(protocol):
    value = {"o": OrderedDict(a=1.5, b={}), "s": {1, "a"}, "e": set(), "b": b"\x00\xff"}
    content = pickle.dumps(value, protocol)
    back = safe_loads(content, "data.pkl", allowed=COLLECTIONS)
    assert back == value
    assert type(back["o"]) is dict
    with pytest.raises(DataError, match="not allowed"):
        safe_loads(content, "data.pkl")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numpy_numbers_of_every_protocol(protocol):
    content = pickle.dumps([np.float64(1.5), np.int32(7)], protocol)
    assert safe_loads(content, "data.pkl", allowed=COLLECTIONS) == [1.5, 7]


@pytest.mark.parametrize("kind", ["f4", "f8", ">f8", "i4", "u1", "?"])
@pytest.mark.parametrize("protocol", [3, 4])
def test_flat_arrays_are_lists(kind, protocol):
    array = np.array([0, 1, 5]).astype(kind)
    content = pickle.dumps([array, array, np.array([], kind)], protocol)
    one, other, empty = safe_loads(content, "data.pkl", allowed=NUMPY_ARRAYS)
    assert one == array.tolist()
    assert one is other
    assert empty == []
    with pytest.raises(DataError, match="_reconstruct', which is not allowed"):
        safe_loads(content, "data.pkl")


HEAD = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
FLOAT = b"cnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00<NNNJ"
FLOAT += b"\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


@pytest.mark.parametrize(
    ("state", "match"),
    [
        (b"(K\x01K\x02\x85" + FLOAT + b"\x89C\x08" + bytes(8) + b"tb", "another length"),
        (b"(K\x01J\xff\xff\xff\xff\x85" + FLOAT + b"\x89C\x08" + bytes(8) + b"tb", "another len"),
        (b"(K\x01K\x01\x85N\x89C\x08" + bytes(8) + b"tb", "neither a plain record"),
        (
            b"(K\x01K\x01K\x01\x86" + FLOAT + b"\x89C\x08" + bytes(8) + b"tb",
            "neither a plain record",
        ),
        (b"K\x01a", "not a list"),
        (
            b"(K\x01K\x01\x85" + FLOAT + b"\x89C\x08" + bytes(8) + b"tb" * 1 + b"}b",
            "a plain record",
        ),
    ],
)
def test_odd_arrays_are_refused(state, match):
    with pytest.raises(DataError, match=match):
        safe_loads(b"\x80\x03" + HEAD + state + b".", "data.pkl", allowed=NUMPY_ARRAYS)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8f(](K\x01e\x90.",  # a list in a set
        b"\x80\x04](K\x01\x90.",  # adds to a list
        b"\x80\x02cbuiltins\nset\n]K\x01a]a\x85R.",
        b"\x80\x02cbuiltins\nset\nK\x01\x85R.",
        b"\x80\x02cbuiltins\nset\n)R.",
        b"\x80\x02ccollections\nOrderedDict\n]\x85R.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R.",
        b"\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00\xe2\x82\xacX\x06\x00\x00\x00latin1\x86R.",
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        b"\x80\x02ccollections\nOrderedDict\n}b.",
    ],
    ids=range(10),
)
def test_other_uses_of_collections_are_refused(content):
    with pytest.raises(DataError, match=r"data\.pkl: (refused|damaged)"):
        safe_loads(content, "data.pkl", allowed=COLLECTIONS)

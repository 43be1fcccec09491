import pickle
import random
from collections import OrderedDict

import pytest

from nasrank.benchmarks.importers.pickle_stream import StreamReader
from nasrank.benchmarks.pickles import COLLECTIONS, explained, safe_loads
from nasrank.errors import DataError


def stream(content, on_dict=lambda _: None, at=0):
    with explained("big.pkl", "Get it again"):
        reader = StreamReader(content, COLLECTIONS, at, on_dict)
        return reader.read(), reader
    return None  # never reached: every complaint is raised


def history(epochs, name="x-valid"):
    return {f"{name}@{epoch}": epoch / 7 for epoch in range(epochs)}


def make_value():
    shared = history(30)
    names = [*history(300, "shared")]
    return {
        "runs": history(300),
        "numbered": {epoch: epoch / 3 for epoch in range(300)},
        "ordered": OrderedDict((epoch, 0.5) for epoch in range(20)),
        "twice": [shared, shared, names, dict.fromkeys(names, 1.5)],
        ("a", 7): {1, 2},
        "mixed": [1, None, True, 2**40, -5, "é", "x" * 300, {"": 1.5, "y" * 41: 2.5}, (1, (2.5,))],
    }


def test_a_value_comes_back_as_it_was():
    content = pickle.dumps(make_value(), 2)
    value, reader = stream(b"before" + content + b"behind", at=6)
    assert value == make_value()
    assert value["twice"][0] is value["twice"][1]
    assert reader.at == 6 + len(content)


def test_the_memo_holds_only_what_is_still_asked_for():
    _, reader = stream(pickle.dumps(make_value(), 2))
    # Each is forgotten when it is asked for the last time.
    assert reader.memo == reader.asked == {}
    content = pickle.dumps(make_value(), 2)
    reader = StreamReader(content, COLLECTIONS, 0, lambda _: None)
    # The shared dictionary, and 300 names out of a list; each once more than it is made.
    assert sorted(set(reader.asked.values())) == [1]
    assert len(reader.asked) == 301
    assert StreamReader(pickle.dumps([history(300)] * 1, 2), {}, 0, print).asked == {}


def test_dictionaries_are_shown_when_complete_and_may_be_emptied():
    records = {index: {"full": history(50), "less": {"a": 1}} for index in range(3)}
    seen = []

    def keep(content):
        if "full" in content:
            seen.append(content.pop("full"))
            content.clear()

    value, _ = stream(pickle.dumps(records, 2), keep)
    assert value == {0: {}, 1: {}, 2: {}}
    assert seen == [history(50)] * 3


@pytest.mark.parametrize("protocol", [4, 5])
def test_later_protocols_are_refused(protocol):
    with pytest.raises(DataError, match=r"big\.pkl: refused, opcode 0x9"):
        stream(pickle.dumps(make_value(), protocol))


def test_absurd_lengths_are_refused():
    with pytest.raises(DataError, match="more than 1 MiB"):
        stream(b"\x80\x02X\x01\x00\x10\x00" + b"x" * 2**20 + b"x.")
    with pytest.raises(DataError, match="more than 1 MiB"):
        stream(b"\x80\x02X\xff\xff\xff\xffab.")


def test_every_mutation_means_the_same_to_both_readers():
    content = pickle.dumps(make_value(), 2)
    generator = random.Random(0)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        damaged = bytes(damaged[: generator.choice([len(damaged), generator.randrange(9_000)])])
        results = []
        for read in (
            lambda content: safe_loads(content, "big.pkl", allowed=COLLECTIONS),
            lambda content: stream(content)[0],
        ):
            try:
                results.append(repr(read(damaged)))
            except DataError:
                results.append("refused")
        outcomes.add(results[0] == "refused")
        # The plain reader also refuses what follows the value.
        assert results[0] in ("refused", results[1])
    assert outcomes == {True, False}

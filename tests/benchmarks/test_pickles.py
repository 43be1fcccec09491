import copyreg
import os
import pickle
import random
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.benchmarks.pickles import NUMPY_NUMBERS, Record, safe_load, safe_loads
from nasrank.errors import DataError

RECORDS = {("animals.zoo", "Cat"): "record"}
PLAIN = (type(None), bool, int, float, str, bytes, list, tuple, dict, Record)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
keys = st.text(max_size=5) | st.integers(-9, 9) | st.tuples(st.integers(0, 4), st.integers(0, 4))
plain_data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


class Bomb:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def owned(tmp_path):
    """The file that a payload would make; it must never appear."""
    path = tmp_path / "owned"
    yield path
    assert not path.exists()


def attempt(content):
    """Return the value, or the one line that says why there is none."""
    try:
        return safe_loads(content, "data.pkl", allowed={**NUMPY_NUMBERS, **RECORDS}), ""
    except DataError as error:
        return None, str(error)


def refuse(content, match, **options):
    with pytest.raises(DataError, match=match) as caught:
        safe_loads(content, "data.pkl", **options)
    message = str(caught.value)
    assert message.startswith("data.pkl: ")
    assert "\n" not in message


@given(plain_data, st.integers(3, 5))
def test_plain_data_comes_back_as_it_was(value, protocol):
    assert safe_loads(pickle.dumps(value, protocol), "data.pkl") == value


def test_protocol_2_is_read_but_for_its_bytes():
    value = {"a": [1.5, -2, 2**40, "text", None, True], (1, 2): {}}
    assert safe_loads(pickle.dumps(value, 2), "data.pkl") == value
    refuse(pickle.dumps(b"x", 2), "_codecs.encode")  # bytes are a call there


def test_sharing_and_long_texts_survive():
    shared = [1.5, "x" * 70_000, b"y" * 70_000]
    for protocol in range(3, 6):
        first, second = safe_loads(pickle.dumps([shared, shared], protocol), "data.pkl")
        assert first == shared
        assert first is second


@pytest.mark.parametrize(
    "kind", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u8", ">f8", "?"]
)
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_numpy_numbers_become_python_numbers(kind, protocol):
    number = np.array([1.5]).astype(kind)[0]
    back = safe_loads(pickle.dumps({"a": [number, number]}, protocol), "data.pkl")["a"]
    assert back == [number.item()] * 2
    assert type(back[0]) is type(number.item())


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_of_numpys_module_names_are_read(module):
    content = (
        b"\x80\x02c" + module.encode() + b"\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01"
        b"\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"C\x08" + struct.pack("<d", 0.25) + b"\x86R."
    )
    assert safe_loads(content, "data.pkl") == 0.25


def make_cat(monkeypatch, **state):
    """Pickle an instance of a class of a module that this process then forgets."""
    module = types.ModuleType("animals.zoo")
    module.Cat = type("Cat", (), {"__module__": "animals.zoo"})
    cat = module.Cat()
    vars(cat).update(state)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "animals", types.ModuleType("animals"))
        patch.setitem(sys.modules, "animals.zoo", module)
        return pickle.dumps(cat)


def test_records_only_remember(monkeypatch):
    content = make_cat(monkeypatch, name="Tom", age=3)
    record = safe_loads(content, "data.pkl", allowed=RECORDS)
    assert record.cls == ("animals.zoo", "Cat")
    assert record.state == {"name": "Tom", "age": 3}
    assert "animals.zoo" not in sys.modules
    refuse(content, r"'animals\.zoo\.Cat', which is not allowed")


@pytest.mark.parametrize("protocol", range(6))
def test_a_payload_never_runs(owned, protocol):
    with pytest.raises(DataError):
        safe_loads(pickle.dumps({"a": Bomb(owned)}, protocol), "data.pkl")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_the_refused_name_is_told(owned, protocol):
    refuse(pickle.dumps(Bomb(owned), protocol), r"'(posix|nt)\.system', which is not allowed")


def hostile(command):
    """Hand-made pickles that reach for ``os.system`` by every road the format has."""
    text = command.encode()
    argument = b"X" + struct.pack("<I", len(text)) + text
    system = b"cos\nsystem\n"
    allowed = b"cnumpy\ndtype\n"
    cat = b"canimals.zoo\nCat\n"
    return {
        "reduce": b"\x80\x02" + system + b"(" + argument + b"tR.",
        "inst": b"\x80\x02(" + argument + b"ios\nsystem\n.",
        "obj": b"\x80\x02(" + system + argument + b"o.",
        "newobj": b"\x80\x02" + system + b"(" + argument + b"t\x81.",
        "newobj_ex": b"\x80\x04" + system + b"(" + argument + b"t}\x92.",
        "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93(" + argument + b"tR.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x09os.system\x93(" + argument + b"tR.",
        "persistent id": b"\x80\x02Pos.system\n.",
        "binary persistent id": b"\x80\x02" + argument + b"Q.",
        "next buffer": b"\x80\x05\x97.",
        "read-only buffer": b"\x80\x05" + argument + b"\x98.",
        "build on a global": b"\x80\x02" + allowed + b"}X\x01\x00\x00\x00aK\x01sb.",
        "record called": b"\x80\x02" + cat + b"(" + argument + b"tR.",
        "record made with arguments": b"\x80\x02" + cat + b"(" + argument + b"t\x81.",
        "record with slots": b"\x80\x02" + cat + b")\x81N}\x86b.",
        "record with odd attributes": b"\x80\x02" + cat + b")\x81}K\x01K\x02sb.",
        "dtype of a command": b"\x80\x02" + allowed + argument + b"K\x00K\x01\x87R.",
        "dtype of objects": b"\x80\x02" + allowed + b"X\x02\x00\x00\x00O8K\x00K\x01\x87R.",
        "dtype of fields": b"\x80\x02" + allowed + b"]K\x00K\x01\x87R.",
        "scalar without a type": b"\x80\x02cnumpy.core.multiarray\nscalar\nNC\x01a\x86R.",
        "array": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(" + argument + b"tR.",
        "getattr": b"\x80\x02cbuiltins\ngetattr\n(" + argument + b"tR.",
        "set": b"\x80\x04\x8f(" + argument + b"\x90.",
        "frozenset": b"\x80\x04(" + argument + b"\x91.",
        "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".",
    }


@pytest.mark.parametrize("road", sorted(hostile("")))
def test_no_road_leads_to_a_call(road, owned):
    allowed = {**NUMPY_NUMBERS, **RECORDS}
    refuse(hostile(f"touch {owned}")[road], "refused", allowed=allowed)


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"])
def test_the_extension_registry_is_no_way_in(opcode, owned):
    copyreg.add_extension("os", "system", 1)
    try:
        # Fills the registry's own cache, which an ordinary unpickler consults unasked.
        assert pickle.loads(b"\x80\x02\x82\x01.") is os.system  # noqa: S301
        text = f"touch {owned}".encode()
        call = b"\x80\x02" + opcode + b"(X" + struct.pack("<I", len(text)) + text + b"tR."
        refuse(call, "opcode 0x8[234] is not allowed")
    finally:
        copyreg.remove_extension("os", "system", 1)


@pytest.mark.parametrize("opcode", range(256))
def test_any_opcode_after_any_stack_is_read_or_refused(opcode, owned):
    before = b"\x80\x04(}\x94]\x94)\x94cnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01\x87K\x07"
    for tail in (b"", b".", b"\x01.", b"os\nsystem\n.", b"\x00" * 8 + b".", b"\xff" * 8 + b"."):
        value, message = attempt(before + bytes([opcode]) + tail)
        assert message or isinstance(value, PLAIN)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # the last memo slot of 2**31
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",  # 2**60 bytes announced
        b"\x80\x04\x8d" + struct.pack("<Q", 2**64 - 1) + b"x.",
        b"\x80\x02" + b")\x85" * 200_000 + b".",  # 200,000 tuples
        b"\x80\x02N" + b"\x85" * 200_000 + b".",  # nested in each other
        b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns.",  # as a key, so hashed
        b"\x80\x02}N" + b"q\x00h\x00\x86" * 60 + b"Ns.",  # a key of 2**60 leaves
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x02" + b"(" * 500_000 + b".",
        b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",  # an integer of 2,040 bits
        b"\x80\x02]" + b"q\x00h\x00a" * 2 + b".",  # a list inside itself
    ],
    ids=range(11),
)
def test_bombs_are_harmless(content):
    try:
        value = safe_loads(content, "data.pkl")
    except DataError:
        return
    assert isinstance(value, PLAIN)


def flat(value, seen=()):
    yield value
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        inner = value
    else:
        inner = value.state.values() if isinstance(value, Record) else ()
    for item in inner:
        if id(item) not in seen:
            yield from flat(item, (*seen, id(value)))


def test_mutations_give_plain_data_or_one_line(monkeypatch, owned):
    cells = {f"{i:06d}": {"val_acc": [90.5, 91.0 + i], "latency": [0.1, 0.1]} for i in range(9)}
    numbers = {i: {"perf": np.float64(i / 7), "para": 0.5} for i in range(300)}
    cat = make_cat(monkeypatch, architecture=(0, 1, 2), drift={"value": 9.5})
    generator = random.Random(0)
    outcomes = set()
    for content in (pickle.dumps(cells), pickle.dumps(numbers, 3), pickle.dumps(numbers, 4), cat):
        for _ in range(250):
            damaged = bytearray(content)
            for _ in range(generator.randint(1, 3)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            damaged = damaged[
                : generator.choice([len(damaged), generator.randrange(len(damaged))])
            ]
            value, message = attempt(bytes(damaged))
            assert message or all(isinstance(part, PLAIN) for part in flat(value))
            outcomes.add("refused" if message else "read")
    assert outcomes == {"refused", "read"}


def test_every_truncation_is_refused():
    content = pickle.dumps({"a": [1.5, 2.5], "b": "text"})
    for length in range(len(content)):
        refuse(content[:length], "it ends early")


def test_trailing_bytes_are_refused():
    refuse(pickle.dumps([1]) + b"x", "exactly one value")
    refuse(b"\x80\x02K\x01K\x02.", "exactly one value")


def test_hostile_names_cannot_write_to_the_terminal():
    with pytest.raises(DataError) as caught:
        safe_loads(b"\x80\x02c\x1b[2J" + b"x" * 5_000 + b"\nname\n.", "data.pkl")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_files_are_limited_and_errors_say_where(tmp_path):
    path = tmp_path / "big.pkl"
    path.write_bytes(pickle.dumps(list(range(2_000))))
    assert safe_load(path) == list(range(2_000))
    with pytest.raises(DataError, match=r"big\.pkl: larger than the 1,000 bytes expected"):
        safe_load(path, limit=1_000)
    with pytest.raises(DataError, match=r"none\.pkl: cannot be read \(No such file"):
        safe_load(Path(tmp_path / "none.pkl"))

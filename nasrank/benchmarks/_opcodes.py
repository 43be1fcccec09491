"""The opcodes of pickles of plain data; `nasrank.benchmarks.pickles` says what is allowed."""

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import chain, count
from mmap import mmap
from typing import ClassVar, Literal, NamedTuple, NoReturn

__all__ = ["PickleReader", "Record", "RefusedError", "Role", "decoded", "refuse"]

Role = Literal["dtype", "scalar", "reconstruct", "ndarray", "record", "ordered", "set", "encode"]
"""What an allowed global stands for: numpy's ``dtype``, ``scalar``, ``_reconstruct`` or
``ndarray``, a record class, ``OrderedDict``, ``set``, or the ``encode`` of old byte strings."""

_FORMATS = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
    "u8": "Q", "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip
_MOST_EQUAL_HASHES = 64
_KEYS = {str, int, float, bool, bytes, type(None)}


class Record:
    """Stands for an instance of a class that is never imported.

    Attributes:
        cls: Module and name of the class that the file names.
        state: The attributes the file stores for the instance, by name.
    """

    __slots__ = ("cls", "state")

    def __init__(self, cls: tuple[str, str]) -> None:
        self.cls = cls
        self.state: dict[str, object] = {}


class _Global(NamedTuple):
    name: tuple[str, str]
    role: Role


class _DType:
    """A numpy data type as far as one number needs it: a struct format, its order set later."""

    __slots__ = ("code", "format")

    def __init__(self, code: str) -> None:
        self.code = code
        self.format: struct.Struct | None = None


class _Array(list[object]):
    """The numbers of an array of one axis; a separate type, so that no other opcode extends it."""

    __slots__ = ()


class RefusedError(Exception):
    """Why a pickle is not read; `pickles.explained` makes a message of it."""


def refuse(reason: str) -> NoReturn:
    """Stop a `PickleReader`; `explained` makes a message of the reason."""
    raise RefusedError(reason)


# Histories of trainings are dictionaries of many numbers, and repeated trainings are lists of a
# few. Reading a whole stretch of them at once is some ten times faster than one opcode at a time,
# and has the same result.
_RUN = 256
_LIST = re.compile(rb"\x94\((?:G.{8}){1,%d}e" % _RUN, re.DOTALL)
_NUMBERED = re.compile(rb"(?:K.G.{8}){1,%d}+" % _RUN, re.DOTALL)


@cache
def _named(length: int) -> re.Pattern[bytes]:
    """Match a run of memoized short texts of one length, each followed by a number."""
    size = re.escape(bytes([length]))
    return re.compile(rb"(?:\x8c%s.{%d}\x94G.{8}){1,%d}+" % (size, length, _RUN), re.DOTALL)


@lru_cache(maxsize=256)
def decoded(names: tuple[bytes, ...]) -> tuple[str, ...]:
    """Decode texts, keeping those of the latest calls."""
    # The same names of epochs recur in every history.
    return tuple(name.decode("utf-8", "strict") for name in names)


@lru_cache(maxsize=1024)
def _layout(item: str, count: int) -> struct.Struct:
    return struct.Struct(">" + item * count)


class PickleReader:
    """Walks the opcodes of one pickle of protocol 2 or later."""

    steps: "ClassVar[Mapping[int, Callable[[PickleReader], None]]]"
    """What each opcode does; those missing are refused."""

    def __init__(
        self, data: bytes | mmap, allowed: Mapping[tuple[str, str], Role], at: int = 0
    ) -> None:
        """Start at a position of some data; ``allowed`` is as in `safe_loads`."""
        self.data = data
        self.at = at
        self.allowed = allowed
        self.stack: list[object] = []
        self.outer: list[list[object]] = []  # the stacks below each open mark
        self.memo: dict[int, object] = {}

    def read(self) -> object:
        """Read one value and stop after it, at ``at``."""
        data, size, steps = self.data, len(self.data), self.steps
        while self.at < size:
            opcode = data[self.at]
            self.at += 1
            if opcode == _STOP:
                break
            step = steps.get(opcode)
            if step is None:
                refuse(f"opcode 0x{opcode:02x} is not allowed in plain data")
            step(self)
        else:
            refuse("it ends early")
        if len(self.stack) != 1 or self.outer:
            refuse("it does not hold exactly one value")
        return self.stack[0]

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            refuse("it ends early")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def byte(self) -> int:
        at = self.at
        if at >= len(self.data):
            refuse("it ends early")
        self.at = at + 1
        return self.data[at]

    def number(self, count: int) -> int:
        if count == 1:
            return self.byte()
        return int.from_bytes(self.take(count), "little")

    def line(self) -> str:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            refuse("it ends early")
        return self.take(end + 1 - self.at)[:-1].decode("utf-8")

    def since_mark(self) -> list[object]:
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def protocol(self) -> None:
        if not 2 <= self.number(1) <= 5:
            refuse("its pickle protocol is unknown")

    def frame(self) -> None:
        self.take(8)  # a hint for buffered readers; all of the file is at hand

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []
        while self.run():
            pass

    def run(self) -> bool:
        """Read a run of dictionary items at once, if one starts here."""
        head = self.data[self.at : self.at + 2]
        if head[:1] == b"K":
            found = _NUMBERED.match(self.data, self.at)
            if found:
                run = _layout("xBxd", (found.end() - self.at) // 11)
                self.stack.extend(run.unpack_from(self.data, self.at))
        elif head[:1] == b"\x8c" and len(head) == 2:
            length = head[1]
            found = _named(length).match(self.data, self.at)
            if found:
                run = _layout(f"2x{length}s2xd", (found.end() - self.at) // (length + 12))
                items = list(run.unpack_from(self.data, self.at))
                names = items[::2] = decoded(tuple(items[::2]))
                self.memo.update(zip(count(len(self.memo)), names))
                self.stack.extend(items)
        else:
            found = None
        if not found:
            return False
        self.at = found.end()
        return True

    def empty_list(self) -> None:
        if not self.list_run():
            self.stack.append([])

    def list_run(self) -> bool:
        """Read a whole memoized list of numbers at once, if one starts here."""
        found = _LIST.match(self.data, self.at)
        if not found:
            return False
        numbers = _layout("xd", (found.end() - self.at - 3) // 9)
        items = [*numbers.unpack_from(self.data, self.at + 2)]
        self.memo[len(self.memo)] = items
        self.stack.append(items)
        self.at = found.end()
        return True

    def binfloat(self) -> None:
        self.stack.append(struct.unpack(">d", self.take(8))[0])

    def binint(self) -> None:
        self.stack.append(struct.unpack("<i", self.take(4))[0])

    def long1(self) -> None:
        count = self.number(1)
        if count > 8:
            refuse("it holds an integer of more than 64 bits")
        self.stack.append(int.from_bytes(self.take(count), "little", signed=True))

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def append(self) -> None:
        item = self.stack.pop()
        self.extend_list([item])

    def appends(self) -> None:
        self.extend_list(self.since_mark())

    def extend_list(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            refuse("it appends to something that is not a list")
        target.extend(items)

    def setitem(self) -> None:
        value = self.stack.pop()
        self.extend_dict([self.stack.pop(), value])

    def setitems(self) -> None:
        self.extend_dict(self.since_mark())

    def extend_dict(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            refuse("it sets items of something that is not a dictionary")
        keys = items[::2]
        for kind in {*map(type, keys)} - _KEYS:
            # Flat keys only: hashing a nested tuple can recurse without bound.
            if kind is not tuple or not all(
                {*map(type, key)} <= _KEYS for key in keys if isinstance(key, tuple)
            ):
                refuse("it has a dictionary key that is not a number, text or flat tuple")
            # Tuples of -1 and -2 have equal hashes, and n keys of one hash take n squared steps.
            if max(Counter(map(hash, keys)).values()) > _MOST_EQUAL_HASHES:
                refuse("its dictionary keys were made to collide")
        target.update(zip(keys, items[1::2], strict=True))

    def empty_set(self) -> None:
        if "set" not in self.allowed.values():
            refuse("opcode 0x8f is not allowed in plain data")
        self.stack.append(set())

    def add_items(self) -> None:
        if "set" not in self.allowed.values():
            refuse("opcode 0x90 is not allowed in plain data")
        items = self.since_mark()
        target = self.stack[-1]
        if type(target) is not set:
            refuse("it adds to something that is not a set")
        target.update(self.flat(items))

    @staticmethod
    def flat(items: list[object]) -> Iterator[object]:
        for item in items:
            if type(item) not in _KEYS:
                refuse("it has a set of things that are not numbers or texts")
            yield item

    def tuple_of_mark(self) -> None:
        items = tuple(self.since_mark())
        self.stack.append(items)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            refuse("its stack runs empty")
        items = tuple(self.stack[-count:])
        self.stack[-count:] = [items]

    def global_line(self) -> None:
        self.push_global(self.line(), self.line())

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_global(module, name)

    def push_global(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            refuse("it names a global by something that is not text")
        role = self.allowed.get((module, name))
        if role is None:
            # The ascii form keeps control characters of a hostile file off the user's terminal.
            refuse(f"it asks for {f'{module}.{name}'[:80]!a}, which is not allowed")
        self.stack.append(_Global((module, name), role))

    def reduce(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        role = target.role if isinstance(target, _Global) else None
        match role, arguments:
            case "dtype", (str(code), _, _) if code in _FORMATS:
                self.stack.append(_DType(code))
            case "scalar", (_DType(format=struct.Struct() as layout), bytes(raw)):
                self.stack.append(layout.unpack(raw)[0])
            case "reconstruct", (_Global(role="ndarray"), (0,), b"b"):
                self.stack.append(_Array())
            case "ordered", ():
                self.stack.append({})
            case "set", (list(items),):
                self.stack.append({*self.flat(items)})
            case "encode", (str(text), "latin1"):
                self.stack.append(text.encode("latin1"))
            case _:
                refuse("it calls something that is not a plain numpy number")

    def newobj(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if not (isinstance(target, _Global) and target.role == "record" and arguments == ()):
            refuse("it makes an object that is not a known record")
        self.stack.append(Record(target.name))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        match target, state:
            case Record(), dict() if all(type(key) is str for key in state):
                target.state.update(state)
            case _DType(code=code), (3, str(order), None, None, None, -1, -1, 0) if order in (
                "<",
                ">",
            ) or (order == "|" and code[1] == "1"):
                target.format = struct.Struct(order.replace("|", "<") + _FORMATS[code])
            case _Array(), (
                1,
                (int(size),),
                _DType(format=struct.Struct() as layout),
                _,
                bytes(raw),
            ):
                if target or size * layout.size != len(raw):
                    refuse("it holds an array of another length than declared")
                target.extend(chain.from_iterable(layout.iter_unpack(raw)))
            case _:
                refuse("it sets a state that is neither a plain record nor a plain numpy type")


_STOP = ord(".")


def _push(make: Callable[[], object]) -> Callable[[PickleReader], None]:
    return lambda reader: reader.stack.append(make())


def _unsigned(width: int) -> Callable[[PickleReader], None]:
    return lambda reader: reader.stack.append(reader.number(width))


def _text(width: int) -> Callable[[PickleReader], None]:
    return lambda reader: reader.stack.append(
        reader.take(reader.number(width)).decode("utf-8", "strict")
    )


def _bytes(width: int) -> Callable[[PickleReader], None]:
    return lambda reader: reader.stack.append(reader.take(reader.number(width)))


def _get(width: int) -> Callable[[PickleReader], None]:
    return lambda reader: reader.stack.append(reader.memo[reader.number(width)])


def _put(width: int) -> Callable[[PickleReader], None]:
    return lambda reader: reader.memo.__setitem__(reader.number(width), reader.stack[-1])


PickleReader.steps = {
    0x80: PickleReader.protocol,
    0x95: PickleReader.frame,
    ord("("): PickleReader.mark,
    ord("N"): _push(lambda: None),
    0x88: _push(lambda: True),
    0x89: _push(lambda: False),
    ord("}"): _push(dict),
    ord("]"): PickleReader.empty_list,
    ord(")"): _push(tuple),
    ord("K"): _unsigned(1),
    ord("M"): _unsigned(2),
    ord("J"): PickleReader.binint,
    0x8A: PickleReader.long1,
    ord("G"): PickleReader.binfloat,
    0x8C: _text(1),
    ord("X"): _text(4),
    0x8D: _text(8),
    ord("C"): _bytes(1),
    ord("B"): _bytes(4),
    0x8E: _bytes(8),
    ord("h"): _get(1),
    ord("j"): _get(4),
    ord("q"): _put(1),
    ord("r"): _put(4),
    0x94: PickleReader.memoize,
    ord("a"): PickleReader.append,
    ord("e"): PickleReader.appends,
    ord("s"): PickleReader.setitem,
    ord("u"): PickleReader.setitems,
    ord("t"): PickleReader.tuple_of_mark,
    0x85: lambda reader: reader.tuple_of(1),
    0x86: lambda reader: reader.tuple_of(2),
    0x87: lambda reader: reader.tuple_of(3),
    ord("c"): PickleReader.global_line,
    0x93: PickleReader.stack_global,
    ord("R"): PickleReader.reduce,
    0x81: PickleReader.newobj,
    0x8F: PickleReader.empty_set,
    0x90: PickleReader.add_items,
    ord("b"): PickleReader.build,
}

"""Reads pickles of plain data without ever executing them.

Benchmark files of this field are pickles from shared drives, and a pickle is a program: its
opcodes may import and call anything. This module does not run that program. It walks the
opcodes itself and knows only those that make numbers, text and containers, numpy's scalar
numbers, and records of classes the caller names, which become inert `Record` objects. Nothing
is imported, nothing named in the file is called, and every other opcode or name is refused.

The standard library's unpickler with a restricted ``find_class`` is not enough here: the
extension registry bypasses that method, one damaged memo index makes it allocate gigabytes, and
a tuple nested by reference makes hashing a key take exponential time.
"""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from nasrank.errors import DataError

__all__ = [
    "NUMPY_NUMBERS",
    "SIZE_LIMIT",
    "Record",
    "Role",
    "read_limited",
    "safe_load",
    "safe_loads",
]

Role = Literal["dtype", "scalar", "record"]
"""What an allowed global stands for: numpy's ``dtype``, numpy's ``scalar``, or a record class."""

SIZE_LIMIT = 16 * 2**20
"""Largest file that is read, in bytes; the benchmarks' own files are below 6 MB."""

NUMPY_NUMBERS: Mapping[tuple[str, str], Role] = {
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "scalar"): "scalar",  # written by numpy 1
    ("numpy._core.multiarray", "scalar"): "scalar",  # written by numpy 2
}
"""The globals that numpy's scalar numbers need; they become plain Python numbers."""

_FORMATS = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
    "u8": "Q", "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip
_SCALARS = (str, int, float, bytes, type(None))


class Record:
    """Stands for an instance of a class that is never imported.

    Attributes:
        cls: Module and name of the class the file speaks of.
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


class _RefusedError(Exception):
    """Why a pickle is not read; becomes a `DataError` that also says where."""


def _refuse(reason: str) -> NoReturn:
    raise _RefusedError(reason)


class _Reader:
    """Walks the opcodes of one pickle of protocol 2 or later."""

    def __init__(self, data: bytes, allowed: Mapping[tuple[str, str], Role]) -> None:
        self.data = data
        self.at = 0
        self.allowed = allowed
        self.stack: list[object] = []
        self.outer: list[list[object]] = []  # the stacks below each open mark
        self.memo: dict[int, object] = {}

    def read(self) -> object:
        data, size, steps = self.data, len(self.data), _STEPS
        while self.at < size:
            opcode = data[self.at]
            self.at += 1
            if opcode == _STOP:
                break
            step = steps.get(opcode)
            if step is None:
                _refuse(f"opcode 0x{opcode:02x} is not allowed in plain data")
            step(self)
        else:
            _refuse("it ends early")
        if self.at != size or len(self.stack) != 1 or self.outer:
            _refuse("it does not hold exactly one value")
        return self.stack[0]

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            _refuse("it ends early")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def line(self) -> str:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            _refuse("it ends early")
        return self.take(end + 1 - self.at)[:-1].decode("utf-8")

    def since_mark(self) -> list[object]:
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def protocol(self) -> None:
        if not 2 <= self.number(1) <= 5:
            _refuse("its pickle protocol is unknown")

    def frame(self) -> None:
        self.take(8)  # a hint for buffered readers; all of the file is at hand

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def binfloat(self) -> None:
        self.stack.append(struct.unpack(">d", self.take(8))[0])

    def binint(self) -> None:
        self.stack.append(struct.unpack("<i", self.take(4))[0])

    def long1(self) -> None:
        count = self.number(1)
        if count > 8:
            _refuse("it holds an integer of more than 64 bits")
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
            _refuse("it appends to something that is no list")
        target.extend(items)

    def setitem(self) -> None:
        value = self.stack.pop()
        self.extend_dict([self.stack.pop(), value])

    def setitems(self) -> None:
        self.extend_dict(self.since_mark())

    def extend_dict(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            _refuse("it sets items of something that is no dictionary")
        for key in items[::2]:
            # Flat keys only: hashing a nested tuple can recurse without bound.
            parts = key if type(key) is tuple else (key,)
            if not all(isinstance(part, _SCALARS) for part in parts):
                _refuse("it has a dictionary key that is no number, text or flat tuple")
        target.update(zip(items[::2], items[1::2], strict=True))

    def tuple_of_mark(self) -> None:
        items = tuple(self.since_mark())
        self.stack.append(items)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            _refuse("its stack runs empty")
        items = tuple(self.stack[-count:])
        self.stack[-count:] = [items]

    def global_line(self) -> None:
        self.push_global(self.line(), self.line())

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_global(module, name)

    def push_global(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            _refuse("it names a global by something that is no text")
        role = self.allowed.get((module, name))
        if role is None:
            # The ascii form keeps control characters of a hostile file off the user's terminal.
            _refuse(f"it asks for {f'{module}.{name}'[:80]!a}, which is not allowed")
        self.stack.append(_Global((module, name), role))

    def reduce(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        role = target.role if isinstance(target, _Global) else None
        match role, arguments:
            case "dtype", (str(code), _, _) if code in _FORMATS:
                self.stack.append(_DType(code))
            case "scalar", (_DType(format=struct.Struct() as layout), bytes(raw)):
                self.stack.append(layout.unpack(raw)[0])
            case _:
                _refuse("it calls something that is no plain numpy number")

    def newobj(self) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if not (isinstance(target, _Global) and target.role == "record" and arguments == ()):
            _refuse("it makes an object that is no known record")
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
            case _:
                _refuse("it sets a state that is no plain record and no plain numpy type")


_STOP = ord(".")


def _push(make: Callable[[], object]) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(make())


def _unsigned(width: int) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(reader.number(width))


def _text(width: int) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(
        reader.take(reader.number(width)).decode("utf-8", "strict")
    )


def _bytes(width: int) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(reader.take(reader.number(width)))


def _get(width: int) -> Callable[[_Reader], None]:
    return lambda reader: reader.stack.append(reader.memo[reader.number(width)])


def _put(width: int) -> Callable[[_Reader], None]:
    return lambda reader: reader.memo.__setitem__(reader.number(width), reader.stack[-1])


_STEPS: dict[int, Callable[[_Reader], None]] = {
    0x80: _Reader.protocol,
    0x95: _Reader.frame,
    ord("("): _Reader.mark,
    ord("N"): _push(lambda: None),
    0x88: _push(lambda: True),
    0x89: _push(lambda: False),
    ord("}"): _push(dict),
    ord("]"): _push(list),
    ord(")"): _push(tuple),
    ord("K"): _unsigned(1),
    ord("M"): _unsigned(2),
    ord("J"): _Reader.binint,
    0x8A: _Reader.long1,
    ord("G"): _Reader.binfloat,
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
    0x94: _Reader.memoize,
    ord("a"): _Reader.append,
    ord("e"): _Reader.appends,
    ord("s"): _Reader.setitem,
    ord("u"): _Reader.setitems,
    ord("t"): _Reader.tuple_of_mark,
    0x85: lambda reader: reader.tuple_of(1),
    0x86: lambda reader: reader.tuple_of(2),
    0x87: lambda reader: reader.tuple_of(3),
    ord("c"): _Reader.global_line,
    0x93: _Reader.stack_global,
    ord("R"): _Reader.reduce,
    0x81: _Reader.newobj,
    ord("b"): _Reader.build,
}


def safe_loads(
    content: bytes,
    where: str,
    *,
    allowed: Mapping[tuple[str, str], Role] = NUMPY_NUMBERS,
    advice: str = "Get the file again from its origin.",
) -> object:
    """Read one pickled value of plain data; nothing in it is imported, called or executed.

    Args:
        content: The pickle, protocol 3 to 5, or 2 where it holds no bytes.
        where: What the error message calls the file.
        allowed: The globals that may occur, by exact module and name, and their role.
        advice: The end of an error message: what to do, with a command where there is one.

    Returns:
        ``None``, bool, int, float, str, bytes, or list, tuple, dict of such, or `Record`.
        Numbers of numpy come back as plain Python numbers.

    Raises:
        DataError: The pickle is truncated, damaged, or asks for anything not allowed. The
            message is one line.

    Example:
        >>> import pickle
        >>> safe_loads(pickle.dumps({"val_acc": [91.5, 90.25]}), "cells.pkl")
        {'val_acc': [91.5, 90.25]}
        >>> safe_loads(pickle.dumps(print), "cells.pkl", advice="Do not use it.")
        Traceback (most recent call last):
            ...
        nasrank.errors.DataError: cells.pkl: refused, it asks for 'builtins.print', which is not \
allowed. Do not use it.
    """
    try:
        return _Reader(content, allowed).read()
    except _RefusedError as refusal:
        raise DataError(f"{where}: refused, {refusal}. {advice}") from None
    except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise DataError(
            f"{where}: damaged, not a readable pickle ({type(error).__name__}). {advice}"
        ) from error
    except (MemoryError, RecursionError) as error:
        raise DataError(f"{where}: too large or too deeply nested to read. {advice}") from error


def safe_load(
    path: Path,
    *,
    allowed: Mapping[tuple[str, str], Role] = NUMPY_NUMBERS,
    limit: int = SIZE_LIMIT,
    advice: str = "Get the file again from its origin.",
) -> object:
    """Read a file with `safe_loads`, unless it is larger than ``limit`` bytes.

    Args:
        path: The file.
        allowed: As in `safe_loads`.
        limit: Largest size that is read, in bytes.
        advice: As in `safe_loads`.

    Returns:
        As `safe_loads`.

    Raises:
        DataError: As `safe_loads`, and where the file cannot be read or is too large.
    """
    content = read_limited(path, limit=limit, advice=advice)
    return safe_loads(content, str(path), allowed=allowed, advice=advice)


def read_limited(path: Path, *, limit: int = SIZE_LIMIT, advice: str = "") -> bytes:
    """Read a whole file, unless it is larger than ``limit`` bytes.

    Args:
        path: The file.
        limit: Largest size that is read, in bytes.
        advice: The end of the error message.

    Returns:
        The file's bytes.

    Raises:
        DataError: The file is missing, unreadable, or too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {advice}".rstrip()) from error
    if len(content) > limit:
        raise DataError(f"{path}: larger than the {limit:,} bytes expected. {advice}".rstrip())
    return content

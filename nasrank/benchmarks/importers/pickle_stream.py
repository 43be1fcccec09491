"""Reads a pickle of gigabytes with little memory, keeping only the wanted part of each record.

Each record of a pickled dictionary of records is passed on when it is complete and may then be
emptied. The obstacle is the memo, in which the pickle's writer numbers every object in case it is
referenced again. So the pickle is walked twice: first to count how often each number is
referenced, then to read it with a memo that holds just those, each until its last reference.
"""

import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from mmap import mmap

from nasrank.benchmarks._opcodes import PickleReader, Role, decoded, refuse

__all__ = ["StreamReader"]

_LONGEST = 2**20
_NAME = 40  # longest name in a run

_TEXTS = b"|".join(
    re.escape(struct.pack("<I", length)) + b".{%d}" % length
    # Names of epochs, such as x-valid@100, have these lengths; trying them first is faster.
    for length in (*range(9, 13), *range(9), *range(13, _NAME + 1))
)
_PLAIN = re.compile(
    rb"(?:G.{8}|K.|X(?:" + _TEXTS + rb")|q.|r.{4}|[NRabestu()}\]\x81\x85-\x89]|M..|J.{4}|\x80.)++",
    re.DOTALL,
)
"""Opcodes that do not read the memo, with their arguments."""
_WIDTHS = {ord("h"): 1, ord("j"): 4}
_LENGTHS = {ord("X"): 4, 0x8A: 1, ord("C"): 1, ord("B"): 4}
_RUN = 256


@lru_cache(maxsize=2 * _NAME + 2)
def _named(length: int, wide: bool) -> re.Pattern[bytes]:
    """Match a run of numbered texts of one length, each followed by a number."""
    head = re.escape(b"X" + struct.pack("<I", length))
    put = b"r.{4}" if wide else b"q."
    return re.compile(rb"(?:%s.{%d}%sG.{8}){1,%d}+" % (head, length, put, _RUN), re.DOTALL)


@lru_cache(maxsize=1024)
def _layout(item: str, count: int) -> struct.Struct:
    return struct.Struct(">" + item * count)


class StreamReader(PickleReader):
    """Reads one value of protocol 2, with a callback for each dictionary in it."""

    def __init__(
        self,
        data: bytes | mmap,
        allowed: Mapping[tuple[str, str], Role],
        at: int,
        on_dict: Callable[[dict[object, object]], None],
    ) -> None:
        """Walk the value once, to count references to its memo.

        Args:
            data: The file, mapped.
            allowed: As in `safe_loads`.
            at: Where the value starts.
            on_dict: Called with every dictionary whenever items were added to it; it may empty
                the dictionary.
        """
        super().__init__(data, allowed, at)
        self.on_dict = on_dict
        self.asked = _references(data, at)

    def take(self, count: int) -> bytes:
        """Take some bytes, within a limit."""
        if count > _LONGEST:
            refuse("it holds a text of more than 1 MiB")
        return super().take(count)

    def put(self, width: int) -> None:
        """Memoize the value on top, if it is referenced."""
        number = self.number(width)
        if number in self.asked:
            self.memo[number] = self.stack[-1]

    def get(self, width: int) -> None:
        """Push a memoized value, and forget it after its last reference."""
        number = self.number(width)
        self.stack.append(self.memo[number])
        self.asked[number] -= 1
        if not self.asked[number]:
            del self.memo[number], self.asked[number]

    def extend_dict(self, items: list[object]) -> None:
        """Add items to the dictionary on top and pass it to the callback."""
        super().extend_dict(items)
        target = self.stack[-1]
        if isinstance(target, dict):
            self.on_dict(target)

    def run(self) -> bool:
        """Read a run of dictionary items at once, if one starts here."""
        head = self.data[self.at : self.at + 5]
        if head[:1] == b"K":
            return super().run()
        if head[:1] != b"X" or len(head) < 5:
            return False
        length = int.from_bytes(head[1:], "little")
        behind = self.at + 5 + length
        if length > _NAME or behind >= len(self.data):
            return False
        wide = self.data[behind] == ord("r")
        found = _named(length, wide).match(self.data, self.at)
        if not found:
            return False
        size = length + (19 if wide else 16)
        run = _layout(f"5x{length}sx{'4s' if wide else 'B'}xd", (found.end() - self.at) // size)
        items = run.unpack_from(self.data, self.at)
        names = decoded(items[::3])
        numbers = items[1::3]
        if wide:
            numbers = struct.unpack(f"<{len(numbers)}I", b"".join(numbers))
        if not self.asked.keys().isdisjoint(numbers):
            for number, name in zip(numbers, names, strict=True):
                if number in self.asked:
                    self.memo[number] = name
        flat: list[object] = [None] * (2 * len(names))
        flat[::2], flat[1::2] = names, items[2::3]
        self.stack.extend(flat)
        self.at = found.end()
        return True


def _references(data: bytes | mmap, at: int) -> dict[int, int]:
    """Count references to the memo, by number; an unreadable opcode ends the walk."""
    asked: dict[int, int] = {}
    size = len(data)
    while at < size:
        plain = _PLAIN.match(data, at)
        if plain:
            at = plain.end()
            continue
        opcode = data[at]
        if width := _WIDTHS.get(opcode):
            number = int.from_bytes(data[at + 1 : at + 1 + width], "little")
            asked[number] = asked.get(number, 0) + 1
            at += 1 + width
        elif width := _LENGTHS.get(opcode):
            at += 1 + width + int.from_bytes(data[at + 1 : at + 1 + width], "little")
        elif opcode == ord("c"):
            for _ in range(2):
                at = data.find(b"\n", at) + 1 or size
        else:
            break
    return asked


def _put(width: int) -> Callable[[PickleReader], None]:
    def step(reader: PickleReader) -> None:
        if isinstance(reader, StreamReader):
            reader.put(width)

    return step


def _get(width: int) -> Callable[[PickleReader], None]:
    def step(reader: PickleReader) -> None:
        if isinstance(reader, StreamReader):
            reader.get(width)

    return step


# Later protocols number what they memoize by counting, which a partial memo cannot follow.
StreamReader.steps = {
    **{code: step for code, step in PickleReader.steps.items() if code not in {0x94, 0x95}},
    ord("h"): _get(1),
    ord("j"): _get(4),
    ord("q"): _put(1),
    ord("r"): _put(4),
}

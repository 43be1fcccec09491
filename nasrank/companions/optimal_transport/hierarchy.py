"""Label trees: which classes belong together, and how far apart two of them are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.errors import DataError, UsageError
from nasrank.limits import reading, require_regular

__all__ = ["Hierarchy", "hierarchy_of_columns", "parse_hierarchy", "read_hierarchy"]

_MOST_BYTES = 10_000_000


@dataclass(frozen=True)
class Hierarchy:
    """A tree whose leaves are the classes of a data set.

    Attributes:
        name: What people call it.
        paths: For each class, in the order of its number, the names from the child of the root
            down to the class itself.

    Raises:
        UsageError: All classes are equally far apart, so that there is nothing to keep.
    """

    name: str
    paths: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Refuse a tree without any structure."""
        if len(self.paths) > 1 and np.ptp(self.pair_distances()) == 0:
            raise UsageError(
                f"tree {self.name}: all {len(self.paths)} classes are equally far apart, so there "
                "is no hierarchy to keep. Group at least two of three or more classes"
            )

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def levels(self) -> int:
        """Levels below the root, the classes' own included."""
        return max(len(path) for path in self.paths)

    @cached_property
    def distances(self) -> Float64[np.ndarray, "classes classes"]:
        """Edges on the way from class to class.

        Example:
            >>> tree = Hierarchy("t", (("a", "x"), ("a", "y"), ("b", "z")))
            >>> tree.distances.astype(int).tolist()
            [[0, 2, 4], [2, 0, 4], [4, 4, 0]]
        """
        count = len(self.paths)
        result = np.zeros((count, count))
        for i in range(count):
            for j in range(i):
                shared = _shared(self.paths[i], self.paths[j])
                result[i, j] = len(self.paths[i]) + len(self.paths[j]) - 2 * shared
        return result + result.T

    def pair_distances(self) -> Float64[np.ndarray, "pairs"]:
        """The distances of unordered pairs, in row order."""
        return self.distances[np.triu_indices(len(self.paths), 1)]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the coarsest groups, in the order in which classes mention them."""
        return tuple(dict.fromkeys(path[0] for path in self.paths))

    @cached_property
    def group_of(self) -> Int64[np.ndarray, "classes"]:
        """Number of the coarsest group of each class."""
        numbers = {name: number for number, name in enumerate(self.groups)}
        return np.array([numbers[path[0]] for path in self.paths], np.int64)

    def unseen(self) -> Int64[np.ndarray, "unseen"]:
        """Classes to hold out of training: of each coarsest group the first two, at most half.

        Returns:
            Their numbers, in order; empty where no group has two classes.
        """
        chosen: list[int] = []
        for group in range(len(self.groups)):
            own = np.flatnonzero(self.group_of == group)
            chosen += own[: min(2, len(own) // 2)].tolist()
        return np.array(sorted(chosen), np.int64)

    def of(self, classes: Int64[np.ndarray, "classes"]) -> Hierarchy | None:
        """Return the tree of some classes only; None where nothing is left to keep."""
        paths = tuple(self.paths[number] for number in classes)
        try:
            return Hierarchy(self.name, paths) if len(paths) > 2 else None
        except UsageError:
            return None


def parse_hierarchy(text: str, name: str, class_names: Sequence[str]) -> Hierarchy:
    r"""Read a tree of classes.

    Two forms: lines ``group: child, child``, where a child is a class or another group and lines
    that start with ``#`` are comments; or JSON, where an object's keys are groups, and what
    stands behind them is a list of children or another object. Either way a group may be
    mentioned before its children are, and leaves that are no class of the data do not matter.

    Args:
        text: The tree.
        name: Where it comes from, for errors.
        class_names: Classes of the data.

    Raises:
        DataError: It cannot be read, has a circle, or lacks a class; or a child has two parents.
        UsageError: All classes are equally far apart.

    Example:
        >>> tree = parse_hierarchy("pets: cat, dog\nfarm: cow", "t", ("cow", "cat", "dog"))
        >>> tree.paths
        (('farm', 'cow'), ('pets', 'cat'), ('pets', 'dog'))
    """
    edges = _edges_of_json(text, name) if text.lstrip()[:1] in {"{", "["} else _edges(text, name)
    parent: dict[str, str] = {}
    for above, child in edges:
        if parent.setdefault(child, above) != above:
            raise DataError(
                f"{name}: {child!r} is below {parent[child]!r} and below {above!r}. Leave one"
            )
    groups = set(parent.values())
    paths = []
    for each in class_names:
        if each in groups:
            raise DataError(f"{name}: class {each!r} has children. Rename that group")
        if each not in parent:
            raise DataError(
                f"{name}: class {each!r} is not in the tree. Add a line such as 'GROUP: {each}'"
            )
    for each in (*parent, *class_names):
        path = [each]
        while path[-1] in parent:
            path.append(parent[path[-1]])
            if path[-1] in path[:-1]:
                circle = " > ".join(reversed(path[path.index(path[-1]) :]))
                raise DataError(
                    f"{name}: the tree has a circle: {circle}. Remove one of its lines"
                )
        paths.append(tuple(reversed(path)))
    return Hierarchy(name, tuple(paths[len(parent) :]))


def read_hierarchy(path: Path, class_names: Sequence[str]) -> Hierarchy:
    """Read a tree from a file; see `parse_hierarchy`.

    Raises:
        DataError: See there; or the file cannot be read.
        UsageError: All classes are equally far apart.
    """
    require_regular(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than 10 MB, which no tree of classes is")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Give --tree an existing file") from error
    except ValueError as error:
        raise DataError(f"{path}: not a text file. Write lines like 'group: child'") from error
    with reading(path):
        return parse_hierarchy(text, path.name, class_names)


def hierarchy_of_columns(
    name: str, columns: Mapping[str, Sequence[str]], class_names: Sequence[str]
) -> Hierarchy:
    """Make a tree of label columns.

    Args:
        name: Where they come from, for errors.
        columns: At least two columns of one text a sample, by name, from the classes up to the
            coarsest groups.
        class_names: Classes of the data.

    Raises:
        DataError: Samples of one class or group belong to different groups above it.
        UsageError: All classes are equally far apart.
    """
    names = list(columns)
    paths: dict[str, tuple[str, ...]] = {}
    above: dict[tuple[int, str], str] = {}
    for row in zip(*columns.values(), strict=True):
        for level, (child, group) in enumerate(pairwise(row)):
            known = above.setdefault((level, child), group)
            if known != group:
                raise DataError(
                    f"{name}: {names[level]} {child!r} is in {names[level + 1]} {known!r} and in "
                    f"{group!r}. Every one needs one group"
                )
        paths[row[0]] = tuple(reversed(row))
    return Hierarchy(name, tuple(paths[each] for each in class_names))


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    # The leaves are never shared, however they are called.
    for one, other in zip(first[:-1], second[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count


def _edges(text: str, name: str) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        group, colon, children = line.partition(":")
        found = [child.strip() for child in children.split(",")]
        if not colon or not group.strip() or not all(found):
            raise DataError(
                f"{name}, line {number}: cannot read {line.strip()[:60]!r}. Write it like "
                "'group: child, child'"
            )
        yield from ((group.strip(), child) for child in found)


def _edges_of_json(text: str, name: str) -> Iterable[tuple[str, str]]:
    try:
        # Objects become lists of pairs, so that a key given twice is not lost.
        document = json.loads(text, object_pairs_hook=_Pairs)
        return list(_pairs(document, None, name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON of groups and children ({error})") from error


class _Pairs(list[tuple[str, object]]):
    """The keys and values of a JSON object."""


def _pairs(node: object, above: str | None, name: str) -> Iterable[tuple[str, str]]:
    if isinstance(node, _Pairs):
        for group, inside in node:
            if above is not None:
                yield above, group
            yield from _pairs(inside, group, name)
    elif isinstance(node, list) and above is not None:
        for child in node:
            if isinstance(child, _Pairs):
                yield from _pairs(child, above, name)
            elif isinstance(child, str | int):
                yield above, str(child)
            else:
                raise DataError(f"{name}: below {above!r} stands {child!r}, which is not a name")
    else:
        raise DataError(
            f"{name}: {str(node)[:40]!r} where an object of groups or a list of children should "
            'be. Write {"group": ["child", "child"]}'
        )

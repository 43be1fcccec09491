"""Names for things: one registry class for losses, predictors, spaces and studies.

A registry maps a short name to an object. The object may be registered as the text
``module:attribute``, which is imported when the name is first asked for, so that listing
names (as ``--help`` does) costs nothing. A registry may also take the user's own code by its
location, see `nasrank.own`.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from operator import attrgetter
from typing import Generic, TypeVar, cast, overload

from nasrank.errors import UsageError
from nasrank.own import is_location, load
from nasrank.own import version as version_of

__all__ = ["Registry", "unknown_name"]

T = TypeVar("T")
F = TypeVar("F")

# Brackets, commas, equals signs and blanks are the grammar around names and stay out of them.
NAME = re.compile(r"[a-z0-9][a-z0-9+_./:-]*")
TARGET = re.compile(r"[\w.]+:[\w.]+")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not registered.

    Args:
        kind: The kind of thing that was named, in the singular.
        name: What was asked for.
        known: What could have been asked for.

    Returns:
        An error of one line: the name, a similar known one if there is any, all known ones.

    Example:
        >>> print(unknown_name("loss", "listmel", ["mse", "listmle"]))
        unknown loss 'listmel'. Did you mean 'listmle'? Known: mse, listmle.
    """
    names = list(known)
    near = difflib.get_close_matches(name.strip().lower(), names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UsageError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


class Registry(Generic[T]):
    """Named objects of one kind, in the order of their registration.

    Args:
        kind: What is registered, in the singular; error messages use it.
        group: The entry-point group in which other packages announce objects of this kind.
            It is read only when a name is not found, so that this package's own names never
            wait for it; until then such objects are not listed.
        adapter: ``module:function`` that turns an object of somebody else, and its name, into
            one of this kind. With it names may also be locations: ``./mine.py:my_loss``.

    Example:
        >>> metals: Registry[str] = Registry("metal")
        >>> metals.register("iron")("Fe")
        'Fe'
        >>> metals.register("digits", target="string:digits")  # imported on first use
        >>> metals["iron"], metals["digits"], "gold" in metals, list(metals)
        ('Fe', '0123456789', False, ['iron', 'digits'])
    """

    def __init__(self, kind: str, *, group: str | None = None, adapter: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self.adapter = adapter
        self._adapted: dict[str, tuple[object, T]] = {}
        self._objects: dict[str, T] = {}
        # Every name in order, with the origin of its object.
        self._origins: dict[str, str] = {}
        self._group_was_read = group is None
        self._of_others: set[str] = set()

    @property
    def plural(self) -> str:
        """What is registered, in the plural; also the command that lists it."""
        return f"{self.kind}es" if self.kind.endswith("s") else f"{self.kind}s"

    @overload
    def register(self, name: str) -> Callable[[F], F]: ...

    @overload
    def register(self, name: str, *, target: str) -> None: ...

    def register(self, name: str, *, target: str | None = None) -> Callable[[F], F] | None:
        """Give a name to an object, either as a decorator or by the object's location.

        Args:
            name: Lower-case letters, digits and ``+ _ . / : -``.
            target: ``module:attribute`` of the object, imported when the name is first used.

        Returns:
            Without ``target``, a decorator that registers what it decorates and returns it
            unchanged.

        Raises:
            UsageError: The name is taken.
            ValueError: The name or the target is not of the form given above.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a {self.kind}: it must match {NAME.pattern}")
        if target is not None:
            if not TARGET.fullmatch(target):
                raise ValueError(f"{target!r} must read 'module:attribute'")
            self._claim(name, target)
            return None

        def decorate(thing: F) -> F:
            self._claim(name, _origin(thing))
            self._objects[name] = cast("T", thing)
            return thing

        return decorate

    def names(self) -> list[str]:
        """Return all names in the order of their registration; imports nothing."""
        return list(self._origins)

    def origin(self, name: str) -> str:
        """Return where an object is, as ``module:attribute``; imports nothing.

        A location is returned as it is.

        Raises:
            UsageError: There is no such name.
        """
        self._require(name)
        return name if self.takes(name) else self._origins[name]

    def takes(self, name: str) -> bool:
        """Say whether a name is the location of own code; imports nothing."""
        return self.adapter is not None and name not in self._origins and is_location(name)

    def all_names(self) -> list[str]:
        """Return all names, those of other packages too; imports nothing."""
        self._read_group()
        return self.names()

    def __getitem__(self, name: str) -> T:
        self._require(name)
        if self.takes(name):
            return self._own(name)
        if name not in self._objects:
            module, _, attribute = self._origins[name].partition(":")
            found = attrgetter(attribute)(import_module(module))
            foreign = self.adapter is not None and name in self._of_others
            self._objects[name] = self._adapt(found, name) if foreign else cast("T", found)
        return self._objects[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._origins:
            self._read_group()
        return name in self._origins or (isinstance(name, str) and self.takes(name))

    def _require(self, name: str) -> None:
        if name in self:
            return
        if self.adapter is not None and name.endswith(".py"):
            what = self.kind.replace(" ", "_")
            raise UsageError(
                f"{self.kind} {name!r} is a whole file. Name what is in it: {name}:my_{what}"
            )
        if self.adapter is not None and ({*name} & {*":/\\"} or not self._origins):
            what = self.kind.replace(" ", "_")
            raise UsageError(
                f"unknown {self.kind} {name!r}. One in a file of yours is written "
                f"./mine.py:my_{what}, one that is installed package.module:name"
            )
        raise unknown_name(self.kind, name, self)

    def _own(self, name: str) -> T:
        """Load own code, again where its file has changed."""
        version = version_of(name)
        if name not in self._adapted or self._adapted[name][0] != version:
            self._adapted[name] = version, self._adapt(load(name), name)
        return self._adapted[name][1]

    def _adapt(self, thing: object, name: str) -> T:
        module, _, function = cast("str", self.adapter).partition(":")
        return cast("T", getattr(import_module(module), function)(thing, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._origins)

    def _claim(self, name: str, origin: str) -> None:
        taken = self._origins.get(name)
        if taken is not None:
            raise UsageError(
                f"{self.kind} {name!r} is registered twice: as {taken} and as {origin}. "
                "Rename one of the two or uninstall its package."
            )
        self._origins[name] = origin

    def _read_group(self) -> None:
        if self._group_was_read:
            return
        self._group_was_read = True
        # Slow to import, and most commands name nothing from other packages.
        from importlib.metadata import entry_points

        for point in entry_points(group=cast("str", self.group)):
            self.register(point.name, target=point.value)
            self._of_others.add(point.name)


def _origin(thing: object) -> str:
    if hasattr(thing, "__module__") and hasattr(thing, "__qualname__"):
        return f"{thing.__module__}:{thing.__qualname__}"
    return repr(thing)

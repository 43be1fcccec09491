"""Names with options: ``hr``, ``gnn(ensemble=4)``, ``sinkhorn(reg=1)``.

The options of a loss, a predictor or a distance are the keyword-only arguments of its function
or class, with the types and ranges of its signature, so that nothing is stated twice.
"""

import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from nasrank.errors import UsageError
from nasrank.grammar import read_call
from nasrank.own import canonical, is_trusted
from nasrank.registry import Registry, unknown_name

__all__ = [
    "Above",
    "Count",
    "Named",
    "Option",
    "OptionValue",
    "Positive",
    "canonical_options",
    "options_of_class",
    "options_of_signature",
    "spelled",
    "spelled_call",
]

OptionValue: TypeAlias = float | int | str | bool

# Stricter than float() and int(), which also read "nan", "1_000" and digits of other scripts.
WRITTEN = {
    float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"),
    int: re.compile(r"[+-]?[0-9]{1,9}"),
    str: re.compile(r"[^\s(),=]+"),
    bool: re.compile(r"true|false", re.IGNORECASE),
}
_KINDS = {float: "a number", int: "a whole number", str: "a word", bool: "true or false"}


@dataclass(frozen=True)
class Above:
    """Allows the numbers above ``bound``."""

    bound: float | int

    def allows(self, value: float | int) -> bool:
        """Say whether the value may be used."""
        return value > self.bound

    def __str__(self) -> str:
        return f"above {self.bound:g}"


Positive: TypeAlias = Annotated[float, Above(0)]
Count: TypeAlias = Annotated[int, Above(0)]


@dataclass(frozen=True)
class Option:
    """One option, as declared in a signature.

    Args:
        name: The keyword.
        kind: The type of its values; ``object`` for a number, true, false or a word, whichever
            is written; None where the signature does not say what can be written.
        default: Its value when it is not given; None stands for "off".
        above: The bound a number has to exceed.
        words: The words to choose from.
    """

    name: str
    kind: type | None
    default: OptionValue | None
    above: Above | None = None
    words: tuple[str, ...] = ()

    def read(self, value: OptionValue) -> OptionValue | None:
        """Return the value, or the value its text spells, in the option's own type.

        Returns:
            None if the value is of another type, not finite, or not allowed.
        """
        text = str(value)
        kind = _kind_written(text) if self.kind is object else self.kind
        if kind is None or not WRITTEN[kind].fullmatch(text):
            return None
        if self.words and text not in self.words:
            return None
        read: OptionValue = text.lower() == "true" if kind is bool else kind(text)
        if isinstance(read, str | bool):
            return read
        fits = math.isfinite(read) and (self.above is None or self.above.allows(read))
        return read if fits else None

    @property
    def wanted(self) -> str:
        """What a value has to be, in words."""
        if self.words:
            return f"one of {', '.join(self.words)}"
        kind = _KINDS.get(self.kind or object, "a number or a word")
        return f"{kind} {self.above}" if self.above else kind

    @property
    def shown(self) -> str:
        """The option as it is typed, with its default; nothing of it where that is unknown."""
        default = "off" if self.default is None else spelled(self.default)
        return f"{self.name}={default}" if self.kind is not None else f"{self.name} (not readable)"


def _kind_written(text: str) -> type:
    return next((kind for kind in (int, float, bool) if WRITTEN[kind].fullmatch(text)), str)


@dataclass(frozen=True)
class Named:
    """A registered name and the options that differ from its defaults.

    However it is made, the options are checked, those equal to the default are dropped and the
    rest are sorted, so that equivalent spellings give equal objects with the same text. A
    subclass names the registry.

    Attributes:
        name: A name of the registry.
        options: Pairs of an option's name and its value, or its value as text.
        registry: The names there are.
        example: How options are written, for messages.

    Raises:
        UsageError: There is no such name or option, or the option cannot have this value.
    """

    name: str
    options: tuple[tuple[str, OptionValue], ...] = ()

    registry: ClassVar[Registry[Any]]
    example: ClassVar[str]

    def __post_init__(self) -> None:
        """Bring name and options to their canonical form."""
        located = self.registry.takes(self.name)
        if located:
            object.__setattr__(self, "name", canonical(self.name))
            if not is_trusted(self.name):
                # From a table of somebody else: a name like any other, and nothing is loaded.
                return
        # Names are known without importing anything; only options need the object. Own code is
        # loaded now, as it may be wrong.
        if self.options or located or self.name not in self.registry:
            owner = f"{self.registry.kind} '{self.name}'"
            options = canonical_options(owner, self.known(self.name), dict(self.options))
            object.__setattr__(self, "options", options)

    @classmethod
    def known(cls, name: str) -> Mapping[str, Option]:
        """Return the options of a name: the keyword-only arguments of its object.

        Raises:
            UsageError: There is no such name.
        """
        named = cls.registry[name]
        return options_of_class(named) if inspect.isclass(named) else options_of_signature(named)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name with options; ``str`` of what is returned is the canonical spelling.

        Raises:
            UsageError: It cannot be read, or its name, an option or a value does not exist.
        """
        call = read_call(text)
        if call.parts:
            raise UsageError(
                f"cannot read {call.parts[0]!r} in {text!r}. Write options like {cls.example}."
            )
        return cls(call.name, call.options)

    def __str__(self) -> str:
        return spelled_call(self.name, self.options)


def options_of_signature(
    function: Callable[..., object], without: Collection[str] = ()
) -> dict[str, Option]:
    """Return the options of a function by name: its keywords, and arguments with a default.

    Their type is that of the annotation, or else of the default.

    Args:
        function: Any function or method.
        without: Arguments that are not the user's to choose.

    Example:
        >>> def loss(scores, labels, power=2.0, *, clip=False, table=()): ...
        >>> [option.shown for option in options_of_signature(loss).values()]
        ['power=2', 'clip=false', 'table (not readable)']
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - of own code, which may name what is imported for types alone
        hints = {}
    found = [
        _option(key, hints.get(key), parameter.default)
        for key, parameter in inspect.signature(function).parameters.items()
        if key not in without
        and (
            parameter.kind is inspect.Parameter.KEYWORD_ONLY
            or (
                parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
                and parameter.default is not inspect.Parameter.empty
            )
        )
    ]
    return {option.name: option for option in found}


def options_of_class(kind: type, without: Collection[str] = ()) -> dict[str, Option]:
    """Return the options that a class is made with, by name; see `options_of_signature`.

    A constructor that hands further keywords on, ``**given``, has the options of the next one in
    the order of inheritance too.

    Args:
        kind: Any class.
        without: Arguments that are not the user's to choose.
    """
    found: dict[str, Option] = {}
    for each in kind.__mro__:
        made = vars(each).get("__init__")
        if made is None:
            continue
        found = options_of_signature(made, without) | found
        kinds = {parameter.kind for parameter in inspect.signature(made).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def _option(name: str, hint: Any, default: Any) -> Option:  # noqa: ANN401 - any signature
    if hint is None:
        hint = object if default is None else type(default)
    if get_origin(hint) in {Union, UnionType}:
        kinds = [each for each in get_args(hint) if each is not NoneType]
        hint = kinds[0] if len(kinds) == 1 else object if _all_plain(kinds) else tuple
    if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
        return Option(name, str, default, words=get_args(hint))
    above = None
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        above = next((mark for mark in marks if isinstance(mark, Above)), None)
    # Where nothing can be written there is no default to show either.
    return Option(name, hint, default, above) if _all_plain([hint]) else Option(name, None, None)


def _all_plain(kinds: Sequence[object]) -> bool:
    return all(any(kind is each for each in (*_KINDS, object)) for kind in kinds)


def canonical_options(
    owner: str, known: Mapping[str, Option], given: Mapping[str, OptionValue]
) -> tuple[tuple[str, OptionValue], ...]:
    """Check options, drop those at their default, and sort the rest.

    Args:
        owner: What has the options, as in ``loss 'hr'``.
        known: The options there are.
        given: Values, or their text, by name.

    Raises:
        UsageError: There is no such option, or it cannot have this value.
    """
    checked = {}
    for key, value in sorted(given.items()):
        readable = [name for name, option in known.items() if option.kind is not None]
        if key in known and key not in readable:
            raise UsageError(
                f"{key} of {owner} cannot be given here: its signature does not say what to "
                "write. Annotate it as float, int, bool or str."
            )
        if key not in known:
            if not readable:
                raise UsageError(f"{owner} takes no options, not even {key!r}. Leave it out.")
            raise unknown_name(f"option of {owner}", key, readable)
        option = known[key]
        read = option.read(value)
        if read is None:
            default = "off" if option.default is None else spelled(option.default)
            raise UsageError(
                f"{key} of {owner} must be {option.wanted}, not {str(value)!r}. "
                f"Default: {default}."
            )
        if read != option.default:
            checked[key] = read
    return tuple(checked.items())


def spelled(value: OptionValue) -> str:
    """Write a value in its shortest form, as it stands in names."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def spelled_call(name: str, options: Sequence[tuple[str, OptionValue]]) -> str:
    """Write a name with its options, as `~nasrank.grammar.read_call` reads it.

    Example:
        >>> spelled_call("hr", ()), spelled_call("hr", [("margin", 0.5), ("power", 2.0)])
        ('hr', 'hr(margin=0.5,power=2)')
    """
    if not options:
        return name
    return f"{name}({','.join(f'{key}={spelled(value)}' for key, value in options)})"

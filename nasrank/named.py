"""Names with options: ``hr``, ``gnn(ensemble=4)``, ``sinkhorn(reg=1)``.

The options of a loss, a predictor or a distance are the keyword-only arguments of its function
or class, with the types and ranges of its signature, so that nothing is stated twice.
"""

import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    get_args,
    get_origin,
    get_type_hints,
)

from nasrank.errors import UsageError
from nasrank.grammar import read_call
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

OptionValue: TypeAlias = float | int | str

# Stricter than float() and int(), which also read "nan", "1_000" and digits of other scripts.
WRITTEN = {
    float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"),
    int: re.compile(r"[+-]?[0-9]{1,9}"),
    str: re.compile(r"[^\s(),=]+"),
}


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
        kind: The type of its values.
        default: Its value when it is not given; None stands for "off".
        above: The bound a number has to exceed.
        words: The words to choose from.
    """

    name: str
    kind: type[float | int | str]
    default: OptionValue | None
    above: Above | None = None
    words: tuple[str, ...] = ()

    def read(self, value: OptionValue) -> OptionValue | None:
        """Return the value, or the value its text spells, in the option's own type.

        Returns:
            None if the value is of another type, not finite, or not allowed.
        """
        text = str(value)
        if not WRITTEN[self.kind].fullmatch(text) or (self.words and text not in self.words):
            return None
        read = self.kind(text)
        if isinstance(read, str):
            return read
        fits = math.isfinite(read) and (self.above is None or self.above.allows(read))
        return read if fits else None

    @property
    def wanted(self) -> str:
        """What a value has to be, in words."""
        if self.words:
            return f"one of {', '.join(self.words)}"
        kind = {float: "a number", int: "a whole number", str: "a word"}[self.kind]
        return f"{kind} {self.above}" if self.above else kind


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
        """Bring the options to their canonical form."""
        # Names are known without importing anything; only options need the object.
        if self.options or self.name not in self.registry:
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
    """Return the keyword-only numbers and words that a function takes, by name.

    Args:
        function: Any function or method with annotations.
        without: Arguments that are not the user's to choose.
    """
    hints = get_type_hints(function, include_extras=True)
    found = [
        _option(key, hints.get(key), parameter.default)
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and key not in without
    ]
    return {option.name: option for option in found if option is not None}


def options_of_class(kind: type) -> dict[str, Option]:
    """Return the keyword-only numbers and words that a class is made with, by name.

    A constructor that hands further keywords on, ``**given``, has the options of the next one in
    the order of inheritance too.

    Args:
        kind: Any class with annotations.
    """
    found: dict[str, Option] = {}
    for each in kind.__mro__:
        made = vars(each).get("__init__")
        if made is None:
            continue
        found = options_of_signature(made) | found
        kinds = {parameter.kind for parameter in inspect.signature(made).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def _option(name: str, hint: Any, default: Any) -> Option | None:  # noqa: ANN401 - any signature
    for part in get_args(hint):
        if part is NoneType:
            (hint,) = set(get_args(hint)) - {NoneType}
    if get_origin(hint) is Literal:
        return Option(name, str, default, words=get_args(hint))
    above = None
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        above = next((mark for mark in marks if isinstance(mark, Above)), None)
    return Option(name, hint, default, above) if hint in {float, int, str} else None


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
    canonical = {}
    for key, value in sorted(given.items()):
        if key not in known:
            if not known:
                raise UsageError(f"{owner} takes no options, not even {key!r}. Leave it out.")
            raise unknown_name(f"option of {owner}", key, known)
        option = known[key]
        read = option.read(value)
        if read is None:
            default = "off" if option.default is None else spelled(option.default)
            raise UsageError(
                f"{key} of {owner} must be {option.wanted}, not {str(value)!r}. "
                f"Default: {default}."
            )
        if read != option.default:
            canonical[key] = read
    return tuple(canonical.items())


def spelled(value: OptionValue) -> str:
    """Write a value in its shortest form, as it stands in names."""
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

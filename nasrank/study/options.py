"""Options: a field of a configuration is an option, its help, its default and its range."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from nasrank.errors import DataError, UsageError
from nasrank.grammar import split_list
from nasrank.limits import reading, require_regular
from nasrank.own import trust
from nasrank.registry import Registry, unknown_name

__all__ = [
    "ARCHS",
    "HOW",
    "OUTPUT",
    "Config",
    "OnAnyDevice",
    "OnDevice",
    "OnSamples",
    "Seeded",
    "Some",
    "checked",
    "choices_of",
    "default_text",
    "flag_of",
    "item_type",
    "option",
    "options_in",
    "ordered_fields",
    "read_settings",
    "read_text",
    "seed_option",
    "seeds_option",
    "shown_as",
    "trust_names",
    "usual_folder",
]

HOW, OUTPUT = "How to run", "Output"
"""Panels of ``--help`` that every command has."""

_LONGEST = 2**20
"""Bytes of a file of options; ours are a thousand times smaller."""

ARCHS = "archs:"
"""Prefix of data that consists of the architectures of a task."""

Chosen = TypeVar("Chosen", bound="Config")
Item = TypeVar("Item")
Some: TypeAlias = Annotated[tuple[Item, ...], Field(min_length=1)]
"""A list of one or more."""


class Config(BaseModel):
    """The options of one command.

    The docstring of a subclass says what the command does; its fields, each made by
    :func:`option`, are the options. Command line, configuration file, ``--help``, defaults and
    ranges follow from them.

    Attributes:
        command: The words of the command, such as ``ot train``.
        study: Location of its study: ``module:attribute``, a
            :class:`~nasrank.study.study.Study` or a function from a configuration to one.
        examples: Command lines to show below ``--help``.
        subsets: Settings by name, for ``--subset``.
        keeps_runs: Whether its study saves run by run, and so can be resumed.
        draws: Whether its study draws pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    command: ClassVar[str]
    study: ClassVar[str]
    examples: ClassVar[tuple[str, ...]] = ()
    subsets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    keeps_runs: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """Kind of the data, where options are ``of`` one kind or another."""
        return ""


def option(
    default: Any = ...,  # noqa: ANN401 - of the field's type
    about: str = "",
    *,
    panel: str | None = None,
    metavar: str | None = None,
    usual: str | None = None,
    argument: bool = False,
    repeated: bool = False,
    recorded: bool = True,
    of: str | None = None,
    complete: Callable[[], Collection[str]] | None = None,
    names: Registry[Any] | None = None,
    **limits: Any,  # noqa: ANN401 - pydantic's
) -> Any:  # noqa: ANN401 - stands as a value of the field's type
    """Declare an option.

    Args:
        default: Its value where it is not given; without one it is required.
        about: Its help, a sentence; the default is added.
        panel: Where ``--help`` puts it.
        metavar: Placeholder of its value in ``--help``; follows from the type by default.
        usual: The default in words, where it depends on other options.
        argument: Whether it is positional.
        repeated: Whether a list is given by repeating the option and not with commas.
        recorded: Whether it is written to ``run.json``; False where no result depends on it.
        of: Kinds of data that it has a meaning for, separated by blanks; None for all. For data
            of another kind it is refused.
        complete: Lists values for completion in the shell.
        names: What its values name; they are completed, and may be locations of own code where
            the registry takes these.
        **limits: Ranges of pydantic's ``Field``: ``ge``, ``gt``, ``le``, ``lt``; for a list of
            one or more see `Some`.
    """
    shown = {
        "panel": panel,
        "metavar": metavar,
        "usual": usual,
        "argument": argument,
        "repeated": repeated,
        "of": of,
        "complete": names.all_names if complete is None and names is not None else complete,
        "names": names,
    }
    return Field(
        default,
        description=about,
        exclude=None if recorded else True,
        json_schema_extra={"option": shown},  # type: ignore[dict-item]
        **limits,
    )


def options_in(panel: str, *, of: str | None = None) -> Callable[..., Any]:
    """Return an :func:`option` whose options are all in one panel, and of some kinds of data."""
    return partial(option, panel=panel, of=of)


def seeds_option(default: int, about: str = "Runs of each setting.") -> Any:  # noqa: ANN401
    """Declare the number of seeds, for commands with another default than `Seeded`."""
    return option(default, about, panel=HOW, ge=1, le=1_000_000)


def seed_option(about: str) -> Any:  # noqa: ANN401
    """Declare the seed of a command."""
    # Tables hold seeds in 64 bits.
    return option(0, about, panel=HOW, ge=0, lt=2**62)


class Seeded(Config):
    """Options of commands that repeat everything over seeds."""

    seeds: int = seeds_option(3)
    seed: int = seed_option("The first seed; the others follow it.")

    @property
    def all_seeds(self) -> range:
        """The seeds of the runs."""
        return range(self.seed, self.seed + self.seeds)


class OnDevice(Config):
    """Options of commands that compute with tensors."""

    device: Literal["auto", "cpu", "cuda"] = option(
        "auto", "Where to compute; auto uses CUDA where it is available.", panel=HOW
    )


class OnAnyDevice(OnDevice):
    """Options of commands that train predictors, which need no double precision on the device."""

    device: Literal["auto", "cpu", "cuda", "mps"] = option(  # type: ignore[assignment]
        "auto",
        "Where to compute; auto uses CUDA where it is available, mps is Apple's GPU.",
        panel=HOW,
    )


class OnSamples(Config):
    """Options of commands on samples or, with ``archs:TASK`` as their data, on architectures."""

    data_dir: Path | None = option(
        None,
        "Folder of image files.",
        usual="where their packages install them",
        panel=HOW,
        recorded=False,
        of="samples",
    )

    @property
    def kind(self) -> str:
        """``archs`` or ``samples``."""
        return "archs" if str(getattr(self, "data", "")).startswith(ARCHS) else "samples"


def usual_folder(config: type[Config]) -> Path:
    """Return where a command writes by default: ``nasrank-out/ot/train``."""
    return Path("nasrank-out", *config.command.split())


def shown_as(field: FieldInfo) -> Mapping[str, Any]:
    """Return how an option is shown: all keywords of :func:`option`."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or not isinstance(extra.get("option"), dict):
        raise TypeError("a field of a configuration is made by option()")
    return extra["option"]  # type: ignore[return-value]


def ordered_fields(config: type[Config]) -> dict[str, FieldInfo]:
    """Return the fields of a configuration, its own before those it shares with others."""
    own = [name for cls in config.__mro__ for name in vars(cls).get("__annotations__", {})]
    names = [name for name in dict.fromkeys(own) if name in config.model_fields]
    return {name: config.model_fields[name] for name in names}


def flag_of(name: str) -> str:
    """Return how an option is typed: ``n_train`` is ``--n-train``."""
    return "--" + name.replace("_", "-")


def default_text(name: str, field: FieldInfo) -> str:
    """Return the default of an option as it is typed; nothing where there is none to show."""
    usual, default = shown_as(field)["usual"], field.default
    if usual is not None:
        return str(usual)
    if default is None or field.is_required() or default is False or default == ():
        return ""
    if default is True:
        return name.replace("_", "-")
    if isinstance(default, tuple):
        return ",".join(_typed(each) for each in default)
    return _typed(default)


def _typed(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the choices of an option; none where its values are not a fixed set."""
    return _choices(field.annotation)


def _choices(annotation: Any) -> tuple[str, ...]:  # noqa: ANN401 - any annotation
    if get_origin(annotation) is Literal:
        return tuple(str(each) for each in get_args(annotation))
    return next((found for each in get_args(annotation) if (found := _choices(each))), ())


def item_type(field: FieldInfo) -> type | None:
    """Return the type of the items of a list; None where an option is not a list."""
    for each in _alternatives(field.annotation):
        if get_origin(each) is tuple:
            return plain_type(get_args(each)[0])
    return None


def plain_type(annotation: Any) -> type:  # noqa: ANN401 - any annotation
    """Return the type that a value is read as: int, float, bool, Path or str."""
    known: tuple[type, ...] = (bool, int, float, Path)
    return next((kind for kind in known if kind in _alternatives(annotation)), str)


def _alternatives(annotation: Any) -> list[Any]:  # noqa: ANN401 - any annotation
    """Split an annotation into its alternatives, without unions and limits."""
    if get_origin(annotation) in {Union, UnionType}:
        return [found for each in get_args(annotation) for found in _alternatives(each)]
    if hasattr(annotation, "__metadata__"):
        return _alternatives(annotation.__origin__)
    return [annotation]


def read_text(name: str, text: str, field: FieldInfo) -> Any:  # noqa: ANN401 - what is read
    """Read a list as it is typed, with commas; other values are returned unchanged.

    Raises:
        UsageError: It is empty, or a part is not a number where one should be.
    """
    kind = item_type(field)
    if kind is not None and not text.strip():
        raise UsageError(f"{flag_of(name)} is empty. Give it one value or more")
    if kind is int:
        return _numbers(name, text, int, "whole numbers separated by commas, such as 78,156")
    if kind is float:
        return _numbers(name, text, float, "numbers separated by commas, such as 0.1,0.5")
    return text if kind is None else tuple(split_list(text))


def _numbers(
    name: str, text: str, kind: Callable[[str], int | float], wanted: str
) -> tuple[int | float, ...]:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{flag_of(name)} {text!r} should be {wanted}") from error


def read_settings(path: Path | None, known: Collection[str]) -> dict[str, Any]:
    """Read options from a TOML file; ``n-train`` and ``n_train`` are the same.

    Args:
        path: The file, or None for no options.
        known: Names of the options there are.

    Raises:
        DataError: The file cannot be read or is not TOML.
        UsageError: It holds an unknown option.
    """
    if path is None:
        return {}
    require_regular(path)
    try:
        with reading(path):
            if path.stat().st_size > _LONGEST:
                raise DataError(
                    f"{path}: longer than {_LONGEST:,} bytes. Keep options alone in it"
                )
            content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Give --config an existing file") from error
    except ValueError as error:
        # Not TOML, not UTF-8, or a number with more digits than Python converts.
        raise DataError(
            f"{path}: not TOML ({' '.join(str(error).split())[:200]}). Write lines like seeds = 10"
        ) from error
    settings = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{path}: {unknown_name('option', name, known)}")
        if name == "out" and (not isinstance(value, str) or not value or "\0" in value):
            raise UsageError(f"{path}: out should be the path of a folder, in quotes")
        settings[name] = value
    return settings


def trust_names(config: type[Config], settings: Mapping[str, Any]) -> None:
    """Allow the own code that options name to be loaded.

    Args:
        config: The configuration.
        settings: Its options, as the user gave them.
    """
    for name, field in config.model_fields.items():
        value = settings.get(name)
        if shown_as(field)["names"] is not None and value is not None:
            for each in value if isinstance(value, list | tuple) else [value]:
                trust(str(each))


def checked(config: type[Chosen], settings: Mapping[str, Any]) -> Chosen:
    """Make a configuration from settings.

    Raises:
        UsageError: There is no such option, or a value is of the wrong type or out of range;
            only the first is named.
    """
    for name, value in settings.items():
        # No path, name or column holds one, and the system refuses it with another error.
        if any(
            "\0" in str(each) for each in (value if isinstance(value, list | tuple) else [value])
        ):
            raise UsageError(f"{flag_of(name)} holds a null character. Leave it out")
    trust_names(config, settings)
    try:
        return config.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
    if not first["loc"]:
        raise UsageError(str(first["msg"]).removeprefix("Value error, "))
    name, given = str(first["loc"][0]), first["input"]
    match first["type"]:
        case "extra_forbidden":
            raise unknown_name("option", name, config.model_fields)
        case "missing":
            by_place = shown_as(config.model_fields[name])["argument"]
            what = name.upper() if by_place else flag_of(name)
            raise UsageError(f"{what} is missing. See: nasrank {config.command} --help")
        case "too_short":
            raise UsageError(f"{flag_of(name)} is empty. Give it one value or more")
        case "literal_error" if isinstance(given, str):
            # In a list, one item is unknown: say "anchor" for an item of anchors.
            word = name.replace("_", " ").removesuffix("s" if len(first["loc"]) > 1 else "")
            raise unknown_name(word, given, choices_of(config.model_fields[name]))
    raise UsageError(f"{flag_of(name)} {given!r}: {first['msg'].lower()}")

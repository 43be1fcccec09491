"""Methods by name, with options: a way to mine, a way to generate, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasrank.errors import UsageError
from nasrank.grammar import read_call
from nasrank.named import OptionValue, canonical_options, options_of_signature, spelled_call
from nasrank.registry import Registry, unknown_name

if TYPE_CHECKING:
    import torch

    from nasrank.companions.hard_samples.synthesis import Sizes, Synthesiser

__all__ = [
    "GENERATORS",
    "MINERS",
    "UNTRAINED",
    "Method",
    "make_synthesiser",
    "parse_method",
    "possible_method",
]

MINERS = ("triplet-random", "semi-hard", "batch-hard", "distance-weighted")
"""Ways to choose triplets; the first looks at no distance."""

UNTRAINED = "untrained"
"""The control that is its initial weights: what training has to beat."""

GENERATORS: Registry[type[Any]] = Registry("method")
"""Ways to generate samples; the keyword-only arguments of each are its options."""

GENERATORS.register("hdml", target="nasrank.companions.hard_samples.hdml:Hdml")
GENERATORS.register("daml", target="nasrank.companions.hard_samples.daml:Daml")
GENERATORS.register("two-stage", target="nasrank.companions.hard_samples.two_stage:TwoStage")


@dataclass(frozen=True)
class Method:
    """A way to learn a metric; equal meanings are equal objects with the same text.

    Attributes:
        generator: What generates samples, or None.
        options: Its options that differ from their defaults.
        miner: What chooses triplets, one of `MINERS`, or `UNTRAINED`.
    """

    generator: str | None
    options: tuple[tuple[str, OptionValue], ...]
    miner: str

    def __str__(self) -> str:
        if self.generator is None:
            return self.miner
        text = spelled_call(self.generator, self.options)
        return text if self.miner == MINERS[0] else f"{text}+{self.miner}"

    @property
    def untrained(self) -> bool:
        """Whether it is the control."""
        return self.miner == UNTRAINED

    def with_option(self, name: str, value: OptionValue) -> Method:
        """Return it with another value of an option of its generator."""
        alone = str(Method(self.generator, (), self.miner))
        return parse_method(alone, {**dict(self.options), name: value})


def parse_method(text: str, options: Mapping[str, OptionValue] | None = None) -> Method:
    """Read a method: ``semi-hard``, ``two-stage(stretch=0.5)``, ``hdml+batch-hard``.

    Without a miner, samples are generated from random triplets.

    Args:
        text: What the user wrote.
        options: More options of the generator.

    Raises:
        UsageError: It cannot be read, or names a method, option or value that does not exist.

    Example:
        >>> str(parse_method("two-stage( stretch = 0.50 )+semi-hard"))
        'two-stage(stretch=0.5)+semi-hard'
        >>> str(parse_method("hdml+triplet-random"))
        'hdml'
    """
    before, plus, after = text.rpartition("+")
    written, miner = (before, after.strip()) if plus and ")" not in after else (text, MINERS[0])
    if miner not in MINERS:
        raise unknown_name("way to mine", miner, MINERS)
    call = read_call(written)
    if call.parts:
        raise UsageError(
            f"cannot read {call.parts[0]!r} in {text!r}. Write options like "
            "two-stage(stretch=0.5)."
        )
    alone = (*MINERS, UNTRAINED)
    known = (*alone, *GENERATORS)
    if call.name not in known:
        raise unknown_name("method", call.name, known)
    given = {**dict(call.options), **(options or {})}
    if call.name in alone:
        if plus or given:
            raise UsageError(
                f"{text!r}: {call.name} takes neither options nor a way to mine. "
                "Write its name alone, or two-stage+semi-hard."
            )
        return Method(None, (), call.name)
    options_known = options_of_signature(GENERATORS[call.name].__init__)
    return Method(
        call.name, canonical_options(f"method '{call.name}'", options_known, given), miner
    )


def make_synthesiser(method: Method, sizes: Sizes, device: torch.device) -> Synthesiser | None:
    """Make the generators of a method, with weights from torch's global numbers; None without.

    Raises:
        UsageError: Its options contradict one another.
    """
    if method.generator is None:
        return None
    options: dict[str, Any] = dict(method.options)
    made: Synthesiser = GENERATORS[method.generator](sizes, device, **options)
    return made


def possible_method(text: str) -> Method:
    """Read a method, and see that its options go together.

    Raises:
        UsageError: It cannot be read, or its options contradict one another.
    """
    import torch

    from nasrank.companions.hard_samples.synthesis import Sizes
    from nasrank.seeds import seeded_torch

    method = parse_method(text)
    with seeded_torch(0, stream="possible"):
        make_synthesiser(method, Sizes(2, 2, 2, 0.2), torch.device("cpu"))
    return method

"""The values an option of a loss may take, written into the signature that has the option."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

__all__ = ["Above", "Count", "Positive"]


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

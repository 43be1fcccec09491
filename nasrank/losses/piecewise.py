"""The piecewise loss: one loss while labels are few, another once there are more."""

from dataclasses import dataclass

from nasrank.errors import UsageError
from nasrank.losses.named import LossSpec

__all__ = ["PiecewiseSpec"]


@dataclass(frozen=True)
class PiecewiseSpec:
    """``pw(A,B,t)``: loss A up to t evaluated architectures, loss B beyond.

    It is a rule for training and not a function: each stretch is trained by a plain loss of its
    own on labels prepared for that loss.

    Args:
        first: The loss up to the switch.
        then: The loss beyond it.
        switch: The number of evaluated architectures up to which ``first`` is used; at least 1.

    Raises:
        UsageError: The switch is below 1.

    References:
        Ji et al. (2025), "Loss functions for predictor-based neural architecture search", ICCV,
        arXiv:2506.05869.

    Example:
        >>> pw = PiecewiseSpec(LossSpec("hr"), LossSpec("mape"), 50)
        >>> str(pw), str(pw.at(50)), str(pw.at(51))
        ('pw(hr,mape,50)', 'hr', 'mape')
    """

    first: LossSpec
    then: LossSpec
    switch: int

    def __post_init__(self) -> None:
        if self.switch < 1:
            raise UsageError(
                f"the switch of {self} must be at least 1 architecture. Or write {self.then}."
            )

    def at(self, evaluated: int) -> LossSpec:
        """Return the plain loss for this number of evaluated architectures."""
        return self.first if evaluated <= self.switch else self.then

    def __str__(self) -> str:
        return f"pw({self.first},{self.then},{self.switch})"

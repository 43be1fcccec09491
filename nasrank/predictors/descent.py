"""AdamW on parameters that share a learning rate.

``torch.optim`` computes the same, but making one of its optimizers imports torch's compiler: four
seconds and 70 MB of every process that trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["AdamW"]

_EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class AdamW:
    """Adam with decoupled weight decay, by the fused kernel that ``torch.optim.AdamW`` calls.

    Attributes:
        parameters: Changed in place; they need not be leaves.
        betas: Decay of the two moments.
        weight_decay: Decoupled decay, times the learning rate.

    References:
        Loshchilov and Hutter (2019), "Decoupled Weight Decay Regularization", ICLR.
    """

    parameters: Sequence[Tensor]
    betas: tuple[float, float]
    weight_decay: float
    _moments: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict, init=False)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Change every parameter that has a gradient.

        Args:
            gradients: One for each parameter. Where it is None the parameter stays as it is: no
                decay, no momentum, and its steps are not counted.
            rate: The learning rate of this step.
        """
        used = [place for place, gradient in enumerate(gradients) if gradient is not None]
        if not used:
            return
        parameters = [self.parameters[place] for place in used]
        moments = [self._of(place) for place in used]
        means, squares, counts = (list(parts) for parts in zip(*moments, strict=True))
        torch._foreach_add_(counts, 1)
        torch._fused_adamw_(
            parameters,
            [gradient for gradient in gradients if gradient is not None],
            means,
            squares,
            [],
            counts,
            lr=rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _of(self, place: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the two moments and the number of steps of a parameter."""
        if place not in self._moments:
            like = self.parameters[place]
            self._moments[place] = (
                torch.zeros_like(like),
                torch.zeros_like(like),
                torch.zeros((), device=like.device),
            )
        return self._moments[place]

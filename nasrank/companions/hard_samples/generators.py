"""Networks that make features, and the one that tells them from real ones."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

__all__ = ["Conditional", "adversarial_losses", "relative_error"]

_HIDDEN, _CLASS_WIDTH = 256, 16


class Conditional(nn.Module):
    """A net of one hidden layer that may be told the class.

    Args:
        inputs: Width of what it is given.
        outputs: Width of what it makes.
        classes: Number of classes, or None for a net that is not told.
        normalise: Bring every input to mean 0 and variance 1 over its width first, so that the
            scale of features, which drifts as their encoder learns, says nothing.
        still: Make nothing but 0 before it has learnt: what is added to samples starts with none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        classes: int | None,
        *,
        normalise: bool = False,
        still: bool = False,
    ) -> None:
        super().__init__()
        self.tell = None if classes is None else nn.Embedding(classes, _CLASS_WIDTH)
        told = 0 if classes is None else _CLASS_WIDTH
        self.enter = nn.LayerNorm(inputs, elementwise_affine=False) if normalise else nn.Identity()
        last = nn.Linear(_HIDDEN, outputs)
        if still:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.body = nn.Sequential(nn.Linear(inputs + told, _HIDDEN), nn.ReLU(), last)

    def forward(
        self, given: Float[Tensor, "n inputs"], classes: Int64[Tensor, "n"]
    ) -> Float[Tensor, "n outputs"]:
        """Return what is made of inputs and their classes."""
        given = self.enter(given)
        if self.tell is not None:
            given = torch.cat([given, self.tell(classes)], dim=-1)
        out: Tensor = self.body(given)
        return out


def adversarial_losses(
    real: Float[Tensor, "*real"], made: Float[Tensor, "*made"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    r"""Logistic losses of a discriminator and of the generator that wants to mislead it.

    .. math:: L_D = E[\log(1 + e^{-D(x)})] + E[\log(1 + e^{D(\tilde x)})], \quad
        L_G = E[\log(1 + e^{-D(\tilde x)})]

    Args:
        real: Scores of real features, higher for real.
        made: Scores of made ones.

    Returns:
        Loss of the discriminator and loss of the generator.

    References:
        Goodfellow et al. (2014), "Generative adversarial nets", NeurIPS; Mirza & Osindero (2014),
        "Conditional generative adversarial nets".

    Example:
        A discriminator that does not know loses log 2 on either kind:

        >>> [round(each.item(), 4) for each in adversarial_losses(torch.zeros(2), torch.zeros(3))]
        [1.3863, 0.6931]
    """
    softplus = nn.functional.softplus
    return softplus(-real).mean() + softplus(made).mean(), softplus(-made).mean()


def relative_error(made: Float[Tensor, "n f"], real: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Mean squared error as a share of the variance of what is real; 0 is a perfect copy.

    Args:
        made: Copies.
        real: What they are of, two or more.
    """
    scale = real.var(dim=0, correction=0).mean().clamp(min=1e-12)
    return (made - real).square().mean() / scale

"""The loss that mixes supervised and self-supervised contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nasrank.companions.supcon.closed_form import ANCHORS
from nasrank.registry import unknown_name

__all__ = ["Pairs", "contrastive_loss", "pair_up"]


@dataclass(frozen=True)
class Pairs:
    """Which embeddings of a batch belong together.

    Attributes:
        same_class: True for two instances of one class.
        same_instance: True for two views of one instance; with the diagonal
            where the anchor is included.
        competing: True for what the softmax of an anchor, a row, is over.
    """

    same_class: Bool[Tensor, "*batch n n"]
    same_instance: Bool[Tensor, "*batch n n"]
    competing: Bool[Tensor, "*batch n n"]

    @cached_property
    def shares(self) -> tuple[Float[Tensor, "*batch n n"], Float[Tensor, "*batch n n"]]:
        """Weights of the positives of either kind.

        They sum to 1 over all anchors, or to 0 where no anchor has a positive, and to one number
        over the positives of an anchor that has some.
        """
        return _shares(self.same_class), _shares(self.same_instance)

    @cached_property
    def barred(self) -> Float[Tensor, "*batch n n"]:
        """What to add to likenesses so that only competitors count."""
        # Not infinite: the sum over a row of padding would have no gradient.
        lowest = torch.finfo(torch.get_default_dtype()).min / 2
        return torch.zeros(self.competing.shape, device=self.competing.device).masked_fill_(
            ~self.competing, lowest
        )

    @property
    def degenerate(self) -> Bool[Tensor, "*batch"]:
        """True where supervision says nothing.

        No embedding has a partner of its class, or none has an opponent of another class.
        """
        partners = self.same_class.any(dim=(-1, -2))
        opponents = self.competing & ~self.same_class & ~self.same_instance
        return ~(partners & opponents.any(dim=(-1, -2)))


def pair_up(
    classes: Int[Tensor, "*batch n"],
    instances: Int[Tensor, "*batch n"],
    *,
    anchor: str = "included",
    where: Bool[Tensor, "*batch n"] | None = None,
) -> Pairs:
    """Find the pairs of a batch.

    Args:
        classes: Class of each embedding.
        instances: The instance each is a view of; distinct within a batch.
        anchor: One of `nasrank.companions.supcon.closed_form.ANCHORS`.
        where: False on padding; nothing is padding by default.

    Raises:
        UsageError: There is no such convention.
    """
    if anchor not in ANCHORS:
        raise unknown_name("anchor", anchor, ANCHORS)
    there = torch.ones_like(classes, dtype=torch.bool) if where is None else where
    both = there.unsqueeze(-1) & there.unsqueeze(-2)
    competing = both
    if anchor == "excluded":
        competing = both & ~torch.eye(classes.shape[-1], dtype=torch.bool, device=classes.device)
    one_class = classes.unsqueeze(-1) == classes.unsqueeze(-2)
    one_instance = instances.unsqueeze(-1) == instances.unsqueeze(-2)
    return Pairs(both & one_class & ~one_instance, competing & one_instance, competing)


def contrastive_loss(
    embeddings: Float[Tensor, "*batch n d"],
    pairs: Pairs,
    *,
    alpha: Float[Tensor, "*batch"] | float,
    temperature: Float[Tensor, "*batch"] | float,
) -> Float[Tensor, "*batch"]:
    r"""Return the mixed contrastive loss, lower is better.

    .. math:: L = (1-\alpha) L_{sup} + \alpha L_{self},

    each the mean over anchors i of the mean over their positives j of
    ``-log softmax_j(u_i . u_j / tau)``: for ``L_sup`` other instances of the anchor's class, for
    ``L_self`` views of its own instance. Anchors without a positive are left out of the mean, and
    a part for which no anchor has one is 0. In a batch of m classes with n instances of p views
    each, both parts are means over all such pairs. With the anchor excluded and alpha
    ``(p - 1) / (np - 1)``, the share of an anchor's positives that are its own views, it is the
    usual SupCon loss.

    Args:
        embeddings: Unit vectors.
        pairs: Who belongs together.
        alpha: Share of the self-supervised part, in [0, 1]; one number a batch, or one for all.
        temperature: Temperature, above 0; likewise.

    Returns:
        One number a batch.

    References:
        Khosla et al. (2020), "Supervised contrastive learning", NeurIPS; Chen et al. (2020), "A
        simple framework for contrastive learning of visual representations", ICML; mixed as in
        Lee et al. (2025), AISTATS.

    Example:
        >>> corners = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
        >>> pairs = pair_up(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 2, 3]))
        >>> loss = contrastive_loss(corners, pairs, alpha=0.5, temperature=1.0)
        >>> round(float(loss), 4)  # log(2 + 2 exp(-2))
        0.8201
    """
    mixed, warm = (
        torch.as_tensor(each, dtype=embeddings.dtype, device=embeddings.device)[..., None, None]
        for each in (alpha, temperature)
    )
    likeness = embeddings @ embeddings.transpose(-1, -2) / warm
    spread = (likeness + pairs.barred).logsumexp(dim=-1, keepdim=True)
    supervised, own = pairs.shares
    weight = torch.lerp(supervised.to(likeness), own.to(likeness), mixed)
    return (weight * (spread - likeness)).sum(dim=(-1, -2))


def _shares(positive: Bool[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """Weights of positives: they sum to 1 in all, to one number a row."""
    counts = positive.sum(dim=-1, keepdim=True)
    anchors = (counts > 0).sum(dim=-2, keepdim=True)
    return positive / (counts * anchors).clamp(min=1)

"""Hardness-aware metric learning: negatives pulled towards the anchor, as hard as suits."""

from __future__ import annotations

from math import exp

import torch
from torch import Tensor

__all__ = ["harden_negative", "real_weight"]


def harden_negative(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, alpha: float, average_loss: float
) -> Tensor:
    r"""Move negatives on the line to their anchor, never nearer than the positive.

    .. math:: \hat n = a + (n - a) \frac{d(a, p) + [d(a, n) - d(a, p)]\, e^{-\alpha / J}}{d(a, n)}

    where :math:`d(a, n) > d(a, p)`, and :math:`\hat n = n` otherwise. A large loss J leaves the
    negative where it is; as J falls to 0 it comes to the distance of the positive.

    Args:
        anchor: ``[triplets, d]``.
        positive: ``[triplets, d]``.
        negative: ``[triplets, d]``.
        alpha: In units of the loss, above 0. Published values belong to losses summed over a
            batch, and are larger by its triplets.
        average_loss: J, running mean of the triplet loss, from 0 on; of each batch the mean over
            its triplets whose loss is above 0.

    Returns:
        ``[triplets, d]``.

    References:
        Zheng et al. (2019), "Hardness-aware deep metric learning", CVPR.

    Example:
        With exp(-alpha / J) = 1/2 the negative comes from 3 half the way to the positive at 1:

        >>> zero, one, three = (torch.tensor([[value]]) for value in (0.0, 1.0, 3.0))
        >>> harden_negative(zero, one, three, alpha=0.6931472, average_loss=1.0).item()
        2.0
    """
    near = torch.linalg.vector_norm(anchor - positive, dim=-1, keepdim=True)
    far = torch.linalg.vector_norm(anchor - negative, dim=-1, keepdim=True)
    left = exp(-alpha / average_loss) if average_loss > 0 else 0.0
    share = (near + (far - near) * left) / far.clamp(min=1e-12)
    return torch.where(far > near, anchor + (negative - anchor) * share, negative)


def real_weight(generator_loss: float, *, beta: float) -> float:
    r"""Weight of real triplets against synthetic ones, by how good the generator is.

    .. math:: J = e^{-\beta / J_{gen}} J_{real} + (1 - e^{-\beta / J_{gen}}) J_{syn}

    Args:
        generator_loss: Running mean of the generator's loss, from 0 on.
        beta: In units of that loss, above 0.

    Returns:
        A number in [0, 1]; 1 from a generator that makes nothing of use.

    Example:
        >>> round(real_weight(1.0, beta=0.5), 4), real_weight(0.0, beta=0.5)
        (0.6065, 0.0)
    """
    return exp(-beta / generator_loss) if generator_loss > 0 else 0.0

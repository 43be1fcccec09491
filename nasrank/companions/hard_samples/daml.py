"""Deep adversarial metric learning: negatives near the anchor, and still themselves."""

from __future__ import annotations

from torch import Tensor

__all__ = ["generator_loss"]


def generator_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    generated: Tensor,
    *,
    keep: float,
    reverse: float,
    alpha: float,
) -> Tensor:
    r"""What a generated negative should be like, in features.

    .. math:: \|\tilde x - x_a\|^2 + \lambda_1 \|\tilde x - x_n\|^2
        + \lambda_2 [\|\tilde x - x_a\|^2 - \|x_p - x_a\|^2 - \alpha]_+

    It is to be near the anchor, near the negative it was made of, and not further from the anchor
    than the positive is, by a slack. The last term is a reverse triplet of fixed threshold.

    Args:
        anchor: ``[triplets, f]`` features.
        positive: ``[triplets, f]``.
        negative: ``[triplets, f]``.
        generated: ``[triplets, f]``.
        keep: Weight of staying near the negative.
        reverse: Weight of the reverse triplet.
        alpha: Its slack.

    Returns:
        The mean over triplets.

    References:
        Duan et al. (2018), "Deep adversarial metric learning", CVPR.

    Example:
        The squares are 4 to the anchor, 1 to the negative, 1 from the positive to the anchor,
        so 4 + 1 + 2 * (4 - 1 - 1):

        >>> import torch
        >>> x = [torch.tensor([[value]]) for value in (0.0, 1.0, 3.0, 2.0)]
        >>> generator_loss(*x, keep=1.0, reverse=2.0, alpha=1.0).item()
        9.0
    """
    to_anchor = (generated - anchor).square().sum(dim=-1)
    to_negative = (generated - negative).square().sum(dim=-1)
    between = (positive - anchor).square().sum(dim=-1)
    pushed = (to_anchor - between - alpha).clamp(min=0)
    return (to_anchor + keep * to_negative + reverse * pushed).mean()

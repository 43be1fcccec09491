"""What critic and generator of every method minimise, for a whole fleet at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.companions.precision_recall.auxiliary import AUXILIARIES, Auxiliary, primal_alpha

__all__ = ["Objective", "make_objective"]

Values: TypeAlias = Float[Tensor, "members items"]
OneEach: TypeAlias = Float[Tensor, "members"]
Loss: TypeAlias = Callable[[Values, Values, OneEach], OneEach]


@dataclass(frozen=True)
class Objective:
    """The losses of one method, for members stacked in front.

    Attributes:
        critic: From values on data, on draws and lambda to losses.
        generator: From values on draws and lambda to losses; only these carry a gradient.
        saturated: From values on draws and lambda to where the ratio, or the critic of a dual
            form, is at an end of its range.
        neutral: From lambda to the value that separates data from draws.
    """

    critic: Loss
    generator: Callable[[Values, OneEach], OneEach]
    saturated: Callable[[Values, OneEach], Bool[Tensor, "members items"]]
    neutral: Callable[[OneEach], OneEach]


def make_objective(method: str, auxiliary: str = "chi2") -> Objective:
    """Return the losses of a method.

    - ``pr``: the critic trains on the auxiliary divergence, the generator maximises half of the
      sum of ``alpha_lambda`` and ``beta_lambda``, estimated from the ratios so found.
    - ``naive``: critic and generator play the dual form of the precision-recall divergence
      itself, as in the authors' release: the critic is free upwards on the data, although the
      conjugate ends at lambda.
    - ``dual``: the same with the critic held at lambda on both sides, as the conjugate asks.
    - ``hinge``: the hinge loss.
    - ``kl``, ``rkl``, ``chi2``: the f-GAN of this divergence.

    Args:
        method: One of these.
        auxiliary: For ``pr``: a name in `AUXILIARIES`.

    References:
        Nowozin et al. (2016), "f-GAN: Training Generative Neural Samplers using Variational
        Divergence Minimization"; Lim & Ye (2017), "Geometric GAN"; Verine et al. (2023).
    """
    match method:
        case "pr":
            return _primal(AUXILIARIES[auxiliary])
        case "naive" | "dual":
            return _dual(bounded=method == "dual")
        case "hinge":
            return _hinge()
        case _:
            return _f_gan(AUXILIARIES[method])


def _primal(auxiliary: Auxiliary) -> Objective:
    low, ceiling = auxiliary.limits[0], auxiliary.ceiling

    def generator(fake: Values, lam: OneEach) -> OneEach:
        # The real half of the estimate, the other half of its weight, has no gradient.
        alpha = primal_alpha(lam, fake=auxiliary.ratio(fake, ceiling(lam))) / 2
        return -(alpha + alpha / lam) / 2

    return Objective(
        lambda real, fake, lam: auxiliary.loss(real, fake, ceiling(lam)),
        generator,
        lambda fake, lam: (fake <= low) | (fake >= ceiling(lam)),
        lambda lam: auxiliary.value(torch.ones_like(lam)),
    )


def _dual(*, bounded: bool) -> Objective:
    def critic(real: Values, fake: Values, lam: OneEach) -> OneEach:
        value = torch.minimum(real, lam[:, None]) if bounded else real
        return -value.mean(-1) + fake.clamp_min(0.0).mean(-1) / lam

    return Objective(
        critic,
        lambda fake, lam: -torch.minimum(fake, lam[:, None]).mean(-1) / lam,
        lambda fake, lam: (fake <= 0) | (fake >= lam[:, None]),
        lambda lam: lam / 2,
    )


def _f_gan(auxiliary: Auxiliary) -> Objective:
    low, high = auxiliary.limits
    return Objective(
        lambda real, fake, _lam: auxiliary.loss(real, fake, high),
        lambda fake, _lam: -auxiliary.conjugate(fake).mean(-1),
        lambda fake, _lam: (fake <= low) | (fake >= high),
        lambda lam: auxiliary.value(torch.ones_like(lam)),
    )


def _hinge() -> Objective:
    return Objective(
        lambda real, fake, _lam: (1 - real).relu().mean(-1) + (1 + fake).relu().mean(-1),
        lambda fake, _lam: -fake.mean(-1),
        lambda fake, _lam: torch.zeros_like(fake, dtype=torch.bool),
        torch.zeros_like,
    )

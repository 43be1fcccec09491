"""The losses, with a description of each that needs no import of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from nasrank.registry import Registry

__all__ = ["LOSSES", "TARGETS", "LossFunction", "LossInfo", "LossRegistry", "Targets"]

LossFunction: TypeAlias = Callable[..., Any]
Targets: TypeAlias = Literal["raw", "clipped", "robust", "normal", "rank"]

TARGETS: tuple[Targets, ...] = get_args(Targets)
"""What a loss can be fed with. ``raw``: labels as they are. ``clipped``: at three deviations from
the median. ``normal``: normal quantiles of their ranks. ``robust``: the mean of these two.
``rank``: the share of the other architectures that each beats."""


@dataclass(frozen=True)
class LossInfo:
    """The description of a loss.

    Args:
        name: Its name in lists, tables and on the command line.
        target: Where the function is, as ``module:attribute``.
        family: The idea it is built on, which also names its module; ``"extension"`` for
            losses of other packages.
        targets: What it is trained on in its published form, see
            :data:`TARGETS`; users choose with ``NAME(targets=robust)``.
        scale: What is made of the targets of a training set: ``"zscore"`` (mean 0, standard
            deviation 1) or ``"unit"`` (from 0 to 1).
        formula: The loss of one list, in one line.
        reference: Where it was published.
        shift_invariant: Adding a constant to all scores of a list changes nothing.
        scale_bound: Scores are estimates of the labels: the loss is 0 where they are equal.
        order_only: Any strictly increasing transform of the labels changes nothing.
        derived: Arguments that are computed from the training set, not given by the user.
    """

    name: str
    target: str
    family: Literal["regression", "pairwise", "listwise", "weighted", "extension"]
    targets: Targets
    scale: Literal["zscore", "unit"]
    formula: str
    reference: str
    shift_invariant: bool = True
    scale_bound: bool = False
    order_only: bool = False
    derived: tuple[str, ...] = ()

    @property
    def function(self) -> LossFunction:
        """The function itself; imports torch."""
        return LOSSES[self.name]


class LossRegistry(Registry[LossFunction]):
    """The losses by name, each with its description.

    A loss is a plain function ``(scores, labels, *, where=None, reduction="mean", ...)`` of
    tensors ``[*batch, items]``; its other keyword arguments are its options. Another package
    adds one by an entry point of the group ``nasrank.losses`` whose name is that of the loss
    and whose value is where its function is; a user names their own by its location,
    ``./mine.py:my_loss``. Both may be simpler functions, see `nasrank.losses.own`.

    Example:
        >>> LOSSES.entry("warp").family
        'weighted'
        >>> LOSSES["warp"].__name__
        'warp_loss'
    """

    def __init__(self, known: tuple[LossInfo, ...]) -> None:
        super().__init__("loss", group="nasrank.losses", adapter="nasrank.losses.own:adapted")
        self._known = {info.name: info for info in known}
        for info in known:
            self.register(info.name, target=info.target)

    def entry(self, name: str) -> LossInfo:
        """Return the description of a loss; for this package's losses without importing torch.

        A loss of another package is only assumed to take z-scored labels.

        Raises:
            UsageError: There is no such loss.
        """
        if name in self._known:
            return self._known[name]
        function = self[name]
        formula, *_ = (function.__doc__ or "").strip().splitlines() or [""]
        return LossInfo(
            name,
            target=self.origin(name),
            family="extension",
            targets="raw",
            scale="zscore",
            formula=formula,
            reference="",
            shift_invariant=False,
        )


LOSSES = LossRegistry(
    (
        LossInfo(
            "mse",
            target="nasrank.losses.regression:mse_loss",
            family="regression",
            targets="raw",
            scale="zscore",
            formula="mean_i (s_i - y_i)^2",
            reference="Wen et al. (2020), ECCV",
            shift_invariant=False,
            scale_bound=True,
        ),
        LossInfo(
            "mse+sr",
            target="nasrank.losses.regression:mse_with_sequence_ranking_loss",
            family="regression",
            targets="raw",
            scale="zscore",
            formula="mse + weight mean_ij |(s_i - s_j) - (y_i - y_j)|",
            reference="Yi et al. (2023), CVPR",
            shift_invariant=False,
            scale_bound=True,
        ),
        LossInfo(
            "hr",
            target="nasrank.losses.pairwise:hinge_loss",
            family="pairwise",
            targets="raw",
            scale="zscore",
            formula="mean_{y_i > y_j} max(0, margin - (s_i - s_j))",
            reference="Ning et al. (2020), ECCV",
            order_only=True,
        ),
        LossInfo(
            "lr",
            target="nasrank.losses.pairwise:logistic_loss",
            family="pairwise",
            targets="raw",
            scale="zscore",
            formula="mean_{y_i > y_j} log(1 + exp(-(s_i - s_j) / temperature))",
            reference="Burges et al. (2005), ICML",
            order_only=True,
        ),
        LossInfo(
            "softtau",
            target="nasrank.losses.pairwise:soft_tau_loss",
            family="pairwise",
            targets="raw",
            scale="zscore",
            formula="1 - mean_{y_i > y_j} tanh((s_i - s_j) / temperature)",
            reference="Zheng et al. (2023), NeurIPS",
            order_only=True,
        ),
        LossInfo(
            "listmle",
            target="nasrank.losses.listwise:listmle_loss",
            family="listwise",
            targets="raw",
            scale="zscore",
            formula="mean_i [log sum_{y_j <= y_i} exp(s_j) - s_i]",
            reference="Xia et al. (2008), ICML",
            order_only=True,
        ),
        LossInfo(
            "listnet",
            target="nasrank.losses.listwise:listnet_loss",
            family="listwise",
            targets="rank",
            scale="unit",
            formula="-sum_i softmax(y / temperature)_i log softmax(s)_i",
            reference="Cao et al. (2007), ICML",
        ),
        LossInfo(
            "approxndcg",
            target="nasrank.losses.listwise:approx_ndcg_loss",
            family="listwise",
            targets="rank",
            scale="unit",
            formula="1 - sum_i gain_i / log2(1 + soft rank_i) / the same at the true ranks",
            reference="Qin et al. (2010), Information Retrieval",
        ),
        LossInfo(
            "ew",
            target="nasrank.losses.weighted:exponential_loss",
            family="weighted",
            targets="raw",
            scale="zscore",
            formula="mean_i exp(u_i - 1) (s_i - y_i)^2, u_i = y_i from 0, the worst, to 1",
            reference="Shi et al. (2020), NeurIPS",
            shift_invariant=False,
            scale_bound=True,
            derived=("best", "spread"),
        ),
        LossInfo(
            "mape",
            target="nasrank.losses.weighted:mape_loss",
            family="weighted",
            targets="raw",
            scale="zscore",
            formula="mean_i |s_i - y_i| / (bound - y_i)",
            reference="White et al. (2021), AAAI",
            shift_invariant=False,
            scale_bound=True,
            derived=("bound",),
        ),
        LossInfo(
            "warp",
            target="nasrank.losses.weighted:warp_loss",
            family="weighted",
            targets="raw",
            scale="zscore",
            formula="mean_i (H(v) / v) sum_{y_i > y_j} max(0, margin - (s_i - s_j)), v violators",
            reference="Weston et al. (2011), IJCAI",
            order_only=True,
        ),
        LossInfo(
            "lambdarank",
            target="nasrank.losses.weighted:lambdarank_loss",
            family="weighted",
            targets="rank",
            scale="unit",
            formula="mean_{y_i > y_j} log(1 + exp(-(s_i - s_j))), weighted by the change of NDCG",
            reference="Burges et al. (2006), NIPS",
        ),
    )
)

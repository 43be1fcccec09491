"""A kernel machine: scores that are linear in a kernel, trained with any loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.losses import LossSpec, PiecewiseSpec
from nasrank.predictors.coefficients import LinearProblem
from nasrank.predictors.evidence import Choice, Rows, choose_kernel, label_tau, spread_out
from nasrank.predictors.gp import GaussianProcess, Posterior, Posteriors
from nasrank.predictors.kernel_rows import KernelRows
from nasrank.predictors.predictor import Epoch, FeaturePredictor, Fitted, Member
from nasrank.seeds import numpy_generator

__all__ = ["FOLDS", "KernelMachine", "Machines", "cut_folds"]

FOLDS = 5
"""Into how many parts a training set is cut."""
_FOLDED_ON = 320
"""The most labels used to choose the penalty; all are used for the coefficients."""
_REPEATS, _REPEATED_BELOW = 4, 120
"""How often folds are cut, and the labels from which they are cut once."""
_STRONGEST, _WEAKEST = 0, -5
"""Penalties that are tried, as powers of ten times the unit of the loss."""
_ROUGHLY, _FOLD_STEPS = 0.05, 4
"""Tolerance and most steps of a solution that starts from that of the penalty before it."""
_SHARES = (0.25, 0.5, 0.25)
"""Weights of the tau of a penalty and of its neighbours'."""
_UNTESTED = 0.1
"""The penalty of so few labels that no fold can be left out, in the unit of the loss."""
_PATIENCE = 2
"""Penalties in a row without a better one after which no weaker one is tried."""
_COVERED = 0.6827
"""Share of the labels that lie within one standard deviation, as of a normal distribution."""
_NEGLIGIBLE = 1e-3
"""Share of the noise below which a direction of the kernel is left out."""


class KernelMachine(FeaturePredictor):
    r"""Kernel machine with any loss, on the kernel that a Gaussian process would choose.

    .. math:: \min_b \; \ell(L b, y) + \frac{\lambda}{n} \lVert b \rVert^2, \qquad K = L L^T

    with K of :func:`~nasrank.predictors.evidence.choose_kernel` and the whole training set as one
    list. By the representer theorem this is the best function of the kernel's space for the loss
    and a penalty on its norm (Schölkopf, Herbrich and Smola 2001, COLT). The penalty is chosen by
    Kendall's tau on folds of the training set, from strong to weak. A piecewise loss is that of
    its parts that goes with the number of labels.
    """

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        own = 0.05 + 2e-3 * min(n, _FOLDED_ON) + 2.4e-9 * n**3
        return GaussianProcess.seconds(n, options) + own

    @cached_property
    def rows(self) -> KernelRows:
        """The graphs as the kernel sees them, computed when first needed."""
        return KernelRows(self.graphs, self.used_proxies)

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Machines:
        """Fit every member; see :meth:`Predictor.fit`. A step is a member."""
        bases: dict[tuple[bytes, bytes], _Basis] = {}
        machines = []
        for place, member in enumerate(members):
            # Losses that are compared on the same labels share their kernel.
            own = (member.items.tobytes(), member.targets.tobytes())
            if own not in bases:
                candidates = self.rows.candidates(torch.from_numpy(member.items))
                bases[own] = _Basis(choose_kernel(candidates, member.targets))
            machines.append(_Machine.of(bases[own], member))
            if on_step is not None:
                on_step(place + 1, len(members))
        return Machines(self.rows, self.rows.reference, machines)


class _Basis:
    """A kernel as a product of coordinates.

    Args:
        choice: The kernel and its training set.

    Attributes:
        posterior: The Gaussian process with this kernel.
        rows: ``[n, r]`` coordinates of the training set.
        back: ``[n, r]`` what turns coefficients of coordinates into those of the kernel.
    """

    def __init__(self, choice: Choice) -> None:
        self.posterior = Posterior(choice)
        values, vectors = torch.linalg.eigh(choice.kernel.between(choice.rows, choice.rows))
        kept = values > _NEGLIGIBLE * choice.kernel.noise
        roots = values[kept].sqrt()
        self.rows, self.back = vectors[:, kept] * roots, vectors[:, kept] / roots

    def unit(
        self,
        scores: Float64[np.ndarray, "n"],
        left_out: Float64[np.ndarray, "tested"],
        tested: Int64[Tensor, "tested"],
    ) -> float:
        """Return what a standard deviation of the process is in the unit of the scores.

        Args:
            scores: Those of the training set.
            left_out: Those of a part of it by models that did not see the label; NaN where there
                are none.
            tested: Places of that part.
        """
        targets = self.posterior.choice.targets.numpy()
        off = targets - targets.mean()
        if not np.ptp(scores) > 0 or not np.ptp(targets) > 0:
            return 1.0
        slope = float(off @ scores) / float(off @ off)
        if np.isnan(left_out).any():
            return abs(slope)
        away = np.abs(scores.mean() + slope * off[tested] - left_out)
        return float(np.quantile(away / self.posterior.left_out[tested].numpy(), _COVERED))


@dataclass(frozen=True, eq=False)
class _Machine:
    """One member.

    Attributes:
        basis: Its kernel.
        coefficients: Of the kernel with each training graph.
        unit: Standard deviation of the Gaussian process in the unit of the scores.
        loss: Value of the training loss.
        held: Scores of what each fold left out at the chosen penalty, else NaN.
    """

    basis: _Basis
    coefficients: Float64[Tensor, "n"]
    unit: float
    loss: float
    held: Float64[np.ndarray, "folds n"]

    @classmethod
    def of(cls, basis: _Basis, member: Member) -> _Machine:
        spec = member.loss
        loss = spec.at(len(member.items)) if isinstance(spec, PiecewiseSpec) else spec
        labels = torch.from_numpy(np.asarray(member.targets, np.float64))
        few = spread_out(member.targets, _FOLDED_ON)
        units = member.items if member.units is None else member.units
        found = _by_folds(basis.rows[few], labels[few], units[few.numpy()], member.seed, loss)
        whole = torch.ones(1, len(labels), dtype=torch.bool)
        problem = LinearProblem(basis.rows, labels, whole, loss)
        b = problem.solve(found.penalty, found.start, tolerance=1e-5)
        scores = b @ basis.rows.T
        unit = basis.unit(scores[0].numpy(), found.left_out, few)
        held = np.full((len(found.by_fold), len(labels)), np.nan)
        held[:, few.numpy()] = found.by_fold
        return cls(basis, basis.back @ b[0], unit, float(problem.loss(scores)[0]), held)


def cut_folds(
    units: Int64[np.ndarray, "n"], labels: Float64[np.ndarray, "n"], seed: int, repeats: int
) -> Bool[Tensor, "folds n"]:
    """Say which items each fold leaves out; those of one unit, such as copies, go together.

    Folds are alike in their labels: neighbours in the order of labels are dealt to different ones.

    Args:
        units: Number of what each item belongs to.
        labels: Raw labels.
        seed: Seed of the run.
        repeats: How often to cut anew.

    Returns:
        ``[repeats * folds, n]``, five folds where there are as many units; none for fewer than
        three units.
    """
    names, first, place = np.unique(units, return_index=True, return_inverse=True)
    count = min(FOLDS, len(names))
    if count < 3:
        return torch.zeros(0, len(units), dtype=torch.bool)
    draw = numpy_generator(seed, stream="folds", n=len(names))
    order = np.lexsort((names, labels[first]))
    cut = []
    for _ in range(repeats):
        dealt = np.concatenate([draw.permutation(count) for _ in range(-(-len(names) // count))])
        fold = np.empty(len(names), np.int64)
        fold[order] = dealt[: len(names)]
        cut += [fold[place] == number for number in range(count)]
    return torch.from_numpy(np.array(cut))


class _Found(NamedTuple):
    """What folds say.

    Attributes:
        penalty: The best.
        start: The solution of the whole training set near it.
        left_out: Scores of each item by models that did not see its label, or NaN.
        by_fold: The same, of each fold for itself; NaN for items that it does not leave out.
    """

    penalty: Float64[Tensor, "1"]
    start: Float64[Tensor, "1 rank"]
    left_out: Float64[np.ndarray, "n"]
    by_fold: Float64[np.ndarray, "folds n"]


def _by_folds(
    rows: Float64[Tensor, "n rank"],
    labels: Float64[Tensor, "n"],
    units: Int64[np.ndarray, "n"],
    seed: int,
    loss: LossSpec,
) -> _Found:
    """Choose the penalty of the greatest mean tau over folds.

    Args:
        rows: Coordinates of the training set.
        labels: Raw labels.
        units: What folds must not tear apart.
        seed: Seed of the run.
        loss: The training loss.
    """
    repeats = _REPEATS if len(np.unique(units)) < _REPEATED_BELOW else 1
    folds = cut_folds(units, labels.numpy(), seed, repeats)
    whole = torch.ones(1, len(labels), dtype=torch.bool)
    unit = LinearProblem(rows, labels, whole, loss).unit_penalty()
    problem = LinearProblem(rows, labels, torch.cat([whole, ~folds]), loss)
    b = torch.zeros(len(folds) + 1, rows.shape[1], dtype=torch.float64)
    if len(folds) == 0:
        nothing = np.full((1, len(labels)), np.nan)
        return _Found(_UNTESTED * unit, b[:1], nothing[0], nothing[:0])
    tried: list[_Found] = []
    taus: list[float] = []
    for power in range(_STRONGEST, _WEAKEST - 1, -1):
        penalty = unit * 10.0**power
        b = problem.solve(penalty.expand(len(b)), b, tolerance=_ROUGHLY, steps=_FOLD_STEPS)
        scores = (b[1:] @ rows.T).numpy()
        out = folds.numpy()
        by_fold = np.where(out, scores, np.nan)
        tried.append(_Found(penalty, b[:1], _left_out(scores, out), by_fold))
        # Within each fold, as the scores of different models have no common unit.
        own = [
            label_tau(row[out], labels.numpy()[out])
            for row, out in zip(scores, folds.numpy(), strict=True)
        ]
        taus.append(float(np.mean(own)))
        if len(taus) - int(np.argmax(taus)) > _PATIENCE:
            break
    # Few labels leave much noise in tau, and neighbours have a part of it each.
    return tried[int(np.argmax(np.convolve(np.pad(taus, 1, mode="edge"), _SHARES, "valid")))]


def _left_out(
    scores: Float64[np.ndarray, "folds n"], folds: Bool[np.ndarray, "folds n"]
) -> Float64[np.ndarray, "n"]:
    """Mean score of each item by the models that did not see it."""
    mean: NDArray[np.float64] = (scores * folds).sum(axis=0) / folds.sum(axis=0)
    return mean


class Machines(Fitted):
    """Kernel machines, each of which stands on a Gaussian process."""

    def __init__(
        self, made: KernelRows, readings: Sequence[Rows], machines: Sequence[_Machine]
    ) -> None:
        self._made, self._readings, self._machines = made, readings, machines
        self.final_loss = np.array([each.loss for each in machines])

    @property
    def processes(self) -> Fitted:
        """The Gaussian processes, as `~nasrank.predictors.gp.GaussianProcess` fits them."""
        posteriors = [each.basis.posterior for each in self._machines]
        return Posteriors(self._made, self._readings, posteriors)

    @property
    def held(self) -> list[Float64[np.ndarray, "folds n"]]:
        """Scores of what each fold left out when the penalty was chosen, by member; else NaN.

        The kernel has seen these labels, so they compare losses, but flatter all of them.
        """
        return [each.held for each in self._machines]

    @property
    def noise(self) -> Float64[np.ndarray, "members"]:
        """Variance of the noise of a label, in the unit of the targets of the process."""
        return np.array([each.basis.posterior.choice.kernel.noise for each in self._machines])

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where a coefficient is not finite."""
        return np.array([not each.coefficients.isfinite().all() for each in self._machines])

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Scores in the unit of the loss, as those of a network."""
        rows = []
        for each in self._machines:
            choice = each.basis.posterior.choice
            rows.append(
                choice.kernel.mean(self._rows(each, items), choice.rows, each.coefficients)
            )
        result: NDArray[np.float64] = torch.stack(rows).numpy()
        return result

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Standard deviations without the noise of a label, in the unit of the scores."""
        rows = [
            each.unit * each.basis.posterior.deviation(self._rows(each, items))
            for each in self._machines
        ]
        result: NDArray[np.float64] = torch.stack(rows).numpy()
        return result

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same members for other graphs; see :meth:`Fitted.on`."""
        return Machines(self._made, self._made.of(graphs, proxies), self._machines)

    def _rows(self, machine: _Machine, items: Int64[np.ndarray, "graphs"] | None) -> Rows:
        rows = self._readings[machine.basis.posterior.choice.reading]
        return rows if items is None else rows[torch.from_numpy(np.asarray(items, np.int64))]

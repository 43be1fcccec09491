"""A kernel on columns and views of architectures, chosen by its marginal likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import minimize
from torch import Tensor

from nasrank.predictors.targets import log_scores, normal_scores, robust_scores

__all__ = [
    "TUNED_ON",
    "Choice",
    "Form",
    "Kernel",
    "Rows",
    "choose_kernel",
    "distances",
    "label_tau",
    "spread_out",
]

TUNED_ON = 512
"""The most labels used to choose a kernel."""
_SEVERAL_ON = 160
"""The most labels used to tell scales of columns apart."""
_STEPS, _FINAL_STEPS = 60, 12
"""Iterations of the search for a first kernel, and for the last one from there."""
_WORSE_BY = 0.01
"""Loss of tau at which a way to scale labels weighs e times less."""
_BOUND = 5.0
"""How far a parameter may go from its prior, in standard deviations of the prior."""
_CONSTANT = 0.3**2
"""Prior variance of a constant that is added to all scores."""
_USUAL = np.log([1.0, 0.3, 0.1, 0.3])
"""Prior amplitudes of the joint, linear and additive part, and of the noise."""
_SHARED, _OWN = 0.7, 0.5
"""Prior deviations of a logarithmic length: what columns of a group share, and each one's own."""
_ALONE_LENGTH = 1.4
"""Length of a column in the additive part, in its standard deviations."""
_AT_ONCE = 1 << 21
"""Pairs of architectures whose kernel is computed at a time."""
_JITTER = 1e-6
_SQRT5 = float(np.sqrt(5.0))


@dataclass(frozen=True, eq=False)
class Rows:
    """Architectures as a kernel sees them.

    Attributes:
        columns: ``[items, D]`` standardised.
        views: Further rows of numbers by view, each compared by its Euclidean distance.
    """

    columns: Float64[Tensor, "items columns"]
    views: Mapping[str, Float64[Tensor, "items _"]]

    def __len__(self) -> int:
        """Return the number of architectures."""
        return len(self.columns)

    def __getitem__(self, items: Int64[Tensor, "chosen"] | slice) -> Rows:
        """Return the chosen architectures."""
        views = {name: view[items] for name, view in self.views.items()}
        return Rows(self.columns[items], views)

    def parts(self, others: int) -> Iterator[Rows]:
        """Cut into parts whose kernel with so many others fits into little memory."""
        step = max(1, _AT_ONCE // max(1, others))
        for start in range(0, max(1, len(self)), step):
            yield self[start : start + step]


@dataclass(frozen=True, eq=False)
class Form:
    r"""What the parameters of a kernel mean.

    With D columns :math:`z_j = x_j e^{\lambda_j}` and V views

    .. math:: k = c + s_m^2 k_{5/2}(|z - z'|) + s_l^2 z^T z' + s_a^2 \sum_j w_j k_j(x_j, x'_j)
        + \sum_v s_v^2 k_{5/2}(d_v / \ell_v) + s_n^2 \delta

    where :math:`k_j` is Matérn 5/2 too, and the product for a column of two values. Lengths and
    weights have a prior that is shared within groups of columns:

    .. math:: \lambda_j = -\tfrac12 \log D + .7 b_{g(j)} + .5 d_j, \qquad
        w_j = \tfrac1D e^{2 (.7 a_{g(j)} + .5 u_j)}

    with standard normal a, b, d, u. The parameters of a kernel are the deviations from the prior
    in its standard deviations, in the order b, d, a, u, log s, log l of views, log s of views.

    Attributes:
        groups: Group of each column, numbered from 0.
        two_valued: Whether a column has two values.
        typical: Median distance of architectures in each view.
    """

    groups: Int64[np.ndarray, "columns"]
    two_valued: Bool[np.ndarray, "columns"]
    typical: Mapping[str, float]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of parameters of each kind."""
        count = int(self.groups.max(initial=-1)) + 1
        columns, views = len(self.groups), len(self.typical)
        return (count, columns, count, columns, len(_USUAL), views, views)

    def read(self, parameters: Float64[np.ndarray, "parameters"]) -> _Meaning:
        """Give parameters their meaning."""
        shared, own, weight, own_weight, amplitudes, lengths, heights = np.split(
            parameters, np.cumsum(self.sizes)[:-1]
        )
        columns = max(1, len(self.groups))
        divided = 0.5 * np.log(1 + len(self.typical))
        usual = _USUAL - divided * np.array([1, 1, 1, 0])
        return _Meaning(
            reach=-0.5 * np.log(columns) + _SHARED * shared[self.groups] + _OWN * own,
            weight=2 * (_SHARED * weight[self.groups] + _OWN * own_weight) - np.log(columns),
            amplitudes=usual + amplitudes,
            lengths=np.log([*self.typical.values()]) + lengths,
            heights=heights - divided,
        )


@dataclass(frozen=True, eq=False)
class _Meaning:
    """Logarithms: of 1 / length and weight by column, of amplitudes, of length and height by view.

    Attributes:
        reach: Of the factors of the columns in the joint and in the linear part.
        weight: Of the weights of the columns in the additive part.
        amplitudes: Of those of the joint, the linear and the additive part, and of the noise.
        lengths: Of the lengths of the views.
        heights: Of the amplitudes of the views.
    """

    reach: Float64[np.ndarray, "columns"]
    weight: Float64[np.ndarray, "columns"]
    amplitudes: Float64[np.ndarray, "4"]
    lengths: Float64[np.ndarray, "views"]
    heights: Float64[np.ndarray, "views"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel with its parameters.

    Attributes:
        form: What they mean.
        parameters: In standard deviations of the prior.
        loss: Negative logarithm of likelihood times prior, per label.
    """

    form: Form
    parameters: Float64[np.ndarray, "parameters"]
    loss: float

    @cached_property
    def _meaning(self) -> _Meaning:
        return self.form.read(self.parameters)

    @property
    def noise(self) -> float:
        """Variance of the noise of a label."""
        return float(np.exp(2 * self._meaning.amplitudes[3])) + _JITTER

    def between(self, rows: Rows, others: Rows) -> Float64[Tensor, "items others"]:
        """Return the kernel between all pairs, without noise."""
        joint = self._without_additive(rows, others)
        for weight, values, place in self._additive(rows, others):
            joint.addcmul_(values[place], torch.tensor(weight, dtype=torch.float64))
        return joint

    def noisy(self, rows: Rows) -> Float64[Tensor, "items items"]:
        """Return the kernel of a training set with the noise of its labels."""
        matrix = self.between(rows, rows)
        matrix.diagonal().add_(self.noise)
        return matrix

    def mean(
        self, rows: Rows, others: Rows, coefficients: Float64[Tensor, "others"]
    ) -> Float64[Tensor, "items"]:
        """Return the kernel times coefficients, faster than by way of the matrix."""
        means = []
        for part in rows.parts(len(others)):
            total = self._without_additive(part, others) @ coefficients
            for weight, values, place in self._additive(part, others):
                total += (weight * (values @ coefficients))[place]
            means.append(total)
        return torch.cat(means)

    def variance(self, rows: Rows) -> Float64[Tensor, "items"]:
        """Return the kernel of each architecture with itself."""
        meaning = self._meaning
        joint, linear, additive, _ = np.exp(2 * meaning.amplitudes)
        scaled = rows.columns * torch.from_numpy(np.exp(meaning.reach))
        own = torch.ones_like(rows.columns)
        two = torch.from_numpy(self.form.two_valued)
        own[:, two] = rows.columns[:, two].square()
        weights = torch.from_numpy(np.exp(meaning.weight))
        same = _CONSTANT + joint * float(len(weights) > 0) + np.exp(2 * meaning.heights).sum()
        varied: Tensor = linear * scaled.square().sum(dim=1) + additive * (own @ weights)
        return varied + float(same)

    def _without_additive(self, rows: Rows, others: Rows) -> Float64[Tensor, "items others"]:
        """All but the additive part of the columns with more than two values."""
        meaning = self._meaning
        joint, linear, additive, _ = np.exp(2 * meaning.amplitudes)
        factor = torch.from_numpy(np.exp(meaning.reach))
        left, right = rows.columns * factor, others.columns * factor
        two = torch.from_numpy(self.form.two_valued)
        weight = torch.from_numpy(np.exp(meaning.weight))[two] * additive
        total = torch.full((len(rows), len(others)), _CONSTANT, dtype=torch.float64)
        if len(factor):
            total.addmm_(left, right.T, alpha=linear)
            total.addmm_(rows.columns[:, two] * weight, others.columns[:, two].T)
            total += _matern(distances(left, right)).mul_(joint)
        for place, name in enumerate(self.form.typical):
            apart = distances(rows.views[name], others.views[name])
            apart *= float(np.exp(-meaning.lengths[place]))
            total += _matern(apart).mul_(float(np.exp(2 * meaning.heights[place])))
        return total

    def _additive(
        self, rows: Rows, others: Rows
    ) -> Iterator[tuple[float, Float64[Tensor, "distinct others"], Int64[Tensor, "items"]]]:
        """Weight of each column of many values, its kernel at distinct values, and where each is.

        Columns of settings have few distinct values, so that tables of them are small.
        """
        additive = float(np.exp(2 * self._meaning.amplitudes[2]))
        for column in np.flatnonzero(~self.form.two_valued):
            distinct, place = torch.unique(rows.columns[:, column], return_inverse=True)
            apart = (distinct[:, None] - others.columns[:, column]).abs_().div_(_ALONE_LENGTH)
            yield additive * float(np.exp(self._meaning.weight[column])), _matern(apart), place


@dataclass(frozen=True, eq=False)
class Choice:
    """The kernel of a training set.

    Attributes:
        reading: Number of the candidate it stands on.
        kernel: The kernel.
        rows: The training set in that reading.
        targets: What its labels became: about standard normal, higher is better.
    """

    reading: int
    kernel: Kernel
    rows: Rows
    targets: Float64[Tensor, "n"]


def choose_kernel(
    candidates: Sequence[tuple[Form, Rows]], labels: Float64[np.ndarray, "n"]
) -> Choice:
    """Find the kernel of the greatest likelihood times prior.

    A first kernel is fitted to robust scores of the labels in every candidate. With that of the
    likeliest one, robust, normal and log scores are each predicted with one label left out, and
    mixed in proportion to exp(tau / .01). A few steps then fit the kernel to the mixture.

    Args:
        candidates: Ways to see the training set, such as by different scales of its numbers.
        labels: Its labels, higher is better, in any unit.
    """
    robust = robust_scores(labels)
    few, many = spread_out(labels, _SEVERAL_ON), spread_out(labels, TUNED_ON)
    first = [
        _fit(form, rows[few], torch.from_numpy(robust)[few], None, _STEPS)
        for form, rows in candidates
    ]
    reading = int(np.argmin([kernel.loss for kernel in first]))
    form, rows = candidates[reading]
    targets = _mixed(first[reading], rows, labels, robust)
    kernel = _fit(form, rows[many], targets[many], first[reading], _FINAL_STEPS)
    return Choice(reading, kernel, rows, targets)


def spread_out(labels: Float64[np.ndarray, "n"], most: int) -> Int64[Tensor, "chosen"]:
    """Choose at most so many places, evenly from the lowest to the highest label."""
    order = np.argsort(labels, kind="stable")
    if len(labels) > most:
        order = order[np.linspace(0, len(labels) - 1, most).round().astype(np.int64)]
    return torch.from_numpy(order)


def _mixed(
    kernel: Kernel,
    rows: Rows,
    labels: Float64[np.ndarray, "n"],
    robust: Float64[np.ndarray, "n"],
) -> Float64[Tensor, "n"]:
    """Mix ways to scale labels by how well each is predicted with one label left out."""
    ways = torch.from_numpy(np.stack([robust, normal_scores(labels), log_scores(labels)]))
    factor = torch.linalg.cholesky(kernel.noisy(rows))
    inverse = torch.cholesky_inverse(factor)
    left_out = ways - (ways @ inverse) / inverse.diagonal()
    taus = np.nan_to_num([label_tau(row, labels) for row in left_out.numpy()])
    weights = np.exp((taus - taus.max()) / _WORSE_BY)
    return torch.from_numpy(weights / weights.sum()) @ ways


def label_tau(scores: Float64[np.ndarray, "n"], labels: Float64[np.ndarray, "n"]) -> float:
    """Return Kendall's tau-b; 0 where it is undefined, as all scores or all labels are equal.

    It compares all pairs, which for the few items of a training set takes a tenth of the time of
    sorting and of the p-value that comes with it.
    """
    ours, theirs = (np.sign(np.subtract.outer(each, each)) for each in (scores, labels))
    size = np.sqrt(np.vdot(ours, ours) * np.vdot(theirs, theirs))
    return float(np.vdot(ours, theirs) / size) if size > 0 else 0.0


def _fit(
    form: Form,
    rows: Rows,
    targets: Float64[Tensor, "n"],
    start: Kernel | None,
    steps: int,
) -> Kernel:
    objective = Objective(form, rows, targets)
    begin = np.zeros(sum(form.sizes)) if start is None else start.parameters
    found = minimize(
        objective,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_BOUND, _BOUND)] * len(begin),
        options={"maxiter": steps},
    )
    return Kernel(form, found.x, float(found.fun) / max(1, len(targets)))


class Objective:
    """Negative logarithm of likelihood times prior, up to a constant, and its gradient.

    With P = (K^-1 - K^-1 y y' K^-1) / 2 the derivative by a parameter p is <P, dK/dp>.

    Args:
        form: What the parameters mean.
        rows: The training set.
        targets: Its labels.
    """

    def __init__(self, form: Form, rows: Rows, targets: Float64[Tensor, "n"]) -> None:
        self._form, self._targets = form, targets
        two = torch.from_numpy(form.two_valued)
        self._columns = rows.columns
        self._two_valued = rows.columns[:, two]
        many = rows.columns[:, ~two].T
        row, column = torch.tril_indices(len(targets), len(targets), -1)
        # Kernels of single columns, below the diagonal alone: they fill most of the memory.
        self._below = row * len(targets) + column
        self._alone = _matern((many[:, row] - many[:, column]).abs_().div_(_ALONE_LENGTH))
        self._apart = [distances(rows.views[name], rows.views[name]) for name in form.typical]

    def __call__(
        self, parameters: Float64[np.ndarray, "parameters"]
    ) -> tuple[float, Float64[np.ndarray, "parameters"]]:
        """Return value and gradient at the parameters."""
        form, size = self._form, len(self._targets)
        meaning = form.read(parameters)
        joint, linear, additive, noise = (float(each) for each in np.exp(2 * meaning.amplitudes))
        two = torch.from_numpy(form.two_valued)
        weights = additive * torch.from_numpy(np.exp(meaning.weight))
        scaled = self._columns * torch.from_numpy(np.exp(meaning.reach))
        kernel = torch.full((size, size), _CONSTANT, dtype=torch.float64)
        kernel.diagonal().add_(noise + _JITTER)
        if len(weights):
            reach = distances(scaled, scaled).mul_(_SQRT5)
            decay = torch.exp(-reach).mul_(joint)
            matern = (reach.square().div_(3).add_(reach).add_(1)).mul_(decay)
            kernel += matern
            kernel.addmm_(scaled, scaled.T, alpha=linear)
            kernel.addmm_(self._two_valued * weights[two], self._two_valued.T)
            kernel.view(-1)[self._below] += weights[~two] @ self._alone
            kernel.diagonal().add_(weights[~two].sum())
        views = [
            _matern_and_slope(apart * np.exp(-length), np.exp(2 * height))
            for apart, length, height in zip(
                self._apart, meaning.lengths, meaning.heights, strict=True
            )
        ]
        for view, _ in views:
            kernel += view
        # It reads what is on and below the diagonal alone.
        factor = torch.linalg.cholesky(kernel)
        inverse = torch.cholesky_inverse(factor)
        solved = inverse @ self._targets
        value = 0.5 * float(self._targets @ solved) + float(factor.diagonal().log().sum())
        pull = inverse.addr_(solved, solved, alpha=-1).mul_(0.5)
        by_reach = torch.zeros(len(weights), dtype=torch.float64)
        by_weight = torch.zeros_like(by_reach)
        by_amplitude = np.zeros(4)
        if len(weights):
            by_amplitude[0] = 2 * float((pull * matern).sum())
            slope = decay.mul_(reach.add_(1)).mul_(pull).mul_(-5 / 6)
            drawn = pull @ scaled
            by_linear = linear * (scaled * drawn).sum(dim=0)
            by_reach += 4 * (
                slope.sum(dim=1) @ scaled.square() - (scaled * (slope @ scaled)).sum(dim=0)
            )
            by_reach += 2 * by_linear
            by_amplitude[1] = 2 * float(by_linear.sum())
            by_weight[two] = (self._two_valued * (pull @ self._two_valued)).sum(dim=0)
            by_weight[~two] = 2 * (self._alone @ pull.flatten()[self._below]) + pull.trace()
            by_weight *= weights
            by_amplitude[2] = 2 * float(by_weight.sum())
        by_amplitude[3] = 2 * noise * float(pull.trace())
        by_length = np.array([float((pull * each).sum()) for _, each in views])
        by_height = np.array([2 * float((pull * each).sum()) for each, _ in views])
        by_column = self._chain(by_reach.numpy(), by_weight.numpy())
        gradient = np.concatenate([*by_column, by_amplitude, by_length, by_height])
        return value + 0.5 * float(parameters @ parameters), gradient + parameters

    def _chain(
        self, by_reach: Float64[np.ndarray, "columns"], by_weight: Float64[np.ndarray, "columns"]
    ) -> list[Float64[np.ndarray, "_"]]:
        """From reach and weight of columns to what groups share and each column's own."""
        groups, count = self._form.groups, self._form.sizes[0]
        return [
            _SHARED * np.bincount(groups, by_reach, count),
            _OWN * by_reach,
            2 * _SHARED * np.bincount(groups, by_weight, count),
            2 * _OWN * by_weight,
        ]


def distances(
    rows: Float64[Tensor, "rows columns"], others: Float64[Tensor, "others columns"]
) -> Float64[Tensor, "rows others"]:
    """Euclidean distances by one matrix product; accurate to about 1e-7 of the norms."""
    squares = rows.square().sum(dim=1)[:, None] + others.square().sum(dim=1)
    return torch.addmm(squares, rows, others.T, alpha=-2).clamp_min_(0).sqrt_()


def _matern(distance: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """Matérn 5/2 of a distance in lengths."""
    reach = distance * _SQRT5
    return torch.exp(-reach).mul_(reach.square().div_(3).add_(reach).add_(1))


def _matern_and_slope(
    distance: Float64[Tensor, "n n"], height: float
) -> tuple[Float64[Tensor, "n n"], Float64[Tensor, "n n"]]:
    """Matérn 5/2 times a height, and its derivative by the logarithm of the length."""
    reach = distance * _SQRT5
    decay = torch.exp(-reach).mul_(height)
    squared = reach.square().div_(3)
    return decay * (1 + reach + squared), decay.mul_(squared).mul_(1 + reach)

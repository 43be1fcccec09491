"""The embeddings that minimise the mixed contrastive loss, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Real
from numpy.typing import NDArray

from nasrank.errors import UsageError
from nasrank.registry import unknown_name

__all__ = [
    "ANCHORS",
    "Batch",
    "Noisy",
    "Optimum",
    "alpha_for",
    "alpha_star",
    "gram_matrix",
    "noisy_optimum",
    "optimal_embedding",
    "optimum",
    "temperature_star",
]

ANCHORS = ("included", "excluded")
"""Whether an anchor's own embedding is among those its softmax is over, and among its positives.

``included`` is the convention of the theory; ``excluded`` is the usual mask of SupCon, where an
instance needs two views to have a positive of its own."""

_HALVINGS = 100

Given: TypeAlias = float | Sequence[float] | Sequence[Sequence[float]] | Real[np.ndarray, "..."]
"""Settings to be broadcast."""
Array: TypeAlias = Float64[NDArray[np.float64], "settings"]
"""Settings one after the other, or what is said of each."""


@dataclass(frozen=True)
class Batch:
    """Batches that a loss is taken over; numbers and arrays are broadcast.

    Every function of them raises UsageError where a value is out of range.

    Attributes:
        classes: Classes m, 2 or more.
        instances: Instances n of each class, 2 or more.
        views: Views p of each instance, 1 or more.
        temperature: Temperature of the softmax, above 0.
        anchor: One of `ANCHORS`.
    """

    classes: Given
    instances: Given
    views: Given
    temperature: Given = 1.0
    anchor: str = "included"


@dataclass(frozen=True)
class Optimum:
    """A minimiser of the loss over all unit embeddings; the arrays have the settings' shape.

    The mean of all embeddings is 0, so within- and between-class variance add to 1.

    Attributes:
        within_variance: Mean squared distance of an embedding to its class mean, 0 to 1.
        between_variance: Mean squared length of a class mean.
        view_cosine: Cosine of two views of one instance.
        within_cosine: Cosine of two instances of one class.
        between_cosine: Cosine of two classes.
        collapsed: Whether all instances of a class are one point, or, where views are spread,
            cannot be told apart by the mean of their views.
        loss: The value of the loss, which no embeddings undercut.
    """

    within_variance: Float64[NDArray[np.float64], "*shape"]
    between_variance: Float64[NDArray[np.float64], "*shape"]
    view_cosine: Float64[NDArray[np.float64], "*shape"]
    within_cosine: Float64[NDArray[np.float64], "*shape"]
    between_cosine: Float64[NDArray[np.float64], "*shape"]
    collapsed: Bool[np.ndarray, "*shape"]
    loss: Float64[NDArray[np.float64], "*shape"]


@dataclass(frozen=True)
class _Setting:
    """Settings of one shape, checked and laid out in a line.

    Attributes:
        own: Weighs an instance's own term in the softmax.
        shape: The shape they had.
    """

    m: Array
    n: Array
    p: Array
    t: Array
    alpha: Array
    own: Array
    anchor: str
    shape: tuple[int, ...]

    @property
    def gap(self) -> Array:
        """``exp(-m / ((m - 1) t))``: one term of the softmax between collapsed classes."""
        gap: Array = np.exp(-self.m / ((self.m - 1) * self.t))
        return gap

    def threshold(self) -> Array:
        pull = (self.n - 1) * (1 - self.gap)
        least: Array = 1 - pull / (self.own + self.n - 1 + self.n * (self.m - 1) * self.gap)
        return least

    def views_spread(self) -> Bool[np.ndarray, "settings"]:
        """Where the loss falls if the views of collapsed classes leave one another."""
        if self.anchor == "included":
            return np.zeros(self.m.shape, dtype=bool)
        several = np.maximum(self.p - 1, 1)
        rest = self.p * self.n * (self.m - 1) * self.gap
        push = self.p * self.n * (1 - self.gap) / (self.p * self.n - 1 + rest)
        spread: NDArray[np.bool_] = (self.p > 1) & (push > 1 + self.alpha / several)
        return spread


def optimum(batch: Batch, alpha: Given) -> Optimum:
    r"""Return the minimiser of ``(1 - alpha) L_sup + alpha L_self`` over free unit embeddings.

    With a, s, b the mean cosines of two views, of two instances of a class, and of two classes,
    the loss is bounded below, tightly, by

    .. math:: -\frac{(1-\alpha)s + \alpha a}{\tau}
        + \log\big(w e^{a/\tau} + p(n-1)e^{s/\tau} + pn(m-1)e^{b/\tau}\big),

    where the embeddings sum to zero, which fixes b. An included anchor has w = p with a = 1; an
    excluded one has w = p - 1. Of this convex function the minimum lies

    - at s = 1, class collapse, where alpha is at most `alpha_star`;
    - otherwise at a = 1 and the root in s of its derivative, found by bisection: every class is
      a simplex of its instances around one corner of a simplex of the classes;
    - for an excluded anchor and small alpha and temperature, at a < 1: the instances of a class
      share their mean, and only the views of each are spread.

    Args:
        batch: The batches.
        alpha: Share of the self-supervised loss, in [0, 1]; broadcast with them.

    Returns:
        The minimiser. It is attained where the dimension is m n - 1 or more; m - 1 where
        collapsed; and m - 1 + m n (p - 1) where views are spread.

    Raises:
        UsageError: A value is out of range.

    References:
        Lee, Oh, Lee & Sohn (2025), "A theoretical framework for preventing class collapse in
        supervised contrastive learning", AISTATS.

    Example:
        >>> found = optimum(Batch(2, 3, 2, 1.0), [0.4, 0.7, 1.0])
        >>> found.within_variance.round(4).tolist(), found.collapsed.tolist()
        ([0.0, 0.3341, 0.8], [True, False, False])
    """
    at = _setting(batch, alpha)
    collapsed = at.alpha <= at.threshold()
    spread = collapsed & at.views_spread()
    within = np.where(collapsed, 1.0, _bisect(lambda x: _pull(at, x), -1 / (at.m * at.n - 1)))
    # Nothing pulls instances of a class together, and bisection could run into underflow.
    within = np.where(at.alpha == 1, -1 / (at.m * at.n - 1), within)
    several = np.maximum(at.p - 1, 1)
    view = np.where(spread, _bisect(lambda x: _view_pull(at, x), -1 / several), 1.0)
    shared = (1 + (at.p - 1) * view) / at.p
    within = np.where(spread, shared, within)
    between = -(shared + (at.n - 1) * within) / (at.n * (at.m - 1))
    inside = 1 - (shared + (at.n - 1) * within) / at.n
    weights = (at.own, at.n - 1, at.n * (at.m - 1))
    terms = sum(
        weight * np.exp((cosine - 1) / at.t)
        for weight, cosine in zip(weights, (view, within, between), strict=True)
    )
    aligned = (1 - at.alpha) * within + at.alpha * view
    loss = (1 - aligned) / at.t + np.log(at.p) + np.log(terms)
    return Optimum(
        inside.reshape(at.shape),
        (1 - inside).reshape(at.shape),
        view.reshape(at.shape),
        within.reshape(at.shape),
        between.reshape(at.shape),
        collapsed.reshape(at.shape),
        loss.reshape(at.shape),
    )


def alpha_star(batch: Batch) -> Float64[NDArray[np.float64], "*shape"]:
    r"""Return the largest alpha at which the classes collapse.

    With ``E = exp(m / ((m - 1) tau))`` and the anchor included

    .. math:: \alpha^* = 1 - \frac{n-1}{n} \cdot \frac{E-1}{E+m-1},

    which lies between 1/n, for small temperatures, and 1. It does not depend on the views. With
    the anchor excluded it is ``1 - p(n-1)(E-1) / ((np-1)E + pn(m-1))``.

    Example:
        >>> alpha_star(Batch([10, 100], [50, 5], 2, 0.1)).round(4).tolist()
        [0.0201, 0.2033]
    """
    at = _setting(batch, 0.0)
    return at.threshold().reshape(at.shape)


def alpha_for(batch: Batch, within_variance: Given) -> Float64[NDArray[np.float64], "*shape"]:
    """Return the alpha whose optimum has a given within-class variance, the inverse of `optimum`.

    The variance goes from 0, where alpha is `alpha_star`, to that of alpha 1, which is
    ``m(n - 1) / (mn - 1)``; with views that coincide.

    Example:
        >>> float(alpha_for(Batch(2, 3, 2, 1.0), 0.3341).round(4))
        0.7
    """
    warm, within = np.broadcast_arrays(batch.temperature, np.asarray(within_variance, np.float64))
    at = _setting(replace(batch, temperature=warm), 0.0)
    s = 1 - np.broadcast_to(within, at.shape).ravel() * at.n / (at.n - 1)
    near, far, total = _terms(at, s)
    alpha: Array = 1 - (at.n - 1) * (near - far) / total
    return alpha.reshape(at.shape)


def temperature_star(batch: Batch, alpha: Given) -> Float64[NDArray[np.float64], "*shape"]:
    """Return the temperature from which on the classes collapse, whatever that of the batch.

    It is 0 where they collapse at every temperature (with the anchor included, alpha up to 1/n),
    and infinite where they never do (alpha = 1).

    Example:
        >>> temperature_star(Batch(10, 20, 2), [0.05, 0.2, 1.0]).round(4).tolist()
        [0.0, 0.2781, inf]
    """
    at = _setting(replace(batch, temperature=1.0), alpha)
    top = at.n - 1 + (1 - at.alpha) * at.n * (at.m - 1)
    bottom = at.n - 1 - (1 - at.alpha) * (at.own + at.n - 1)
    # 1/n and its like are not exact in binary: what is nearly 0 is meant to be 0.
    kept = bottom > 1e-12 * at.n
    logarithm = np.log(np.where(kept, top, 1.0)) - np.log(np.where(kept, bottom, 1.0))
    safe = np.where(at.alpha < 1, logarithm, 1.0)
    warm = np.where(at.alpha < 1, at.m / ((at.m - 1) * np.where(kept, safe, 1.0)), np.inf)
    return np.where(kept, warm, 0.0).reshape(at.shape)


@dataclass(frozen=True, eq=False)
class Noisy:
    """Optimal embeddings under wrong labels.

    Attributes:
        wrong_pairs: Share of pairs of one label that are of different classes.
        between_cosine: Cosine of two classes.
        total_variance: Variance of all embeddings; 0 where everything is one point.
    """

    wrong_pairs: Float64[NDArray[np.float64], "*shape"]
    between_cosine: Float64[NDArray[np.float64], "*shape"]
    total_variance: Float64[NDArray[np.float64], "*shape"]


def noisy_optimum(classes: Given, temperature: Given, label_noise: Given) -> Noisy:
    r"""Return what pure supervision does to classes some of whose labels are wrong.

    An encoder that cannot tell a wrong label from a right one puts every class into one point. Of
    the pairs of one label a share q is then of different classes. Where a share e of the labels
    is replaced by another class at random,

    .. math:: q = 1 - (1 - e)^2 - \frac{e^2}{m - 1},

    and the loss of many instances asks for the cosine of two classes

    .. math:: s = 1 + \tau \ln \frac{q}{(1 - q)(m - 1)},

    but not below the -1/(m - 1) of a simplex. The variance of all embeddings,
    ``(m - 1)(1 - s) / m``, goes to 0 with growing noise: nearly all of them end in one point, and
    no training undoes that.

    Args:
        classes: m, at least 2; equally large.
        temperature: tau, above 0; all three are broadcast.
        label_noise: e, at least 0; from (m - 1)/m on labels say nothing.

    Raises:
        UsageError: A value is out of range.

    Example:
        >>> found = noisy_optimum(2, 0.5, [0.0, 0.1, 0.3, 0.5])
        >>> found.between_cosine.round(3).tolist(), found.total_variance.round(3).tolist()
        ([-1.0, 0.242, 0.839, 1.0], [1.0, 0.379, 0.081, 0.0])
    """
    m, t, e = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (classes, temperature, label_noise))
    )
    _setting(Batch(m, 2, 1, t), 0.0)
    most = (m - 1) / m
    bad = e[~((e >= 0) & (e <= most + 1e-12))]
    if bad.size:
        raise UsageError(
            f"label noise {bad.flat[0]:g} is not between 0 and (m - 1)/m, where labels say "
            "nothing. Give less"
        )
    wrong: Array = np.asarray(1 - (1 - e) ** 2 - e**2 / (m - 1))
    with np.errstate(divide="ignore"):
        # Rounding must not make the labels say less than nothing.
        odds = np.minimum(np.log(wrong / ((1 - wrong) * (m - 1))), 0.0)
    between: Array = np.asarray(np.maximum(1 + t * odds, -1 / (m - 1)))
    return Noisy(wrong, between, np.asarray(most * (1 - between)))


def gram_matrix(
    batch: Batch, alpha: float
) -> Float64[NDArray[np.float64], "embeddings embeddings"]:
    """Return the cosines of the optimal embeddings of one setting.

    Returns:
        Of all mnp; the views of an instance follow one another, the instances of a class too.
    """
    found = optimum(batch, alpha)
    m, n, p = (int(np.asarray(each)) for each in (batch.classes, batch.instances, batch.views))
    number = np.arange(m * n * p)
    instance, owner = number // p, number // (p * n)
    alike = np.where(
        instance[:, None] == instance, float(found.view_cosine), float(found.within_cosine)
    )
    gram = np.where(owner[:, None] == owner, alike, float(found.between_cosine))
    np.fill_diagonal(gram, 1.0)
    return gram


def optimal_embedding(
    batch: Batch, alpha: float
) -> Float64[NDArray[np.float64], "embeddings dimensions"]:
    """Return optimal embeddings of one setting, one of many that differ by a rotation.

    Returns:
        Unit vectors in the order of `gram_matrix`, of the least dimension.
    """
    gram = gram_matrix(batch, alpha)
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-9 * values.max()
    rows: Array = vectors[:, kept] * np.sqrt(values[kept])
    return rows


def _pull(at: _Setting, s: Array) -> Array:
    """Derivative of the bound in s with one view cosine, times what is positive."""
    near, far, total = _terms(at, s)
    slope: Array = (at.n - 1) * (near - far) - (1 - at.alpha) * total
    return slope


def _terms(at: _Setting, s: Array) -> tuple[Array, Array, Array]:
    """Terms of the softmax where views coincide, and their weighted sum, all over exp(1/tau)."""
    b = -(1 + (at.n - 1) * s) / (at.n * (at.m - 1))
    near, far = np.exp((s - 1) / at.t), np.exp((b - 1) / at.t)
    return near, far, at.own + (at.n - 1) * near + at.n * (at.m - 1) * far


def _view_pull(at: _Setting, a: Array) -> Array:
    """Derivative of the bound in a where the instances of a class share their mean."""
    several = np.maximum(at.p - 1, 1)
    s = (1 + (at.p - 1) * a) / at.p
    b = -s / (at.m - 1)
    view, near, far = (np.exp((x - 1) / at.t) for x in (a, s, b))
    total = (at.p - 1) * view + at.p * (at.n - 1) * near + at.p * at.n * (at.m - 1) * far
    wanted = (1 - at.alpha) / at.p + at.alpha / several
    slope: Array = view + (at.n - 1) * near - at.n * far - wanted * total
    return slope


def _bisect(slope: Callable[[Array], Array], lower: Array) -> Array:
    """Find where an increasing slope changes its sign in [lower, 1]."""
    low, high = lower.copy(), np.ones_like(lower)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    root: Array = (low + high) / 2
    return root


def _setting(batch: Batch, alpha: Given) -> _Setting:
    anchor = batch.anchor
    if anchor not in ANCHORS:
        raise unknown_name("anchor", anchor, ANCHORS)
    numbers = (batch.classes, batch.instances, batch.views, batch.temperature, alpha)
    given = [np.asarray(each, dtype=np.float64) for each in numbers]
    shape = np.broadcast_shapes(*(each.shape for each in given))
    m, n, p, t, mixed = (np.broadcast_to(each, shape).ravel() for each in given)
    for name, value, least, why in (
        ("classes", m, 2, "there is no second class to keep apart"),
        ("instances", n, 2, "one instance a class has no partner to collapse with"),
        ("views", p, 1, "an instance without a view is not there"),
    ):
        wrong = value[~(np.isfinite(value) & (value >= least) & (value == np.floor(value)))]
        if wrong.size:
            raise UsageError(f"{name} {wrong.flat[0]:g}: {why}. Give {least} or more")
    if not np.all((t > 0) & np.isfinite(t)):
        bad = t[~((t > 0) & np.isfinite(t))].flat[0]
        raise UsageError(f"temperature {bad:g} is not above 0. Give one such as 0.1")
    if not np.all((mixed >= 0) & (mixed <= 1)):
        bad = mixed[~((mixed >= 0) & (mixed <= 1))].flat[0]
        raise UsageError(
            f"alpha {bad:g} is not in [0, 1]: 0 is purely supervised, 1 purely self-supervised"
        )
    if anchor == "excluded" and np.any((p < 2) & (mixed > 0)):
        raise UsageError(
            "an excluded anchor with one view has no positive of its own. Give --views 2, or "
            "alpha 0"
        )
    own = np.ones_like(p) if anchor == "included" else (p - 1) / p
    return _Setting(m, n, p, t, mixed, own, anchor, shape)

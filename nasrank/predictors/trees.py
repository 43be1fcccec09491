"""Extremely randomised trees, and the base of all predictors made of trees."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeAlias, Unpack

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nasrank.errors import needing
from nasrank.graphs import GraphBatch
from nasrank.named import Above
from nasrank.predictors.columns import GraphColumns
from nasrank.predictors.predictor import Epoch, FeaturePredictor, Fitted, GivenFeatures, Member
from nasrank.predictors.targets import robust_scores
from nasrank.seeds import derive_seed

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["ExtraTrees", "Parts", "TreePredictor", "scikit_seed"]

Parts: TypeAlias = Sequence[
    Callable[[Float32[np.ndarray, "items columns"]], Float64[np.ndarray, "items"]]
]
"""One member: functions whose mean is the score."""


def scikit_seed(seed: int, **axes: str | int) -> int:
    """Return a seed of one stream of a run in the 32 bits that scikit-learn accepts."""
    return derive_seed(seed, **axes) % 2**32


class TreePredictor(FeaturePredictor):
    """Averages several models made of trees that predict :func:`robust_scores` of labels.

    Args:
        graphs: See `Predictor`.
        given: See `~nasrank.predictors.predictor.FeaturePredictor`.

    Raises:
        UsageError: scikit-learn is not installed.
    """

    own_loss = "mse(targets=robust)"
    extra = "trees"

    def __init__(self, graphs: GraphBatch, **given: Unpack[GivenFeatures]) -> None:
        super().__init__(graphs, **given)
        self.require_extra()

    @classmethod
    def require_extra(cls) -> None:
        """Raise without scikit-learn; see :meth:`Predictor.require_extra`."""
        cls._ensembles()

    @staticmethod
    def _ensembles() -> ModuleType:
        with needing("trees", "predictors made of trees need scikit-learn"):
            from sklearn import ensemble
        return ensemble  # type: ignore[no-any-return]

    @cached_property
    def columns(self) -> GraphColumns:
        """The columns of the graphs, computed when first needed."""
        return GraphColumns(self.graphs, self.used_proxies)

    @abstractmethod
    def parts(
        self,
        columns: Float32[np.ndarray, "n columns"],
        targets: Float64[np.ndarray, "n"],
        seed: int,
    ) -> Parts:
        """Fit one member.

        Args:
            columns: Columns of the training graphs.
            targets: Robust scores of the labels.
            seed: Seed of the run.
        """

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit every member; see :meth:`Predictor.fit`. A step is a member."""
        fitted, errors = [], []
        for place, member in enumerate(members):
            own = self.columns.reference[member.items]
            targets = robust_scores(member.targets)
            parts = self.parts(own, targets, member.seed)
            fitted.append(parts)
            errors.append(float(np.mean((_moments(parts, own)[0] - targets) ** 2)))
            if on_step is not None:
                on_step(place + 1, len(members))
        return _Averages(self.columns, self.columns.reference, fitted, np.array(errors))


class ExtraTrees(TreePredictor):
    """Extremely randomised trees (Geurts et al. 2006, Machine Learning 63).

    Each split is the best of one random threshold for each of a third of the columns; every tree
    uses all labels, down to leaves of one.

    Args:
        graphs: See `TreePredictor`.
        trees: Trees of each member.
        given: See `TreePredictor`.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        trees: Annotated[int, Above(0)] = 300,
        **given: Unpack[GivenFeatures],
    ) -> None:
        super().__init__(graphs, **given)
        self.trees = trees

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of a member, see :meth:`Predictor.seconds`; measured on NB201."""
        return int(options.get("trees", 300)) * (1e-3 + 4e-6 * n)

    def parts(
        self,
        columns: Float32[np.ndarray, "n columns"],
        targets: Float64[np.ndarray, "n"],
        seed: int,
    ) -> Parts:
        """Fit a forest; its parts are the trees."""
        forest = self._ensembles().ExtraTreesRegressor(
            self.trees,
            max_features=1 / 3,
            random_state=scikit_seed(seed, stream="trees"),
            n_jobs=1,
        )
        forest.fit(columns, targets)
        return [tree.predict for tree in forest.estimators_]


class _Averages(Fitted):
    def __init__(
        self,
        made: GraphColumns,
        columns: Float32[np.ndarray, "graphs columns"],
        members: Sequence[Parts],
        errors: Float64[np.ndarray, "members"],
    ) -> None:
        self._made, self._columns, self._members = made, columns, members
        self.final_loss = errors

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """Never: averages of labels are finite."""
        return np.zeros(len(self._members), bool)

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return the mean over parts, in robust scores of the training labels."""
        return self.scores_and_spread(items)[0]

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return the standard deviation over parts, 0 for a single part."""
        return self.scores_and_spread(items)[1]

    def scores_and_spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> tuple[Float64[np.ndarray, "members graphs"], Float64[np.ndarray, "members graphs"]]:
        """Return both; see :meth:`Fitted.scores_and_spread`."""
        chosen = self._columns if items is None else self._columns[items]
        means, deviations = zip(*(_moments(parts, chosen) for parts in self._members), strict=True)
        return np.stack(means), np.stack(deviations)

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same members for other graphs; see :meth:`Fitted.on`."""
        columns = self._made.of(graphs, proxies)
        return _Averages(self._made, columns, self._members, self.final_loss)


def _moments(
    parts: Parts, columns: Float32[np.ndarray, "graphs columns"]
) -> tuple[Float64[np.ndarray, "graphs"], Float64[np.ndarray, "graphs"]]:
    """Mean and standard deviation over hundreds of parts, without storing all predictions."""
    total, squares = np.zeros((2, len(columns)))
    if len(columns):
        for part in parts:
            said = part(columns)
            total += said
            squares += said**2
    mean = total / len(parts)
    return mean, np.sqrt(np.maximum(squares / len(parts) - mean**2, 0))

"""The interface of predictors: fit many members, score graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypedDict, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch
from nasrank.losses import LossSpec, PiecewiseSpec
from nasrank.named import Option, options_of_class
from nasrank.predictors.recipe import Recipe

__all__ = [
    "Epoch",
    "FeaturePredictor",
    "Fitted",
    "Given",
    "GivenFeatures",
    "Member",
    "Predictor",
    "required_proxies",
]


@dataclass(frozen=True, eq=False)
class Member:
    """One predictor to train.

    Attributes:
        items: Indices of the training graphs in the predictor's list; they may repeat.
        targets: Their labels, higher is better, in any unit.
        loss: Training loss; a piecewise loss trains on the first ``switch`` items with its
            first loss and then, from the resulting weights, on all items with its second.
        seed: Seed of the run. Initial weights and the order of the items depend on the seed and
            on n alone, neither on the loss nor on the other members.
        units: What folds of the training set must not tear apart, by number; the graphs if None.
    """

    items: Int64[np.ndarray, "n"]
    targets: Float64[np.ndarray, "n"]
    loss: LossSpec | PiecewiseSpec
    seed: int
    units: Int64[np.ndarray, "n"] | None = None


@dataclass(frozen=True, eq=False)
class Epoch:
    """The state when some members have just finished an epoch.

    Attributes:
        number: Epochs finished, counted from 1.
        finished: True for those that finished one in this step.
        fitted: The members at this moment.
    """

    number: Int64[np.ndarray, "members"]
    finished: Bool[np.ndarray, "members"]
    fitted: Fitted


class Fitted(ABC):
    """Trained members.

    Attributes:
        final_loss: Value of the training objective at the end; NaN where there is
            none.
    """

    final_loss: Float64[np.ndarray, "members"]

    @property
    @abstractmethod
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where training failed; such a member scores NaN."""

    @abstractmethod
    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Score graphs with every member.

        Args:
            items: Indices of graphs; all of the predictor's by default.

        Returns:
            Scores, higher is better; their unit has no meaning.
        """

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"] | None:
        """Return the uncertainty of every member about its scores.

        Args:
            items: As for `scores`.

        Returns:
            Standard deviations in the unit of the scores, or None from a
            predictor without uncertainty.
        """
        return None

    def scores_and_spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> tuple[
        Float64[np.ndarray, "members graphs"], Float64[np.ndarray, "members graphs"] | None
    ]:
        """Return :meth:`scores` and :meth:`spread`, by one pass over the graphs where it can.

        Args:
            items: As for `scores`.
        """
        return self.scores(items), self.spread(items)

    @abstractmethod
    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same members for other graphs of the same vocabulary.

        Args:
            graphs: The graphs to score from now on, canonical as those trained on.
            proxies: Their proxies, where the predictor was made with some.
        """


class Given(TypedDict, total=False):
    """What any predictor is made with beside its graphs; see `Predictor`."""

    proxies: Float64[np.ndarray, "items proxies"] | None
    device: torch.device | str
    recipe: Recipe | None


class GivenFeatures(Given, total=False):
    """The same for a `FeaturePredictor`."""

    features: Literal["graph", "proxies"]


class Predictor(ABC):
    """A way to learn scores for the graphs of one space.

    Its other keyword arguments are its options: numbers with a
    default that a user may write after its name, as in ``gnn(ensemble=4)``.

    Args:
        graphs: ``[items]`` the canonical graphs that can be trained on and scored, by number.
        proxies: Training-free proxies of each, or None.
        device: Where to compute, if it computes with torch.
        recipe: How networks are trained, if it has any; the default recipe if None.
    """

    own_loss: ClassVar[str | None] = None
    """The loss it always minimises, targets included, for predictors that cannot be trained with
    another."""
    extra: ClassVar[str | None] = None
    """The extra that installs what it needs, or None if the core has everything."""

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        proxies: Float64[np.ndarray, "items proxies"] | None = None,
        device: torch.device | str = "cpu",
        recipe: Recipe | None = None,
    ) -> None:
        self.graphs, self.proxies = graphs, proxies
        self.device, self.recipe = torch.device(device), recipe or Recipe()

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        """Return its options by name, from the signature of its constructor."""
        return options_of_class(cls, without=("proxies", "device", "recipe"))

    @classmethod
    def knows_spread(cls, options: Mapping[str, float | int | str]) -> bool:
        """Say whether members know how uncertain they are.

        Args:
            options: Options that differ from their defaults.
        """
        return True

    @classmethod  # noqa: B027 - most predictors need none
    def require_extra(cls) -> None:
        """Raise where the packages of the extra are missing.

        Raises:
            UsageError: One is missing; the message says what to install.
        """

    @classmethod
    def networks(cls, options: Mapping[str, float | int | str]) -> int:
        """Return how many networks are trained for one member; 0 where there are none.

        Args:
            options: Options that differ from their defaults.
        """
        return 0

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate how long one member takes on one CPU core, without its networks.

        Args:
            n: Training graphs.
            options: Options that differ from their defaults.

        Returns:
            Seconds to fit and to score a space of about ten thousand graphs.
        """
        return 0.0

    @abstractmethod
    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Train every member on its own data, as if it were alone.

        Args:
            members: At least one; training sets may differ in size.
            on_step: Called with (steps done, steps in all), at least once.
            on_epoch: Called when members finish an epoch, by predictors that have epochs.
        """


class FeaturePredictor(Predictor):
    """A predictor of numbers that describe graphs, among which proxies may be.

    Args:
        graphs: See `Predictor`.
        features: ``graph``, or ``proxies`` to learn from these too.
        given: See `Predictor`.

    Attributes:
        features: As given.
        used_proxies: The proxies where it learns from them, else None.

    Raises:
        UsageError: Proxies are asked for, and there are none.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        features: Literal["graph", "proxies"] = "graph",
        **given: Unpack[Given],
    ) -> None:
        super().__init__(graphs, **given)
        self.features: Literal["graph", "proxies"] = features
        self.used_proxies = required_proxies(self.proxies) if features == "proxies" else None


def required_proxies(
    proxies: Float64[np.ndarray, "items proxies"] | None,
) -> Float64[np.ndarray, "items proxies"]:
    """Return proxies where an option asks for them.

    Raises:
        UsageError: There are none.
    """
    if proxies is None:
        raise UsageError("features=proxies needs the proxies of the space, and it has none")
    return proxies

"""Metrics of others: any function of scores and labels that is worth one number.

For example::

    def top_gap(scores, labels, k=10):
        return labels.max() - labels[(-scores).argsort()[:k]].max()

    top_gap.better = "lower"

Both arguments are NumPy's, one entry for each test architecture; labels are in the unit of the
task, with the sign turned where lower is better there, so that higher is always better.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from nasrank.code import source_digest
from nasrank.errors import UsageError
from nasrank.named import Named, Option, options_of_signature
from nasrank.own import folder, guarded, place_of
from nasrank.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["METRICS", "MetricFunction", "MetricSpec", "adapted", "measured", "own_metrics"]

MetricFunction: TypeAlias = Callable[..., Any]

_TRIED = 200
"""Random items on which a metric is tried when it is loaded."""

METRICS: Registry[MetricFunction] = Registry(
    "metric", group="nasrank.metrics", adapter="nasrank.runs.own_metrics:adapted"
)
"""Metrics beside those that every run has; other packages announce theirs in the group
``nasrank.metrics``."""


@dataclass(frozen=True)
class MetricSpec(Named):
    """A metric of somebody else, with its options.

    Raises:
        UsageError: There is no such metric or option, or the option cannot have this value.
    """

    registry: ClassVar[Registry[MetricFunction]] = METRICS
    example: ClassVar[str] = "./mine.py:top_gap(k=5)"

    @classmethod
    def known(cls, name: str) -> Mapping[str, Option]:
        """Return the options of a metric: its arguments with a default."""
        return options_of_signature(METRICS[name])

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Which values are better: what the function's attribute ``better`` says, or higher."""
        return "lower" if getattr(METRICS[self.name], "better", "higher") == "lower" else "higher"

    @property
    def digest(self) -> str:
        """Digest of its source."""
        place = METRICS.origin(self.name).rpartition(":")[0]
        within = () if place.endswith(".py") else (place.partition(".")[0],)
        return source_digest([place], within, folder=folder())


def adapted(thing: object, name: str) -> MetricFunction:
    """Check what a location or an entry point names.

    Raises:
        UsageError: It is no function of scores and labels, fails on random ones, or ``better`` is
            neither higher nor lower.
    """
    if inspect.isclass(thing) or not callable(thing):
        raise UsageError(
            f"{place_of(thing)}: {name} is no function. A metric is one: "
            "def my_metric(scores, labels): ..."
        )
    from nasrank.seeds import numpy_generator

    better = getattr(thing, "better", "higher")
    if better not in {"higher", "lower"}:
        raise UsageError(
            f"{place_of(thing)}: {name}.better is {better!r}. Write 'higher' or 'lower'"
        )
    # What fails should fail now, and not after hours of training.
    draw = numpy_generator(0, stream="trial")
    _measure(thing, name, {}, *draw.normal(size=(2, _TRIED)))
    return thing


def measured(
    metrics: Iterable[str], scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> list[float | None]:
    """Measure one run by every metric.

    Args:
        metrics: Metrics with options.
        scores: ``[items]`` predicted, higher is better.
        labels: ``[items]`` true, higher is better.

    Returns:
        One value a metric; None where a score is not finite, so that the predictor diverged.

    Raises:
        UsageError: A metric raises something, or returns anything but one finite number.
    """
    import numpy as np

    finite = bool(np.isfinite(scores).all())
    specs = [MetricSpec.parse(each) for each in metrics]
    return [
        _measure(METRICS[spec.name], spec.name, dict(spec.options), scores, labels)
        if finite
        else None
        for spec in specs
    ]


def own_metrics(
    metrics: Iterable[str], scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> dict[str, list[Any]]:
    """Return what a finished row holds of its metrics.

    Args:
        metrics: Metrics with options.
        scores: ``[items]`` predicted, higher is better.
        labels: ``[items]`` true, higher is better.
    """
    from nasrank.runs.tables import OWN_METRICS

    specs = [MetricSpec.parse(each) for each in metrics]
    columns: dict[str, list[Any]] = {
        "metric": [str(spec) for spec in specs],
        "better": [spec.better for spec in specs],
        "digest": [spec.digest for spec in specs],
        "value": measured(metrics, scores, labels),
    }
    return {f"{OWN_METRICS.name}.{name}": values for name, values in columns.items()}


def _measure(
    function: MetricFunction,
    name: str,
    options: Mapping[str, Any],
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
) -> float:
    import numpy as np

    with guarded(function, f"in the metric {name}"):
        # Copies, as it may sort in place.
        found = function(scores.copy(), labels.copy(), **options)
    value = np.asarray(found)
    if value.size != 1 or value.dtype.kind not in "biuf":
        what = f"an array of shape {value.shape}" if value.ndim else f"a {type(found).__name__}"
        raise UsageError(
            f"{place_of(function)}: {name} returned {what}. A metric returns one number"
        )
    if not math.isfinite(number := float(value.reshape(()))):
        raise UsageError(
            f"{place_of(function)}: {name} returned {number:g} for {len(scores):,} finite "
            "scores and labels. Return a finite number"
        )
    return number

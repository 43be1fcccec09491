"""Trainings of the NAS-Bench-201 family as metrics of datasets, one column for each seed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.imported import Measurement
from nasrank.benchmarks.importers.trials import Trial, WrongTrialError
from nasrank.benchmarks.space import Metric

__all__ = ["CHANCE", "TrialTable"]

CHANCE = {
    "cifar10": 10.0,
    "cifar100": 1.0,
    "imagenet16-120": 100 / 120,
    "cifar10-valid": 10.0,
}
"""Score of guessing, in percent, by our name of the dataset."""

_MOST_SEEDS = 16
_HALF = "trained on half of the training images"
_WHOLE = "trained on all training images"


class _Source(NamedTuple):
    """Our name of a metric, the file's training and field, its unit and its description."""

    name: str
    training: str
    field: str
    unit: str
    meaning: str


def _accuracies(training: str) -> tuple[_Source, ...]:
    return (
        _Source("val_acc", training, "x-valid", "%", "validation accuracy (x-valid)"),
        _Source("test_acc", training, "x-test", "%", "test accuracy (x-test)"),
        _Source(
            "valtest_acc",
            training,
            "ori-test",
            "%",
            "accuracy on validation and test images together (ori-test)",
        ),
        _Source("train_acc", training, "train", "%", "training accuracy"),
        _Source("train_seconds", training, "seconds", "s", "GPU time of training"),
    )


_CIFAR10_VALID = (
    _Source("val_acc", "cifar10-valid", "x-valid", "%", f"validation accuracy (x-valid), {_HALF}"),
    _Source("test_acc", "cifar10-valid", "ori-test", "%", f"test accuracy (ori-test), {_HALF}"),
    _Source("train_acc", "cifar10-valid", "train", "%", f"training accuracy, {_HALF}"),
    _Source("train_seconds", "cifar10-valid", "seconds", "s", f"GPU time of training, {_HALF}"),
)

_TRAINED: dict[str, tuple[_Source, ...]] = {
    "cifar10": (
        _CIFAR10_VALID[0],
        _Source("test_acc", "cifar10", "ori-test", "%", f"test accuracy (ori-test), {_WHOLE}"),
        _Source("train_acc", "cifar10", "train", "%", f"training accuracy, {_WHOLE}"),
        _CIFAR10_VALID[-1],
        _Source("whole_train_seconds", "cifar10", "seconds", "s", f"GPU time, {_WHOLE}"),
    ),
    "cifar100": _accuracies("cifar100"),
    "imagenet16-120": _accuracies("ImageNet16-120"),
    "cifar10-valid": _CIFAR10_VALID,
}

_FIGURES = (
    ("parameters", "parameters", "weights of the network, unused operations included"),
    ("flops", "MFLOP", "multiply-add operations of one image, in millions"),
    ("latency", "s", "forward time of one batch on the authors' GPU"),
)


class TrialTable:
    """Collects the trials of many architectures."""

    def __init__(self, architectures: int, schedules: Sequence[int]) -> None:
        """Make an empty table.

        Args:
            architectures: The number of rows, N.
            schedules: Numbers of epochs, the benchmark's full training first. Metrics of the
                others carry the number in their name, such as ``val_acc_12``.
        """
        self._rows = architectures
        self._schedules = tuple(schedules)
        self._columns: dict[tuple[str, int, str], dict[int, NDArray[np.float64]]] = {}

    def add(self, row: int, trials: Sequence[Trial]) -> None:
        """Put the trials of one architecture into its row.

        Raises:
            WrongTrialError: There are more seeds than in any published file.
        """
        for trial in trials:
            for field, value in trial.values.items():
                seeds = self._columns.setdefault((trial.training, trial.epochs, field), {})
                column = seeds.get(trial.seed)
                if column is None:
                    if len(seeds) == _MOST_SEEDS:
                        raise WrongTrialError(
                            f"{trial.training}, {trial.epochs} epochs: too many seeds, "
                            f"{trial.seed} after {_MOST_SEEDS} others"
                        )
                    column = seeds[trial.seed] = np.full(self._rows, np.nan)
                column[row] = value

    def measurements(self) -> tuple[Measurement, ...]:
        """Return everything as metrics of datasets, of each dataset ``val_acc`` first.

        The columns of ``values`` are training seeds in ascending order; NaN where an architecture
        was not trained with a seed. Times and sizes that all seeds agree on have one column.
        """
        return tuple(each for dataset in _TRAINED for each in self._of_dataset(dataset))

    def _of_dataset(self, dataset: str) -> Iterator[Measurement]:
        for epochs in self._schedules:
            suffix = "" if epochs == self._schedules[0] else f"_{epochs}"
            for each in _TRAINED[dataset]:
                if seeds := self._columns.get((each.training, epochs, each.field)):
                    plural = "s" if epochs > 1 else ""
                    yield _measurement(
                        dataset,
                        f"{each.name}{suffix}",
                        each.unit,
                        f"{each.meaning}, {epochs} epoch{plural}",
                        seeds,
                    )
        for name, unit, meaning in _FIGURES:
            for epochs in self._schedules:
                if seeds := self._columns.get((_TRAINED[dataset][0].training, epochs, name)):
                    yield _measurement(dataset, name, unit, meaning, seeds)
                    break

    def cost_seconds(self) -> dict[str, NDArray[np.float64]]:
        """Return ``[N]`` GPU-seconds of one full training, mean over seeds, by dataset.

        It is the training that ``val_acc`` comes from: for ``cifar10`` on half of the images.
        """
        costs = {}
        for dataset, sources in _TRAINED.items():
            full = (sources[0].training, self._schedules[0], "seconds")
            if seeds := self._columns.get(full):
                costs[dataset] = _mean(np.stack([*seeds.values()], axis=1))
        return costs

    def parameters(self) -> NDArray[np.float64] | None:
        """Return ``[N]`` numbers of weights of the CIFAR-10 network, or None where unknown."""
        for measurement in self.measurements():
            if (measurement.dataset, measurement.metric.name) == ("cifar10", "parameters"):
                return _mean(measurement.values)
        return None


def _measurement(
    dataset: str, name: str, unit: str, meaning: str, seeds: dict[int, NDArray[np.float64]]
) -> Measurement:
    values = np.stack([seeds[seed] for seed in sorted(seeds)], axis=1)
    if unit != "%":
        least = np.where(np.isnan(values), np.inf, values).min(axis=1)
        most = np.where(np.isnan(values), -np.inf, values).max(axis=1)
        if not (least < most).any():
            values = np.where(np.isinf(least), np.nan, least)[:, None]
    if values.shape[1] > 1:
        meaning += f"; one column per seed ({', '.join(map(str, sorted(seeds)))})"
    elif unit == "%":
        meaning += f"; one seed ({min(seeds)})"
    metric = Metric(
        name,
        unit,
        higher_is_better=unit == "%",
        description=meaning,
        replicates=values.shape[1] > 1,
    )
    return Measurement(dataset, metric, values)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean

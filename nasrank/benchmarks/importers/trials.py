"""Trainings of the NAS-Bench-201 family: the record of one architecture in a file.

NAS-Bench-201 and both spaces of NATS-Bench store an architecture in the same way: a dictionary
of trials, one for each dataset and seed, with the history of every epoch. Only the last epoch is
kept here, under the names of the files.

Four names of datasets stand for trainings: ``cifar10-valid`` trains on half of CIFAR-10's
training images, ``cifar10`` on all of them, ``cifar100`` and ``ImageNet16-120`` on theirs. Three
names of evaluations stand for images: ``x-valid`` the validation part, ``x-test`` the test part,
``ori-test`` the official test images (for the last two datasets both parts together).

References:
    Dong and Yang (2020), "NAS-Bench-201: Extending the Scope of Reproducible Neural
    Architecture Search", ICLR.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nasrank.benchmarks.importers.shown import shown

__all__ = ["EVALUATIONS", "TRAININGS", "Trial", "WrongTrialError", "read_trials"]

TRAININGS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
"""The files' names of datasets."""
EVALUATIONS = ("x-valid", "x-test", "ori-test")
"""The files' names of the images that an accuracy is measured on, besides ``train``."""


class WrongTrialError(Exception):
    """An error in a stored architecture; the reader adds its place."""


@dataclass(frozen=True)
class Trial:
    """The last epoch of one training.

    Attributes:
        training: The file's name of the dataset.
        epochs: How many epochs were trained.
        seed: The seed.
        values: Accuracies in percent by name of evaluation, ``train`` included, and ``seconds``,
            ``parameters``, ``flops`` (millions), ``latency`` (seconds) where known.
    """

    training: str
    epochs: int
    seed: int
    values: Mapping[str, float]


def read_trials(state: object, epochs: int) -> tuple[str, int, list[Trial]]:
    """Read the record of one architecture for one number of epochs.

    Args:
        state: The stored dictionary, with ``arch_str`` and ``all_results``.
        epochs: The number of epochs that it must have been trained for.

    Returns:
        The text of the architecture, its index in the file's list, and its trials.

    Raises:
        WrongTrialError: A part is missing or of a wrong type, or a number is out of range.
    """
    state = _dictionary(state, f"the trainings of {epochs} epochs")
    text = state.get("arch_str")
    if not isinstance(text, str):
        raise WrongTrialError("it has no arch_str")
    index = state.get("arch_index")
    if not isinstance(index, int):
        raise WrongTrialError("it has no arch_index")
    results = _dictionary(state.get("all_results"), "all_results")
    return text, index, [_trial(key, result, epochs) for key, result in results.items()]


def _trial(key: object, result: object, epochs: int) -> Trial:
    match key:
        case (str(training), int(seed)) if training in TRAININGS:
            pass
        case _:
            raise WrongTrialError(f"{shown(key)} is not a training and seed")
    where = f"{training}, seed {seed}, {epochs} epochs"
    result = _dictionary(result, where)
    if result.get("epochs") != epochs:
        raise WrongTrialError(f"{where}: it says {shown(result.get('epochs'))} epochs")
    last = epochs - 1
    values = {}
    accuracies = _dictionary(result.get("eval_acc1es"), f"{where}: eval_acc1es")
    for name in EVALUATIONS:
        if (value := accuracies.get(f"{name}@{last}")) is not None:
            values[name] = _number(value, f"{where}: {name}", 100)
    histories = {"train": "train_acc1es", "seconds": "train_times"}
    for name, field in histories.items():
        history = _dictionary(result.get(field) or {}, f"{where}: {field}")
        if name == "train" and last in history:
            values[name] = _number(history[last], f"{where}: {field}", 100)
        elif name == "seconds" and all(epoch in history for epoch in range(epochs)):
            times = [history[epoch] for epoch in range(epochs)]
            # The files have one time for all epochs; checking it once is enough.
            for value in {*times} if {*map(type, times)} == {float} else times:
                _number(value, f"{where}: {field}")
            values[name] = math.fsum(times)  # type: ignore[arg-type]
    if (millions := result.get("params")) is not None:
        values["parameters"] = round(_number(millions, f"{where}: params") * 1e6)
    if (flops := result.get("flop")) is not None:
        values["flops"] = _number(flops, f"{where}: flop")
    latency = result.get("latency")
    # An unmeasured latency is stored as nothing, as an empty list, or as -1.
    if isinstance(latency, list) and latency and latency != [-1]:
        measured = [_number(value, f"{where}: latency") for value in latency]
        values["latency"] = math.fsum(measured) / len(measured)
    return Trial(training, epochs, seed, values)


def _dictionary(value: object, what: str) -> dict[object, object]:
    if not isinstance(value, dict):
        raise WrongTrialError(f"{what} is not a dictionary")
    return value


def _number(value: object, what: str, most: float = 1e12) -> float:
    if type(value) not in (int, float) or not 0 <= value <= most:  # type: ignore[operator]
        raise WrongTrialError(f"{what} is {shown(value)}, not a number from 0 to {most:g}")
    return float(value)  # type: ignore[arg-type]

"""NAS-Bench-Macro: 6,561 chains of eight layers, each trained three times on CIFAR-10.

Each layer is one of three: identity, a MobileNetV2 block with kernel 3 and expansion 3, or one
with kernel 5 and expansion 6. The layers make three stages of two, three and three. The first
layer of a stage halves the resolution and doubles the channels, so an identity there is a strided
1 x 1 convolution; elsewhere it is a true identity.

References:
    Su et al. (2021), "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.json_file import finite_number, head, read_json
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import INPUT, OUTPUT, GraphBatch

__all__ = ["CHOICES", "STAGES", "chain_graphs", "read", "recognises"]

CHOICES = ("identity", "mb3_k3", "mb6_k5")
"""What a layer is, by its digit; the two blocks by expansion and kernel."""
STAGES = (2, 3, 3)
"""Number of layers of each stage."""

_LAYERS = sum(STAGES)
_SIZE_LIMIT = 64 * 2**20
_MOST_RUNS = 16
_DATASET = "cifar10"
_NAME = re.compile(rf"[0-2]{{{_LAYERS}}}")
_START = re.compile(rb'\s*\{\s*"[0-2]{8}"\s*:\s*\{\s*"(?:test_acc|mean_acc|std|params|flops)"')


def recognises(path: Path) -> bool:
    """Return whether a file starts like NAS-Bench-Macro's JSON; never raises."""
    return _START.match(head(path)) is not None


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read NAS-Bench-Macro's JSON file; architectures come in the order of their digits.

    Args:
        path: ``nas-bench-macro_cifar10.json``.
        on_progress: Called with the architectures read and their number, now and then.

    Returns:
        Space ``macro``, dataset ``cifar10``: test accuracy of each run (the benchmark has no
        validation accuracy), parameters, and FLOPs as a metric.

    Raises:
        DataError: The file is missing, damaged or of another form, or an entry is wrong.
    """
    table = read_json(path, limit=_SIZE_LIMIT)
    if not isinstance(table, dict) or not table:
        raise DataError(f"{path}: it holds no architectures. Get the file again from its origin.")
    names = sorted(table)
    accuracy = []
    sizes = np.empty((len(names), 2))
    for row, name in enumerate(names):
        try:
            runs, sizes[row] = _entry(name, table[name])
        except ValueError as error:
            raise DataError(
                f"{path}: architecture {name[:40]!a}: {error}. Get the file again from its origin."
            ) from error
        accuracy.append(runs)
        if on_progress is not None and (row + 1) % 1000 == 0:
            on_progress(row + 1, len(names))
    values = np.full((len(names), max(map(len, accuracy))), np.nan)
    for row, runs in enumerate(accuracy):
        values[row, : len(runs)] = runs
    measurements = (
        Measurement(
            _DATASET,
            Metric(
                "test_acc",
                "%",
                higher_is_better=True,
                description="test accuracy of each of three runs; the benchmark has no "
                "validation accuracy",
                replicates=values.shape[1] > 1,
            ),
            values,
        ),
        Measurement(
            _DATASET,
            Metric(
                "flops",
                "FLOPs",
                higher_is_better=False,
                description="multiplications and additions for one picture",
            ),
            sizes[:, 1:].copy(),
        ),
    )
    return Imported(
        space="macro",
        title="NAS-Bench-Macro: chains of eight layers on CIFAR-10",
        architectures=tuple(names),
        graphs=chain_graphs([[int(digit) for digit in name] for name in names]),
        drop=(),
        contract=(CHOICES[0],),
        measurements=measurements,
        cost_seconds={},
        parameters=sizes[:, 0].copy(),
        chance={_DATASET: 10.0},
        note="test accuracies of three runs; architectures that differ only in where a stage has "
        "its identities share the same three runs",
        source=path.name,
        licence="Apache-2.0",
        citation="Su et al. (2021), Prioritized Architecture Sampling with Monto-Carlo Tree "
        "Search, CVPR",
    )


def chain_graphs(layers: Sequence[Sequence[int]]) -> GraphBatch:
    """Turn architectures into chains of eight layers.

    A layer's operation names its stage, and at the start of a stage also that it downsamples, such
    as ``s1-shrink-identity``, ``s1-shrink-mb3_k3``, ``s1-mb3_k3``; an identity elsewhere is
    ``identity``, the only operation that returns its input.

    Args:
        layers: ``[items, 8]`` digits 0 to 2.

    Returns:
        ``[items]`` graphs of ten nodes: input, output, and the layers in order.
    """
    digits = np.asarray(layers, np.int64).reshape(-1, _LAYERS)
    vocabulary = ["input", "output", CHOICES[0]]
    operations = np.empty((len(digits), 2 + _LAYERS), np.int16)
    operations[:, :2] = INPUT, OUTPUT
    layer = 0
    for stage, length in enumerate(STAGES, start=1):
        shrinking, keeping = len(vocabulary), len(vocabulary) + len(CHOICES) - 1
        vocabulary += [f"s{stage}-shrink-{choice}" for choice in CHOICES]
        vocabulary += [f"s{stage}-{choice}" for choice in CHOICES[1:]]
        codes = {
            True: shrinking + np.arange(len(CHOICES)),
            # The code of identity, then those of the stage's own blocks.
            False: np.array([2, *(keeping + np.arange(1, len(CHOICES)))]),
        }
        for place in range(length):
            operations[:, 2 + layer] = codes[place == 0][digits[:, layer]]
            layer += 1
    wiring = np.zeros((2 + _LAYERS, 2 + _LAYERS), np.uint8)
    chain = [0, *range(2, 2 + _LAYERS), 1]
    wiring[chain[:-1], chain[1:]] = 1
    return GraphBatch(
        operations,
        np.broadcast_to(wiring, (len(digits), *wiring.shape)),
        np.ones(operations.shape, np.bool_),
        tuple(vocabulary),
    )


def _entry(name: str, entry: object) -> tuple[list[float], tuple[float, float]]:
    """Return the accuracies of the runs, and parameters and FLOPs."""
    if not _NAME.fullmatch(name):
        raise ValueError("its name is not eight digits from 0 to 2")
    fields = entry if isinstance(entry, dict) else {}
    runs = fields.get("test_acc")
    if not isinstance(runs, list) or not 0 < len(runs) <= _MOST_RUNS:
        raise ValueError("it has no list of accuracies for test_acc")
    numbers = [number for run in runs if (number := finite_number(run)) is not None]
    if len(numbers) != len(runs) or min(numbers) < 0 or max(numbers) > 100:
        raise ValueError("its test_acc holds something other than numbers from 0 to 100 %")
    mean = finite_number(fields.get("mean_acc"))
    if mean is not None and abs(mean - sum(numbers) / len(numbers)) > 1e-3:
        raise ValueError(f"its mean_acc {mean:g} is not the mean of its test_acc")
    sizes = finite_number(fields.get("params")), finite_number(fields.get("flops"))
    if sizes[0] is None or sizes[1] is None or min(sizes[0], sizes[1]) < 0:
        raise ValueError("it has no numbers for params and flops")
    return numbers, (sizes[0], sizes[1])

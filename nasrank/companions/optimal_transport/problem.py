"""What is trained on: samples, the tree of their classes, and what mistakes cost."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.companions.backbone import through_backbone
from nasrank.companions.files import Backbone
from nasrank.companions.optimal_transport.hierarchy import Hierarchy, hierarchy_of_columns
from nasrank.companions.optimal_transport.made import MADE, make_mixture
from nasrank.companions.optimal_transport.trees import DEFAULT_TREES, load_tree
from nasrank.errors import DataError, UsageError
from nasrank.limits import reading, require_regular
from nasrank.samples import (
    Reading,
    Samples,
    SampleSet,
    load_samples,
    read_samples,
    split_stratified,
)
from nasrank.samples.arrays import ENDINGS
from nasrank.seeds import numpy_generator

__all__ = ["Problem", "load_problem", "only_classes", "read_costs"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Data with a hierarchy.

    Attributes:
        data: Training and test samples.
        tree: The tree of the classes.
        costs: What each predicted class costs for each true one, in rows, or None.
    """

    data: SampleSet
    tree: Hierarchy
    costs: Float64[np.ndarray, "classes classes"] | None = None

    @property
    def costs_digest(self) -> str | None:
        """Sixteen hexadecimal digits that stand for the costs."""
        if self.costs is None:
            return None
        return hashlib.sha256(np.ascontiguousarray(self.costs).tobytes()).hexdigest()[:16]

    def drawn(self, seed: int) -> Problem:
        """Return the data of a run: of made data every seed has its own."""
        if self.data.name not in MADE:
            return self
        return replace(self, data=_shuffled(make_mixture(self.data.name, seed)))


def load_problem(
    name: str,
    *,
    labels: Sequence[str] = (),
    tree: str | None = None,
    costs: Path | None = None,
    train_limit: int | None = None,
    test_limit: int | None = None,
    data_dir: Path | None = None,
    reading: Reading | None = None,
    backbone: Backbone = "none",
) -> Problem:
    """Load a data set with its tree.

    Args:
        name: ``digits``, ``mnist``, ``fashion-mnist``, ``one-mode``, ``two-modes``, or a path.
        labels: Label columns of a file, from the classes up to the coarsest groups.
        tree: A tree by name or from a file; by default the label columns', or the data set's own.
        costs: CSV file of what mistakes cost, see `read_costs`.
        train_limit: Most training samples; made data is always whole.
        test_limit: Most test samples.
        data_dir: Folder of image files.
        reading: How to read a path.
        backbone: Frozen network for images.

    Raises:
        UsageError: There is no such data or tree, or the data has none of its own.
        DataError: A file is missing, damaged or does not fit, or there are fewer than 3 classes.
    """
    columns: dict[str, Sequence[str]] = {}
    file = Path(name).suffix in ENDINGS
    if labels and not file:
        raise UsageError(f"--labels names columns of a file, which {name} is not")
    if name in MADE:
        data = make_mixture(name, 0)
    elif file:
        if not labels and Path(name).suffix == ".parquet":
            raise UsageError(
                f"{name}: which columns hold the labels? Name them with --labels, from the "
                "classes up to the coarsest groups"
            )
        found_in = read_samples(Path(name), labels, reading)
        columns = {each: text.tolist() for each, text in found_in.labels.items()}
        data = split_stratified(name, found_in.samples)
    else:
        data = through_backbone(load_samples(name, data_dir=data_dir), backbone)
    _require_classes(data)
    if name not in MADE:
        data = data.limited(train_limit, test_limit)
    if tree is not None:
        hierarchy = load_tree(tree, data.class_names)
    elif len(columns) > 1:
        hierarchy = hierarchy_of_columns(name, columns, data.class_names)
    elif name in DEFAULT_TREES:
        hierarchy = load_tree(DEFAULT_TREES[name], data.class_names)
    elif data.above and all(data.above):
        paths = zip(data.above, data.class_names, strict=True)
        hierarchy = Hierarchy(name, tuple((*above, each) for above, each in paths))
    else:
        raise UsageError(
            f"{name} has no tree of its own. Give --tree FILE with lines 'group: child, child', "
            "or several columns with --labels"
        )
    found = None if costs is None else read_costs(costs, data.class_names)
    return Problem(_shuffled(data), hierarchy, found)


def read_costs(path: Path, class_names: Sequence[str]) -> Float64[np.ndarray, "classes classes"]:
    """Read what each predicted class costs for each true one.

    Args:
        path: CSV file: a header with an empty cell and the predicted classes, then a line for
            each true class with its name and the costs, in any order.
        class_names: Classes of the data, in the order of the result.

    Returns:
        Costs by true class and predicted class, not negative.

    Raises:
        DataError: The file cannot be read, lacks a class, or holds something else.
    """
    require_regular(path)
    try:
        with reading(path), path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}. Give --cost-matrix an existing file"
        ) from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file ({error})") from error
    header = [name.strip() for name in rows[0][1:]] if rows else []
    lines = {row[0].strip(): row[1:] for row in rows[1:]}
    result = np.zeros((len(class_names), len(class_names)))
    for i, true in enumerate(class_names):
        for j, predicted in enumerate(class_names):
            if true not in lines or predicted not in header:
                raise DataError(
                    f"{path}: no cost of {predicted!r} for {true!r}. Give every class a line and "
                    "a column"
                )
            at = header.index(predicted)
            try:
                result[i, j] = float(lines[true][at])
            except (ValueError, IndexError) as error:
                raise DataError(
                    f"{path}: the cost of {predicted!r} for {true!r} is not a number. Write one"
                ) from error
    if not np.isfinite(result).all() or (result < 0).any():
        raise DataError(f"{path}: costs must be finite and not negative. Correct the file")
    return result


def only_classes(samples: Samples, classes: Int64[np.ndarray, "chosen"]) -> Samples:
    """Keep the samples of some classes, which are numbered anew in this order."""
    number = np.full(len(samples.class_names), -1, np.int64)
    number[classes] = np.arange(len(classes))
    kept = samples.take(number[samples.classes] >= 0)
    names = tuple(samples.class_names[each] for each in classes)
    above = tuple(samples.above[each] for each in classes) if samples.above else ()
    return Samples(kept.values, number[kept.classes], names, samples.notes, above)


def _shuffled(data: SampleSet) -> SampleSet:
    """Shuffle the test samples: some distances go by their order.

    Files are often sorted, and the k-th samples of made classes are of the same mode.
    """
    order = numpy_generator(0, stream="test order").permutation(len(data.test))
    return replace(data, test=data.test.take(order))


def _require_classes(data: SampleSet) -> None:
    there = len(np.unique(data.train.classes))
    if there < 3:
        raise DataError(
            f"{data.name}: {there} class{'' if there == 1 else 'es'} to train on. A tree "
            "needs at least 3"
        )

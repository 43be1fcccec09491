"""What class means miss of features and transport sees; modes of each class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy, hierarchy_of_columns
from nasrank.companions.optimal_transport.made import MADE, make_mixture
from nasrank.companions.optimal_transport.measures import feature_cpcc
from nasrank.companions.optimal_transport.options import DiagnoseConfig
from nasrank.companions.optimal_transport.tables import CLASSES, GEOMETRY, VERDICT
from nasrank.companions.optimal_transport.trees import DEFAULT_TREES, load_tree
from nasrank.errors import DataError, UsageError, needing
from nasrank.samples import Samples, read_samples
from nasrank.samples.arrays import ENDINGS
from nasrank.seeds import derive_seed, numpy_generator, torch_generator
from nasrank.study.study import Tell
from nasrank.tables import Table

__all__ = ["count_modes", "diagnose"]

FloatArray = NDArray[np.float64]

_FEWEST = 10
_MOST_AXES = 10
_FITS = 2
_EQUAL, _APART = 0.02, 0.05


def diagnose(
    config: DiagnoseConfig, tell: Tell = lambda _done, _of: None
) -> tuple[dict[Table, list[dict[str, Any]]], tuple[str, ...]]:
    """Say whether distances of distributions see more than distances of means.

    CPCC is the same for distances that differ by scale and shift, so that means are enough where
    l2 and EMD over pairs of classes are correlated to 1. EMD between samples is also never free
    of their noise; therefore the correlation is compared with that of normal clouds of the same
    means, one common covariance and the same numbers, where means are enough by construction.
    The answer is ``no`` where it is lower by at most .02, ``yes`` where it is lower by more than
    .05 and at least half of the classes have two components or more by BIC, ``perhaps`` between,
    and ``unknown`` with fewer than 3 classes or where all distances are equal. It is about
    these features, and no promise that training with transport gains anything.

    Args:
        config: What to look at.
        tell: Is told of each class whose components are counted.

    Returns:
        Rows of `VERDICT`, `CLASSES` and `GEOMETRY`; and what the reader of the file says.

    Raises:
        UsageError: There is no such label or tree, or an extra is not installed.
        DataError: The file is missing, damaged, holds NaN or one class.

    References:
        Schwarz (1978), "Estimating the dimension of a model"; Akaike (1974), "A new look at the
        statistical model identification".
    """
    samples, tree = _load(config.features, config)
    rows = _class_rows(samples, config, tell)
    geometry = _geometry_rows(samples, tree, config)
    known = [row for row in rows if row["components_bic"] is not None]
    l2, emd, normal = (
        np.array([row[name] for row in geometry]) for name in ("l2", "emd", "one_shape")
    )
    many = float(np.mean([row["components_bic"] > 1 for row in known])) if known else None
    seen, expected = _correlation(l2, emd), _correlation(l2, normal)
    by_tree = {
        f"cpcc_{name}": None if tree is None else _cpcc(samples, tree, name, config)
        for name in ("l2", "emd")
    }
    answer, reason = _answer(many, seen, expected, pairs=len(geometry))
    record: dict[str, Any] = {
        "data": config.features,
        "samples": len(samples),
        "dimensions": samples.values.reshape(len(samples), -1).shape[1],
        "classes": len(rows),
        "answer": answer,
        "reason": reason,
        "multi_modal_share": many,
        "mean_components_bic": _mean([row["components_bic"] for row in known]),
        "mean_components_aic": _mean([row["components_aic"] for row in known]),
        "l2_emd_correlation": seen,
        "one_shape_correlation": expected,
        **by_tree,
    }
    return {VERDICT: [record], CLASSES: rows, GEOMETRY: geometry}, samples.notes


def count_modes(values: Float64[FloatArray, "n d"], most: int, seed: int) -> tuple[int, int, int]:
    """Count the normal components that describe a cloud best.

    Full-covariance mixtures are fitted on the cloud's own principal axes: as many as the root of
    a tenth of the samples, at least 2 and at most 10.

    Args:
        values: At least 10 rows.
        most: The most components tried; fewer where there are fewer than ten samples for each.
        seed: Decides the starts of the fits.

    Returns:
        Axes, components of the least BIC, and of the least AIC. A long tail or a bent cloud
        takes several components as well as several modes do.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    with needing("trees", "mixtures need scikit-learn"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
    centred = values - values.mean(axis=0)
    axes = min(values.shape[1], _MOST_AXES, max(2, int(np.sqrt(len(values) / 10))))
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ directions[:axes].T
    scale = flat.std(axis=0).max()
    if scale == 0:
        return axes, 1, 1
    flat = flat / scale
    scores = []
    for count in range(1, min(most, max(len(flat) // 10, 1)) + 1):
        mixture = GaussianMixture(
            count, n_init=_FITS, reg_covar=1e-4, random_state=derive_seed(seed, n=count) % 2**32
        )
        with warnings.catch_warnings():
            # A fit that has not settled is a worse description, which is what the score says.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(flat)
        scores.append((mixture.bic(flat), mixture.aic(flat)))
    bic, aic = np.argmin(np.array(scores), axis=0) + 1
    return axes, int(bic), int(aic)


def _load(source: str, config: DiagnoseConfig) -> tuple[Samples, Hierarchy | None]:
    if source in MADE:
        samples = make_mixture(source, config.seed).train
        return samples, load_tree(config.tree or DEFAULT_TREES[source], samples.class_names)
    if Path(source).suffix not in ENDINGS:
        raise UsageError(
            f"{source}: features are read from {', '.join(ENDINGS)}, or made as "
            f"{' or '.join(MADE)}"
        )
    usual = ("label",) if Path(source).suffix == ".parquet" else ()
    found = read_samples(Path(source), config.labels or usual, config.reading)
    samples = found.samples
    if len(samples.class_names) < 2:
        raise DataError(f"{source}: one class alone. Distances need two classes or more")
    tree = None
    if config.tree is not None:
        tree = load_tree(config.tree, samples.class_names)
    elif len(found.labels) > 1:
        columns = {name: text.tolist() for name, text in found.labels.items()}
        tree = hierarchy_of_columns(source, columns, samples.class_names)
    return samples, tree


def _class_rows(samples: Samples, config: DiagnoseConfig, tell: Tell) -> list[dict[str, Any]]:
    flat = samples.values.reshape(len(samples), -1).astype(np.float64)
    rows = []
    for number, name in enumerate(samples.class_names):
        own = flat[samples.classes == number]
        row = dict.fromkeys(column.name for column in CLASSES.columns)
        row |= {"class": name, "samples": len(own)}
        if len(own) >= _FEWEST:
            axes, bic, aic = count_modes(own, config.components, config.seed)
            row |= {"axes": axes, "components_bic": bic, "components_aic": aic}
        rows.append(row)
        tell(len(rows), len(samples.class_names))
    return rows


def _geometry_rows(
    samples: Samples, tree: Hierarchy | None, config: DiagnoseConfig
) -> list[dict[str, Any]]:
    flat = samples.values.reshape(len(samples), -1).astype(np.float64)
    names, classes = samples.class_names, len(samples.class_names)
    rng = numpy_generator(config.seed, stream="diagnose")
    chosen = np.concatenate(
        [
            rng.permutation(np.flatnonzero(samples.classes == number))[: config.per_class]
            for number in range(classes)
        ]
    )
    values, labels = flat[chosen], samples.classes[chosen]
    means = _class_means(values, labels, classes)
    # A normal cloud of the covariance of all deviations, drawn along its principal axes.
    _, sizes, axes = np.linalg.svd(values - means[labels], full_matrices=False)
    noise = rng.standard_normal((len(values), len(sizes))) * sizes / np.sqrt(len(values)) @ axes
    normal = means[labels] + noise - _class_means(noise, labels, classes)[labels]

    def distances(points: Float64[FloatArray, "classes d"], name: str) -> list[float]:
        clouds = make_clouds(torch.from_numpy(points), torch.from_numpy(labels), classes)
        found: list[float] = DistanceSpec(name)(clouds, torch_generator(config.seed)).tolist()
        return found

    first, second = np.triu_indices(classes, 1)
    lengths: Sequence[float | None] = [None] * len(first)
    if tree is not None:
        lengths = tree.pair_distances().tolist()
    columns = distances(values, "l2"), distances(values, "emd"), distances(normal, "emd"), lengths
    return [
        {
            "first": names[i], "second": names[j], "l2": l2, "emd": emd, "one_shape": one,
            "tree": length,
        }
        for i, j, l2, emd, one, length in zip(first, second, *columns, strict=True)
    ]  # fmt: skip


def _class_means(
    values: Float64[FloatArray, "n d"], labels: Int64[np.ndarray, "n"], classes: int
) -> Float64[FloatArray, "{classes} d"]:
    return np.stack([values[labels == number].mean(axis=0) for number in range(classes)])


def _cpcc(samples: Samples, tree: Hierarchy, name: str, config: DiagnoseConfig) -> float | None:
    values = torch.from_numpy(samples.values.reshape(len(samples), -1))
    return feature_cpcc(
        values, samples.classes, tree, DistanceSpec(name), per_class=config.per_class
    )[0]


def _correlation(
    first: Float64[FloatArray, "n"], second: Float64[FloatArray, "n"]
) -> float | None:
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _mean(values: Sequence[int]) -> float | None:
    return float(np.mean(values)) if values else None


def _answer(
    many: float | None, seen: float | None, expected: float | None, *, pairs: int
) -> tuple[str, str]:
    if many is None or pairs < 3:
        return "unknown", "it takes 3 classes or more, with 10 samples or more each"
    if seen is None or expected is None:
        return "unknown", "all distances of classes are equal by l2 or by EMD: nothing to compare"
    gap = expected - seen
    if gap <= _EQUAL:
        return "no", (
            f"l2 and EMD agree ({seen:.2f}) as well as for classes of one shape ({expected:.2f}): "
            "class means are enough, and cheaper"
        )
    if gap > _APART and many >= 0.5:
        return "yes", (
            f"{100 * many:.0f} % of the classes have several components, and l2 and EMD agree "
            f"less ({seen:.2f}) than for classes of one shape ({expected:.2f}): means hide "
            "structure"
        )
    return "perhaps", (
        f"l2 and EMD agree less ({seen:.2f}) than for classes of one shape ({expected:.2f}), but "
        f"the gap is small or few classes ({100 * many:.0f} %) have several components: try "
        "both on held-out data"
    )

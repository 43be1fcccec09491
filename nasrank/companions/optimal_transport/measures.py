"""How well features keep a tree, and what mistakes cost."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor, nn

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.seeds import numpy_generator, torch_generator

__all__ = [
    "confusion_matrix",
    "feature_cpcc",
    "group_probabilities",
    "mean_average_precision",
    "mistake_costs",
    "one_shot_accuracy",
    "principal_plane",
    "retrieval_map",
]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_SHOTS, _STEPS, _RATE = 20, 100, 0.1


def feature_cpcc(
    features: Float[Tensor, "n d"],
    classes: Int64[IntArray, "n"],
    tree: Hierarchy,
    distance: DistanceSpec,
    *,
    seed: int = 0,
    per_class: int | None = None,
) -> tuple[float | None, Float64[FloatArray, "pairs"]]:
    """CPCC of many features, and the distances behind it.

    Args:
        features: One a row.
        classes: Their classes.
        tree: The tree of the classes.
        distance: Between the features of two classes.
        seed: Seed of distances that draw.
        per_class: Use at most so many samples of each class, the first ones; all if None.

    Returns:
        The coefficient, None where it is degenerate; and the distance of each pair of classes,
        0 where a class has no sample.
    """
    labels = torch.from_numpy(classes)
    if per_class is not None:
        kept = np.concatenate(
            [np.flatnonzero(classes == number)[:per_class] for number in range(len(tree))]
        )
        features, labels = features[np.sort(kept)], labels[np.sort(kept)]
    with torch.no_grad():
        clouds = make_clouds(features.double(), labels, len(tree))
        found = distance(clouds, torch_generator(seed, stream="distance", part="test"))
        value, degenerate = cpcc(
            found, torch.from_numpy(tree.pair_distances()), where=clouds.present
        )
    number = float(value)
    fine = not bool(degenerate) and np.isfinite(number)
    return (number if fine else None), found.numpy()


def group_probabilities(
    probabilities: Float64[FloatArray, "n classes"], group_of: Int64[IntArray, "classes"]
) -> Float64[FloatArray, "n groups"]:
    """Sum the probabilities of the classes of each group.

    Args:
        probabilities: A column a class.
        group_of: Group of each class.

    Returns:
        A column a group.

    Example:
        >>> group_probabilities(np.array([[0.5, 0.2, 0.3]]), np.array([0, 1, 1])).tolist()
        [[0.5, 0.5]]
    """
    members = np.eye(int(group_of.max()) + 1)[group_of]
    result: FloatArray = probabilities @ members
    return result


def mean_average_precision(
    scores: Float64[FloatArray, "n targets"], targets: Int64[IntArray, "n"]
) -> float:
    r"""Mean over targets of the average precision of their column of scores.

    .. math:: \mathrm{AP}_c = \frac{1}{n_c} \sum_{k: y_k = c} \frac{\#\{y_l = c, s_l \ge s_k\}}
        {\#\{s_l \ge s_k\}}

    in percent, higher is better. Samples of equal scores stand on one place, the last of theirs,
    so that their order does not matter; targets without a sample are left out.

    Args:
        scores: A column a target.
        targets: What each sample is.

    References:
        Manning, Raghavan & Schuetze (2008), "Introduction to information retrieval", 8.4.

    Example:
        Hits at ranks 1 and 3 of three: (1/1 + 2/3) / 2 for one target, 1/2 for the other.

        >>> scores = np.array([[0.9, 0.9], [0.5, 0.7], [0.1, 0.2]])
        >>> round(mean_average_precision(scores, np.array([0, 1, 0])), 2)
        66.67
    """
    values = []
    for number in range(scores.shape[1]):
        own = np.sort(scores[targets == number, number])
        if len(own):
            every = np.sort(scores[:, number])
            # How many have at least this score: of the target, and of all.
            hits = len(own) - np.searchsorted(own, own)
            values.append(float(np.mean(hits / (len(every) - np.searchsorted(every, own)))))
    return 100.0 * float(np.mean(values))


def retrieval_map(
    known: Float[Tensor, "m d"],
    known_groups: Int64[IntArray, "m"],
    asked: Float[Tensor, "n d"],
    asked_groups: Int64[IntArray, "n"],
) -> float:
    """Rank test samples by the cosine to the mean training feature of each group.

    Args:
        known: Training features.
        known_groups: Class or group of each.
        asked: Test features.
        asked_groups: Class or group of each.

    Returns:
        Mean average precision in percent; higher is better.
    """
    count = int(known_groups.max()) + 1
    sums = torch.zeros(count, known.shape[1]).index_add(
        0, torch.from_numpy(known_groups), known.float()
    )
    # Scale does not matter to a cosine, so that sums do as well as means.
    cosine = nn.functional.normalize(asked.float(), dim=1) @ nn.functional.normalize(sums, dim=1).T
    return mean_average_precision(cosine.double().numpy(), asked_groups)


def confusion_matrix(
    true: Int64[IntArray, "n"], predicted: Int64[IntArray, "n"], classes: int
) -> Int64[IntArray, "{classes} {classes}"]:
    """Count samples by true class and predicted class, in this order."""
    result: IntArray = np.bincount(true * classes + predicted, minlength=classes**2)
    return result.reshape(classes, classes)


def mistake_costs(
    confusion: Int64[IntArray, "classes classes"],
    tree: Hierarchy,
    costs: Float64[FloatArray, "classes classes"] | None = None,
) -> dict[str, float | None]:
    """Say what mistakes cost, by the tree and by the user.

    Args:
        confusion: Samples by true class and predicted class.
        tree: The tree of the classes.
        costs: Likewise, or None.

    Returns:
        ``mistake_distance`` (mean tree distance of the mistakes; None without any),
        ``mean_distance`` (the same over all samples) and ``expected_cost`` (None without costs).

    Example:
        Of ten samples one is taken for its sibling and one for a stranger: (2 + 4) / 2 edges.

        >>> tree = Hierarchy("t", (("a", "x"), ("a", "y"), ("b", "z")))
        >>> counts = np.array([[4, 1, 1], [0, 2, 0], [0, 0, 2]])
        >>> mistake_costs(counts, tree)
        {'mistake_distance': 3.0, 'mean_distance': 0.6, 'expected_cost': None}
    """
    wrong = confusion.sum() - np.trace(confusion)
    total = float((confusion * tree.distances).sum())
    return {
        "mistake_distance": total / float(wrong) if wrong else None,
        "mean_distance": total / float(confusion.sum()),
        "expected_cost": (
            None if costs is None else float((confusion * costs).sum() / confusion.sum())
        ),
    }


def one_shot_accuracy(
    known: Float[Tensor, "m d"],
    known_classes: Int64[IntArray, "m"],
    asked: Float[Tensor, "n d"],
    asked_classes: Int64[IntArray, "n"],
    *,
    seed: int,
) -> float:
    """Learn new classes from one sample each by a linear layer on frozen features.

    Features are first put around the mean of the known ones, in units of their root mean square:
    else what a fixed rate reaches would go by the unit. The layer starts at zero and takes 100
    steps of plain gradient descent of rate .1 on the cross-entropy of the samples drawn. 20 draws
    are trained as one batch, and their accuracies averaged.

    Args:
        known: Features to draw from.
        known_classes: Their classes, from 0.
        asked: Features to classify.
        asked_classes: Their classes.
        seed: Decides the draws.

    Returns:
        Percent of ``asked`` put into their class; higher is better.

    References:
        Zeng et al. (2025), section on generalisation to unseen classes.
    """
    count = int(known_classes.max()) + 1
    rng = numpy_generator(seed, stream="one shot")
    chosen = np.stack(
        [rng.choice(np.flatnonzero(known_classes == c), _SHOTS) for c in range(count)], axis=1
    )
    centre = known.double().mean(dim=0)
    spread = float((known.double() - centre).square().mean().sqrt()) or 1.0
    shots, queries = (
        ((rows.double() - centre) / spread).float()
        for rows in (known[torch.from_numpy(chosen)], asked)
    )
    wanted = torch.eye(count).expand(_SHOTS, -1, -1)
    weight = torch.zeros(_SHOTS, shots.shape[-1], count)
    shift = torch.zeros(_SHOTS, 1, count)
    for _ in range(_STEPS):
        # Cross-entropy of a linear layer: its gradient by the logits is softmax - target.
        error = ((shots @ weight + shift).softmax(dim=-1) - wanted) / count
        weight = weight - _RATE * shots.transpose(1, 2) @ error
        shift = shift - _RATE * error.sum(dim=1, keepdim=True)
    guesses = (queries @ weight + shift).argmax(dim=-1).numpy()
    return 100.0 * float((guesses == asked_classes).mean())


def principal_plane(features: Float[Tensor, "n d"]) -> Float64[FloatArray, "n 2"]:
    """Project features on their two principal axes, the larger first.

    Returns:
        Points, centred; the sign of each axis is such that its longest end is positive.
    """
    centred = features.double() - features.double().mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    flat = (centred @ axes[:2].T).numpy()
    if flat.shape[1] < 2:
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    longest = flat[np.abs(flat).argmax(axis=0), [0, 1]]
    result: FloatArray = flat * np.where(longest < 0, -1.0, 1.0)
    return result

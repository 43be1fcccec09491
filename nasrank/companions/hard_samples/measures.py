"""What embeddings are judged by, and the quality of generated samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy.typing import NDArray

from nasrank.companions.hard_samples.mining import Triplets
from nasrank.companions.hard_samples.synthesis import Batch
from nasrank.errors import needing
from nasrank.metrics.retrieval import (
    Pairs,
    false_positive_rate,
    normalised_mutual_information,
    pair_distances,
    pairwise_f1,
    recall_at,
    separation,
)
from nasrank.seeds import derive_seed, numpy_generator

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.training import Trained
    from nasrank.samples import Samples

__all__ = ["covered_modes", "judge", "judge_generated", "own_and_other", "variance_within"]

FloatArray = NDArray[np.floating]

_NEIGHBOURS = 5
_MOST_GENERATED, _FEWEST_OF_CLASS = 1_000, 8


def judge(
    embeddings: Float[FloatArray, "n e"], classes: Int64[np.ndarray, "n"], *, seed: int
) -> tuple[dict[str, float], tuple[Pairs, Pairs]]:
    """Measure embeddings of classes that training has not seen.

    Args:
        embeddings: On the unit sphere.
        classes: Theirs.
        seed: Of the run; k-means starts from it.

    Returns:
        Numbers by column of ``hard``, and the pairs of two random halves, on one of which a
        threshold may be chosen for the other.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    recall = recall_at(embeddings, classes)
    pairs = pair_distances(embeddings, classes)
    clusters = _clusters(embeddings, len(np.unique(classes)), seed)
    numbers = {
        **{f"recall_at_{k}": value for k, value in recall.items()},
        "nmi": normalised_mutual_information(clusters, classes),
        "f1": pairwise_f1(clusters, classes),
        "separation": separation(pairs),
        "fpr_at_95_recall": false_positive_rate(pairs),
    }
    first = np.zeros(len(classes), dtype=bool)
    first[numpy_generator(0, stream="halves").permutation(len(classes))[::2]] = True
    halves = (
        pair_distances(embeddings[first], classes[first]),
        pair_distances(embeddings[~first], classes[~first]),
    )
    return numbers, halves


def judge_generated(
    trained: Trained, samples: Samples, device: torch.device, *, seed: int
) -> dict[str, float]:
    """Measure what the generators of a trained embedding make of its training samples.

    For each of about 1,000 samples, eight or more of a class, one random triplet is generated.
    A generated positive belongs to the class of its anchor, a generated negative to that of the
    negative it was made of.

    - ``own_distance`` and ``other_distance``: mean distance of its embedding to the nearest real
      one of its class, and of any other class; ``own_share`` how often the first is less.
    - ``coverage``: see `covered_modes`, on features.
    - ``spread``: variance of generated features within classes over that of real ones; 0 where
      all are one.

    Returns:
        Numbers by column of ``hard``; none of a kind of sample that is not generated.
    """
    numbers: dict[str, float] = {}
    if trained.synthesiser is None or trained.diverged:
        return numbers
    rng = numpy_generator(seed, stream="generated")
    places = _whole_classes(samples.classes, rng)
    _, classes = np.unique(samples.classes[places], return_inverse=True)
    triplets = _random_triplets(classes, rng)
    if triplets is None:
        return numbers
    # Conditions are numbered over all training classes.
    told = np.unique(samples.classes, return_inverse=True)[1][places].astype(np.int64)
    network = trained.network
    features, embeddings = network.embed(samples.values[places], device)
    batch = Batch(
        features, embeddings, torch.from_numpy(told).to(device),
        Triplets(*(each.to(device) for each in triplets)), network.head, 0.0, 0.0, 0.0, 1.0,
    )  # fmt: skip
    with torch.no_grad():
        made = trained.synthesiser.generate(batch)
    real = features.cpu().double().numpy()
    real_embeddings = embeddings.cpu().double().numpy()
    kinds = (
        ("positive", made.positive_features, made.positive, triplets.positive),
        ("negative", made.negative_features, made.negative, triplets.negative),
    )
    for name, found, embedded, source in kinds:
        if found is None or not bool(torch.isfinite(found).all()):
            continue
        own = classes[source.numpy()]
        points, near = found.cpu().double().numpy(), embedded.cpu().double().numpy()
        to_own, to_other = own_and_other(near, own, real_embeddings, classes)
        numbers |= {
            f"{name}_own_distance": float(np.mean(to_own)),
            f"{name}_other_distance": float(np.mean(to_other)),
            f"{name}_own_share": float(np.mean(to_own < to_other)),
            f"{name}_coverage": covered_modes(points, own, real, classes),
            f"{name}_spread": variance_within(points, own) / variance_within(real, classes),
        }
    return numbers


def own_and_other(
    made: Float[FloatArray, "t d"],
    own: Int64[np.ndarray, "t"],
    real: Float[FloatArray, "n d"],
    classes: Int64[np.ndarray, "n"],
) -> tuple[Float64[np.ndarray, "t"], Float64[np.ndarray, "t"]]:
    """Return the distance of each made point to the nearest real one of its class, and of others.

    Args:
        made: Made points.
        own: The class each is meant to be of.
        real: Real points.
        classes: Theirs.

    Returns:
        Distances of each made point; infinite where there is no real one of the kind.

    Example:
        >>> import numpy as np
        >>> own_and_other(np.array([[1.0]]), np.array([0]), np.array([[0.0], [3.0]]),
        ...               np.array([0, 1]))
        (array([1.]), array([2.]))
    """
    from scipy.spatial.distance import cdist

    apart = cdist(made, real)
    same = own[:, None] == classes
    return (
        np.where(same, apart, np.inf).min(axis=1, initial=np.inf),
        np.where(same, np.inf, apart).min(axis=1, initial=np.inf),
    )


def covered_modes(
    made: Float[FloatArray, "t d"],
    own: Int64[np.ndarray, "t"],
    real: Float[FloatArray, "n d"],
    classes: Int64[np.ndarray, "n"],
    *,
    neighbours: int = _NEIGHBOURS,
) -> float:
    r"""Share of real points that have a made point of their class in their neighbourhood.

    .. math:: \frac{1}{n} \sum_i 1[\exists j : c_j = c_i, \|x_i - \tilde x_j\| \le r_k(x_i)]

    with the distance :math:`r_k` to the k-th nearest real point of the same class. A generator
    that makes one point of each class covers few of them.

    Args:
        made: Made points.
        own: The class each is meant to be of.
        real: Real points.
        classes: Theirs.
        neighbours: k; classes of fewer others than that take the furthest of them, and classes
            of one point are left out.

    Returns:
        A number in [0, 1], higher is better; nan where no class has two points.

    References:
        Naeem et al. (2020), "Reliable fidelity and diversity metrics for generative models",
        ICML, whose coverage this is, class by class.

    Example:
        Of four points on a line, one made at the first lies within one step of two of them:

        >>> import numpy as np
        >>> line, zeros = np.arange(4.0)[:, None], np.zeros(4, int)
        >>> covered_modes(line[:1], zeros[:1], line, zeros, neighbours=1)
        0.5
    """
    from scipy.spatial.distance import cdist

    covered: list[NDArray[np.bool_]] = []
    for number in np.unique(classes):
        points, found = real[classes == number], made[own == number]
        if len(points) < 2:
            continue
        between = np.sort(cdist(points, points), axis=1)
        radius = between[:, min(neighbours, len(points) - 1)]
        near = cdist(points, found).min(axis=1, initial=np.inf)
        covered.append(near <= radius)
    return float(np.concatenate(covered).mean()) if covered else float("nan")


def _whole_classes(
    classes: Int64[np.ndarray, "n"], rng: np.random.Generator
) -> Int64[np.ndarray, "chosen"]:
    """Draw samples so that classes keep what makes them one, instead of one sample each."""
    numbers = rng.permutation(np.unique(classes))
    each = max(_FEWEST_OF_CLASS, _MOST_GENERATED // len(numbers))
    chosen: list[NDArray[np.intp]] = []
    for number in numbers:
        if sum(map(len, chosen)) < _MOST_GENERATED:
            chosen.append(rng.permutation(np.flatnonzero(classes == number))[:each])
    return np.sort(np.concatenate(chosen))


def _random_triplets(classes: Int64[np.ndarray, "n"], rng: np.random.Generator) -> Triplets | None:
    anchors, positives, negatives = [], [], []
    for number in np.unique(classes):
        own = np.flatnonzero(classes == number)
        others = np.flatnonzero(classes != number)
        if len(own) < 2 or not len(others):
            continue
        anchors.append(own)
        # Each stands once as anchor and once as positive, never of itself.
        shuffled = rng.permutation(own)
        positives.append(np.roll(shuffled, 1)[np.argsort(shuffled)])
        negatives.append(rng.choice(others, len(own)))
    if not anchors:
        return None
    parts = (anchors, positives, negatives)
    return Triplets(*(torch.from_numpy(np.concatenate(part).astype(np.int64)) for part in parts))


def variance_within(points: Float[FloatArray, "n d"], classes: Int64[np.ndarray, "n"]) -> float:
    """Return the variance within classes, summed over dimensions: the mean over samples."""
    spread = [points[classes == c].var(axis=0).sum() for c in np.unique(classes)]
    counts = [np.sum(classes == c) for c in np.unique(classes)]
    return float(np.average(spread, weights=counts))


def _clusters(
    embeddings: Float[FloatArray, "n e"], count: int, seed: int
) -> Int64[np.ndarray, "n"]:
    with needing("metric", "clusters need scikit-learn"):
        from sklearn.cluster import KMeans
    # Embeddings in few distinct points have fewer clusters than classes.
    count = min(count, len(np.unique(embeddings.round(9), axis=0)))
    start = derive_seed(seed, stream="clusters") % 2**32
    found = KMeans(count, n_init=1 if count > 100 else 4, random_state=start).fit(embeddings)
    return np.asarray(found.labels_, dtype=np.int64)

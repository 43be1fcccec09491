"""Shapes are checked wherever a test calls metrics; this test would notice if they were not."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from nasrank.metrics.discovery import Ranking
from nasrank.metrics.embeddings import (
    LinearProbe,
    knn_accuracy,
    nearest_mean_accuracy,
    simplex_distance,
    sphere_variance,
)
from nasrank.metrics.retrieval import ErrorRates, Pairs

ROWS, CLASSES, ONE = np.eye(3), np.arange(3), np.zeros(1, np.int64)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sphere_variance(ROWS, ONE),
        lambda: simplex_distance(CLASSES),
        # Without a check one class would count for all.
        lambda: nearest_mean_accuracy(ROWS, ROWS, ONE),
        lambda: nearest_mean_accuracy(np.eye(2), ROWS, CLASSES),
        lambda: knn_accuracy(ROWS, CLASSES, ROWS, ONE),
        lambda: knn_accuracy(ROWS, ONE, ROWS, CLASSES),
        lambda: LinearProbe.fit(ROWS, ONE),
        lambda: LinearProbe(ROWS, np.zeros(2), np.zeros(3), np.ones(3)),
    ],
)
def test_embeddings_and_classes_of_other_shapes_are_refused(call):
    with pytest.raises(TypeCheckError):
        call()


def test_arrays_of_other_shapes_are_refused():
    flat, square = np.zeros(2), np.zeros((2, 2))
    with pytest.raises(TypeCheckError, match="ranked"):
        Ranking(flat, square, flat)
    with pytest.raises(TypeCheckError, match="same"):
        Pairs(square, flat)
    with pytest.raises(TypeCheckError, match="counted_reject"):
        ErrorRates(flat, flat, flat, np.zeros(3))

"""Small data with finer classes within coarse ones, that no package has to bring."""

import numpy as np
import pytest

from nasrank.companions.supcon.coarse import Grouped
from nasrank.samples import Samples, SampleSet


@pytest.fixture(scope="session")
def grouped():
    """Four blobs of vectors, two of them even."""
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(4), 30).astype(np.int64)
    centres = 2 * np.eye(4, 6)
    values = (centres[classes] + 0.3 * rng.normal(size=(120, 6))).astype(np.float32)
    names = tuple("abcd")
    train = Samples(values[:80], classes[:80], names)
    test = Samples(values[80:], classes[80:], names)
    data = SampleSet("blobs", train, test)
    return Grouped(data, np.array([0, 1, 0, 1]), ("even", "odd"))

"""Small data sets with many classes, and trainings that take a blink."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from nasrank.companions.hard_samples.methods import parse_method
from nasrank.companions.hard_samples.training import HardRun
from nasrank.samples import Samples, SampleSet, split_by_class
from nasrank.tables import write_parquet


def clouds(classes=8, each=14, width=6, seed=0, noise=0.6):
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(classes, width))
    numbers = np.repeat(np.arange(classes), each)
    values = centres[numbers] + noise * rng.normal(size=(len(numbers), width))
    order = rng.permutation(len(numbers))
    names = tuple(f"c{n}" for n in range(classes))
    pooled = Samples(values[order].astype(np.float32), numbers[order], names)
    half = np.arange(len(numbers)) < len(numbers) // 2
    return SampleSet("clouds", pooled.take(half), pooled.take(~half))


@pytest.fixture
def data():
    """Four classes to train on, four others."""
    return split_by_class(clouds())


@pytest.fixture
def how():
    def make(method="triplet-random", **changes):
        usual = {
            "data": "clouds", "fingerprint": "", "held_out": False,
            "method": str(parse_method(method)), "encoder": "mlp", "embedding": 8, "epochs": 2,
            "batch": 16, "images_per_class": 4, "margin": 0.2, "learning_rate": 1e-3,
            "weight_decay": 0.0, "augmentation": False, "warm_up": 0.2, "seed": 0,
        }  # fmt: skip
        return HardRun(**{**usual, **changes})

    return make


@pytest.fixture
def table(tmp_path):
    """The clouds as a user's own Parquet file."""

    def write(name="own.parquet", **options):
        found = clouds(**options)
        values = np.concatenate([found.train.values, found.test.values])
        classes = np.concatenate([found.train.classes, found.test.classes])
        columns = {f"x{n}": column for n, column in enumerate(values.T)}
        columns["kind"] = [f"k{c}" for c in classes]
        path = tmp_path / name
        write_parquet(pa.table(columns), path)
        return path

    return write


@pytest.fixture
def cpu():
    return torch.device("cpu")

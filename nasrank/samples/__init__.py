"""Sources of images and vectors: built in, from installed packages, from the user."""

from nasrank.samples.arrays import FileSamples, Reading, read_samples
from nasrank.samples.samples import Samples, SampleSet, split_by_class, split_stratified
from nasrank.samples.sources import DATA_SETS, load_samples

__all__ = [
    "DATA_SETS",
    "FileSamples",
    "Reading",
    "SampleSet",
    "Samples",
    "load_samples",
    "read_samples",
    "split_by_class",
    "split_stratified",
]

import numpy as np
import pytest

from nasrank.errors import DataError, UsageError
from nasrank.samples import Samples, SampleSet, split_by_class, split_stratified


def samples(counts):
    classes = np.repeat(np.arange(len(counts)), counts)
    values = np.arange(len(classes), dtype=np.float32)[:, None]
    return Samples(values, classes.astype(np.int64), tuple(f"c{i}" for i in range(len(counts))))


def counts(part, classes):
    return np.bincount(part.classes, minlength=classes).tolist()


def test_a_stratified_split_takes_its_share_of_every_class():
    data = split_stratified("mine", samples([10, 20, 2, 1]), 0.3)
    assert counts(data.test, 4) == [3, 6, 1, 0]
    assert counts(data.train, 4) == [7, 14, 1, 1]
    both = np.concatenate([data.train.values, data.test.values]).ravel()
    assert sorted(both) == list(range(33))


def test_splits_and_limits_are_the_same_every_time():
    a, b = (split_stratified("mine", samples([30, 30])).limited(20, 10) for _ in range(2))
    assert np.array_equal(a.train.values, b.train.values)
    assert (len(a.train), len(a.test)) == (20, 10)
    assert a.fingerprint == b.fingerprint
    assert a.limited(19).fingerprint != a.fingerprint
    assert a.limited(500).fingerprint == a.fingerprint


def test_unseen_classes_are_never_trained_on():
    data = split_by_class(split_stratified("mine", samples([5, 5, 5, 5, 5])))
    assert set(data.train.classes) == {0, 1, 2}
    assert set(data.test.classes) == {3, 4}
    assert len(data.train) + len(data.test) == 25


@pytest.mark.parametrize(("classes", "unseen"), [(3, None), (4, 3), (10, 9), (10, 1)])
def test_too_few_classes_on_either_side_are_refused(classes, unseen):
    data = split_stratified("mine", samples([4] * classes))
    with pytest.raises(UsageError, match="too few"):
        split_by_class(data, unseen)


def test_nothing_to_split():
    with pytest.raises(DataError, match="no sample"):
        split_stratified("mine", samples([0, 0]))


def test_a_change_of_any_part_changes_the_fingerprint():
    base = split_stratified("mine", samples([6, 6]))
    renamed = SampleSet(
        "mine", *(Samples(p.values, p.classes, ("c0", "other")) for p in (base.train, base.test))
    )
    values = base.test.values.copy()
    values[0] += 1
    moved = SampleSet("mine", base.train, Samples(values, base.test.classes, base.class_names))
    assert len({base.fingerprint, renamed.fingerprint, moved.fingerprint}) == 3

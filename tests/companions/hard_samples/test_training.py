from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.companions.hard_samples.measures import judge, judge_generated
from nasrank.companions.hard_samples.training import EPOCH_NUMBERS, train
from nasrank.errors import DataError

EVERY = (
    "triplet-random", "semi-hard", "batch-hard", "distance-weighted", "hdml", "daml", "two-stage",
    "two-stage(without=stage-one)", "two-stage(without=stage-two)",
    "two-stage(without=condition)", "two-stage(without=adaptation)", "two-stage(shape=flat)",
    "two-stage+semi-hard", "hdml+batch-hard",
)  # fmt: skip


def weights(trained):
    return torch.cat([w.detach().flatten() for w in trained.network.parameters()])


@pytest.mark.parametrize("method", EVERY)
def test_every_method_trains(data, how, cpu, method):
    trained = train(data, how(method), cpu)
    assert not trained.diverged
    assert len(trained.log) == 2
    assert [set(epoch) for epoch in trained.log] == [set(EPOCH_NUMBERS)] * 2
    assert np.isfinite(trained.log[0]["triplet_loss"])
    features, embeddings = trained.network.embed(data.test.values, cpu)
    assert torch.isfinite(features).all()
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(len(data.test)))
    generated = judge_generated(trained, data.train, cpu, seed=0)
    kinds = {name.split("_")[0] for name, value in generated.items() if np.isfinite(value)}
    wanted = set()
    if method.startswith(("hdml", "daml", "two-stage")):
        wanted = {"positive", "negative"} if method.startswith("two-stage") else {"negative"}
        wanted -= {"positive"} if "stage-one" in method else set()
        wanted -= {"negative"} if "stage-two" in method else set()
        assert np.isfinite(trained.log[0]["synthetic_loss"])
    assert kinds == wanted


def test_the_same_seed_gives_the_same_weights(data, how, cpu):
    one, again, other = (train(data, how("two-stage", seed=seed), cpu) for seed in (0, 0, 1))
    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))
    # Whatever is drawn elsewhere does not matter.
    torch.manual_seed(99)
    assert torch.equal(weights(one), weights(train(data, how("two-stage"), cpu)))


def test_methods_start_alike(data, how, cpu):
    starts = [
        weights(train(data, how(method, epochs=0), cpu)) for method in ("untrained", *EVERY[:7])
    ]
    for start in starts[1:]:
        assert torch.equal(start, starts[0])


def test_generators_do_not_touch_the_metric_during_warm_up(data, how, cpu):
    # Two that generate, since those mine the same triplets.
    def losses(method, warm_up):
        trained = train(data, how(method, epochs=2, warm_up=warm_up), cpu)
        return [epoch["triplet_loss"] for epoch in trained.log]

    one, other = losses("hdml", 0.5), losses("two-stage", 0.5)
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert losses("hdml", 0.0)[0] != losses("two-stage", 0.0)[0]


def test_training_brings_seen_classes_together(data, how, cpu):
    before, after = (
        judge(
            train(data, how("semi-hard", epochs=epochs), cpu)
            .network.embed(data.train.values, cpu)[1]
            .numpy(),
            data.train.classes,
            seed=0,
        )[0]
        for epochs in (0, 25)
    )
    assert after["separation"] > 1.5 * before["separation"]
    assert after["fpr_at_95_recall"] < before["fpr_at_95_recall"]


def test_options_change_what_is_learnt(data, how, cpu):
    base = weights(train(data, how("two-stage"), cpu))
    for changed in (
        how("two-stage", augmentation=True),
        how("two-stage", weight_decay=0.5),
        how("two-stage(stretch=0.5)"),
        how("two-stage(adaptive=loss)"),
        how("two-stage(reverse=5)"),
        how("two-stage(without=condition)"),
        how("two-stage", margin=0.5),
    ):
        assert not torch.equal(weights(train(data, changed, cpu)), base)


def test_a_run_that_diverges_says_so(data, how, cpu):
    trained = train(data, how("triplet-random", learning_rate=1e30, epochs=4), cpu)
    assert trained.diverged
    assert judge_generated(trained, data.train, cpu, seed=0) == {}


def test_a_run_that_collapses_says_so(data, how, cpu):
    alike = replace(data.train, values=np.ones_like(data.train.values))
    assert train(replace(data, train=alike), how(), cpu).diverged


def test_batches_without_a_triplet_are_counted(data, how, cpu):
    # Of six classes, two to a batch, one alone has a pair.
    classes = np.array([0, 0, 1, 2, 3, 4, 5])
    lonely = replace(data.train.take(np.arange(7)), classes=classes, class_names=tuple("abcdef"))
    trained = train(replace(data, train=lonely), how(batch=4, images_per_class=2, epochs=15), cpu)
    assert 0 < trained.degenerate < 30
    assert not trained.diverged


def test_nothing_to_pair_is_refused(data, how, cpu):
    alone = data.train.take(np.unique(data.train.classes, return_index=True)[1])
    with pytest.raises(DataError, match="no training class has two samples"):
        train(replace(data, train=alone), how(), cpu)


def test_units_of_columns_do_not_matter(data, how, cpu):
    scaled = data.train.values * np.float32(1000) + np.float32(5)
    one = train(data, how(), cpu).log[-1]["triplet_loss"]
    other = train(replace(data, train=replace(data.train, values=scaled)), how(), cpu).log[-1]
    assert other["triplet_loss"] == pytest.approx(one, rel=0.02)


def test_images_and_their_encoders(how, cpu, data):
    rng = np.random.default_rng(0)
    images = rng.random((40, 1, 16, 16)).astype(np.float32)
    part = replace(data.train, values=images, classes=np.repeat(np.arange(4), 10))
    trained = train(
        replace(data, train=part), how("two-stage", encoder="cnn", augmentation=True), cpu
    )
    assert not trained.diverged


def test_pictures_show_every_epoch(data, how, cpu):
    trained = train(data, how("two-stage", epochs=3), cpu, pictures=True)
    assert len(trained.pictures) == 3
    real, positive, negative = trained.picture_classes
    for picture in trained.pictures:
        assert np.shape(picture["real"]) == (len(real), 2)
        assert np.shape(picture["positive"]) == (len(positive), 2)
        assert np.shape(picture["negative"]) == (len(negative), 2)
    assert real == positive
    assert all(one != other for one, other in zip(real, negative, strict=True))
    plain = train(data, how(epochs=1), cpu, pictures=True)
    assert plain.pictures[0]["positive"] is None
    # Looking changes nothing.
    assert torch.equal(weights(plain), weights(train(data, how(epochs=1), cpu)))

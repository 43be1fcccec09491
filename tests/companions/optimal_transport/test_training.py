import numpy as np
import pytest
import torch

from nasrank.companions.optimal_transport.distances import parse_distance
from nasrank.companions.optimal_transport.hierarchy import parse_hierarchy
from nasrank.companions.optimal_transport.made import make_mixture
from nasrank.companions.optimal_transport.measures import feature_cpcc
from nasrank.companions.optimal_transport.training import Classifier, Regulariser, train_classifier
from nasrank.companions.optimal_transport.trees import load_tree
from nasrank.samples import Samples

DATA = make_mixture("one-mode", 0)
TREE = load_tree("halves", DATA.class_names)
ANYHOW = {
    "encoder": "mlp", "batch_size": 64, "epochs": 4, "rate": 0.05, "seed": 0,
    "device": torch.device("cpu"),
}  # fmt: skip


def train(regulariser=None, samples=DATA.train, **changes):
    return train_classifier(samples, TREE, regulariser, **{**ANYHOW, **changes})


def weights(trained):
    return torch.cat([part.detach().flatten() for part in trained.model.parameters()])


def test_a_seed_decides_all():
    first, again, other = train(), train(), train(seed=1)
    assert torch.equal(weights(first), weights(again))
    assert not torch.allclose(weights(first), weights(other))
    assert (first.batches, first.degenerate, first.diverged) == (4 * (720 // 64), 0, False)


def test_methods_start_alike_and_see_the_same_batches():
    """With next to no weight a regulariser changes next to nothing."""
    faint = train(Regulariser(parse_distance("fastft"), 1e-9))
    assert torch.allclose(weights(faint), weights(train()), atol=1e-4)


@pytest.mark.parametrize("name", ["l2", "emd", "fastft"])
def test_the_tree_is_kept_better_with_it(name):
    """Another tree than that of the data, which features would not follow by themselves."""
    tree = parse_hierarchy("x: a, d\ny: b, e\nz: c, f", "t", DATA.class_names)
    spec = parse_distance(name)

    def kept(regulariser):
        model = train_classifier(DATA.train, tree, regulariser, **ANYHOW).model
        features, _ = model.apply_to(DATA.test.values)
        return feature_cpcc(features, DATA.test.classes, tree, spec)[0]

    assert kept(Regulariser(spec, 1.0)) > kept(None) + 0.3


def test_batches_without_a_correlation_are_counted():
    # Two classes alone: one pair, so no correlation.
    chosen = DATA.train.take(DATA.train.classes < 2)
    trained = train(Regulariser(parse_distance("l2"), 1.0), chosen, epochs=1)
    assert trained.degenerate == trained.batches == 240 // 64


def test_divergence_ends_a_training():
    trained = train(rate=1e12)
    assert trained.diverged
    assert trained.batches < 4 * (720 // 64)
    for name in ("emd", "sinkhorn", "flowtree"):
        assert train(Regulariser(parse_distance(name), 1.0), rate=1e12).diverged


def test_the_last_step_is_looked_at_too():
    large = Samples(1e5 * DATA.train.values, DATA.train.classes, DATA.class_names)
    trained = train(None, large, rate=1e38, epochs=1, batch_size=720)
    assert trained.batches == 1
    assert trained.diverged


@pytest.mark.parametrize("encoder", ["linear", "mlp", "cnn", "conv4", "vit", "resnet18"])
def test_every_backbone_trains_on_images(encoder):
    rng = np.random.default_rng(0)
    images = Samples(
        rng.random((24, 1, 8, 8), dtype=np.float32), np.arange(24) % 6, tuple("abcdef")
    )
    trained = train(Regulariser(parse_distance("fastft"), 1.0), images, encoder=encoder,
                    epochs=1, batch_size=12)  # fmt: skip
    features, logits = trained.model.apply_to(images.values)
    assert features.shape == (24, trained.model.encoder.features)
    assert logits.shape == (24, 6)


def test_many_samples_are_applied_in_parts_and_in_evaluation_mode():
    model = Classifier("mlp", (16,), 6, seed=0)
    values = np.random.default_rng(0).random((2500, 16), dtype=np.float32)
    features, logits = model.apply_to(values)
    with torch.no_grad():
        whole = model(torch.from_numpy(values))
    assert torch.allclose(features, whole[0], atol=1e-6)
    assert torch.allclose(logits, whole[1], atol=1e-6)
    assert model.training

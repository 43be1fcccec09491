import pytest
import torch

from nasrank.encoders import ENCODERS, make_encoder
from nasrank.errors import UsageError

IMAGES = [name for name in ENCODERS.names() if name not in {"mlp", "linear"}]


@pytest.mark.parametrize("name", ENCODERS.names())
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 20, 17)])
def test_every_encoder_takes_small_and_uneven_images(name, shape):
    encoder = make_encoder(name, shape, features=7, seed=0)
    out = encoder(torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (3, 7)
    out.square().sum().backward()
    for part, weight in encoder.named_parameters():
        assert weight.grad is not None, part
        assert torch.isfinite(weight.grad).all(), part


@pytest.mark.parametrize("name", ENCODERS.names())
def test_weights_depend_on_the_seed_alone(name):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    a, b, other = (make_encoder(name, (1, 8, 8), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [torch.cat([p.flatten() for p in each.parameters()]) for each in (a, b, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("name", ENCODERS.names())
def test_default_features_are_what_comes_out(name):
    encoder = make_encoder(name, (1, 8, 8), seed=0).eval()
    assert encoder(torch.zeros(2, 1, 8, 8)).shape == (2, encoder.features)


def test_vectors_go_to_the_perceptron_and_to_one_layer_only():
    for name in ("mlp", "linear"):
        assert make_encoder(name, (5,), seed=0)(torch.zeros(2, 5)).shape == (2, 64)
    for name in IMAGES:
        with pytest.raises(UsageError, match="Use mlp"):
            make_encoder(name, (5,), seed=0)
        with pytest.raises(UsageError, match="8x8"):
            make_encoder(name, (1, 8, 7), seed=0)


def test_odd_requests():
    with pytest.raises(UsageError, match="unknown encoder 'cn'"):
        make_encoder("cn", (1, 8, 8), seed=0)
    with pytest.raises(UsageError, match="an encoder needs 1 or more features, not 0"):
        make_encoder("mlp", (5,), features=0, seed=0)


def test_one_layer_starts_with_orthogonal_directions():
    samples = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = make_encoder("linear", (64,), features=64, seed=0)(samples)
    torch.testing.assert_close(torch.cdist(features, features), torch.cdist(samples, samples))

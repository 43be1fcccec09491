import pytest
import torch

from nasrank.companions.precision_recall.networks import (
    MLP,
    ConvCritic,
    ConvGenerator,
    CouplingFlow,
)
from nasrank.errors import UsageError


def networks():
    return [
        MLP((3, 5, 4)),
        MLP((3, 4), squashed=True),
        ConvGenerator(3, (2, 8, 12), 4),
        ConvCritic((2, 8, 12), 4),
    ]


@pytest.mark.parametrize("network", networks(), ids=lambda n: type(n).__name__)
def test_models_side_by_side_are_what_they_are_alone(network):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 7, network.inputs, generator=generator)
    together = network.initial([4, 5, 4], "test")
    out = network(together, values)
    assert out.shape == (3, 7, network.outputs)
    for place, seed in enumerate((4, 5, 4)):
        alone = network.initial([seed], "test")
        for name, weight in alone.items():
            assert torch.equal(weight[0], together[name][place])
        single = network(alone, values[place : place + 1])
        assert torch.allclose(single[0], out[place], atol=1e-5)


def test_a_perceptron_by_hand():
    network = MLP((1, 1, 1))
    weights = {
        "0.weight": torch.tensor([[[2.0]]]),
        "0.bias": torch.tensor([[[-1.0]]]),
        "1.weight": torch.tensor([[[3.0]]]),
        "1.bias": torch.tensor([[[0.5]]]),
    }
    # 2 * 2 - 1 = 3, so 9.5; 0 - 1 is leaked to -0.2, so -0.1.
    out = network(weights, torch.tensor([[[2.0], [0.0]]]))
    assert torch.allclose(out, torch.tensor([[[9.5], [-0.1]]]))


def test_convolutions_agree_with_torch_layers():
    network = ConvCritic((1, 8, 8), 2)
    weights = network.initial([0], "test")
    image = torch.randn(1, 3, 64, generator=torch.Generator().manual_seed(1))
    slope = torch.nn.functional.leaky_relu
    maps = image[0].view(3, 1, 8, 8)
    for name in ("down1", "down2"):
        maps = slope(torch.nn.functional.conv2d(maps, weights[name][0], stride=2, padding=1), 0.2)
    expected = maps.flatten(1) @ weights["0.weight"][0] + weights["0.bias"][0]
    assert torch.allclose(network(weights, image)[0], expected, atol=1e-5)


def test_flows_have_the_density_that_zuko_says():
    zuko = pytest.importorskip("zuko")
    flow = CouplingFlow(3, 4, 5)
    seeds = [0, 1]
    weights = flow.initial(seeds, "test")
    latent = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    drawn = flow(weights, latent)
    density = flow.log_density(weights, drawn)
    for place in range(2):
        alone = zuko.flows.NICE(3, transforms=4, hidden_features=(5,))
        alone.load_state_dict(
            {name: weight[place] for name, weight in weights.items()}, strict=False
        )
        assert torch.allclose(alone.transform().inv(latent[place]), drawn[place], atol=1e-5)
        assert torch.allclose(alone().log_prob(drawn[place]), density[place], atol=1e-4)


def test_shapes_that_do_not_fit():
    with pytest.raises(UsageError, match="divide by 4"):
        ConvGenerator(3, (1, 10, 8), 4)
    pytest.importorskip("zuko")
    with pytest.raises(UsageError, match="2 numbers"):
        CouplingFlow(1, 2, 4)

"""Networks of many models side by side: every weight has the models stacked in front."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from nasrank.errors import UsageError, needing
from nasrank.seeds import seeded_torch

if TYPE_CHECKING:
    from zuko.flows import Flow

__all__ = [
    "MLP",
    "ConvCritic",
    "ConvGenerator",
    "CouplingFlow",
    "Network",
    "Weights",
]

Weights: TypeAlias = Mapping[str, Float[Tensor, "models ..."]]
"""Weights of every model, by name."""
_SLOPE = 0.2


class Network(ABC):
    """What weights are needed, how they start, and what they do to inputs.

    Attributes:
        inputs: Numbers one input has.
        outputs: Numbers one output has.
    """

    inputs: int
    outputs: int

    @abstractmethod
    def initial(self, seeds: Sequence[int], stream: str) -> dict[str, Float[Tensor, "models ..."]]:
        """Draw first weights, each model's from its own seed.

        Args:
            seeds: Seed of each model; equal seeds give equal weights.
            stream: What the network is for.

        Returns:
            Weights by name.
        """

    @abstractmethod
    def __call__(
        self, weights: Weights, values: Float[Tensor, "models items inputs"]
    ) -> Float[Tensor, "models items outputs"]:
        """Compute outputs."""


def _uniform(
    shape: Sequence[int], bound: float, seeds: Sequence[int], stream: str, name: str
) -> Float[Tensor, "models ..."]:
    parts = []
    for seed in seeds:
        with seeded_torch(seed, stream=stream, weight=name):
            parts.append(torch.nn.init.uniform_(torch.empty(*shape), -bound, bound))
    return torch.stack(parts)


class MLP(Network):
    """Full layers with leaky rectifiers between them.

    Args:
        sizes: Numbers of inputs, of each hidden layer's units, and of outputs.
        squashed: Whether outputs go through tanh, for images scaled to [-1, 1].
    """

    def __init__(self, sizes: Sequence[int], *, squashed: bool = False) -> None:
        self.sizes, self._squashed = tuple(sizes), squashed
        self.inputs, self.outputs = self.sizes[0], self.sizes[-1]

    def initial(self, seeds: Sequence[int], stream: str) -> dict[str, Float[Tensor, "models ..."]]:
        """Draw weights evenly within ``sqrt(3 / inputs)``, so that signals keep their size."""
        weights = {}
        for layer, (inner, outer) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            for name, shape, bound in (
                (f"{layer}.weight", (inner, outer), math.sqrt(3 / inner)),
                (f"{layer}.bias", (1, outer), 1 / math.sqrt(inner)),
            ):
                weights[name] = _uniform(shape, bound, seeds, stream, name)
        return weights

    def __call__(
        self, weights: Weights, values: Float[Tensor, "models items inputs"]
    ) -> Float[Tensor, "models items outputs"]:
        """Compute all layers; see `Network`."""
        last = len(self.sizes) - 2
        for layer in range(last + 1):
            values = torch.baddbmm(weights[f"{layer}.bias"], values, weights[f"{layer}.weight"])
            if layer < last:
                values = leaky_relu(values, _SLOPE)
        return values.tanh() if self._squashed else values


class ConvGenerator(Network):
    """A full layer to maps of a quarter of the side, then two transposed convolutions.

    Args:
        latent: Inputs.
        shape: ``(channels, height, width)`` of the images; sides divide by 4.
        channels: Maps before the last layer.

    Raises:
        UsageError: A side does not divide by 4.

    References:
        Radford, Metz & Chintala (2016), "Unsupervised Representation Learning with Deep
        Convolutional Generative Adversarial Networks".
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], channels: int) -> None:
        self._shape, self._channels, self._small = shape, channels, _quarter(shape)
        self.inputs, self.outputs = latent, math.prod(shape)
        self._full = MLP((latent, 2 * channels * math.prod(self._small)))

    def initial(self, seeds: Sequence[int], stream: str) -> dict[str, Float[Tensor, "models ..."]]:
        """Draw weights of all layers."""
        inner, outer = 2 * self._channels, self._shape[0]
        bound = math.sqrt(3 / (4 * inner))
        return {
            **self._full.initial(seeds, stream),
            "up1": _uniform((inner, self._channels, 4, 4), bound, seeds, stream, "up1"),
            "up2": _uniform((self._channels, outer, 4, 4), bound * 1.4, seeds, stream, "up2"),
        }

    def __call__(
        self, weights: Weights, values: Float[Tensor, "models items inputs"]
    ) -> Float[Tensor, "models items outputs"]:
        """Draw images, flattened; see `Network`."""
        models, items = values.shape[:2]
        maps = leaky_relu(self._full(weights, values), _SLOPE)
        maps = maps.view(models, items, 2 * self._channels, *self._small)
        maps = leaky_relu(_grouped(maps, weights["up1"], transposed=True), _SLOPE)
        maps = _grouped(maps, weights["up2"], transposed=True)
        return maps.flatten(2).tanh()


class ConvCritic(Network):
    """Two strided convolutions, then a full layer to one value.

    Args:
        shape: ``(channels, height, width)`` of the images; sides divide by 4.
        channels: Maps of the first convolution; the second has twice as many.

    Raises:
        UsageError: A side does not divide by 4.
    """

    def __init__(self, shape: tuple[int, int, int], channels: int) -> None:
        self._shape, self._channels = shape, channels
        self.inputs, self.outputs = math.prod(shape), 1
        self._full = MLP((2 * channels * math.prod(_quarter(shape)), 1))

    def initial(self, seeds: Sequence[int], stream: str) -> dict[str, Float[Tensor, "models ..."]]:
        """Draw weights of all layers."""
        outer, inner = self._channels, self._shape[0]
        return {
            **self._full.initial(seeds, stream),
            "down1": _uniform(
                (outer, inner, 4, 4), math.sqrt(3 / (16 * inner)), seeds, stream, "down1"
            ),
            "down2": _uniform(
                (2 * outer, outer, 4, 4), math.sqrt(3 / (16 * outer)), seeds, stream, "down2"
            ),
        }

    def __call__(
        self, weights: Weights, values: Float[Tensor, "models items inputs"]
    ) -> Float[Tensor, "models items outputs"]:
        """Value flattened images; see `Network`."""
        maps = values.view(*values.shape[:2], *self._shape)
        maps = leaky_relu(_grouped(maps, weights["down1"]), _SLOPE)
        maps = leaky_relu(_grouped(maps, weights["down2"]), _SLOPE)
        return self._full(weights, maps.flatten(2))


def _quarter(shape: tuple[int, int, int]) -> tuple[int, int]:
    if shape[1] % 4 or shape[2] % 4:
        raise UsageError(
            f"images of {shape[1]}x{shape[2]} pixels: the convolutional model needs sides that "
            "divide by 4. Use --models mlp"
        )
    return shape[1] // 4, shape[2] // 4


def _grouped(
    maps: Float[Tensor, "models items channels height width"],
    weight: Float[Tensor, "models outer inner 4 4"],
    *,
    transposed: bool = False,
) -> Float[Tensor, "models items other lower narrower"]:
    """Convolve the maps of each model with its own weight."""
    models, items = maps.shape[:2]
    side_by_side = maps.transpose(0, 1).flatten(1, 2)
    kernel = weight.flatten(0, 1)
    if transposed:
        done = conv_transpose2d(side_by_side, kernel, stride=2, padding=1, groups=models)
    else:
        done = conv2d(side_by_side, kernel, stride=2, padding=1, groups=models)
    apart = done.view(items, models, done.shape[1] // models, *done.shape[2:])
    return apart.transpose(0, 1).contiguous()


class CouplingFlow(Network):
    """Affine coupling layers by zuko, as in RealNVP: a generator with a known density.

    Args:
        features: Numbers of a sample, at least 2.
        layers: Coupling layers.
        hidden: Units of the hidden layer of each.

    Raises:
        UsageError: zuko is not installed, or samples have one number.

    References:
        Dinh, Sohl-Dickstein & Bengio (2017), "Density estimation using Real NVP".
    """

    def __init__(self, features: int, layers: int, hidden: int) -> None:
        with needing("gen", "flows need zuko"):
            from zuko.flows import NICE
        if features < 2:
            raise UsageError(
                "a coupling flow needs samples of 2 numbers or more. Use --models mlp"
            )
        self.inputs = self.outputs = features

        def make() -> Flow:
            return NICE(features, transforms=layers, hidden_features=(hidden,))

        self._make = make
        self._body: Flow = make()
        self._buffers = dict(self._body.named_buffers())

    def initial(self, seeds: Sequence[int], stream: str) -> dict[str, Float[Tensor, "models ..."]]:
        """Draw weights as zuko does."""
        made = []
        for seed in seeds:
            with seeded_torch(seed, stream=stream):
                made.append(dict(self._make().named_parameters()))
        return {name: torch.stack([each[name].detach() for each in made]) for name in made[0]}

    def __call__(
        self, weights: Weights, values: Float[Tensor, "models items inputs"]
    ) -> Float[Tensor, "models items outputs"]:
        """Draw samples from normal noise; see `Network`."""
        drawn: Tensor = self._mapped(weights, values, density=False)
        return drawn

    def log_density(
        self, weights: Weights, values: Float[Tensor, "models items features"]
    ) -> Float[Tensor, "models items"]:
        """Return the log-density in nats."""
        density: Tensor = self._mapped(weights, values, density=True)
        return density

    def _mapped(
        self, weights: Weights, values: Float[Tensor, "models items features"], *, density: bool
    ) -> Float[Tensor, "models items *features"]:
        from torch.func import functional_call, vmap

        wrapped = _Direction(self._body, density=density)

        def one(own: dict[str, Tensor], inputs: Tensor) -> Tensor:
            state = {f"flow.{name}": value for name, value in {**self._buffers, **own}.items()}
            out: Tensor = functional_call(wrapped, state, (inputs,))
            return out

        done: Tensor = vmap(one)(dict(weights), values)
        return done


class _Direction(torch.nn.Module):
    """One of the two ways through a flow, as a module that can be called with other weights."""

    def __init__(self, flow: Flow, *, density: bool) -> None:
        super().__init__()
        self.flow, self._density = flow, density

    def forward(self, values: Tensor) -> Tensor:
        transform = self.flow.transform()
        if not self._density:
            drawn: Tensor = transform.inv(values)
            return drawn
        latent, scale = transform.call_and_ladj(values)
        normal = -(latent.square().sum(-1) + latent.shape[-1] * math.log(2 * math.pi)) / 2
        density: Tensor = normal + scale
        return density

"""Features of images for measuring: those of a small classifier trained on the same data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from nasrank.encoders import make_encoder
from nasrank.samples import Samples, SampleSet
from nasrank.seeds import seeded_torch, torch_generator

__all__ = ["Classifier", "train_classifier"]

_STEPS, _BATCH, _RATE, _FEATURES = 600, 64, 2e-3, 32


class Classifier:
    """A trained network, for its features.

    Args:
        encoder: From images to features.
        accuracy: Share of the test images that it classes rightly, in [0, 1].
    """

    def __init__(self, encoder: nn.Module, accuracy: float) -> None:
        self.encoder, self.accuracy = encoder, accuracy

    @torch.no_grad()
    def features(
        self, images: Float32[np.ndarray, "n channels height width"]
    ) -> Float32[np.ndarray, "n features"]:
        """Return rectified features of images."""
        parts = [self.encoder(torch.as_tensor(part)) for part in np.array_split(images, 16)]
        features: npt.NDArray[np.float32] = torch.cat(parts).relu().numpy()
        return features


def train_classifier(data: SampleSet) -> Classifier:
    """Train a small classifier, the same one every time.

    A LeNet-5 on images of 16 pixels and more, two full layers on smaller ones; 600 steps of 64
    images. Its 32 features take the place of VGG's, whose weights do not come with this package.

    Args:
        data: Images of two classes or more, pixels in [0, 1].
    """
    name = "cnn" if min(data.shape[1:]) >= 16 else "mlp"
    encoder = make_encoder(name, data.shape, features=_FEATURES, seed=0)
    with seeded_torch(0, stream="classifier head"):
        head = nn.Linear(_FEATURES, len(data.class_names))
    images, classes = _tensors(data.train)
    chance = torch_generator(0, stream="classifier batches")
    optimiser = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=_RATE)
    encoder.train()
    for _ in range(_STEPS):
        rows = torch.randint(len(images), (_BATCH,), generator=chance)
        loss = nn.functional.cross_entropy(head(encoder(images[rows]).relu()), classes[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    encoder.eval()
    tested, expected = _tensors(data.test)
    with torch.no_grad():
        right = (head(encoder(tested).relu()).argmax(dim=1) == expected).float().mean()
    return Classifier(encoder, float(right))


def _tensors(part: Samples) -> tuple[Float[Tensor, "n *shape"], Int[Tensor, "n"]]:
    return torch.as_tensor(part.values), torch.as_tensor(part.classes)

"""Small convolutional encoders."""

from __future__ import annotations

from torch import nn

from nasrank.encoders.encoder import Encoder

__all__ = ["Conv4Encoder", "LeNetEncoder"]


class LeNetEncoder(Encoder):
    """Two convolutions with pooling, then two full layers, after LeNet-5.

    Six and sixteen channels of 5x5, then 120 units and the features. Images below 16 pixels are
    padded, so that something is left after the second pooling.

    References:
        LeCun et al. (1998), "Gradient-based learning applied to document recognition".
    """

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        channels, *sides = shape
        padding = 2 if min(sides) < 16 else 0
        left = [((side + 2 * padding - 4) // 2 + 2 * padding - 4) // 2 for side in sides]
        body = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * left[0] * left[1], 120),
            nn.ReLU(),
            nn.Linear(120, features),
        )
        super().__init__(body, features)


class Conv4Encoder(Encoder):
    """Four blocks of convolution, batch normalisation and pooling, then the mean over space.

    Each block has 64 channels of 3x3 and halves the image, as long as it has at least two pixels.

    References:
        Vinyals et al. (2016), "Matching networks for one shot learning".
    """

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        channels, side = shape[0], min(shape[1:])
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [nn.Conv2d(channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()]
            channels = 64
            if side > 1:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, features)]
        super().__init__(nn.Sequential(*layers), features)

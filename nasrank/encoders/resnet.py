"""ResNet-18 for small images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from nasrank.encoders.encoder import Encoder

__all__ = ["ResNet18Encoder"]


class ResNet18Encoder(Encoder):
    """Eight residual blocks after a stem of one 3x3 convolution without pooling.

    512 features are the pooled last channels themselves; for other numbers a linear layer
    follows.

    References:
        He et al. (2016), "Deep residual learning for image recognition".
    """

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(shape[0], 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        ]
        inner = 64
        for width in (64, 128, 256, 512):
            layers += [_Block(inner, width, stride=1 if width == 64 else 2), _Block(width, width)]
            inner = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if features != inner:
            layers.append(nn.Linear(inner, features))
        super().__init__(nn.Sequential(*layers), features)


class _Block(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(
        self, maps: Float[Tensor, "n inner height width"]
    ) -> Float[Tensor, "n outer lower narrower"]:
        out: Tensor = (self.residual(maps) + self.shortcut(maps)).relu()
        return out

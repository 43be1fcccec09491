"""How near a computation comes to the rate at which its matrix products could run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nasrank.seeds import torch_generator

__all__ = ["Layout", "Product", "products_of", "replay"]

Layout = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of a batch of matrices."""

# Where the two factors stand among an operation's arguments.
_FACTORS = {
    torch.ops.aten.mm: (0, 1),
    torch.ops.aten.addmm: (1, 2),
    torch.ops.aten.bmm: (0, 1),
    torch.ops.aten.baddbmm: (1, 2),
}


@dataclass(frozen=True)
class Product:
    """A batch of matrix products.

    Attributes:
        left: ``[batch, rows, inner]`` and its strides.
        right: ``[batch, inner, columns]`` and its strides.
    """

    left: Layout
    right: Layout

    @property
    def flops(self) -> int:
        """Multiplications and additions: ``2 batch rows inner columns``.

        Example:
            >>> Product(((2, 3, 4), (12, 4, 1)), ((2, 4, 5), (20, 5, 1))).flops
            240
        """
        (batch, rows, inner), columns = self.left[0], self.right[0][2]
        return 2 * batch * rows * inner * columns


def products_of(work: Callable[[], object]) -> Counter[Product]:
    """Run something and count the matrix products in it, those of its gradients included.

    Returns:
        How often each product was taken, by shapes and strides.
    """
    recorder = _Recorder()
    with recorder:
        work()
    return recorder.products


def replay(
    products: Mapping[Product, int], device: torch.device, dtype: torch.dtype
) -> Callable[[], None]:
    """Make a function that takes the same products again, of random numbers, and nothing else.

    Returns:
        The function. Nothing is allocated when it runs, so this is as fast as products go.
    """
    generator = torch_generator(0, stream="replay")

    def random(layout: Layout) -> Tensor:
        shape, strides = layout
        length = 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        values = torch.randn(max(length, 0), generator=generator, dtype=dtype).to(device)
        return values.as_strided(shape, strides)

    triples: list[tuple[Tensor, Tensor, Tensor, int]] = []
    for product, count in products.items():
        left, right = random(product.left), random(product.right)
        triples.append((left, right, torch.bmm(left, right), count))

    def again() -> None:
        for left, right, result, count in triples:
            for _ in range(count):
                torch.bmm(left, right, out=result)

    return again


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation on its way to the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: Counter[Product] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - the shape of torch's hook
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        factors = _FACTORS.get(func.overloadpacket)
        if factors is not None:
            left, right = (args[place] for place in factors)
            self.products[Product(_layout(left), _layout(right))] += 1
        return func(*args, **(kwargs or {}))


def _layout(matrix: Tensor) -> Layout:
    batch = matrix if matrix.dim() == 3 else matrix[None]
    return tuple(batch.shape), tuple(batch.stride())

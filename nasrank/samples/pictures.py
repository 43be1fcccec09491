"""Pictures as files: PNG images read one by one, into squares of one size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, needing
from nasrank.limits import reading

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["open_png", "read_square"]

_MOST_BYTES = 64 << 20
_MOST_PIXELS = 1 << 26


def open_png(path: Path, mode: str, remedy: str) -> Image.Image:
    """Open a PNG image, and nothing else.

    Args:
        path: The file.
        mode: What it is converted to: ``RGBA`` or ``L``.
        remedy: What to do where it cannot be read, as an imperative.

    Raises:
        UsageError: Pillow is not installed.
        DataError: The file is missing, too large, or no PNG image.
    """
    with needing("plot", "PNG images are read with Pillow, which comes with matplotlib"):
        from PIL import Image
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than 64 MiB. {remedy}")
        with reading(path), Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(f"{path}: more than 64 megapixels. {remedy}")
            return image.convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a PNG image. {remedy}") from error


def read_square(path: Path, side: int, *, grey: bool, remedy: str) -> NDArray[np.float32]:
    """Read a picture, on white and in the middle of a square.

    Args:
        path: The file.
        side: Side of the square in pixels; pictures are averaged down, or enlarged, to it.
        grey: Whether to read one channel instead of three.
        remedy: See `open_png`.

    Returns:
        Pixels ``[channels, side, side]`` in [0, 1].

    Raises:
        UsageError: Pillow is not installed.
        DataError: See `open_png`.
    """
    image = open_png(path, "RGBA", remedy)
    from PIL import Image

    longer = max(image.size)
    white = Image.new("RGBA", (longer, longer), (255, 255, 255, 255))
    corner = ((longer - image.width) // 2, (longer - image.height) // 2)
    white.alpha_composite(image, corner)
    small = white.convert("L" if grey else "RGB").resize((side, side), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float32) / np.float32(255)
    return pixels[None] if grey else np.ascontiguousarray(np.moveaxis(pixels, 2, 0))

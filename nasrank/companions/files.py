"""The options of commands that read the user's vectors: the same files, read in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import model_validator

from nasrank.study.options import ARCHS, Config, OnSamples, options_in

if TYPE_CHECKING:
    from nasrank.samples import Reading, SampleSet

__all__ = ["PICTURES", "Backbone", "OnFiles", "OnPictures", "OnSamplesAlone", "why_diverged"]

PICTURES = "emoji, emoji-topics, elpv, openclipart, a folder of PNG pictures"
"""What the sets of pictures are called in help texts."""

Backbone: TypeAlias = Literal["none", "efficientnet-lite0"]
"""Frozen networks for images."""

_USUAL_SIZE = 100.0

_file = options_in("Files", of="samples")


class OnFiles(Config):
    """Options of commands that read vectors from files."""

    columns: tuple[str, ...] = _file(
        (),
        "Feature columns of a .parquet file.",
        usual="all numbers but the index of a data frame, identifiers and constants",
    )
    scaling: Literal["auto", "none", "standard"] = _file(
        "auto",
        "Whether to standardise columns: standard, none, or auto, where one of them varies more "
        "than 100 times as much as most.",
    )

    @property
    def kind(self) -> str:
        """``samples``."""
        return "samples"

    @property
    def reading(self) -> Reading:
        """How files are read."""
        # It needs numpy, which `--help` must not load.
        from nasrank.samples import Reading

        return Reading(self.columns, self.scaling)


class OnPictures(OnFiles):
    """Options of commands that train on pictures or on vectors."""

    backbone: Backbone = _file(
        "none",
        "Take what a frozen network, pretrained on ImageNet, makes of images in place of them: "
        "none or efficientnet-lite0.",
    )


class OnSamplesAlone(OnSamples, OnPictures):
    """Options of commands that train on samples alone: on architectures they gained nothing."""

    @model_validator(mode="after")
    def _refuse_architectures(self) -> OnSamplesAlone:
        data = str(getattr(self, "data", ""))
        if data.startswith(ARCHS):
            raise ValueError(
                f"--data {data}: architectures are data of nasrank hard. Use that or, for lists "
                "of candidates, nasrank compare --lambdas"
            )
        return self


def why_diverged(
    rows: Sequence[Mapping[str, Any]], data: SampleSet, remedy: str
) -> tuple[str, ...]:
    """Say in a line how many models diverged and what most likely made them.

    Args:
        rows: Rows of the models, with a column ``diverged``.
        data: What they were trained on.
        remedy: What to try where the inputs are of a usual size.

    Returns:
        The line; nothing where none diverged.
    """
    count = sum(bool(row["diverged"]) for row in rows)
    if not count:
        return ()
    import numpy as np

    largest = float(np.abs(data.train.values).max())
    what = (
        f"{count} of {len(rows)} models diverged: a loss was no longer finite, or all outputs "
        "became one"
    )
    if largest > _USUAL_SIZE:
        return (f"{what}. Inputs reach {largest:.3g}: give --scaling standard",)
    return (f"{what}. {remedy}",)

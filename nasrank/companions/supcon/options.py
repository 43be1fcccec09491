"""What can be asked of ``nasrank supcon``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from nasrank.companions.files import PICTURES, OnFiles, OnSamplesAlone
from nasrank.encoders import ENCODERS
from nasrank.study.options import (
    HOW,
    OUTPUT,
    Config,
    OnDevice,
    Seeded,
    Some,
    option,
    options_in,
)

__all__ = ["DiagnoseConfig", "SimulateConfig", "TheoryConfig", "TrainConfig"]

_grid, _yours = options_in("What to minimise"), options_in("How you train")
_data, _loss, _batch, _model = map(options_in, ("Data", "Loss", "Batches", "Encoder"))
_SHARES = "Shares of the self-supervised loss"

Anchor = Literal["included", "excluded"]
Alpha = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(gt=0)]
# Beyond, the closed form would lose its digits.
AtLeastOne = Annotated[int, Field(ge=1, le=10**9)]
AtLeastTwo = Annotated[int, Field(ge=2, le=10**9)]


class TheoryConfig(Config):
    """Say which settings collapse classes, and what the best embeddings look like.

    The loss is (1 - alpha) supervised + alpha self-supervised contrast of m classes with n
    instances of p views. Everything is exact, for embeddings that are free to lie anywhere on
    the sphere; encoders can only come close.

    Classes collapse for alphas up to alpha_star, and at temperatures from temperature_star on.
    """

    command: ClassVar[str] = "supcon theory"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.supcon.study:theory_study"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank supcon theory --classes 10 --instances 50 --temperatures 0.1 --alphas 0,0.2,1",
        "nasrank supcon theory --classes 2,10 --instances 3,50 --out nasrank-out/theory",
        "nasrank supcon theory --classes 2 --instances 3 --alphas 0.7 --anchors included --gram",
    )

    classes: Some[AtLeastTwo] = option((10,), "Classes m of a batch.")
    instances: Some[AtLeastTwo] = option((50,), "Instances n of each class in a batch.")
    views: Some[AtLeastOne] = option((2,), "Views p of each instance.")
    temperatures: Some[Temperature] = option((0.1,), "Temperatures of the softmax.")
    alphas: Some[Alpha] = option((0.0, 0.2, 0.5, 0.8, 1.0), f"{_SHARES}: 0 is purely supervised.")
    anchors: Some[Anchor] = option(
        ("included", "excluded"),
        "Whether an anchor is in its own softmax, as in the theory, or not, as in usual code.",
    )
    label_noises: Some[Annotated[float, Field(ge=0, le=1)]] = option(
        (0.0,),
        "Shares of wrong labels; what pure supervision then does is a table of its own.",
    )
    gram: bool = option(
        False, "Print the cosines of the optimal embeddings of one setting instead.", panel=OUTPUT
    )


class SimulateConfig(Seeded, OnDevice):
    """Minimise the loss from random embeddings, and compare with what theory predicts.

    All problems of a seed are minimised as one batch. A point counts for the claims where m n is
    at most 40, the temperature at least 0.3, and alpha further than 0.03 from the threshold; the
    others are shown with whether they have converged.
    """

    command: ClassVar[str] = "supcon simulate"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.supcon.study:SIMULATE"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank supcon simulate --seeds 5",
        "nasrank supcon simulate --shapes 2x3,3x4 --temperatures 0.5 --anchors included,excluded",
    )

    shapes: Some[str] = _grid(
        ("2x3", "2x10", "3x4", "4x10", "5x4", "8x5"), "Classes x instances of a batch."
    )
    views: Some[AtLeastOne] = _grid((2,), "Views of an instance.")
    temperatures: Some[Temperature] = _grid((0.3, 0.5, 1.0), "Temperatures.")
    alphas: Some[Alpha] = _grid((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), f"{_SHARES}.")
    near: tuple[float, ...] = _grid(
        (-0.01, 0.01),
        "Further alphas, as distances from each collapse threshold; those outside 0 to 1 are "
        "left out.",
    )
    anchors: Some[Anchor] = _grid(("included",), "Whether an anchor is in its own softmax.")
    models: Some[Literal["free", "net"]] = _grid(
        ("free",), "Free embeddings, or a net of two layers on random points."
    )
    steps: int = option(800, "Steps of Adam.", panel=HOW, ge=10, le=100_000)


class TrainConfig(Seeded, OnDevice, OnSamplesAlone):
    """Train encoders with coarse labels, and see what is left of finer ones.

    Trains with coarse classes (even and odd digits, four groups of clothes) and a range of alpha,
    from purely supervised to purely self-supervised, then asks for the finer classes that
    training never saw: by a linear probe and by neighbours, also on turned and noisy test images.
    Variance within classes is measured beside it.

    Of options with several values the first is the base, for which all alphas are trained; each
    further value is tried alone, for --varied-alphas.

    Writes train.parquet, claims.parquet and a picture.
    """

    command: ClassVar[str] = "supcon train"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.supcon.study:TRAIN"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank supcon train",
        "nasrank supcon train --data fashion-mnist --encoders cnn --instances 10 --seeds 5",
        "nasrank supcon train --label-noises 0,0.3 --imbalances 1,8 --temperatures 0.5,0.1",
        "nasrank supcon train --data vectors.parquet --label species --coarse family",
    )

    data: str = _data(
        "digits",
        f"digits, mnist, fashion-mnist, {PICTURES}, or a .parquet or .npz file.",
    )
    label: str | None = _data(None, "Column with the finer classes of a file.")
    coarse: str | None = _data(None, "Column with the coarse ones.", usual="even and odd")
    train_limit: int = _data(10_000, "Most training samples.", ge=1)
    test_limit: int = _data(5_000, "Most test samples.", ge=1)
    imbalances: Some[Annotated[float, Field(ge=1, le=1e6)]] = _data(
        (1.0,), "Largest class over smallest."
    )
    label_noises: Some[Annotated[float, Field(ge=0, le=1)]] = _data(
        (0.0,), "Shares of wrong coarse labels."
    )
    alphas: Some[Alpha] = _loss((0.0, 0.05, 0.2, 0.5, 0.8, 1.0), f"{_SHARES}.")
    varied_alphas: tuple[Alpha, ...] = _loss(
        (0.0, 0.5), "Those for further values of other options."
    )
    temperatures: Some[Annotated[float, Field(ge=1e-4, le=1e4)]] = _loss((0.5,), "Temperatures.")
    anchors: Some[Anchor] = _loss(("included",), "Whether an anchor is in its own softmax.")
    classes: Some[Annotated[int, Field(ge=0)]] = _batch(
        (0,), "Coarse classes: fine class modulo this, 0 for the usual ones."
    )
    instances: Some[Annotated[int, Field(ge=2, le=65_536)]] = _batch(
        (16,), "Instances of a class."
    )
    views: int = _batch(2, "Views of an instance.", ge=2, le=100)
    augmentations: Some[Annotated[float, Field(ge=0, le=10)]] = _batch(
        (1.0,), "Strengths of the views."
    )
    steps: int = _batch(600, "Steps of contrastive training.", ge=10, le=1_000_000)
    encoders: Some[str] = _model(
        ("mlp",), "Encoders.", metavar="|".join(ENCODERS), complete=lambda: ENCODERS
    )
    features: Some[Annotated[int, Field(ge=0, le=65_536)]] = _model(
        (0,), "Lengths of their features, 0 for their own."
    )
    initial_scales: Some[Annotated[float, Field(ge=1e-6, le=1e6)]] = _model(
        (1.0,), "Factors of their first weights."
    )


class DiagnoseConfig(OnFiles):
    """Say whether the classes of embeddings are collapsed, and what to train with instead.

    Embeddings are scaled to length 1 first. Variance within classes is judged as a share of all
    variance: collapsed below 5 %, near below 15 %; beyond that not learned where the nearest
    other embedding is of the same class no more often than by chance, and healthy otherwise.

    The answer of --format json holds verdict, reason, embeddings, within_share, within_variance,
    between_variance, effective_rank, total_variance, simplex_distance (0: the class means form a
    regular simplex), neighbours (share whose nearest embedding is of their class) and guideline
    (alpha_star, expected_within at --alpha, lower, suggested and upper: the alphas with 25, 50
    and 75 % of the largest variance, sweep); its table diagnosis has a row for each class.
    """

    command: ClassVar[str] = "supcon diagnose"
    study: ClassVar[str] = "nasrank.companions.supcon.study:DIAGNOSE"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank supcon diagnose embeddings.parquet --label class",
        "nasrank supcon diagnose embeddings.npz --suggest --instances 50 --temperature 0.1",
    )

    embeddings: Path = option(
        about=".parquet with a class column, or .npz with values and classes.", argument=True
    )
    label: str | None = option(None, "Column with the classes, of a .parquet file.")
    suggest: bool = option(False, "Also propose an alpha to train with.")
    sweep: Path | None = option(
        None, "Folder of nasrank supcon train, to check the proposed alpha against."
    )
    classes: AtLeastTwo | None = _yours(None, "Classes of a batch.", usual="those found")
    instances: AtLeastTwo = _yours(16, "Instances of each class in a batch.")
    views: AtLeastOne = _yours(2, "Views of each instance.")
    temperature: Temperature = _yours(0.1, "Temperature of the softmax.")
    alpha: Alpha | None = _yours(None, "Alpha of the loss, to compare with theory.")
    anchor: Anchor = _yours("excluded", "Whether an anchor is in its own softmax.")

    @model_validator(mode="after")
    def _sweep_checks_a_suggestion(self) -> DiagnoseConfig:
        if self.sweep is not None and not self.suggest:
            raise ValueError("--sweep checks what --suggest proposes. Give --suggest too")
        return self

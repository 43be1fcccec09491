"""What can be asked of ``nasrank ot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from nasrank.companions.optimal_transport.distances import DISTANCES
from nasrank.study.options import Config, OnDevice, OnSamples, Seeded, option, seed_option

__all__ = ["DiagnoseConfig", "SpeedConfig", "TrainConfig"]

_GRID, _TRAINING = "What to train", "How a training goes"


class TrainConfig(Seeded, OnDevice, OnSamples):
    """Train with a label tree: does transport keep it better than class means?

    Adds 1 - CPCC to the cross-entropy: how far the distances of classes in the features are from
    those in the tree. Beside every distance a plain model is trained on the same seeds. TestCPCC
    is given by each method's own distance and, for a fair comparison, by l2 and by emd.

    archs:TASK does the same to the embedding of the predictor of `compare`, for a tree of
    operation family and accuracy tier.
    """

    command: ClassVar[str] = "ot train"
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:train_study"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank ot train --data digits --distances l2,emd,fastft",
        "nasrank ot train --data features.parquet --labels kind,family --batch-sizes 64,128,256",
    )

    data: str = option(
        "digits",
        "digits, mnist, fashion-mnist, one-mode, two-modes, a .parquet file of features, or "
        "archs:TASK.",
        panel=_GRID,
        min_length=1,
    )
    labels: tuple[str, ...] = option(
        (), "Label columns of the file, from the classes up to the coarsest groups.", panel=_GRID
    )
    tree: str | None = option(
        None,
        "even-odd, five, clothes, or a file with lines 'group: child, child' or JSON.",
        usual="the data's own",
        panel=_GRID,
    )
    distances: tuple[str, ...] = option(
        ("l2", "emd", "fastft"),
        "Of l2, emd, sinkhorn, swd, twd, flowtree and fastft, with options such as "
        "sinkhorn(reg=1).",
        panel=_GRID,
        complete=DISTANCES.names,
        min_length=1,
    )
    weights: tuple[Annotated[float, Field(gt=0, le=1e6)], ...] = option(
        (1.0,), "Weights of 1 - CPCC beside the loss.", panel=_GRID, min_length=1
    )
    batch_sizes: tuple[Annotated[int, Field(ge=3)], ...] = option(
        (128,),
        "Samples of a mini-batch; a correlation needs those of 3 classes.",
        panel=_GRID,
        min_length=1,
    )
    n_train: tuple[PositiveInt, ...] = option(
        (39, 78), "Training architectures, of archs:TASK alone.", panel=_GRID, min_length=1
    )
    encoder: Literal["auto", "mlp", "cnn", "conv4", "resnet18", "vit"] = option(
        "auto",
        "The backbone; auto is cnn for image files and mlp otherwise.",
        panel=_TRAINING,
    )
    epochs: int | None = option(
        None,
        "Passes over the data.",
        usual="10 on image files, 40 otherwise",
        panel=_TRAINING,
        gt=0,
    )
    steps: int | None = option(
        None,
        "Mini-batches in place of epochs, rounded up to whole passes for each batch size: then "
        "larger batches do not mean fewer steps.",
        panel=_TRAINING,
        gt=0,
    )
    learning_rate: float | None = option(
        None,
        "Learning rate at the start.",
        usual="0.05 on image files, 0.1 otherwise",
        panel=_TRAINING,
        gt=0,
        le=1e3,
    )
    train_limit: int = option(10_000, "Most training samples.", panel=_TRAINING, gt=0)
    test_limit: int = option(10_000, "Most test samples.", panel=_TRAINING, gt=0)
    test_per_class: int = option(
        128, "Test samples of a class that emd and sinkhorn look at.", panel=_TRAINING, ge=2
    )
    transfer: bool = option(
        True,
        "Train a second model each without some classes, and test on them.",
        panel=_TRAINING,
    )
    cost_matrix: Path | None = option(
        None,
        "CSV file of what it costs to take a class (line) for another (column).",
        panel=_TRAINING,
    )


class DiagnoseConfig(Config):
    """Ask whether class means hide structure that transport sees: yes, no or perhaps.

    Counts the normal components of each class by BIC and AIC, and compares the distances of
    classes by means (l2) and by transport (EMD). Where the two agree up to scale and shift, CPCC
    cannot tell them apart, and means are enough. A yes is about the features as they are: whether
    training with transport then gains anything, `train` has to show.
    """

    command: ClassVar[str] = "ot diagnose"
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:DIAGNOSE"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank ot diagnose features.parquet --labels kind,family",
    )

    features: str = option(
        ...,
        "A .parquet file of features with label columns; or one-mode or two-modes.",
        argument=True,
    )
    labels: tuple[str, ...] = option(
        ("label",), "Label columns, from the classes up to the coarsest groups."
    )
    tree: str | None = option(None, "A file with lines 'group: child, child', or JSON.")
    per_class: int = option(128, "Samples of a class to compare.", ge=2)
    components: int = option(5, "The most components of a class.", ge=1, le=50)
    seed: int = seed_option("Seed of samples, fits and comparison clouds.")


class SpeedConfig(OnDevice):
    """Measure time and memory of every distance as samples, dimension and classes grow.

    Each measurement is the value and the gradient of the distances of all pairs of classes of one
    batch. One of the three varies, the others stay at 128 samples, 64 dimensions and 4 classes.
    Slopes are those of log time over log setting in the larger half: 1 is linear.
    """

    command: ClassVar[str] = "ot speed"
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:SPEEDS"
    examples: ClassVar[tuple[str, ...]] = ("nasrank ot speed --distances emd,fastft --repeats 3",)

    distances: tuple[str, ...] = option(
        tuple(DISTANCES.names()),
        "Distances, with options.",
        usual="all",
        complete=DISTANCES.names,
        min_length=1,
    )
    samples: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = option(
        (32, 64, 128, 256, 512, 1024, 2048), "Samples of a class.", min_length=1
    )
    dimensions: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = option(
        (16, 64, 256, 1024), "Dimensions.", min_length=1
    )
    classes: tuple[Annotated[int, Field(ge=2, le=100)], ...] = option(
        (2, 4, 8, 16), "Classes.", min_length=1
    )
    quadratic_limit: int = option(512, "Most samples of a class for emd and sinkhorn.", gt=0)
    repeats: int = option(5, "Times to measure all.", ge=1, le=1000)
    seed: int = seed_option("Seed of the features.")

"""What can be asked of ``nasrank ot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasrank.companions.files import PICTURES, OnFiles, OnSamplesAlone
from nasrank.companions.optimal_transport.distances import DISTANCES
from nasrank.study.options import OnDevice, Seeded, Some, option, options_in, seed_option

__all__ = ["DiagnoseConfig", "SpeedConfig", "TrainConfig"]

_grid, _training = map(options_in, ("What to train", "How a training goes"))


class TrainConfig(Seeded, OnDevice, OnSamplesAlone):
    """Train with a label tree: does transport keep it better than class means?

    Adds 1 - CPCC to the cross-entropy: how far the distances of classes in the features are from
    those in the tree. Beside every distance a plain model is trained on the same seeds. TestCPCC
    is given by each method's own distance and, for a fair comparison, by l2 and by emd.
    """

    command: ClassVar[str] = "ot train"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:TRAIN"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank ot train --data digits --distances l2,emd,fastft",
        "nasrank ot train --data features.parquet --labels kind,family --batch-sizes 64,128,256",
    )

    data: str = _grid(
        "digits",
        f"digits, mnist, fashion-mnist, {PICTURES}, one-mode, two-modes, or a .parquet or .npz "
        "file of features.",
        min_length=1,
    )
    labels: tuple[str, ...] = _grid(
        (),
        "Label columns of a .parquet file, or arrays of a .npz file, from the classes up to the "
        "coarsest groups.",
    )
    tree: str | None = _grid(
        None,
        "even-odd, five, clothes, or a file with lines 'group: child, child' or JSON.",
        usual="the data's own",
    )
    distances: Some[str] = _grid(
        ("l2", "emd", "fastft"),
        "Of l2, emd, sinkhorn, swd, twd, flowtree and fastft, with options such as "
        "sinkhorn(reg=1).",
        complete=DISTANCES.names,
    )
    weights: Some[Annotated[float, Field(gt=0, le=1e6)]] = _grid(
        (1.0,), "Weights of 1 - CPCC beside the loss."
    )
    batch_sizes: Some[Annotated[int, Field(ge=3)]] = _grid(
        (128,), "Samples of a mini-batch; a correlation needs those of 3 classes."
    )
    encoder: Literal["auto", "linear", "mlp", "cnn", "conv4", "resnet18", "vit"] = _training(
        "auto", "The backbone; auto is cnn for image files and mlp otherwise."
    )
    epochs: int | None = _training(
        None, "Passes over the data.", usual="10 on image files, 40 otherwise", gt=0
    )
    steps: int | None = _training(
        None,
        "Mini-batches in place of epochs, rounded up to whole passes for each batch size: then "
        "larger batches do not mean fewer steps.",
        gt=0,
    )
    learning_rate: float | None = _training(
        None,
        "Learning rate at the start.",
        usual="0.05 on image files, 0.1 otherwise",
        gt=0,
        le=1e3,
    )
    train_limit: int = _training(10_000, "Most training samples.", gt=0)
    test_limit: int = _training(10_000, "Most test samples.", gt=0)
    test_per_class: int = _training(
        128, "Test samples of a class that emd and sinkhorn look at.", ge=2
    )
    transfer: bool = _training(
        True, "Train a second model each without some classes, and test on them."
    )
    cost_matrix: Path | None = _training(
        None, "CSV file of what it costs to take a class (line) for another (column)."
    )


class DiagnoseConfig(OnFiles):
    """Ask whether class means hide structure that transport sees: yes, no or perhaps.

    Counts the normal components of each class by BIC and AIC, and compares the distances of
    classes by means (l2) and by transport (EMD). Where the two agree up to scale and shift, CPCC
    cannot tell them apart, and means are enough. A yes is about the features as they are: whether
    training with transport then gains anything, `train` has to show.
    """

    command: ClassVar[str] = "ot diagnose"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:DIAGNOSE"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank ot diagnose features.parquet --labels kind,family",
    )

    features: str = option(
        ...,
        "A .parquet file of features with label columns, a .npz file of arrays values and "
        "classes, or one-mode or two-modes.",
        argument=True,
    )
    labels: tuple[str, ...] = option(
        (),
        "Label columns or arrays, from the classes up to the coarsest groups.",
        usual="label; classes of a .npz file",
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
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.optimal_transport.study:SPEEDS"
    examples: ClassVar[tuple[str, ...]] = ("nasrank ot speed --distances emd,fastft --repeats 3",)

    distances: Some[str] = option(
        tuple(DISTANCES.names()), "Distances, with options.", usual="all", complete=DISTANCES.names
    )
    samples: Some[Annotated[int, Field(ge=1, le=100_000)]] = option(
        (32, 64, 128, 256, 512, 1024, 2048), "Samples of a class."
    )
    dimensions: Some[Annotated[int, Field(ge=1, le=100_000)]] = option(
        (16, 64, 256, 1024), "Dimensions."
    )
    classes: Some[Annotated[int, Field(ge=2, le=100)]] = option((2, 4, 8, 16), "Classes.")
    quadratic_limit: int = option(512, "Most samples of a class for emd and sinkhorn.", gt=0)
    repeats: int = option(5, "Times to measure all.", ge=1, le=1000)
    seed: int = seed_option("Seed of the features.")

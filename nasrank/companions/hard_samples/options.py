"""What can be asked of ``nasrank hard``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nasrank.companions.files import PICTURES, OnPictures
from nasrank.companions.hard_samples.methods import GENERATORS, MINERS
from nasrank.study.options import OnDevice, OnSamples, Seeded, Some, options_in

__all__ = ["ARCHS_METHODS", "SAMPLES_METHODS", "HardConfig"]

SAMPLES_METHODS = ("triplet-random", "semi-hard", "hdml", "daml", "two-stage")
"""What is compared on samples where nobody says."""

ARCHS_METHODS = ("triplet-random", "two-stage")
"""What is compared on architectures where nobody says."""

_ABLATIONS = tuple(
    f"two-stage(without={part})" for part in ("stage-one", "stage-two", "condition", "adaptation")
)
_COMBINED = tuple(f"two-stage+{miner}" for miner in MINERS[1:])
_data, _training = options_in("Data", of="samples"), options_in("Training", of="samples")
_more = options_in("What else to find out", of="samples")
_archs = options_in("Architectures", of="archs")
_ALL = "archs samples"


class HardConfig(Seeded, OnDevice, OnSamples, OnPictures):
    """Learn a metric from hard samples: do generated ones beat mined ones?

    Trains embeddings on some classes and measures retrieval, clusters and verification on others:
    Recall@K, NMI, F1, separation, false positives, and the cost of wrong decisions. Triplets are
    mined, or made by generators in one stage (hdml, daml) or in two. An untrained network stands
    beside them as a control.

    The method two-stage is a reconstruction: what is published are its stages, an anchor-positive
    pair stretched piecewise linearly with a conditional GAN, then negatives from an adaptive
    reverse triplet. Its pieces and its adaptive rule are choices made here; all are options, such
    as two-stage(shape=flat,adaptive=loss). without= leaves out stage-one, stage-two, condition or
    adaptation.

    With archs:TASK the classes are tiers of accuracy, and triplets stand beside the ranking loss
    of a predictor, which is compared with one without them.

    Writes hard.parquet, its epochs and summary, claims.parquet, pictures, and a page that plays
    real and generated embeddings by epoch.
    """

    command: ClassVar[str] = "hard"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.hard_samples.study:study_of_data"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank hard",
        "nasrank hard --data emoji --data-dir node_modules --subset full",
        'nasrank hard --methods "semi-hard,two-stage(stretch=0.5,adaptive=loss)+semi-hard" --tune',
        "nasrank hard --data products.parquet --label product --cost-false-accept 5",
        "nasrank hard --data archs:nb201/cifar10 --n-train 20,78 --seeds 10",
    )
    subsets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # For a quick check on a CPU, and for every method and claim.
        "ci": {"methods": ("triplet-random", "two-stage"), "seeds": 2, "epochs": 2},
        "full": {
            "methods": (
                *MINERS,
                "hdml",
                "daml",
                "two-stage",
                "two-stage(meet=0)",
                *_ABLATIONS,
                *_COMBINED,
            ),
            "seeds": 5,
        },
    }

    data: str = _data(
        "digits",
        f"digits, mnist, fashion-mnist, {PICTURES}, a .parquet or .npz file, or archs:TASK.",
        of=_ALL,
        min_length=1,
    )
    label: str | None = _data(None, "Class column of a .parquet file, or array of a .npz file.")
    unseen: int | None = _data(
        None, "Classes to measure on, the last ones.", usual="half of them", ge=1
    )
    train_limit: int = _data(10_000, "Most training samples.", ge=4)
    test_limit: int = _data(5_000, "Most samples to measure on.", ge=4)
    methods: Some[str] | None = _training(
        None,
        "triplet-random, semi-hard, batch-hard or distance-weighted mining; hdml, daml or "
        "two-stage, with options, +MINER to generate from mined triplets.",
        usual=f"{', '.join(SAMPLES_METHODS)}; for archs:TASK {' and '.join(ARCHS_METHODS)}",
        of=_ALL,
        complete=lambda: (*MINERS, *GENERATORS),
    )
    encoder: Literal["auto", "linear", "mlp", "cnn", "conv4", "resnet18", "vit"] = _training(
        "auto",
        "Network before the embedding; auto is cnn for images of 16 pixels or more, else mlp.",
    )
    embedding: int = _training(64, "Width of the embedding.", ge=2, le=4096)
    # Epochs are given by --subset ci, which is for architectures as well.
    epochs: int = _training(10, "Epochs.", of=_ALL, ge=1, le=100_000)
    batch_size: int = _training(64, "Samples of a batch.", ge=4, le=4096)
    images_per_class: int = _training(8, "Samples of a class in a batch.", ge=2, le=1024)
    margin: float = _training(
        0.2, "Margin of the triplet loss, on the unit sphere.", of=_ALL, gt=0, le=2
    )
    learning_rate: float = _training(3e-4, "Learning rate of Adam.", gt=0, le=1)
    warm_up: float = _training(
        0.2, "Share of the epochs before generated samples are used.", ge=0, lt=1
    )
    augmentations: Some[Literal["off", "on"]] = _training(
        ("off",), "Shift and noise samples; both to compare."
    )
    weight_decays: Some[Annotated[float, Field(ge=0)]] = _training(
        (0.0,), "Weight decay; several to compare."
    )
    sensitivity: bool = _more(False, "Sweep the options of the first method that generates.")
    tune: bool = _more(False, "Propose settings for it, measured on held-out seen classes.")
    cost_false_accept: float = _more(1.0, "Cost of taking two for one class that are not.", ge=0)
    cost_false_reject: float = _more(1.0, "Cost of not taking two for one class that are.", ge=0)
    genuine_share: float = _more(
        0.5, "Share of pairs of one class among those to decide on.", gt=0, lt=1
    )
    n_train: Some[Annotated[int, Field(ge=1)]] = _archs((20, 78), "Training architectures.")
    tiers: int = _archs(4, "Classes that their labels are cut into.", ge=2, le=100)
    side_weight: float = _archs(0.3, "Weight of the triplets beside the ranking loss.", gt=0)

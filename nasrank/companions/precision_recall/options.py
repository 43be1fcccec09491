"""What can be asked of ``nasrank pr``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasrank.companions.files import PICTURES, OnSamplesAlone
from nasrank.study.options import Config, OnDevice, Seeded, Some, options_in

__all__ = ["TheoryConfig", "TrainConfig"]

_pair, _grid, _training = map(options_in, ("Which pair", "What to train", "How a training goes"))

_Weight = Annotated[float, Field(gt=0)]
_Mass = Annotated[float, Field(ge=0)]
Method = Literal["pr", "naive", "dual", "hinge", "kl", "rkl", "chi2", "mle", "tuned", "data"]
_LAMBDAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # those of the paper's experiments


class TheoryConfig(Config):
    """Precision and recall of a pair in closed form, and what divergences make of them.

    Alpha is the precision, beta the recall on the frontier at a weight lambda, and the
    divergence is min(1, lambda) - alpha: 0 where the model leaves nothing to be desired. Every
    f-divergence is an average of these divergences over lambda; it is rebuilt from them by
    quadrature and compared with its own definition.

    Tables: pr_theory (the frontier), pr_conjugate (of the dual form, whose critic stops at
    lambda), pr_rebuilt (f-divergences), pr_weights (the weight of each lambda in them).
    """

    command: ClassVar[str] = "pr theory"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.precision_recall.study:THEORY"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank pr theory --mean 1 --lambdas 0.2,1,5",
        "nasrank pr theory --pair discrete --p 0.5,0.3,0.2 --q 0.2,0.3,0.5",
        "nasrank pr theory --pair ring --modes 4 --out nasrank-out/ring",
    )

    pair: Literal["gaussians", "discrete", "ring", "samples"] = _pair(
        "gaussians", "Data and model with known densities."
    )
    mean: float = _pair(
        1.0, "Gaussians: mean of the data, within 20; the model is N(0, 1).", ge=-20, le=20
    )
    sd: float = _pair(
        1.0, "Gaussians: standard deviation of the data, 0.05 to 20.", ge=0.05, le=20
    )
    p: tuple[_Mass, ...] = _pair((0.5, 0.3, 0.2), "Discrete: masses of the data.")
    q: tuple[_Mass, ...] = _pair((0.2, 0.3, 0.5), "Discrete: masses of the model.")
    modes: int = _pair(4, "Ring of 8 modes: how many of them the model has.", ge=1, le=8)
    spread: float = _pair(
        0.15, "Ring: standard deviation of the model's modes; the data's is 0.15.", gt=0, le=5
    )
    samples: Path | None = _pair(
        None, "Samples: Parquet with densities p and q at each sample, and drawn (p or q)."
    )
    lambdas: Some[_Weight] = _pair(_LAMBDAS, "Weights of precision.")


def _known_data() -> Collection[str]:
    from nasrank.samples import DATA_SETS

    return ("ring", *DATA_SETS)


class TrainConfig(Seeded, OnDevice, OnSamplesAlone):
    """Train generators that keep a promise on precision and recall.

    A model that is too small for its data must choose between good draws and all kinds of draws.
    Lambda makes the choice: every model is trained on the precision-recall divergence of its
    lambda, beside controls, and what it reaches is measured.

    With a target pr alone is trained, for one lambda after the other, and csv holds the steps of
    the search.
    """

    command: ClassVar[str] = "pr train"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.companions.precision_recall.study:train_study"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank pr train --data ring --lambdas 0.1,1,10",
        "nasrank pr train --data digits --methods pr,hinge,naive --seeds 5",
        "nasrank pr train --data vectors.npy --target-precision 0.9",
    )

    data: str = _grid(
        "ring",
        f"ring, digits, mnist, fashion-mnist, {PICTURES}, or a .npy, .npz or .parquet file of "
        "vectors.",
        complete=_known_data,
    )
    lambdas: Some[_Weight] = _grid(
        _LAMBDAS, "Weights of precision: large for good draws, small for many kinds."
    )
    methods: Some[Method] = _grid(
        ("pr", "hinge", "data"),
        "Of pr, naive, dual, hinge, kl, rkl, chi2, mle, tuned, data.",
        metavar="NAME",
    )
    models: Some[Literal["mlp", "conv", "flow"]] = _grid(
        ("mlp",), "Generators: mlp, conv (images), flow."
    )
    target_precision: float | None = _grid(
        None,
        "Find the lambda that gives this precision, between the ends of --lambdas.",
        gt=0,
        lt=1,
    )
    target_recall: float | None = _grid(
        None, "Find the lambda that gives this recall, likewise.", gt=0, lt=1
    )
    mode_weights: tuple[_Mass, ...] | None = _grid(
        None, "Ring: weights of its 8 modes.", usual="all the same", of="ring"
    )
    label: str | None = _grid(
        None, "Class column of a Parquet file, which is no dimension.", of="samples"
    )
    auxiliary: Literal["chi2", "kl", "rkl"] = _training(
        "chi2", "Divergence that trains the critic of pr."
    )
    steps: int | None = _training(
        None,
        "Steps of the generator.",
        usual="1500 ring, 400 conv, 800 flow, 3000 of 5,000 samples or more, 1000 others",
        ge=1,
    )
    batch_size: int | None = _training(
        None, "Samples of a step.", usual="128 ring and flow, 64 others", ge=2
    )
    width: int | None = _training(
        None,
        "Hidden units of the generator, maps of conv: one that is large enough has no trade-off "
        "to make.",
        usual="4 ring, 16 others, 8 flow on the ring and conv, 32 flow",
        ge=1,
    )
    neighbours: int = _training(5, "k of nearest-neighbour precision and recall.", ge=1)
    train_limit: int = _training(10_000, "Most training samples.", ge=4, of="samples")
    side: int | None = _training(
        None, "Shrink images to this side, for speed.", usual="as they are", ge=1, of="samples"
    )
    fine_tune: Path | None = _training(
        None,
        "Start pr from a model of --keep-models, for a tenth of the steps unless --steps says "
        "otherwise.",
        metavar="CHECKPOINT",
    )
    keep_models: bool = _training(
        False, "Write every model that is trained now to OUT/models/RUN_ID.npz.", recorded=False
    )

    @property
    def kind(self) -> str:
        """``ring`` or ``samples``."""
        return "ring" if self.data == "ring" else super().kind

    @property
    def target(self) -> tuple[str, float] | None:
        """The side that a lambda is sought for and the value it should have, if any."""
        for side in ("precision", "recall"):
            wanted: float | None = getattr(self, f"target_{side}")
            if wanted is not None:
                return side, wanted
        return None

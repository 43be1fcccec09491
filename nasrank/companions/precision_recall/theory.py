"""What can be said of precision-recall divergences without training anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nasrank.companions.precision_recall.divergence import checked_lambdas, pr_conjugate
from nasrank.companions.precision_recall.pairs import (
    GaussianPair,
    Pair,
    discrete_pair,
    read_pair,
)
from nasrank.companions.precision_recall.rebuild import (
    F_DIVERGENCES,
    direct,
    lambda_weights,
    rebuild,
)
from nasrank.companions.precision_recall.ring import RING_MODES, Ring, ring_pair
from nasrank.companions.precision_recall.tables import CONJUGATE, REBUILT, THEORY, WEIGHTS
from nasrank.errors import UsageError
from nasrank.registry import unknown_name
from nasrank.tables import write_json

__all__ = ["PAIRS", "Theory", "TheoryConfig", "theory", "write_theory"]

PAIRS = ("gaussians", "discrete", "ring", "samples")
"""Kinds of pairs: in closed form, masses on points, modes on a ring, samples with densities."""


class TheoryConfig(BaseModel):
    """Which pair, at which weights; the names are those of the command's options.

    Attributes:
        pair: Of `PAIRS`.
        mean: Gaussians: mean of the data; the model is N(0, 1).
        sd: Gaussians: standard deviation of the data.
        p: Discrete: masses of the data.
        q: Discrete: masses of the model.
        modes: Ring: modes that the model has, of 8; the data has all.
        spread: Ring: standard deviation of the model's modes; the data's is 0.15.
        samples: Samples: a Parquet file, see `read_pair`.
        lambdas: Weights of precision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pair: str = "gaussians"
    mean: float = 1.0
    sd: float = 1.0
    p: tuple[float, ...] = (0.5, 0.3, 0.2)
    q: tuple[float, ...] = (0.2, 0.3, 0.5)
    modes: int = Field(4, ge=1, le=RING_MODES)
    spread: float = Field(0.15, gt=0, le=5)
    samples: Path | None = None
    lambdas: tuple[float, ...] = Field((0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0), min_length=1)


@dataclass(frozen=True)
class Theory:
    """What is known of a pair.

    Attributes:
        pair: The pair in words.
        frontier: Rows of ``pr_theory``.
        conjugate: Rows of ``pr_conjugate``.
        rebuilt: Rows of ``pr_rebuilt``.
        weights: Rows of ``pr_weights``.
    """

    pair: str
    frontier: list[dict[str, Any]]
    conjugate: list[dict[str, Any]]
    rebuilt: list[dict[str, Any]]
    weights: list[dict[str, Any]]

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Rows by name of the table."""
        return {
            THEORY.name: self.frontier,
            CONJUGATE.name: self.conjugate,
            REBUILT.name: self.rebuilt,
            WEIGHTS.name: self.weights,
        }


def theory(config: TheoryConfig) -> Theory:
    """Compute frontier, divergences and weights of a pair.

    Args:
        config: The pair and the weights.

    Raises:
        UsageError: The pair cannot be meant, or a lambda is not above 0.
        DataError: The file of samples cannot be read.
    """
    lambdas = checked_lambdas(config.lambdas)
    name, pair = _pair(config)
    alpha, value = pair.alpha(lambdas), pair.divergence(lambdas)
    frontier = [
        {"pair": name, "lambda": float(lam), "alpha": float(a), "beta": float(a / lam),
         "divergence": float(d)}
        for lam, a, d in zip(lambdas, alpha, value, strict=True)
    ]  # fmt: skip
    conjugate = [
        {"lambda": lam, "critic": t, "conjugate": float(pr_conjugate(t, lam))}
        for lam in lambdas.tolist()
        for t in (-lam, 0.0, lam / 2, lam)
    ]
    return Theory(name, frontier, conjugate, _rebuilt(name, pair), lambda_weights(lambdas))


def write_theory(result: Theory, config: TheoryConfig, out: Path) -> None:
    """Write the tables of the pair and ``run.json``.

    Raises:
        DataError: The folder cannot be written.
    """
    about = {"command": "pr theory", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    for table in (THEORY, CONJUGATE, REBUILT, WEIGHTS):
        table.write(result.tables[table.name], out / f"{table.name}.parquet", about)


def _pair(config: TheoryConfig) -> tuple[str, Pair]:
    match config.pair:
        case "gaussians":
            name = f"data N({config.mean:g}, {config.sd:g}^2), model N(0, 1)"
            return name, GaussianPair(config.mean, config.sd)
        case "discrete":
            return f"masses on {len(config.p)} points", discrete_pair(config.p, config.q)
        case "ring":
            kept = tuple(float(mode < config.modes) for mode in range(RING_MODES))
            name = f"ring of 8 modes, model of {config.modes} with sd {config.spread:g}"
            return name, ring_pair(Ring(), Ring(kept, config.spread))
        case "samples":
            if config.samples is None:
                raise UsageError("--pair samples needs a file. Name it with --samples")
            return f"samples of {config.samples.name}", read_pair(config.samples)
        case other:
            raise unknown_name("pair", other, PAIRS)


def _rebuilt(name: str, pair: Pair) -> list[dict[str, Any]]:
    rows = []
    for each in F_DIVERGENCES.values():
        found = rebuild(pair, each)
        known = direct(pair, each)
        both = known is not None and math.isfinite(known) and math.isfinite(found.value)
        rows.append(
            {
                "pair": name,
                "divergence": each.name,
                "generator": each.formula,
                "weights": each.weight_text,
                "rebuilt": found.value,
                "direct": known,
                "error": found.value - known if both and known is not None else None,
                "recall_share": None if np.isnan(found.recall_share) else found.recall_share,
            }
        )
    return rows

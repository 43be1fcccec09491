"""What each distance costs as samples, dimensions and classes grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.distances import DISTANCES, DistanceSpec, parse_distance
from nasrank.companions.optimal_transport.training import clock
from nasrank.seeds import numpy_generator, torch_generator
from nasrank.study.claims import CLAIMS, claim_row
from nasrank.study.device import choose_device
from nasrank.study.measurement import watched_memory
from nasrank.tables import Column, Table, write_json

__all__ = ["AXES", "SLOPES", "SPEED", "SpeedConfig", "SpeedResult", "measure_speed"]

AXES = ("samples", "dimension", "classes")
"""What varies, one at a time; also the names of the columns."""

_NO_FIT = "fewer than three points"
_AT = 512
_TIMES = 50.0
_LINEAR = 1.2
_LEAST_SECONDS = 0.02

SPEED = Table(
    "speed",
    "One measurement: value and gradient of the distances of all pairs of classes of one batch",
    (
        Column("distance", "string", "", "Canonical spelling of the distance"),
        Column("axis", "string", "", "What varies: samples, dimension or classes"),
        Column("samples", "int64", "samples", "Samples of each class"),
        Column("dimension", "int64", "1", "Dimension of the features"),
        Column("classes", "int64", "classes", "Classes"),
        Column("repeat", "int64", "", "Which of the repeats; each has features of its own"),
        Column("seconds", "double", "s", "Processor time on a CPU, elapsed on a GPU"),
        Column(
            "mebibytes", "double", "MiB", "The most memory held beyond what was held before",
            "not known on this system",
        ),
        Column("device", "string", "", "cpu or cuda"),
    ),
)  # fmt: skip

SLOPES = Table(
    "slopes",
    "How the time of one distance grows along one axis",
    (
        Column("distance", "string", "", "Canonical spelling of the distance"),
        Column("axis", "string", "", "What varies: samples, dimension or classes"),
        Column("points", "int64", "", "Settings fitted: the larger half, at least three"),
        Column(
            "slope", "double", "1",
            "Slope of log seconds over log setting, mean over repeats: 1 is linear", _NO_FIT,
        ),
        Column("lower", "double", "1", "Least of the repeats", _NO_FIT),
        Column("upper", "double", "1", "Greatest of the repeats", _NO_FIT),
    ),
)  # fmt: skip


class SpeedConfig(BaseModel):
    """What to measure; the names are those of the command's options.

    Attributes:
        distances: Distances by name, with options.
        samples: Samples of a class, where they vary.
        dimensions: Dimensions, where they vary.
        classes: Numbers of classes, where they vary.
        most_quadratic: Largest number of samples for distances of quadratic cost or more.
        repeats: Times that everything is measured.
        seed: Seed of the features.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    distances: tuple[str, ...] = Field(tuple(DISTANCES.names()), min_length=1)
    samples: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        (32, 64, 128, 256, 512, 1024, 2048), min_length=1
    )
    dimensions: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        (16, 64, 256, 1024), min_length=1
    )
    classes: tuple[Annotated[int, Field(ge=2, le=100)], ...] = Field((2, 4, 8, 16), min_length=1)
    most_quadratic: PositiveInt = 512
    repeats: int = Field(5, ge=1, le=1000)
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"


@dataclass(frozen=True)
class _Point:
    """One setting; the attributes but the first are those of the table."""

    axis: str
    samples: int = 128
    dimension: int = 64
    classes: int = 4


@dataclass(frozen=True)
class SpeedResult:
    """What was measured.

    Attributes:
        rows: Rows of `SPEED`.
        slopes: Rows of `SLOPES`.
        claims: Rows of `CLAIMS`.
    """

    rows: list[dict[str, Any]]
    slopes: list[dict[str, Any]]
    claims: list[dict[str, Any]]


def measure_speed(config: SpeedConfig, out: Path | None = None) -> SpeedResult:
    """Measure time and memory, and fit how they grow.

    One of samples (of each of 4 classes), dimension and classes varies while the others stay at
    128 samples of 4 classes in 64 dimensions. Repeats go round all settings in turn, so that what
    else a machine does meets them alike; short work is repeated until it takes 20 ms.

    Args:
        config: What to measure.
        out: Folder for ``speed``, ``slopes``, ``claims`` and ``run.json``; None writes nothing.

    Raises:
        UsageError: A distance or device cannot be meant, or POT is missing.
        DataError: The folder cannot be written.
    """
    device = choose_device(config.device)
    specs = list(dict.fromkeys(parse_distance(each) for each in config.distances))
    about = {"command": "ot speed", "config": config.model_dump(mode="json")}
    if out is not None:
        write_json(about, out / "run.json")
    for spec in specs:
        # What is imported or compiled at first use is no cost of the distance.
        _work(spec, _Point("samples", samples=4), 0, device)()
    rows = [
        _row(spec, point, repeat, config.seed, device)
        for repeat in range(config.repeats)
        for point in _points(config)
        for spec in specs
        if not (spec.quadratic and point.samples > config.most_quadratic)
    ]
    slopes = [_slope(rows, str(spec), axis) for spec in specs for axis in AXES]
    claims = _claims(rows)
    if out is not None:
        for table, content in ((SPEED, rows), (SLOPES, slopes), (CLAIMS, claims)):
            table.write(content, out / f"{table.name}.parquet", about)
    return SpeedResult(rows, slopes, claims)


def _points(config: SpeedConfig) -> list[_Point]:
    return [
        *(_Point("samples", samples=each) for each in dict.fromkeys(config.samples)),
        *(_Point("dimension", dimension=each) for each in dict.fromkeys(config.dimensions)),
        *(_Point("classes", classes=each) for each in dict.fromkeys(config.classes)),
    ]


def _work(
    spec: DistanceSpec, point: _Point, seed: int, device: torch.device
) -> Callable[[], None]:
    """Return value and gradient of one batch, to be called as often as needed."""
    rng = numpy_generator(seed, stream="speed", n=point.samples, d=point.dimension)
    labels = np.tile(np.arange(point.classes), point.samples)
    centres = rng.standard_normal((point.classes, point.dimension))
    noise = rng.standard_normal((len(labels), point.dimension))
    features = torch.from_numpy((centres[labels] + noise).astype(np.float32)).to(device)
    classes = torch.from_numpy(labels).to(device)
    draws = torch_generator(seed, stream="distance")

    def work() -> None:
        values = features.clone().requires_grad_()
        total = spec(make_clouds(values, classes, point.classes), draws).sum()
        total.backward()  # type: ignore[no-untyped-call]

    return work


def _row(
    spec: DistanceSpec, point: _Point, repeat: int, seed: int, device: torch.device
) -> dict[str, Any]:
    work = _work(spec, point, seed + repeat, device)
    with watched_memory(device) as memory:
        work()
    times, began = 0, clock(device)
    while times == 0 or clock(device) - began < _LEAST_SECONDS:
        work()
        times += 1
    return {
        "distance": str(spec),
        **asdict(point),
        "repeat": repeat,
        "seconds": (clock(device) - began) / times,
        "mebibytes": memory.mebibytes,
        "device": device.type,
    }


def _slope(rows: Sequence[Mapping[str, Any]], distance: str, axis: str) -> dict[str, Any]:
    own = [row for row in rows if row["distance"] == distance and row["axis"] == axis]
    settings = sorted({row[axis] for row in own})
    # What small settings cost is mostly calls; growth shows in the large ones.
    settings = settings[-max(3, (len(settings) + 1) // 2) :]
    slopes = [
        _fit({row[axis]: row["seconds"] for row in own if row["repeat"] == repeat}, settings)
        for repeat in sorted({row["repeat"] for row in own})
    ]
    fitted = len(settings) > 2
    return {
        "distance": distance,
        "axis": axis,
        "points": len(settings),
        "slope": float(np.mean(slopes)) if fitted else None,
        "lower": min(slopes) if fitted else None,
        "upper": max(slopes) if fitted else None,
    }


def _fit(seconds: Mapping[int, float], settings: Sequence[int]) -> float:
    if len(settings) < 2:
        return float("nan")
    times = np.log([seconds[each] for each in settings])
    return float(np.polyfit(np.log(settings), times, 1)[0])


def _claims(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_samples: dict[str, dict[int, dict[int, float]]] = {}
    for row in rows:
        if row["axis"] == "samples":
            own = by_samples.setdefault(row["distance"], {})
            own.setdefault(row["repeat"], {})[row["samples"]] = row["seconds"]
    claims = []
    data = "normal classes, 4 of 64 dimensions"
    fast = by_samples.get("fastft", {})
    settings = sorted(next(iter(fast.values()), {}))
    settings = settings[-max(3, (len(settings) + 1) // 2) :]
    if len(settings) > 2:
        claims.append(
            claim_row(
                "fastft_linear",
                f"the time of fastft grows with at most the power {_LINEAR:g} of the samples "
                f"(estimate: {_LINEAR:g} less the slope over {settings[0]:,} to {settings[-1]:,})",
                data,
                [_LINEAR - _fit(seconds, settings) for seconds in fast.values()],
                source="speed: seconds by samples",
            )
        )
    exact = by_samples.get("emd", {})
    both = [r for r in fast if _AT in fast[r] and r in exact and _AT in exact[r]]
    if both:
        claims.append(
            claim_row(
                "fastft_50_times",
                f"at {_AT} samples a class fastft is more than {_TIMES:g} times as fast as emd "
                f"(estimate: the factor less {_TIMES:g})",
                data,
                [exact[r][_AT] / fast[r][_AT] for r in both],
                source="speed: seconds",
                margin=_TIMES,
            )
        )
    return claims

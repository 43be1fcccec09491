"""What each distance costs as samples, dimensions and classes grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.distances import DistanceSpec, parse_distance
from nasrank.companions.optimal_transport.options import SpeedConfig
from nasrank.companions.optimal_transport.tables import SLOPES, SPEED
from nasrank.companions.optimal_transport.training import clock
from nasrank.seeds import numpy_generator, torch_generator
from nasrank.study.claims import CLAIMS, claim_row
from nasrank.study.controls import Control
from nasrank.study.device import choose_device
from nasrank.study.measurement import watched_memory
from nasrank.study.study import Tell
from nasrank.tables import Table

__all__ = ["AXES", "measure_speed", "time_controls"]

AXES = ("samples", "dimension", "classes")
"""What varies, one at a time; also the names of the columns."""

_AT = 512
_TIMES = 50.0
_LINEAR = 1.2
_LEAST_SECONDS = 0.02


@dataclass(frozen=True)
class _Point:
    """One setting; the attributes but the first are those of the table."""

    axis: str
    samples: int = 128
    dimension: int = 64
    classes: int = 4


def measure_speed(
    config: SpeedConfig, tell: Tell = lambda _done, _of: None
) -> dict[Table, list[dict[str, Any]]]:
    """Measure time and memory, and fit how they grow.

    One of samples (of each of 4 classes), dimension and classes varies while the others stay at
    128 samples of 4 classes in 64 dimensions. Repeats go round all settings in turn, so that what
    else a machine does meets them alike; short work is repeated until it takes 20 ms.

    Returns:
        Rows of `SPEED`, `SLOPES` and `CLAIMS`.

    Raises:
        UsageError: There is no such distance or device, or POT is missing.
    """
    device = choose_device(config.device)
    specs = list(dict.fromkeys(parse_distance(each) for each in config.distances))
    for spec in specs:
        # What is imported or compiled at first use is no cost of the distance.
        _work(spec, _Point("samples", samples=4), 0, device)()
    settings = [
        (spec, point, repeat)
        for repeat in range(config.repeats)
        for point in _points(config)
        for spec in specs
        if not (spec.quadratic and point.samples > config.quadratic_limit)
    ]
    rows = []
    for spec, point, repeat in settings:
        rows.append(_row(spec, point, repeat, config.seed, device))
        tell(len(rows), len(settings))
    slopes = [_slope(rows, str(spec), axis) for spec in specs for axis in AXES]
    return {SPEED: rows, SLOPES: slopes, CLAIMS: _claims(rows)}


def time_controls(config: SpeedConfig) -> list[Control]:
    """Time one piece of work and three of them, five times: three take about three times as long.

    A machine that does something else meanwhile, or a clock that ticks too seldom, fails this.
    """
    device = choose_device(config.device)
    work = _work(DistanceSpec("fastft"), _Point("samples", samples=_AT), config.seed, device)
    work()

    def seconds(times: int) -> float:
        began = clock(device)
        for _ in range(4 * times):
            work()
        return clock(device) - began

    ratio = float(np.median([seconds(3) / max(seconds(1), 1e-9) for _ in range(5)]))
    return [Control("seconds", "positive", "three times the work", ratio, least=2.0, most=4.5)]


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
                measures=("seconds",),
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
                measures=("seconds",),
                margin=_TIMES,
            )
        )
    return claims

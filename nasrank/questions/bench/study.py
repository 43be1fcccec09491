"""The study of ``nasrank bench``, declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrank.questions.bench import speed
from nasrank.questions.bench.figures import draw_bench
from nasrank.questions.bench.options import BenchConfig
from nasrank.questions.bench.tables import BENCH
from nasrank.runs.environment import environment
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, Result, Study
from nasrank.study.view import Field, Part, Sheet, number

__all__ = ["BENCHED"]

Row = Mapping[str, Any]

_AXES = {
    "members": "By fleet",
    "n_train": "By training set",
    "architectures": "By size of the space",
    "nodes": "By nodes of each graph",
}


def _measured(job: Job[BenchConfig, Any]) -> Answer:
    config = job.config
    device = choose_device(config.device)
    effort = speed.QUICK if config.quick else speed.FULL if config.full else speed.USUAL
    rows: list[Row] = []
    measurements = speed.measure(effort, device)
    doing = "measuring"
    while True:
        with job.progress.stage(doing):
            measurement = next(measurements, None)
        if measurement is None:
            break
        rows.append(measurement.row())
        doing = f"measuring, last {_line(rows[-1])}"
    # Where things lie says nothing of their speed, and is nobody's business in a table.
    machine = {
        name: value for name, value in environment().items() if name not in {"executable", "cache"}
    }
    return Answer(
        {BENCH: rows},
        record={"device": device.type, "environment": machine},
        about={"device": device.type, "environment": machine},
    )


def _line(row: Row) -> str:
    where = "" if row["predictor"] is None else f"{row['predictor']} "
    return f"{where}{row['name']} {number(row['value'])} {row['unit']}"


_PATHS = (
    Field("name", "path", keep=9),
    Field("value", "figure", right=True, keep=9),
    Field("unit", keep=9),
    Field("floor", right=True, keep=8),
    Field("ratio", show=lambda value: f"{value:,.1f}", right=True, keep=8),
    Field("note", keep=2),
)


def _view_bench(result: Result[BenchConfig]) -> Iterable[Part]:
    machine = (result.record or {})["environment"]
    # What has a goal and a floor is shown beside both.
    single = [row for row in result.rows if row["axis"] is None]
    alone = [row for row in single if row["floor"] is None or row["goal"] is not None]
    fields = (
        Field("name", keep=9),
        Field("value", right=True, keep=9),
        Field("unit", keep=9),
        Field("goal", of=_goal, right=True, keep=7),
        Field("reached", keep=6),
        Field("note", keep=2),
    )
    title = (
        f"{machine['processor']}, {machine['usable_cores']} cores, "
        f"{machine['torch_threads']} torch threads, {machine['devices'][-1]}"
    )
    yield Sheet(alone, fields, title)
    paths = [row for row in result.rows if row["floor"] is not None]
    if paths:
        yield Sheet(paths, _PATHS, "By path: what it costs beside the least that it could")
    series = [row for row in result.rows if row["axis"] is not None]
    for axis in dict.fromkeys(row["axis"] for row in series):
        yield _series(axis, [row for row in series if row["axis"] == axis])
    if series:
        yield (
            "Seconds to train and to score all architectures are per predictor; prepare is once "
            "for all on the same architectures. Memory is the peak above that before."
        )
    if any(row["members"] is None for row in series):
        yield (
            "Growth: time grows with this power of what varies, over the whole column; 1 is "
            "proportional."
        )


def _goal(row: Row) -> str | None:
    if row["goal"] is None:
        return None
    return f"{'>=' if row['better'] == 'higher' else '<='} {number(row['goal'])}"


def _series(axis: str, rows: Sequence[Row]) -> Sheet:
    """Show one predictor at one point of a series in a line, and trends at their end."""
    where = ("predictor", "members", "n_train", "architectures", "nodes")
    points: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in where)
        points.setdefault(key, dict(zip(where, key, strict=True)))[row["name"]] = row["value"]
    trends = {point["predictor"]: point for point in points.values() if point["members"] is None}
    known = [point for point in points.values() if point["members"] is not None]
    # Points stand in ascending order, so the last of a predictor remains; it has the trend.
    last = {point["predictor"]: point for point in known}

    def each(name: str) -> Callable[[Row], str]:
        return lambda point: _seconds(point[name] / point["members"])

    def growth(name: str) -> Callable[[Row], str]:
        return lambda point: (
            _power(trends.get(point["predictor"], {}).get(f"growth_of_{name}"))
            if point is last[point["predictor"]]
            else ""
        )

    grown = any(growth("fit_seconds")(point) for point in known)
    shares = any(point.get("share_of_matrix_rate") is not None for point in known)
    share = Field(
        "share",
        "of matrix\nrate, %",
        _whole,
        right=True,
        keep=2,
        of=lambda point: point.get("share_of_matrix_rate"),
    )
    fields = [
        Field("predictor", keep=9),
        Field("members", "fleet", right=True, keep=8),
        Field("n_train", "n", right=True, keep=8),
        Field("architectures", right=True, keep=8),
        Field("nodes", right=True, keep=8),
        Field("prepare_seconds", "prepare, s", _seconds, right=True, keep=4),
        Field("train", "train one, s", of=each("fit_seconds"), right=True, keep=7),
        *([Field("growth", of=growth("fit_seconds"), right=True)] if grown else []),
        Field("score", "score, s", of=each("score_seconds"), right=True, keep=6),
        *([Field("growth", of=growth("score_seconds"), right=True)] if grown else []),
        Field("score_rate", "scored a second", _whole, right=True, keep=3),
        Field(
            "memory", "memory, MiB", _whole, right=True, of=lambda point: point.get("peak_memory")
        ),
        *([share] if shares else []),
    ]
    return Sheet(known, fields, _AXES[axis])


def _seconds(value: float) -> str:
    return f"{value:,.3f}" if value < 10 else f"{value:,.1f}"


def _power(value: float | None) -> str:
    # Adding zero turns a negative zero into a plain one.
    return "" if value is None else f"{round(value, 1) + 0.0:.1f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _draw_bench(result: Result[BenchConfig]) -> Iterable[Path]:
    path = draw_bench(result.rows, result.out)
    return [] if path is None else [path]


BENCHED = Study(
    config=BenchConfig, main=BENCH, answer=_measured, view=_view_bench, pictures=_draw_bench
)

"""Baselines: the metrics of finished runs in one small file, kept beside the code they guard."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import DataError, NothingToCompare
from nasrank.questions.check.tables import BASELINE, PAIRING
from nasrank.runs.code import code_of
from nasrank.runs.tables import DISCOVERY, DISCOVERY_AT, RUNS
from nasrank.tables import about_of, read_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RunKey", "computed_by_others", "read_runs", "run_key", "write_baseline"]

RunKey = tuple[str | int, ...]


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Read what was measured on runs, from a baseline or from the folder of a comparison.

    Args:
        path: A file written by :func:`write_baseline`, or the ``--out`` folder of
            ``nasrank compare``.

    Returns:
        Rows of ``baseline``; a number that is not finite is None.

    Raises:
        DataError: It is missing, damaged, something else, or names a run twice.
        NothingToCompare: It holds no run.
    """
    rows = _read_folder(path) if _is_folder(path) else BASELINE.read(path)
    if not rows:
        raise NothingToCompare(f"{path} holds no run. Make runs with: nasrank compare --subset ci")
    seen = set()
    for row in rows:
        for column in BASELINE.columns:
            value = row[column.name]
            if isinstance(value, float) and not math.isfinite(value):
                row[column.name] = None
        if (key := run_key(row)) in seen:
            raise DataError(
                f"{path}: the run {', '.join(map(str, key))} is there twice. Make it again with: "
                "nasrank compare --subset ci"
            )
        seen.add(key)
    return rows


def computed_by_others(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name what computed runs of a folder with other code than is installed.

    Args:
        path: The ``--out`` folder of a comparison; a baseline does not say what made it.
        rows: Its rows.

    Returns:
        Such as ``gnn listmle``, also where the folder does not say what made it.
    """
    if not _is_folder(path):
        return []
    made = about_of(read_schema(path / f"{RUNS.name}.parquet")).get("code")
    made = made if isinstance(made, dict) else {}
    methods = dict.fromkeys((row["predictor"], row["loss"]) for row in rows)
    installed = [code_of(predictor, loss) for predictor, loss in methods]
    return list(dict.fromkeys(name for name, digest in installed if made.get(name) != digest))


def write_baseline(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a baseline, atomically: the old file or the new one is there, and never half of one.

    Args:
        rows: Rows of ``baseline``; they are sorted, so equal runs give an equal file.
        path: The file.

    Raises:
        DataError: The place is a folder or cannot be written.
    """
    if _is_folder(path):
        raise DataError(f"{path}: a folder. Name a file for the baseline: {path}/baseline.parquet")
    BASELINE.write(sorted(rows, key=lambda row: [str(row[name]) for name in PAIRING]), path)


def run_key(row: Mapping[str, Any], names: Sequence[str] = PAIRING) -> RunKey:
    """Return what a run is paired by."""
    return tuple(row[name] for name in names)


def _read_folder(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs.parquet"
    own = {column.name for column in BASELINE.columns}
    table = RUNS.load(path, [c.name for c in RUNS.columns if c.name in {"run_id", *own}])
    known = _fingerprints(table, path)
    found = _found(folder / "discovery.parquet")
    rows = []
    for run_id, row in zip(table["run_id"].to_pylist(), table.to_pylist(), strict=True):
        if row["task"] not in known:
            raise DataError(
                f"{path}: does not say what data {row['task']} had. Make it again with: "
                f"nasrank compare --out {shlex.quote(str(folder))}"
            )
        row |= {"fingerprint": known[row["task"]], DISCOVERY_AT.name: found.get(run_id)}
        rows.append(BASELINE.project(row))
    return rows


def _fingerprints(table: pa.Table, path: Path) -> dict[str, str]:
    try:
        known = about_of(table.schema)["fingerprints"]
        return {str(task): str(value) for task, value in known.items()}
    except (KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: not a table that nasrank compare wrote. Give the --out folder of one"
        ) from error


def _found(path: Path) -> dict[str, float]:
    """Return the share of the top 1 % in hand after 100 evaluations, by run."""
    import pyarrow.compute as pc

    table = DISCOVERY.load(path, ["run_id", "top_fraction", "k", "discovery_rate"])
    chosen = table.filter((pc.field("top_fraction") == 0.01) & (pc.field("k") == 100))
    return dict(
        zip(chosen["run_id"].to_pylist(), chosen["discovery_rate"].to_pylist(), strict=True)
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}). Choose another path") from error

"""NATS-Bench folders of the simple format: one small file for each architecture.

A folder holds ``meta.pickle.pbz2``, the list of all architectures, and ``NNNNNN.pickle.pbz2`` for
each of them: a bz2-compressed pickle of plain dictionaries. The topology space (``tss``) is that
of NAS-Bench-201, trained for 12 and 200 epochs; the size space (``sss``) fixes the cell and
varies five widths, trained for 1, 12 and 90 epochs. A folder may hold only some of the files; the
other architectures then have no labels. Files are read one at a time, so memory stays small.

References:
    Dong, Liu, Musial and Gabrys (2021), "NATS-Bench: Benchmarking NAS Algorithms for
    Architecture Topology and Size", IEEE TPAMI.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from nasrank.benchmarks.importers.bounded import read_bz2
from nasrank.benchmarks.importers.imported import Imported
from nasrank.benchmarks.importers.official_cells import official_cells
from nasrank.benchmarks.importers.shown import shown
from nasrank.benchmarks.importers.trial_table import CHANCE, TrialTable
from nasrank.benchmarks.importers.trials import Trial, WrongTrialError, read_trials
from nasrank.benchmarks.pickles import COLLECTIONS, safe_loads
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch
from nasrank.lifetime import as_worker

__all__ = ["read", "recognises"]

_META = "meta.pickle.pbz2"
_CELL = re.compile(r"(\d{6})\.pickle\.pbz2")
_LIMIT = 16 * 2**20
_ADVICE = "Get the folder again from its origin"
_POSITIONS = 5
_WIDTHS = range(8, 65, 8)
_WIDTH_OF = {str(width): width for width in _WIDTHS}
_FILES_PER_WORKER = 64
_MOST_SIZES = len(_WIDTHS) ** _POSITIONS


@dataclass(frozen=True)
class _Kind:
    space: str
    title: str
    schedules: dict[str, int]  # the files' keys, the full training first


_TOPOLOGY = _Kind("nb201", "NATS-Bench topology space", {"200": 200, "12": 12})
_SIZE = _Kind("nats-size", "NATS-Bench size space: five widths", {"90": 90, "12": 12, "01": 1})


def recognises(path: Path) -> bool:
    """Return whether a path is a folder with the list of a NATS-Bench space; never raises."""
    try:
        return (path / _META).is_file()
    except (OSError, ValueError):
        return False


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read a folder ``NATS-tss-v1_0-...-simple`` or ``NATS-sss-v1_0-...-simple``.

    Every accuracy keeps its seeds as columns. On ``cifar10``, ``val_acc`` comes from trainings on
    half of the training images and ``test_acc`` from trainings on all of them, as the benchmark's
    authors define it; ``cifar10-valid`` has both numbers of the former. Metrics without a number
    in their name are of the longest training (200 or 90 epochs).

    Args:
        path: The folder.
        on_progress: Called with the number of files read, and their total.

    Returns:
        Space ``nb201`` with all 15,625 cells in official order, or ``nats-size`` with the
        architectures in the order of the folder's list; NaN for those without a file.

    Raises:
        DataError: The folder or a file is missing, damaged, or of another form. Nothing in
            a file is executed, and no file is decompressed beyond 16 MiB.
    """
    if not path.is_dir():
        raise DataError(f"{path}: not a folder. Give the unpacked folder that holds {_META}")
    listed = _listed(path / _META)
    topology = "|" in listed[0]
    kind = _TOPOLOGY if topology else _SIZE
    if topology:
        architectures = [*official_cells()]
        graphs = None
    else:
        architectures = listed
        graphs = _chains([_widths(text, path / _META) for text in listed])
    row_of = {text: row for row, text in enumerate(architectures)}
    for index, text in enumerate(listed):
        if text not in row_of:
            raise DataError(
                f"{path / _META}: entry {index} is not a cell of NAS-Bench-201, {shown(text)}. "
                f"{_ADVICE}"
            )
    if len(set(listed)) < len(listed):
        raise DataError(f"{path / _META}: an architecture occurs twice. {_ADVICE}")
    files = _files(path, len(listed))
    table = TrialTable(len(architectures), [*kind.schedules.values()])
    for done, (index, trials) in enumerate(_all_trials(files, listed, kind), start=1):
        try:
            table.add(row_of[listed[index]], trials)
        except WrongTrialError as error:
            raise DataError(f"{files[index]}: {error}. {_ADVICE}") from None
        if on_progress is not None:
            on_progress(done, len(files))
    measurements = table.measurements()
    if not measurements:
        raise DataError(f"{path}: its files hold no training. {_ADVICE}")
    measured = {each.dataset for each in measurements}
    return Imported(
        space=kind.space,
        title=kind.title,
        architectures=architectures,
        graphs=graphs,
        drop=("none",) if topology else (),
        contract=("skip_connect",) if topology else (),
        measurements=measurements,
        cost_seconds=table.cost_seconds(),
        parameters=table.parameters(),
        chance={name: value for name, value in CHANCE.items() if name in measured},
        note=f"{len(files):,} of {len(listed):,} architectures have a file",
        source=path.name,
        licence="MIT",
        citation="Dong, Liu, Musial and Gabrys (2021), NATS-Bench, IEEE TPAMI",
    )


def _load(path: Path) -> object:
    content = read_bz2(path, limit=_LIMIT, advice=_ADVICE)
    return safe_loads(content, str(path), allowed=COLLECTIONS, advice=_ADVICE)


def _listed(path: Path) -> list[str]:
    """Read the folder's list of architectures."""
    meta = _load(path)
    listed = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(listed, list) or not listed:
        raise DataError(f"{path}: it has no list meta_archs. {_ADVICE}")
    if len(listed) > _MOST_SIZES:
        raise DataError(f"{path}: it lists {len(listed):,} architectures. {_ADVICE}")
    texts = [text for text in listed if isinstance(text, str)]
    if len(texts) < len(listed):
        raise DataError(f"{path}: meta_archs holds something that is not text. {_ADVICE}")
    return texts


def _files(path: Path, count: int) -> dict[int, Path]:
    """Return the files of architectures by index, in ascending order."""
    files = {}
    for file in path.iterdir():
        if named := _CELL.fullmatch(file.name):
            index = int(named[1])
            if index >= count:
                raise DataError(
                    f"{file}: the folder lists only {count:,} architectures. {_ADVICE}"
                )
            files[index] = file
    if not files:
        raise DataError(
            f"{path}: it holds no file of an architecture, such as 000000.pickle.pbz2. {_ADVICE}"
        )
    return dict(sorted(files.items()))


def _all_trials(
    files: dict[int, Path], listed: Sequence[str], kind: _Kind
) -> Iterator[tuple[int, list[Trial]]]:
    """Yield the trials of each file in order, read by several processes where that pays."""
    tasks = [(index, file, listed[index], kind) for index, file in files.items()]
    workers = min(len(tasks) // _FILES_PER_WORKER, _cores())
    if workers < 2:
        yield from map(_trials, tasks)
        return
    # A fresh interpreter: a fork would copy the locks of the progress bar's and torch's threads.
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=as_worker, initargs=(os.getpid(),)
    )
    try:
        yield from pool.map(_trials, tasks, chunksize=8)
    except BrokenProcessPool as error:
        raise DataError(
            "a process that reads NATS-Bench files ended, out of memory or because the "
            "program calls this outside of `if __name__ == '__main__':`. "
            "Use `nasrank data import`"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _trials(task: tuple[int, Path, str, _Kind]) -> tuple[int, list[Trial]]:
    """Read the file of one architecture."""
    index, path, text, kind = task
    content = _load(path)
    try:
        if not isinstance(content, dict):
            raise WrongTrialError("it is not a dictionary by epochs")
        trials = []
        for key, epochs in kind.schedules.items():
            if key in content:
                found, place, some = read_trials(content[key], epochs)
                if found != text or place != index:
                    raise WrongTrialError(
                        f"it is of architecture {place}, {shown(found)}, not of {index}, {text!a}"
                    )
                trials += some
        if not trials:
            raise WrongTrialError(f"it has no training of {' or '.join(kind.schedules)} epochs")
    except WrongTrialError as error:
        raise DataError(f"{path}: {error}. {_ADVICE}") from None
    return index, trials


def _widths(text: str, path: Path) -> list[int]:
    parts = text.split(":", _POSITIONS)
    if len(parts) != _POSITIONS or not _WIDTH_OF.keys() >= {*parts}:
        raise DataError(
            f"{path}: {shown(text)} is not an architecture: five widths 8, 16, ... 64, such as "
            f"'64:32:16:8:8'. {_ADVICE}"
        )
    return [_WIDTH_OF[part] for part in parts]


def _chains(widths: list[list[int]]) -> GraphBatch:
    """Make ``[N]`` chains: input, one node for each stage, output.

    A node's operation names stage and width, such as ``conv2-64``, since a width has another
    meaning in every stage.
    """
    nodes = _POSITIONS + 2
    operations = np.zeros((len(widths), nodes), np.int16)
    stages = np.asarray(widths, np.int16) // 8 - 1
    operations[:, 1:-1] = 2 + stages + len(_WIDTHS) * np.arange(_POSITIONS, dtype=np.int16)
    operations[:, -1] = 1
    chain = np.eye(nodes, k=1, dtype=np.uint8)
    names = [
        f"conv{position}-{width}" for position in range(1, _POSITIONS + 1) for width in _WIDTHS
    ]
    return GraphBatch(
        operations,
        np.broadcast_to(chain, (len(widths), nodes, nodes)),
        np.ones(operations.shape, np.bool_),
        ("input", "output", *names),
    )

"""The official NAS-Bench-201 files, ``NAS-Bench-201-v1_0-e61699.pth`` and ``v1_1-096897.pth``.

Such a file is a dictionary saved with torch: ``meta_archs``, the list of all cells, and
``arch2infos``, for each cell's index the trials of 12 epochs (``less``) and of 200 (``full``).
It holds numbers only and no weights, so it is read here without torch and without executing
anything, in both of torch's formats.

Memory: the file is mapped and not loaded, and of each cell only the last epoch of each trial is
kept. That takes 0.4 GB for all cells, besides cached pages of the file (2 or 5 GB), and about
three minutes; both are extrapolated from 450 cells. ``torch.load`` makes 2 MB of Python objects of
each cell, more than 30 GB in all.

References:
    Dong and Yang (2020), "NAS-Bench-201: Extending the Scope of Reproducible Neural
    Architecture Search", ICLR.
"""

import re
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from pathlib import Path

from nasrank.benchmarks._opcodes import PickleReader
from nasrank.benchmarks.importers.imported import Imported
from nasrank.benchmarks.importers.official_cells import official_cells
from nasrank.benchmarks.importers.pickle_stream import StreamReader
from nasrank.benchmarks.importers.shown import shown
from nasrank.benchmarks.importers.trial_table import CHANCE, TrialTable
from nasrank.benchmarks.importers.trials import WrongTrialError, read_trials
from nasrank.benchmarks.nb201 import CELLS
from nasrank.benchmarks.pickles import COLLECTIONS, explained
from nasrank.errors import DataError

__all__ = ["read", "recognises"]

_ADVICE = "Get the file again from its origin"
# What torch before 1.6 wrote first: a pickle of its magic number, and one of 1001.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
_ZIP = re.compile(rb"PK\x03\x04.{4}(..).{16}(..)(..)", re.DOTALL)
_SCHEDULES = {"full": 200, "less": 12}


def recognises(path: Path) -> bool:
    """Return whether a path is a file ``*.pth`` saved by torch; never raises."""
    try:
        if path.suffix != ".pth" or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(len(_LEGACY))
    except (OSError, ValueError):
        return False
    return head == _LEGACY or head.startswith(b"PK\x03\x04")


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read an official file of NAS-Bench-201.

    Every accuracy keeps its seeds as columns. On ``cifar10``, ``val_acc`` comes from trainings on
    half of the training images and ``test_acc`` from trainings on all of them, as the benchmark's
    authors define it; ``cifar10-valid`` has both numbers of the former. Metrics without a number
    in their name are after 200 epochs.

    Args:
        path: The file.
        on_progress: Called with the number of cells read, and 15,625.

    Returns:
        Space ``nb201`` with all 15,625 cells in official order; NaN for those not in the file.

    Raises:
        DataError: The file is missing, damaged, or of another form. Nothing in it is
            executed.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return _read(data, path, on_progress)
    except ValueError as error:
        raise DataError(f"{path}: empty, or no file. {_ADVICE}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {_ADVICE}") from error


def _read(
    data: mmap, path: Path, on_progress: Callable[[int, int | None], None] | None
) -> Imported:
    row_of = official_cells()
    table = TrialTable(CELLS, [*_SCHEDULES.values()])
    found: dict[str, int] = {}  # text of each cell read, and its index in the file

    def keep(content: dict[object, object]) -> None:
        if not _SCHEDULES.keys() & content.keys():
            return
        trials, names = [], set()
        for key, epochs in _SCHEDULES.items():
            if (state := content.pop(key, None)) is not None:
                text, index, some = read_trials(state, epochs)
                names.add((text, index))
                trials += some
        if len(names) != 1:
            raise WrongTrialError("the parts of a cell belong to different cells")
        text, index = names.pop()
        if text not in row_of:
            raise WrongTrialError(f"{shown(text)} is not a cell")
        if text in found:
            raise WrongTrialError(f"{text} occurs twice")
        found[text] = index
        table.add(row_of[text], trials)
        content["arch_index"] = index
        if on_progress is not None:
            on_progress(len(found), CELLS)

    try:
        with explained(str(path), _ADVICE):
            reader = StreamReader(data, COLLECTIONS, _start(data, path), keep)
            content = reader.read()
    except WrongTrialError as error:
        raise DataError(f"{path}: cell {len(found) + 1} in the file: {error}. {_ADVICE}") from None
    _check(content, found, path)
    measurements = table.measurements()
    if not measurements:
        raise DataError(f"{path}: it holds no training. {_ADVICE}")
    measured = {each.dataset for each in measurements}
    return Imported(
        space="nb201",
        title="NAS-Bench-201: image classification cells",
        architectures=tuple(row_of),
        graphs=None,
        drop=("none",),
        contract=("skip_connect",),
        measurements=measurements,
        cost_seconds=table.cost_seconds(),
        parameters=table.parameters(),
        chance={name: value for name, value in CHANCE.items() if name in measured},
        note=f"{len(found):,} of {CELLS:,} cells are in the file",
        source=path.name,
        licence="MIT",
        citation="Dong and Yang (2020), NAS-Bench-201, ICLR",
    )


def _start(data: mmap, path: Path) -> int:
    """Return where the pickle of the saved value starts."""
    if data[: len(_LEGACY)] == _LEGACY:
        # Two values follow: a description of the machine, and what was saved.
        machine = PickleReader(data, {}, len(_LEGACY))
        machine.read()
        return machine.at
    if zipped := _ZIP.match(data):
        method, name, extra = (int.from_bytes(part, "little") for part in zipped.groups())
        behind = zipped.end() + name
        if method == 0 and data[zipped.end() : behind].endswith(b"/data.pkl"):
            return behind + extra
    raise DataError(f"{path}: not a file saved by torch. {_ADVICE}")


def _check(content: object, found: dict[str, int], path: Path) -> None:
    """Compare the list of cells with what was read."""
    wrong = None
    listed = content.get("meta_archs") if isinstance(content, dict) else None
    cells = content.get("arch2infos") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not isinstance(cells, dict) or not found:
        wrong = "it has no meta_archs and arch2infos of NAS-Bench-201"
    elif len(cells) != len(found):
        wrong = f"arch2infos has {len(cells):,} entries, but {len(found):,} cells were read"
    else:
        for text, index in found.items():
            fits = 0 <= index < len(listed) and listed[index] == text
            if not fits or cells.get(index) != {"arch_index": index}:
                wrong = f"cell {text} is not at its index {index}"
                break
    if wrong:
        raise DataError(f"{path}: {wrong}. {_ADVICE}")

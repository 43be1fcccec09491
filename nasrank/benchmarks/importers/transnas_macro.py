"""TransNAS-Bench-101's own file, ``transnas-bench_v10141024.pth``: the macro networks."""

from collections.abc import Callable
from pathlib import Path

from nasrank.benchmarks.importers.imported import Imported
from nasrank.benchmarks.importers.transnas import imported_space, read_space, recognises
from nasrank.benchmarks.importers.transnas_cells import macro_graphs, macro_modules

__all__ = ["read", "recognises"]


def read(path: Path, *, on_progress: Callable[[int, int | None], None] | None = None) -> Imported:
    """Read the macro networks; the file is loaded once, as a whole.

    Args:
        path: ``transnas-bench_v10141024.pth``.
        on_progress: Called with the architectures read and their number, once per task.

    Returns:
        Space ``transnas-macro``, otherwise as `transnas.read`.

    Raises:
        DataError: The file is damaged, would need code to be executed, or has another form.
    """
    file = read_space(path, "macro")
    modules = []
    for row, text in enumerate(file.architectures):
        found = macro_modules(text)
        if found is None:
            raise file.error(row, "it is not a macro network such as 64-1234-basic")
        modules.append(found)
    return imported_space(
        file,
        space="transnas-macro",
        title="TransNAS-Bench-101 macro networks, seven vision tasks",
        graphs=macro_graphs(modules),
        drop=(),
        contract=(),
        on_progress=on_progress,
    )

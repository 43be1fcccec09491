"""``nasrank data proxies``: training-free proxies, computed ahead of the studies."""

import time
from typing import Annotated

import typer

from nasrank.cli.output import FormatOption, QuietOption, show_record

__all__ = ["EPILOG", "compute_space"]

EPILOG = "Example: nasrank data proxies nb201"


def compute_space(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="A space such as nb201, or one of its tasks.")
    ],
    *,
    quiet: QuietOption = False,
    output_format: FormatOption = "table",
) -> None:
    """Compute the training-free proxies of a space, and keep them in the cache.

    Every distinct architecture is built as a few small networks with random weights and scored
    without training: no label is used. Studies that use proxies do this themselves; this command
    does it ahead. Run it again to resume after an interruption. OMP_NUM_THREADS limits the number
    of cores.

    Keys of --format json, in answer: space, architectures, classes (distinct ones), proxies
    (numbers each), seconds (close to 0 where all were known), folder (where they are kept).
    """
    from nasrank.benchmarks import SPACES, load_task
    from nasrank.benchmarks.proxies import space_proxies
    from nasrank.cache import cache_folder
    from nasrank.cli.progress import CountBar

    if "/" not in space and space in SPACES:
        # Any dataset will do: the architectures are the same.
        space = f"{space}/{SPACES[space].datasets[0]}"
    loaded = load_task(space).space
    started = time.monotonic()
    total = loaded.classes
    known = 0
    with CountBar(f"proxies of {loaded.name}", quiet=quiet) as bar:

        def tell(done: int) -> None:
            nonlocal known
            known += done
            bar.update(known, total)

        bar.update(0, total)
        proxies = space_proxies(loaded.name, loaded.graphs, on_done=tell)
    show_record(
        "data proxies",
        {
            "space": loaded.name,
            "architectures": len(loaded),
            "classes": total,
            "proxies": proxies.shape[1],
            "seconds": round(time.monotonic() - started, 1),
            "folder": str(cache_folder() / "benchmarks"),
        },
        output_format,
    )

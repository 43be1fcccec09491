"""Give every reader hostile inputs, thousands of each, and write down what came of them.

    python tests/reliability/hostile_inputs.py --out results/reliability

Inputs are nasrank's own tables and files of every format, changed as in ``tests/hostile.py``. A
reader may read what it is given, or refuse it in one line. A reader that has a row is not given
anything again, unless something went wrong or ``--force`` is given.
"""

import argparse
import contextlib
import os
import resource
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import hostile

from nasrank.tables import Column, Table

HOSTILE = Table(
    "hostile-inputs",
    "What came of the hostile inputs of one reader",
    (
        Column("reader", "string", "", "The command, or the file that a function of it reads"),
        Column("inputs", "int64", "inputs", "Changed files and folders that it was given"),
        Column("refused", "int64", "inputs", "Those that it refused in one line; it read others"),
        Column("failures", "int64", "inputs", "A traceback, another code, or more than one line"),
        Column("code_run", "int64", "inputs", "Something that they say had been run afterwards"),
        Column("foreign_changed", "int64", "inputs", "A file of others had changed afterwards"),
        Column("slowest_seconds", "double", "s", "CPU time of the slowest"),
        Column("seconds", "double", "s", "CPU time of all"),
        Column("peak_mb", "double", "MB", "The most memory the process ever had"),
    ),
)

COMPARE = (
    "compare", "--tasks", "nb201/cifar10,nbgraph/cora", "--predictors", "ridge", "--losses",
    "mse,lr", "--n-train", "39,78", "--seeds", "6", "--device", "cpu",
)  # fmt: skip


def made(folder):
    """Let nasrank make the folders whose copies are changed."""
    found = {name: folder / name for name in ("compare", "budget")}
    for words in (
        (*COMPARE, "--out", found["compare"]),
        ("budget", "--results", found["compare"], "--out", found["budget"]),
    ):
        refused, wrong = hostile.typed([*words, "--quiet"])
        if refused or wrong:
            raise SystemExit(f"{' '.join(map(str, words))}: {wrong or 'refused'}")
    return found


def commands(folders, out):
    """Return by name the folder that is changed, and the words of the command for a copy."""
    compared = folders["compare"]
    quiet = ("--quiet", "--format", "json")
    return {
        "budget": (compared, lambda copy: ("budget", "--results", copy, "--out", out, *quiet)),
        "recommend": (
            compared, lambda copy: ("recommend", "--results", copy, "--out", out, *quiet),
        ),
        "check": (compared, lambda copy: ("check", copy, "--against", compared, "--out", out)),
        "check --against": (
            compared, lambda copy: ("check", compared, "--against", copy, "--out", out),
        ),
        "report": (compared, lambda copy: ("report", copy, "--out", out / "report.html")),
        "report of a budget": (
            folders["budget"], lambda copy: ("report", copy, "--out", out / "report.html"),
        ),
        "compare --only-cached": (
            compared, lambda copy: (*COMPARE, "--only-cached", "--quiet", "--out", copy),
        ),
    }  # fmt: skip


def attacks(folders, scratch):
    """Yield the name of each reader and a function of the number of inputs."""
    for name in hostile.FILES:
        yield name, 1.0, partial(hostile.attack_file, name, folder=scratch / f"of-{name}")
    for name in hostile.CHUNKED:
        yield (
            f"{name} in parts",
            1.0,
            partial(hostile.attack_file, name, folder=scratch / f"parts-{name}", chunked=True),
        )
    for name, (original, words) in commands(folders, scratch / "out").items():
        yield (
            name,
            0.5,
            partial(
                hostile.attack_folder,
                name,
                folder=scratch / name.replace(" ", "-"),
                original=original,
                arguments=words,
            ),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--inputs", type=int, default=800, help="of a file; half for a command")
    parser.add_argument("--only", default="", help="readers whose name holds this")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    path = given.out.absolute() / f"{HOSTILE.name}.parquet"
    rows = {}
    if path.exists() and not given.force:
        rows = {row["reader"]: row for row in HOSTILE.read(path)}
        rows = {
            name: row
            for name, row in rows.items()
            if not (row["failures"] or row["code_run"] or row["foreign_changed"])
        }
    with tempfile.TemporaryDirectory(prefix="nasrank-hostile-") as folder:
        scratch = Path(folder)
        os.environ["NASRANK_DATA"] = str(scratch / "data")
        with contextlib.chdir(scratch):
            folders = made(scratch / "made")
            for name, share, attack in attacks(folders, scratch):
                if name in rows or given.only not in name:
                    continue
                tally = attack(max(1, int(share * given.inputs)))
                rows[name] = {
                    "reader": name,
                    "inputs": tally.inputs,
                    "refused": tally.refused,
                    "failures": len(tally.failures),
                    "code_run": tally.code_run,
                    "foreign_changed": tally.foreign_changed,
                    "slowest_seconds": tally.slowest,
                    "seconds": tally.seconds,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
                print(rows[name], *tally.failures[:20], sep="\n", flush=True)  # noqa: T201
                HOSTILE.write(rows.values(), path, {"inputs": given.inputs})
    return int(any(row["failures"] or row["code_run"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())

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
import numpy as np

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

# Two spaces and two losses, or `recommend` has nothing to choose from.
COMPARE = (
    "compare", "--tasks", "nb201/cifar10,nbgraph/cora", "--predictors", "kernel", "--losses",
    "mse,listmle", "--n-train", "39,78", "--seeds", "6", "--device", "cpu",
)  # fmt: skip
SEARCH = (
    "search", "--tasks", "nbgraph/cora", "--seeds", "2", "--budget", "16", "--predictors", "ridge",
    "--acquisitions", "greedy",
)  # fmt: skip
RANK = ("rank", "--space", "own", "--predictor", "ridge")
EXPLAIN = ("explain", "--space", "own", "--predictors", "ridge", "--losses", "mse")

SHARES = {
    "compare --only-cached": 0.15, "search --only-cached": 0.25, "rank": 0.1,
    "rank of a space": 0.25, "explain of a space": 0.25,
}  # fmt: skip
"""Commands that take long, and how many of ``--inputs`` they get; others get half."""


def own_space(path):
    """Write a table of a user's own space: 60 evaluated, 60 candidates."""
    rng = np.random.default_rng(0)
    lines = ["id,depth,op,rate,label"]
    for item in range(60):
        depth, op, rate = item % 5 + 1, ("conv", "pool", "skip")[item % 3], 10.0 ** -(item % 4)
        lines.append(f"a{item},{depth},{op},{rate},{80 + depth + rng.random():.3f}")
        lines.append(f"b{item},{depth},{op},{rate / 2},")
    path.write_text("\n".join([*lines, ""]))


def made(folder):
    """Let nasrank make the folders whose copies are changed."""
    names = ("compare", "budget", "recommend", "search", "rank", "explain")
    found = {name: folder / name for name in names} | {"data": Path(os.environ["NASRANK_DATA"])}
    folder.mkdir()
    own_space(folder / "own.csv")
    results = ("--results", found["compare"])
    for words in (
        ("data", "import", "own", folder / "own.csv"),
        (*COMPARE, "--out", found["compare"], "--quiet"),
        ("budget", *results, "--out", found["budget"], "--quiet"),
        ("recommend", *results, "--out", found["recommend"], "--quiet"),
        (*SEARCH, "--out", found["search"], "--quiet"),
        (*RANK, "--out", found["rank"], "--quiet"),
        (*EXPLAIN, "--out", found["explain"], "--quiet"),
    ):
        refused, wrong = hostile.typed(words)
        if refused or wrong:
            raise SystemExit(f"{' '.join(map(str, words))}: {wrong or 'refused'}")
    return found


def commands(folders, out):
    """Return by name the folder that is changed, and the words of the command for a copy."""
    compared = folders["compare"]
    quiet = ("--quiet", "--format", "json")
    page = ("--out", out / "report.html")
    studies = {
        "budget": (compared, lambda copy: ("budget", "--results", copy, "--out", out, *quiet)),
        "recommend": (
            compared, lambda copy: ("recommend", "--results", copy, "--out", out, *quiet),
        ),
        "check": (compared, lambda copy: ("check", copy, "--against", compared, "--out", out)),
        "check --against": (
            compared, lambda copy: ("check", compared, "--against", copy, "--out", out),
        ),
        "compare --only-cached": (
            compared, lambda copy: (*COMPARE, "--only-cached", "--quiet", "--out", copy),
        ),
        "search --only-cached": (
            folders["search"], lambda copy: (*SEARCH, "--only-cached", "--quiet", "--out", copy),
        ),
        # Its own folder from before, which it may replace.
        "rank": (folders["rank"], lambda copy: (*RANK, "--quiet", "--out", copy)),
        "report --compare": (
            compared, lambda copy: ("report", compared, "--compare", copy, *page),
        ),
    }  # fmt: skip
    reports = {
        f"report of {name}": (folders[name], lambda copy: ("report", copy, *page))
        for name in ("compare", "budget", "recommend", "search", "rank", "explain")
    }
    return studies | reports


def of_data(out):
    """Return by name the words of each command that reads the data folder."""
    return {
        "data list": ("data", "list"),
        "data info": ("data", "info", "own/own"),
        "data verify": ("data", "verify", "own/own"),
        "rank of a space": (*RANK, "--quiet", "--out", out),
        "explain of a space": (*EXPLAIN, "--quiet", "--out", out),
    }


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
            SHARES.get(name, 0.5),
            partial(
                hostile.attack_folder,
                name,
                folder=scratch / name.replace(" ", "-"),
                original=original,
                arguments=words,
            ),
        )
    for name, words in of_data(scratch / "out").items():
        for told, alter in (("", hostile.changed_file), (", forged", hostile.forged)):
            yield (
                f"{name}{told}",
                SHARES.get(name, 0.5),
                partial(
                    hostile.attack_folder,
                    f"{name}{told}",
                    folder=scratch / f"{name}{told}".replace(" ", "-"),
                    original=folders["data"],
                    arguments=lambda _, words=words: words,
                    variable="NASRANK_DATA",
                    alter=alter,
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

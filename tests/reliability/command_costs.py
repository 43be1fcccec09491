"""What commands that train nothing cost: CPU time, memory, and what they import.

Each is typed three times in a process of its own, with a warm cache; the median counts.
``python tests/reliability/command_costs.py --out results/reliability`` writes a table, which
``make figures`` puts into docs/install.md.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from nasrank.tables import Table, flag, number, text

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "scipy", "pandas", "matplotlib")

COSTS = Table(
    "command-costs",
    "One command that trains nothing, or little, typed on a machine that knows its data",
    (
        text("command", "As it is typed"),
        number("cpu_seconds", "s", "CPU time of the process, median of three", better="lower"),
        number("peak_memory", "MiB", "Largest resident memory, median of three", better="lower"),
        *(flag(f"imports_{name}", f"Whether {name} is imported") for name in HEAVY),
    ),
)

COMMANDS = (
    "nasrank --help",
    "nasrank data list",
    "nasrank data info hpobench/car",
    "nasrank budget --losses mse,hr,listmle",
    "nasrank recommend",
    "nasrank compare --dry-run",
    "nasrank report {results}",
    "nasrank rank --space toy --predictor ridge",
    "nasrank rank --space toy",
)

RUN = """
import resource, sys, time
from nasrank.cli import run
sys.argv = ["nasrank", *sys.argv[1:]]
try:
    run()
except SystemExit:
    pass
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print()
print(time.process_time(), memory, *sys.modules)
"""


def table_of_trials(path: Path) -> None:
    """Write sixty trials with settings, and twenty without a label."""
    lines = ["lr,depth,optimizer,val_loss"]
    for number_ in range(80):
        lr, depth = 10 ** (-4 + 3 * (number_ * 0.618 % 1)), 2 + number_ * 5 % 8
        loss = "" if number_ >= 60 else f"{0.4 + 0.1 * depth / 10 + lr:.4f}"
        lines.append(f"{lr:.6f},{depth},{('adam', 'sgd')[number_ % 2]},{loss}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def typed(command: str, folder: Path) -> tuple[float, float, set[str]]:
    """Return CPU seconds, MiB and modules of one command."""
    words = shlex.split(command.format(results=ROOT / "results" / "losses" / "nbgraph"))[1:]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NASRANK_DATA": str(folder / "data")},
    )
    seconds, memory, *modules = done.stdout.splitlines()[-1].split()
    return float(seconds), float(memory), {*modules}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table_of_trials(folder / "toy.csv")
        typed("nasrank data import toy toy.csv --label val_loss", folder)
        for command in COMMANDS:
            typed(command, folder)  # so that nothing is left to compile or to cache
            found = [typed(command, folder) for _ in range(3)]
            rows.append(
                {
                    "command": command.replace("{results}", "FOLDER"),
                    "cpu_seconds": round(median(each[0] for each in found), 2),
                    "peak_memory": round(median(each[1] for each in found)),
                    **{f"imports_{name}": name in found[-1][2] for name in HEAVY},
                }
            )
            sys.stdout.write(f"{rows[-1]}\n")
    COSTS.write(rows, out / "command-costs.parquet")


if __name__ == "__main__":
    main()

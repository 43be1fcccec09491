"""Run the CI subset in a loop for long, killing it at random, and see that nothing grows.

    python tests/reliability/soak.py --minutes 20 --out results/reliability

Two processes work at once. One trains the subset again and again and is never disturbed: its
memory and open files have to stay flat. The other is killed at random moments and started again
until it is through; its tables then have to equal those of an undisturbed run.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from nasrank.tables import Column, Table, read_parquet

sys.path.insert(0, str(Path(__file__).parents[1]))

from untimed import untimed_tables

COMPARE = [sys.executable, "-m", "nasrank", "compare", "--subset", "ci", "--device", "cpu"]
COMPARE += ["--quiet"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

SOAK = Table(
    "soak",
    "One time through the subset of the process that is not disturbed",
    (
        Column("round", "int64", "", "Counted from 1"),
        Column("seconds", "double", "s", "Since the start of the soak"),
        Column("resident_mb", "double", "MB", "Its memory after the round"),
        Column("peak_mb", "double", "MB", "The most memory it ever had"),
        Column("open_files", "int64", "files", "Its open files after the round"),
        Column("kills", "int64", "", "Times the other process was killed until then"),
        Column("finished", "int64", "", "Times the other got through, with the same tables"),
    ),
)


def steady(folder, seeds):
    """Be the undisturbed process: a round after another, each written down."""
    from nasrank.questions.compare.options import CompareConfig
    from nasrank.study.conduct import conduct

    config = CompareConfig(**{**CompareConfig.subsets["ci"], "seeds": seeds}, device="cpu")
    while True:
        conduct(config, folder / "out", force=True)
        status = dict(
            line.split(":") for line in Path("/proc/self/status").read_text().splitlines()
        )
        look = {
            "resident_mb": int(status["VmRSS"].split()[0]) / 1024,
            "peak_mb": int(status["VmHWM"].split()[0]) / 1024,
            "open_files": len([*Path("/proc/self/fd").iterdir()]),
        }
        with (folder / "rounds").open("a") as file:
            file.write(json.dumps(look) + "\n")


class Disturbed:
    """The process that is killed again and again."""

    def __init__(self, command, seconds, folder, reference):
        self.command, self.seconds = command, seconds
        self.folder, self.reference = folder, reference
        self.chance = random.Random(0)
        self.kills = self.finished = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "--out", str(self.folder)],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
        )
        self.until = time.monotonic() + self.chance.uniform(0.1, 1.5) * self.seconds

    def look(self):
        code = self.process.poll()
        if code is None and time.monotonic() > self.until:
            self.process.kill()
            self.process.wait()
            self.kills += 1
            for path in self.folder.rglob("*.parquet"):
                read_parquet(path)
            self.start()
        elif code is not None:
            if code:
                raise SystemExit(f"the command ended with {code}")
            if untimed_tables(self.folder) != self.reference:
                raise SystemExit(f"the tables in {self.folder} differ from an undisturbed run's")
            if left := [*self.folder.rglob("*.part"), *self.folder.rglob("*.fleet")]:
                raise SystemExit(f"left behind: {left}")
            self.finished += 1
            shutil.rmtree(self.folder)
            self.start()

    def stop(self):
        self.process.kill()
        self.process.wait()


def watch(minutes, seeds, folder):
    """Return rows of :data:`SOAK`."""
    command, reference = [*COMPARE, "--seeds", str(seeds)], folder / "reference"
    undisturbed = subprocess.Popen(
        [sys.executable, __file__, "--steady", str(folder), "--seeds", str(seeds)],
        env=ENVIRONMENT,
    )
    # Beside the other process, as the kills will be.
    begun = time.monotonic()
    subprocess.run(
        [*command, "--out", str(reference)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.monotonic() - begun
    disturbed = Disturbed(command, seconds, folder / "disturbed", untimed_tables(reference))
    rounds = folder / "rounds"
    start, rows = time.monotonic(), []
    try:
        while (now := time.monotonic() - start) < 60 * minutes:
            time.sleep(1)
            if undisturbed.poll() is not None:
                raise SystemExit("the undisturbed process has ended")
            disturbed.look()
            looks = rounds.read_text().splitlines() if rounds.exists() else []
            rows += [
                {
                    "round": len(rows) + 1,
                    "seconds": now,
                    **json.loads(look),
                    "kills": disturbed.kills,
                    "finished": disturbed.finished,
                }
                for look in looks[len(rows) : len(rows) + 1]
            ]
    finally:
        disturbed.stop()
        undisturbed.kill()
        undisturbed.wait()
    return rows


def flat(rows):
    """Compare the second half of the rounds with the first, leaving out the very first round.

    At most 5 % more memory, and no more open files.
    """
    later = rows[1:]
    if len(later) < 4:
        raise SystemExit(f"too short to tell: {len(rows)} rounds")
    halves = later[: len(later) // 2], later[len(later) // 2 :]
    memory = [median(row["resident_mb"] for row in half) for half in halves]
    files = [max(row["open_files"] for row in half) for half in halves]
    last = rows[-1]
    print(  # noqa: T201
        f"memory {memory[0]:.0f} -> {memory[1]:.0f} MB, files {files[0]} -> {files[1]}; "
        f"{last['round']} rounds, {last['kills']} kills, {last['finished']} finished"
    )
    return memory[1] <= 1.05 * memory[0] and files[1] <= files[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=20, help="fewer for a short look")
    parser.add_argument("--out", type=Path, default=Path("results/reliability"))
    parser.add_argument("--steady", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.steady:
        steady(given.steady, given.seeds)
    with tempfile.TemporaryDirectory(prefix="nasrank-soak-") as scratch:
        rows = watch(given.minutes, given.seeds, Path(scratch))
    SOAK.write(rows, given.out / "soak.parquet", {"minutes": given.minutes, "seeds": given.seeds})
    if not flat(rows):
        raise SystemExit("memory or open files have grown")


if __name__ == "__main__":
    main()

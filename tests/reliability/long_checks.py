"""Run the tests that kill, fuzz and damage at length, and write down how it went.

    python tests/reliability/long_checks.py --out results/reliability

Each check is a test of the suite, which runs it in small; here an environment variable makes it
long. A check that has a row is not run again unless it failed or ``--force`` is given.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from nasrank.tables import Column, Table

LOG = logging.getLogger(__name__)

CHECKS = {
    "kills": ("NASRANK_KILLS=60", ["tests/questions/compare/test_crash_safety.py"]),
    "engines": ("", ["tests/study/test_engines.py"]),
    "command lines": (
        "NASRANK_FUZZ=1000",
        ["tests/cli/test_fuzz.py", "tests/cli/test_no_network.py"],
    ),
    "damaged files": ("NASRANK_MUTATIONS=2000", ["tests/benchmarks/importers"]),
    "gate": ("", ["tests/questions/check/test_study.py", "tests/questions/check/test_power.py"]),
}

LONG_CHECKS = Table(
    "long-checks",
    "One group of tests at length",
    (
        Column("check", "string", "", "What is tested"),
        Column("command", "string", "", "The command, typed in the repository's root"),
        Column("tests", "int64", "tests", "Tests that ran"),
        Column("failed", "int64", "tests", "Those of them that failed"),
        Column("skipped", "int64", "tests", "Tests that could not run here"),
        Column("seconds", "double", "s", "Wall clock"),
        Column("cpu_seconds", "double", "s", "CPU time of all its processes"),
        Column("load", "double", "1", "Load average of the last minute, before"),
    ),
)


def run(name):
    """Run one check and return its row."""
    setting, paths = CHECKS[name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if setting:
        key, _, value = setting.partition("=")
        environment[key] = value
    load, began, cpu = os.getloadavg()[0], time.perf_counter(), os.times()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *paths]
        subprocess.run([*command, f"--junit-xml={report}"], env=environment, check=False)
        suite = ET.parse(report).getroot()[0]  # noqa: S314 - our own file
    seconds = time.perf_counter() - began
    after = os.times()
    return {
        "check": name,
        "command": " ".join([*filter(None, [setting]), "python -m pytest", *paths]),
        "tests": int(suite.get("tests")) - int(suite.get("skipped")),
        "failed": int(suite.get("failures")) + int(suite.get("errors")),
        "skipped": int(suite.get("skipped")),
        "seconds": seconds,
        "cpu_seconds": sum(after[2:4]) - sum(cpu[2:4]),
        "load": load,
    }


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    path = options.out / f"{LONG_CHECKS.name}.parquet"
    rows = {}
    if path.exists() and not options.force:
        rows = {row["check"]: row for row in LONG_CHECKS.read(path) if not row["failed"]}
    for name in CHECKS:
        if name not in rows:
            rows[name] = run(name)
            known = [rows[check] for check in CHECKS if check in rows]
            LONG_CHECKS.write(known, path, {"command": "long_checks"})
        row = rows[name]
        LOG.info(
            "%s: %d tests, %d failed, %.0f s", name, row["tests"], row["failed"], row["seconds"]
        )
    return 1 if any(row["failed"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

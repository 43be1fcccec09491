"""Try nasrank with other versions of Python and packages, and where less is allowed.

    python tests/reliability/matrix.py --out results/reliability \
        --python /tmp/old/bin/python --python /tmp/py313/bin/python

Each Python that is named, with the packages installed for it, does what a newcomer does first:
compares, reports, describes a task, and runs the tests of tables. The Python that runs this does
the first of them as another user, on a read-only disk, without a home, optimised, with little
memory and few files, on one core, and with closed streams. Whatever the exit code, a traceback is
a failure. An environment whose rows are there, none of them a failure, is not tried again. What
is supported and was not tried has a row that says why.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nasrank.tables import Column, Table

MATRIX = Table(
    "matrix",
    "One command in one environment",
    (
        Column("environment", "string", "", "Versions of Python and packages"),
        Column("condition", "string", "", "What is less than usual, or nothing"),
        Column("command", "string", "", "The command"),
        Column("exit_code", "int64", "", "What it ended with", "it could not be tried here"),
        Column("verdict", "string", "", "works, refused in one line, fails, not to be had"),
        Column("seconds", "double", "s", "Wall clock", "it could not be tried here"),
        Column(
            "said", "string", "", "Its last line on stderr, or why it was not tried", "nothing"
        ),
    ),
)

ROOT = Path(__file__).parents[2]
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
"""Versions of Python that have to have rows."""
COMPARE = (
    "compare", "--tasks", "nb201/cifar10", "--predictors", "mlp", "--losses", "mse,listmle",
    "--n-train", "20", "--seeds", "2", "--device", "cpu", "--quiet", "--out", "{out}",
)  # fmt: skip
FIRST = (
    COMPARE,
    ("report", "{out}", "--out", "{out}/report.html"),
    ("data", "info", "nbgraph/cora"),
)
LIMIT = "sh -c '{what}; exec \"$@\"' x"
CONDITIONS = {
    "another user than root": "setpriv --reuid=65534 --regid=65534 --clear-groups",
    "read-only disk": LIMIT.format(what="mount -o remount,ro,bind /").join(["unshare -m ", ""]),
    "no home": "env -u HOME -u XDG_CACHE_HOME -u NASRANK_CACHE setpriv --reuid=54321 "
    "--regid=54321 --clear-groups",
    "4 GB of addresses": LIMIT.format(what="ulimit -v 4000000"),
    "40 open files": LIMIT.format(what="ulimit -n 40"),
    "files of 50 kB": LIMIT.format(what="ulimit -f 100"),
    "one core": "taskset -c 0",
    "closed stdin": LIMIT.replace('"$@"', '"$@" <&-').format(what=":"),
    "closed stdout": LIMIT.replace('"$@"', '"$@" >&-').format(what=":"),
    "closed stderr": LIMIT.replace('"$@"', '"$@" 2>&-').format(what=":"),
    "all streams closed": LIMIT.replace('"$@"', '"$@" <&- >&- 2>&-').format(what=":"),
}
"""Words before the command; those that this machine does not know are noted as not to be had."""

ABOUT = (
    "import json, platform; from importlib.metadata import version as v; print(json.dumps("
    "' '.join(['Python', platform.python_version(), *(f'{n} {v(n)}' for n in "
    "('numpy', 'pandas', 'pyarrow', 'torch'))])))"
)


def attempt(environment, condition, before, python, words, scratch):
    """Run one command; return its row."""
    place = scratch / f"{abs(hash((environment, condition)))}"
    place.mkdir(exist_ok=True)
    place.chmod(0o777)
    filled = [word.format(out=place / "out") for word in words]
    shown = " ".join(words).format(out="OUT")
    row = {"environment": environment, "condition": condition, "command": shown}
    program = shlex.split(before)
    if program and shutil.which(program[0]) is None:
        return not_tried(environment, condition, f"there is no {program[0]}") | {"command": shown}
    variables = {
        **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        "NASRANK_DATA": str(scratch / "data"), "NASRANK_CACHE": str(scratch / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    begun = time.perf_counter()
    with (scratch / "stderr").open("w") as errors:
        done = subprocess.run(
            [*program, *python, *filled], env=variables, cwd=place, check=False,
            stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
    printed = (scratch / "stderr").read_text(errors="replace").strip()
    verdict = "works" if done.returncode == 0 else "refused in one line"
    allowed = {0} if "pytest" in words else {0, 2, 4, 5}
    if "Traceback" in printed or done.returncode not in allowed:
        verdict = "fails"
    said = printed.splitlines()[-1][:300].replace(str(place), ".") if printed else None
    # Folders of the machine are no news.
    said = said and re.sub(r"(?<![.\w])/[\w./+-]+", "PATH", said)
    return row | {
        "exit_code": done.returncode,
        "verdict": verdict,
        "seconds": time.perf_counter() - begun,
        "said": said,
    }


def not_tried(environment, condition, why):
    """Return the row of what could not be tried here."""
    return {
        "environment": environment, "condition": condition, "command": "", "exit_code": None,
        "verdict": "not to be had", "seconds": None, "said": why,
    }  # fmt: skip


def environment_of(python):
    done = subprocess.run([python, "-c", ABOUT], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def attempts(pythons, scratch, known):
    """Yield a function that makes a row for each command of each environment and condition."""
    own = environment_of(sys.executable)
    run = [sys.executable, "-m", "nasrank"]
    if own not in known:
        for condition, before in CONDITIONS.items():
            yield lambda c=condition, b=before: attempt(own, c, b, run, COMPARE, scratch)
        optimised = [sys.executable, "-O", "-m", "nasrank"]
        yield lambda: attempt(own, "python -O", "", optimised, COMPARE, scratch)
    tried = set()
    for python in (sys.executable, *pythons):
        environment = environment_of(python)
        tried.add(environment)
        if environment in known:
            yield from (lambda r=row: r for row in known[environment])
            continue
        if environment is None:
            why = "it does not run, or lacks numpy, pandas, pyarrow or torch"
            yield lambda p=python, w=why: not_tried(str(p), "", w)
            continue
        for words in FIRST:
            yield lambda e=environment, p=python, w=words: attempt(
                e, "", "", [p, "-m", "nasrank"], w, scratch
            )
        tests = (
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            str(ROOT / "tests/test_tables.py"),
        )
        yield lambda e=environment, p=python, w=tests: attempt(e, "", "", [p], w, scratch)
    # Those that were tried elsewhere, or at another time.
    others = [each for each in known if each not in tried]
    for environment in others:
        yield from (lambda r=row: r for row in known[environment])
    environments = [each for each in (*tried, *others) if each]
    for version in SUPPORTED:
        if not any(each.startswith(f"Python {version}.") for each in environments):
            there = shutil.which(f"python{version}")
            why = f"python{version} is {there or 'not on this machine'}, and was not named"
            yield lambda v=version, w=why: not_tried(f"Python {v}", "", w)


def done_before(path):
    """Return the rows of a table by environment, of those in which all went well."""
    rows = [row for row in MATRIX.read(path) if row["command"]] if path.exists() else []
    failed = {row["environment"] for row in rows if row["verdict"] == "fails"}
    known = {}
    for row in rows:
        if row["environment"] not in failed:
            known.setdefault(row["environment"], []).append(row)
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--python", action="append", default=[], help="a further Python")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    path = given.out / f"{MATRIX.name}.parquet"
    known = {} if given.force else done_before(path)
    rows = []
    with tempfile.TemporaryDirectory(prefix="nasrank-matrix-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o777)
        for made in attempts(given.python, scratch, known):
            rows.append(made())
            print(rows[-1], flush=True)  # noqa: T201
            about = {"command": "tests/reliability/matrix.py"}
            shown = [{**row, "command": row["command"].replace(str(ROOT), ".")} for row in rows]
            MATRIX.write(shown, path, about)
    return int(any(row["verdict"] == "fails" for row in rows))


if __name__ == "__main__":
    sys.exit(main())

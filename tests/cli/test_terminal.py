"""In a real pseudo-terminal of any usual width every command shows whole figures."""

import contextlib
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).parents[2]
WIDE = 1000
WIDTHS = (WIDE, 80, 100, 120)
"""First one that has room for everything."""

MADE_AGAIN = (
    "losses/nbgraph", "search/nbgraph", "pr/ring", "ot/digits-weights", "hard/archs",
    "supcon/grid",
)  # fmt: skip
"""Folders of results whose commands are typed again; nothing is computed."""

OTHERS = """
budget --results losses/nbgraph --out b
recommend --results losses/nbgraph --n-train 78 --out r
check losses/nbgraph --against losses/nbgraph.parquet --out c
pr theory --out p
ot diagnose two-modes --out o
supcon theory --out s
data list
data info nbgraph/cora
env
"""


def commands():
    for folder in MADE_AGAIN:
        pages = ROOT.glob(f"results/{folder.split('/')[0]}/README.md")
        lines = [line for page in pages for line in page.read_text().splitlines()]
        (line,) = [each for each in lines if each.endswith(f"--out results/{folder}")]
        yield [*shlex.split(line)[1:-1], folder, "--only-cached", "--any-code"]
    yield from (shlex.split(line) for line in OTHERS.strip().splitlines())


CHILD = """
import fcntl, json, struct, sys, termios
import nasrank.cli.command as command
from nasrank.cli import run

command._draw = lambda *_: ""
commands, widths = json.loads(sys.argv[1])
for words in commands:
    for width in widths:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        print(f"@@@ {width} {' '.join(words[:2])}")
        sys.argv = ["nasrank", *words]
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code or 0
        print(f"@@@ code {code}")
"""


def sections(text):
    """What each command printed, by its width and its first words."""
    parts = re.split(r"^@@@ (.*)$", text, flags=re.MULTILINE)[1:]
    for title, body, _, code in zip(
        parts[::4], parts[1::4], parts[2::4], parts[2::4], strict=True
    ):
        assert code == "code 0", (title, body)
        yield title, body.strip("\n").splitlines()


def run_in_terminal(typed, folder):
    """Run commands in a child whose stdout is a terminal that it resizes itself."""
    parent, child = pty.openpty()
    argument = json.dumps([typed, WIDTHS])
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    said = folder / "stderr"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, argument],
            cwd=folder, stdout=child, stderr=stderr, env=environment,
        )  # fmt: skip
    os.close(child)
    chunks = []
    # A terminal whose other end is gone raises; that is how its output ends.
    with contextlib.suppress(OSError):
        while chunk := os.read(parent, 65536):
            chunks.append(chunk)
    os.close(parent)
    assert process.wait() == 0, said.read_text()
    return b"".join(chunks).decode().replace("\r\n", "\n")


def figures(lines):
    return set(re.findall(r"[0-9][0-9.,e+-]*", " ".join(lines)))


@pytest.mark.long
def test_every_command_at_every_width(tmp_path, warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    for folder in MADE_AGAIN:
        shutil.copytree(ROOT / "results" / folder, tmp_path / folder)
    typed = list(commands())
    baseline = ["check", "losses/nbgraph", "--against", "losses/nbgraph.parquet", "--update"]
    subprocess.run(
        [sys.executable, "-m", "nasrank", *baseline], cwd=tmp_path, check=True, capture_output=True
    )
    whole: dict[str, set[str]] = {}
    wrong = []
    for title, lines in sections(run_in_terminal(typed, tmp_path)):
        width, _, name = title.partition(" ")
        known = whole.setdefault(name, figures(lines))
        wrong += [f"{title}: {line!r}" for line in lines if cell_len(line) > int(width)]
        # A figure that is cut is one that the whole table does not hold.
        wrong += [f"{title}: {each}" for each in sorted(figures(lines) - known)]
    assert len(whole) == len(typed)
    assert not wrong, "\n".join(wrong)

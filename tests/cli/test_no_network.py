"""Nothing but a download and a Dask cluster opens a connection or asks for a name's address."""

import json
import os
import subprocess
import sys

import pytest

CHILD = """
import contextlib, io, json, socket, sys

asked = []

def refuse(name):
    def refused(*arguments, **options):
        asked.append(f"{name} {arguments[-1] if arguments else options}")
        raise OSError(f"a test forbids {name}")
    return refused

for name in ("connect", "connect_ex", "sendto", "sendmsg", "bind"):
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection"):
    setattr(socket, name, refuse(name))

from command_tree import COMMANDS
from nasrank.cli import run

def type_in(*line):
    sys.argv = ["nasrank", *line]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return run()
        except SystemExit as leaving:
            return leaving.code or 0

lines = json.load(sys.stdin)
lines += [[*name.split(), "--help"] for name in COMMANDS]
codes = [(line, type_in(*line)) for line in lines]
ASKING
print(json.dumps({"asked": asked, "codes": codes}))
"""

OWN = """id,operations,edges,label
a,input;conv;output,0-1;1-2,93.1
b,input;pool;output,0-1;1-2,91.7
"""
SMALL = ["--losses", "mse,hr", "--n-train", "20", "--seeds", "2", "--device", "cpu"]


@pytest.fixture
def in_child(tmp_path, warm_cache):
    def run(lines, asking="pass"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD.replace("ASKING", asking)],
            input=json.dumps(lines),
            env={
                **os.environ,
                "NASRANK_CACHE": str(warm_cache),
                "NASRANK_DATA": str(tmp_path / "data"),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    return run


@pytest.mark.long
def test_no_command_opens_a_connection(in_child, tmp_path):
    own, out, baseline = tmp_path / "own.csv", tmp_path / "out", tmp_path / "baseline.parquet"
    own.write_text(OWN)
    lines = [
        ["--version"],
        ["env"],
        ["data", "list"],
        ["data", "list", "--every-metric"],
        ["data", "info", "nb201/cifar10"],
        ["data", "path"],
        ["data", "import", "my-own", str(own)],
        ["data", "verify"],
        ["compare", *SMALL, "--out", str(out)],
        ["compare", *SMALL, "--out", str(out), "--only-cached", "--quiet"],
        ["compare", *SMALL, "--out", str(out), "--force", "--engine", "processes", "--jobs", "2"],
        ["compare", *SMALL, "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--dry-run"],
        ["compare", "--subset", "full", "--dry-run"],
        ["check", str(out), "--against", str(baseline), "--update"],
        ["check", str(out), "--against", str(baseline)],
    ]
    done, stderr = in_child(lines)
    assert done["asked"] == []
    assert [line for line, code in done["codes"] if code != 0] == [], stderr


@pytest.mark.slow
def test_a_dask_cluster_is_connected_to(in_child, tmp_path):
    line = ["compare", *SMALL, "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1"]
    done, _ = in_child([[*line, "--out", str(tmp_path)]])
    assert done["codes"][0][1] == 4
    assert done["asked"]


def test_a_connection_would_be_noticed(in_child):
    asking = (
        "import contextlib, urllib.request\n"
        "with contextlib.suppress(OSError): urllib.request.urlopen('http://example.org')\n"
        "with contextlib.suppress(OSError): socket.socket().connect(('192.0.2.1', 80))"
    )
    done, _ = in_child([], asking)
    assert len(done["asked"]) == 2
    assert "192.0.2.1" in done["asked"][1]

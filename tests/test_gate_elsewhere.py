"""The gate of docs/ci.md in a repository that is not ours: as a workflow, and as a hook."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
OURS = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Model" in b)
WORKFLOW, HOOKS = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
BASH = shutil.which("bash")
FEWER = "--seeds 6 "
"""Enough for a difference this large, and a third of the time."""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A git repository with a predictor and its baseline, and an environment with nasrank."""
    folder = tmp_path_factory.mktemp("elsewhere")
    tools = tmp_path_factory.mktemp("bin")
    command = tools / "nasrank"
    # Stands for what pip puts there.
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m nasrank "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    (folder / "ours.py").write_text(OURS)
    typed(folder, environment, "git init -q . && git add . ")
    first, update, _ = re.search(r"```console\n(.*?)```", PAGE, re.DOTALL)[1].strip().splitlines()
    for line in (first, update):
        done = typed(folder, environment, line)
        assert done.returncode == 0, done.stderr
    return folder, environment


def typed(folder, environment, line):
    line = line.replace("--subset ci ", f"--subset ci {FEWER}")
    return subprocess.run(
        [BASH, "-c", line], capture_output=True, text=True, check=False, cwd=folder,
        env=environment,
    )  # fmt: skip


def workflow(folder, environment):
    """Do what the workflow's steps do, after nasrank is installed; stop where one fails."""
    lines = [step["run"] for step in WORKFLOW["jobs"]["gate"]["steps"] if "run" in step]
    install, *rest = lines
    assert 'pip install "nasrank @ git+$NASRANK"' in install
    for line in rest:
        done = typed(folder, environment, line)
        if done.returncode:
            break
    return done


def hook(folder, environment):
    """Do what pre-commit does: the entry of the hook with the arguments of the configuration."""
    (declared,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (asked,) = HOOKS["repos"][0]["hooks"]
    assert asked["id"] == declared["id"]
    return typed(folder, environment, f"{declared['entry']} {shlex.join(asked['args'])}")


@pytest.mark.long
def test_the_gate_passes_where_nothing_changed_and_fails_where_it_is_worse(scratch):
    folder, environment = scratch
    done = workflow(folder, environment)
    assert done.returncode == 0, done.stderr
    assert "held" in done.stdout
    # As if the order of labels were lost on the way.
    (folder / "ours.py").write_text(OURS.replace("(y - self.mean)", "(y[::-1] - self.mean)"))
    for gate in (workflow, hook):
        done = gate(folder, environment)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "worse, decides" in done.stdout
    (folder / "ours.py").write_text(OURS)
    done = hook(folder, environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_the_gate_fails_where_it_is_slower_or_takes_more_memory_than_it_did(scratch):
    folder, environment = scratch
    (folder / "ours.py").write_text(OURS)
    typed(folder, environment, "git add . && git -c user.name=a -c user.email=b commit -qm first")
    typed(folder, environment, "git update-ref refs/remotes/origin/main HEAD")
    (block,) = (b for b in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "--max-slower" in b)
    # As the machine of a test is a busy one.
    block = block.replace("--max-slower 1.5", "--max-slower 3")
    done = typed(folder, environment, block)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "ours.py").write_text(
        OURS.replace("self.mean = y.mean()", "self.mean = y.mean() + 0 * np.ones(2**26).mean()")
        .replace("import numpy as np", "import time\n\nimport numpy as np")
        .replace("return self\n", "time.sleep(2)\n        return self\n")
    )
    typed(folder, environment, WORKFLOW["jobs"]["gate"]["steps"][3]["run"])
    done = typed(folder, environment, block)
    assert done.returncode == 3, done.stdout + done.stderr
    *_, line = done.stderr.splitlines()
    assert "times the time of ./before.py:Model" in line
    assert "times the memory of ./before.py:Model" in line

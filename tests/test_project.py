"""What stands around the code: workflows, hooks, templates, container, extras."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from nasrank.errors import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = [
    *sorted((ROOT / ".github").rglob("*.yml")),
    *sorted(ROOT.glob(".pre-commit-*.yaml")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_other_tools_can_be_read(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def test_workflows_and_container_install_and_make_what_there_is():
    extras = set(PROJECT["optional-dependencies"])
    texts = [path.read_text() for path in (*FILES, ROOT / "Dockerfile", ROOT / "docs/install.md")]
    asked = {each for text in texts for group in re.findall(r"[./e]\[([a-z,]+)\]", text)
             for each in group.split(",")}  # fmt: skip
    assert {"all", "dev", "docs"} <= asked <= extras
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {each for text in texts for each in re.findall(r"run: make ([a-z]+)", text)}
    assert {"check"} <= made <= targets
    entrypoint = re.search(r"ENTRYPOINT \[\"(\w+)\"\]", (ROOT / "Dockerfile").read_text())
    assert entrypoint[1] in PROJECT["scripts"]


def test_hooks_run_what_developers_install():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    tools = {re.match(r"[\w-]+", each)[0] for each in PROJECT["optional-dependencies"]["dev"]}
    assert {shlex.split(hook["entry"])[0] for hook in hooks} <= tools


def test_errors_name_the_packages_of_extras():
    # Not the extra: no package index has nasrank, so it cannot be asked for there.
    extras = PROJECT["optional-dependencies"]
    assert set(EXTRAS) == set(extras) - {"all", "dev", "docs"}
    for extra, packages in EXTRAS.items():
        # XGBoost has a package of its own without CUDA, for Linux.
        brought = [re.match(r"[\w-]+", each)[0].removesuffix("-cpu") for each in extras[extra]]
        assert packages.split() == list(dict.fromkeys(brought))
    assert extras["all"] == [f"nasrank[{','.join(sorted(set(EXTRAS) - {'peers'}))}]"]


def test_supported_versions_of_python_are_tested():
    classified = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: 3." in each}
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    assert set(workflow["jobs"]["check"]["strategy"]["matrix"]["python"]) == classified
    assert PROJECT["requires-python"] == f">={min(classified)}"

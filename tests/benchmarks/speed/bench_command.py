"""Start of the command line, a process of its own each time."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [[], ["compare"], ["data", "info"]], ids=" ".join)
def test_help(benchmark, arguments):
    command = [sys.executable, "-m", "nasrank", *arguments, "--help"]
    benchmark(subprocess.run, command, capture_output=True, check=True)


@pytest.mark.parametrize("module", ["nasrank.benchmarks", "nasrank.runs.train"])
def test_import(benchmark, module):
    benchmark(subprocess.run, [sys.executable, "-c", f"import {module}"], check=True)

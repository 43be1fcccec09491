"""The toy study, for all tests of what every study does."""

import importlib.util
from pathlib import Path

import pytest

PLACE = Path(__file__).with_name("toy.py")


@pytest.fixture(scope="module")
def toy():
    specification = importlib.util.spec_from_file_location("toy_study", PLACE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module

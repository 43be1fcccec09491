"""What the companions share of their options."""

import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import UsageError

SAID = (
    "--data archs:nb201/cifar10: architectures are data of nasrank hard. Use that or, for lists "
    "of candidates, nasrank compare --lambdas"
)


@pytest.mark.parametrize("companion", ["pr", "ot", "supcon"])
def test_architectures_are_refused_by_all_but_hard(companion, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [companion, "train", "--data", "archs:nb201/cifar10"]
    for more in ([], ["--dry-run"]):
        done = CliRunner().invoke(app, [*words, *more])
        assert isinstance(done.exception, UsageError)
        assert done.exception.exit_code == 2
        assert str(done.exception) == SAID
    assert list(tmp_path.iterdir()) == []

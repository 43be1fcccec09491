"""Studies as functions: what the command does, by name, with nothing imported too early."""

import inspect
import subprocess
import sys

import pytest

import nasrank as nr
from nasrank.api import StudyFunction
from nasrank.errors import UsageError
from nasrank.studies import STUDIES, config_of
from nasrank.study.options import shown_as

FUNCTIONS = [name for name in nr.__all__ if name in STUDIES]
HEAVY = {"numpy", "torch", "pydantic", "pandas", "pyarrow", "scipy", "typer", "rich"}


@pytest.mark.usefixtures("quick")
def test_a_comparison_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = nr.compare(losses=["mse", "listmle"], n_train=[39], seeds=3)
    summary = found.frame("summary")
    tau = summary[summary["metric"] == "kendall_tau"]
    assert list(tau["loss"]) == ["mse", "listmle"]
    assert set(tau["n_seeds"]) == {3}
    assert list(found.frame()["loss"]) == ["mse", "listmle"]
    assert found.computed == 6
    # Where the command itself would put it, and look for it.
    assert (tmp_path / "nasrank-out" / "compare" / "summary.parquet").exists()
    again = nr.compare(losses=["mse", "listmle"], n_train=[39], seeds=3, only_cached=True)
    assert (again.computed, again.tables) == (0, found.tables)
    with pytest.raises(UsageError, match=r"unknown table 'sumary'\. Did you mean 'summary'\?"):
        found.frame("sumary")


def test_importing_takes_next_to_nothing():
    code = (
        "import sys, time; before = time.process_time(); import nasrank; "
        "print(time.process_time() - before, *sys.modules)"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        seconds, *modules = done.stdout.split()
        assert not HEAVY & set(modules)
        spent.append(float(seconds))
    # Whatever else the machine does, once in three it is not held up.
    assert min(spent) < 0.05


def test_compare_is_there():
    assert "compare" in FUNCTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_options_of_its_command(name):
    function = getattr(nr, name)
    assert isinstance(function, StudyFunction)
    config = config_of(name)
    parameters = inspect.signature(function).parameters
    assert set(config.model_fields) < set(parameters)
    assert {"out", "only_cached", "force"} < set(parameters)
    by_place = {key for key, field in config.model_fields.items() if shown_as(field)["argument"]}
    assert by_place == {
        each.name
        for each in parameters.values()
        if each.kind is not inspect.Parameter.KEYWORD_ONLY
    }
    assert inspect.getdoc(function).splitlines()[0] == config.__doc__.splitlines()[0]
    assert repr(function) == f"<nasrank {name}>"


def test_what_is_typed_wrongly_is_said_as_the_command_says_it(tmp_path):
    for options, message in (
        ({"loses": ["mse"]}, "unknown option 'loses'. Did you mean 'losses'?"),
        ({"seeds": 0}, "--seeds 0"),
        ({"split": "clas"}, "unknown split 'clas'. Did you mean 'class'?"),
        ({"subset": "cii"}, "unknown subset 'cii'. Did you mean 'ci'?"),
    ):
        with pytest.raises(UsageError) as caught:
            nr.compare(out=tmp_path / "out", **options)
        assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_losses_predictors_and_tasks_are_there(load):
    assert "listmle" in nr.LOSSES
    assert "gnn" in nr.PREDICTORS
    assert nr.load_task("nb201/cifar10").name == "nb201/cifar10"
    assert set(nr.__all__) == set(dir(nr))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = nr.nothing

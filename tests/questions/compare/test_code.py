"""Results belong to the code that made them: after a change nothing old is used."""

import json
import shutil
import sys
import textwrap

import pyarrow.parquet as pq
import pytest

from nasrank.errors import NothingToCompare, UsageError
from nasrank.losses import LOSSES
from nasrank.predictors import PREDICTORS
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs import code as run_code
from nasrank.study import conduct as conduct_module
from nasrank.study.conduct import conduct, estimate
from nasrank.tables import about_of, read_schema

LOSS = """
    import torch


    def crooked_loss(scores, labels, *, where=None, reduction="mean"):
        values = (scores - SIGN * labels).square().mean(-1)
        return values.mean() if reduction == "mean" else values
"""


@pytest.fixture(autouse=True)
def _forget(load, monkeypatch):
    # As in a new process, which reads every source once.
    monkeypatch.setattr(run_code, "_digest", run_code._digest.__wrapped__)
    compare = conduct_module.study_of(CompareConfig())
    runs = compare.runs
    object.__setattr__(runs, "code", lambda run: run_code.code_of(run.predictor, run.loss))


@pytest.fixture
def own_loss(tmp_path, monkeypatch):
    """A loss in a file of the user's, and what writes it again."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(sign):
        text = textwrap.dedent(LOSS).replace("SIGN", sign)
        (tmp_path / "my_losses.py").write_text(text)

    write("+1")
    LOSSES.register("crooked", target="my_losses:crooked_loss")
    yield write
    sys.modules.pop("my_losses", None)
    for registered in (LOSSES._objects, LOSSES._origins):
        registered.pop("crooked", None)


def config(**changes):
    usual = {"losses": ("mse",), "n_train": (20,), "seeds": 2, "device": "cpu"}
    return CompareConfig(**{"predictors": ("mlp",)} | usual | changes)


def test_an_own_loss_that_changes_is_trained_again(own_loss, tmp_path):
    asked = config(losses=("mse", "crooked"))
    out = tmp_path / "out"
    assert conduct(asked, out).computed == 4
    assert conduct(asked, out).computed == 0
    own_loss("-1")
    assert estimate(asked, out).finished == 2
    assert conduct(asked, out).computed == 2


def test_results_of_other_code_are_shown_on_request_and_marked(own_loss, tmp_path):
    asked = config(losses=("mse", "crooked"))
    out = tmp_path / "out"
    before = conduct(asked, out).tables["runs"]
    own_loss("-1")
    few = conduct(asked, out, only_cached=True)
    assert {row["loss"] for row in few.tables["runs"]} == {"mse"}
    (told,) = few.left_out
    assert "2 of 4 runs are missing" in told
    assert "2 of them because other code computed them. Add --any-code" in told
    every = conduct(asked, out, only_cached=True, any_code=True)
    assert every.tables["runs"] == before
    assert "2 of 4 runs were computed by other code" in every.notes[0]
    made = json.loads((out / "run.json").read_text())["code"]
    assert made["mlp crooked"] is None
    assert len(made["mlp mse"]) == 16
    assert about_of(read_schema(out / "runs.parquet"))["code"] == made
    # They are not taken for results of this code later on.
    assert conduct(asked, out).computed == 2


def test_where_all_is_of_other_code_the_message_says_so(own_loss, tmp_path):
    asked = config(losses=("crooked",))
    conduct(asked, tmp_path / "out")
    own_loss("-1")
    with pytest.raises(NothingToCompare, match="add --any-code to see 2 of other code"):
        conduct(asked, tmp_path / "out", only_cached=True)
    with pytest.raises(UsageError, match="Add --only-cached"):
        conduct(asked, tmp_path / "out", any_code=True)


@pytest.mark.parametrize(
    "module", ["nasrank.predictors.recipe", "nasrank.losses.preparation", "nasrank.metrics.tau"]
)
def test_a_change_of_what_surrounds_a_run_is_noticed(module, tmp_path, monkeypatch):
    out = tmp_path / "out"
    conduct(config(), out)
    whole = run_code.source_digest
    seen = []

    def changed(modules, within, **how):
        seen.append(any(module == w or module.startswith(f"{w}.") for w in within))
        return whole(modules, within, **how)[::-1]

    monkeypatch.setattr(run_code, "source_digest", changed)
    assert estimate(config(), out).finished == 0
    assert all(seen)


def test_an_own_predictor_that_changes_is_trained_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from nasrank.predictors.networks import MLPPredictor\n\n\nclass Mine(MLPPredictor):\n"
    )
    (tmp_path / "my_models.py").write_text(f"{source}    sign = 1\n")
    PREDICTORS.register("mine", target="my_models:Mine")
    try:
        asked = config(predictors=("mine",))
        assert conduct(asked, tmp_path / "out").computed == 2
        (tmp_path / "my_models.py").write_text(f"{source}    sign = -1\n")
        assert estimate(asked, tmp_path / "out").finished == 0
    finally:
        for registered in (PREDICTORS._objects, PREDICTORS._origins):
            registered.pop("mine", None)


def test_final_tables_without_runs_know_their_code(tmp_path):
    out = tmp_path / "out"
    conduct(config(), out)
    shutil.rmtree(out / "runs.d")
    (out / "run.json").unlink()
    assert conduct(config(), out, only_cached=True).left_out == ()
    for path in out.glob("*.parquet"):
        table = pq.read_table(path)
        about = about_of(table.schema)
        del about["code"]
        told = {**table.schema.metadata, b"nasrank.about": json.dumps(about).encode()}
        pq.write_table(table.replace_schema_metadata(told), path)
    with pytest.raises(NothingToCompare):
        conduct(config(), out, only_cached=True)
    assert len(conduct(config(), out, only_cached=True, any_code=True).tables["runs"]) == 2

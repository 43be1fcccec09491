"""``nasrank losses``, ``predictors``, ``metrics``: what can be named."""

import json

import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.cli.command import command_of
from nasrank.losses import LOSSES
from nasrank.predictors import PREDICTORS
from nasrank.questions.describe.names import details, listed
from nasrank.registry import Registry
from nasrank.runs.tables import METRICS
from nasrank.studies import STUDIES, config_of
from nasrank.study.options import shown_as


def typed(*words):
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_name_is_listed_with_its_idea_options_and_origin():
    rows = {row["name"]: row for row in listed("losses")}
    assert list(rows) == LOSSES.names()
    assert rows["hr"]["options"] == "margin=0.1"
    assert all(row["idea"] and row["origin"] and row["family"] for row in rows.values())
    rows = {row["name"]: row for row in listed("predictors")}
    assert list(rows) == PREDICTORS.names()
    assert rows["kernel"]["loss"] == "any"
    assert rows["trees"]["loss"] == PREDICTORS["trees"].own_loss
    assert "`" not in "".join(row["idea"] for row in rows.values())
    names = [row["name"] for row in listed("metrics")]
    assert set(names) >= {column.name for column in METRICS}


@pytest.mark.parametrize("kind", ["losses", "predictors", "metrics"])
def test_all_of_one_name_is_shown(kind):
    for row in listed(kind):
        record = details(kind, row["name"])
        assert record["about"]
        assert ", ".join(each["option"] for each in record["option"]) == record["options"]


def test_a_command_lists_and_shows_in_full():
    assert "listmle" in typed("losses")
    shown = typed("losses", "warp")
    assert LOSSES.entry("warp").reference in shown
    assert "margin=1" in shown
    # Paragraphs are broken where they are shown, and not where the source breaks them too.
    assert all("\n" not in part for part in details("losses", "listmle")["about"].split("\n\n"))
    answer = json.loads(typed("losses", "hr(margin=0.5)", "--format", "json"))["answer"]
    assert answer["name"] == "hr"
    assert answer["option"] == [{"option": "margin=0.1", "value": "a number above 0"}]


def test_own_code_is_shown_with_what_could_not_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nasrank.own._trusted", set())
    (tmp_path / "mine.py").write_text(
        "def loss(scores, labels, power=2, table=()):\n    'A power.'\n    return scores.sum()\n"
    )
    shown = typed("losses", "./mine.py:loss")
    assert shown.count("A power.") == 1
    assert "table (not readable)" in shown
    done = CliRunner().invoke(app, ["losses", "./mine.py:lost"])
    assert "Did you mean 'loss'?" in str(done.exception)
    done = CliRunner().invoke(app, ["metrics", "kendal_tau"])
    assert "Did you mean 'kendall_tau'?" in str(done.exception)


def test_options_that_name_things_complete_them_and_say_where_they_are_listed():
    found = 0
    for command in STUDIES:
        config = config_of(command)
        helps = {each.name: each for each in command_of(config).__signature__.parameters.values()}
        for name, field in config.model_fields.items():
            registry = shown_as(field)["names"]
            if registry is None:
                continue
            assert isinstance(registry, Registry)
            found += 1
            info = helps[name].annotation.__metadata__[0]
            assert f"nasrank {registry.plural}" in info.help
            some = registry.names()[:1]
            assert not some or set(some) <= set(info.autocompletion(some[0]))
    assert found >= 7

"""Warnings of what will hurt, each with the number it is about."""

from dataclasses import replace

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.questions.describe.cautions import cautions


@pytest.fixture
def sound(make_task):
    """Three hundred different architectures with labels without ties."""
    return make_task(classes=300, twins=1)


def kinds(task, ceiling=None, replicate=None):
    found = cautions(task, replicate, ceiling)
    assert all(each["text"] and "\n" not in each["text"] for each in found)
    return {each["kind"]: each for each in found}


def relabelled(task, labels):
    return replace(task, values=np.asarray(labels, float)[:, None])


def test_a_sound_task_has_none(sound):
    assert cautions(sound, 0.9, 0.95) == []
    assert cautions(sound, None, None) == []


def test_constant_labels(sound):
    found = kinds(relabelled(sound, np.full(300, 7.0)))
    assert found["constant"]["value"] == 7
    assert "all 300 labels are 7" in found["constant"]["text"]
    assert "ties" not in found


def test_few_labels(make_task):
    found = kinds(make_task(classes=99, twins=1))
    assert found["few_labels"]["value"] == 99
    # At most 79 to train on; 20 to test: sqrt(2 * 45 / (9 * 20 * 19)) = 0.162.
    assert (
        "at most 79 can be trained on, and on 20 test items tau scatters by 0.16"
        in (found["few_labels"]["text"])
    )
    assert found["small_space"]["value"] == 99
    found = kinds(make_task(classes=21, twins=1))
    assert "too few to train on 2 and test on 20" in found["few_labels"]["text"]


def test_noise(make_task):
    task = make_task(classes=300, twins=1, replicates=2)
    assert "noise" not in kinds(task, 0.93)
    found = kinds(task, 0.61, 0.4)
    assert found["noise"]["value"] == 0.61
    assert "disagree about their order (tau 0.40): expect no" in found["noise"]["text"]
    assert "above a tau of 0.61. Train" in found["noise"]["text"]


def test_failed_trainings(sound):
    labels = 90 + np.arange(300) / 100
    labels[:5] = 10
    task = relabelled(sound, labels)
    found = kinds(task)
    assert found["failed"]["value"] == 5
    assert "5 labels (1.7 %) lie far below the rest, past" in found["failed"]["text"]
    assert "up to 10:" in found["failed"]["text"]
    assert "5 of them near chance (10)" in kinds(replace(task, chance=10.0))["failed"]["text"]


def test_failed_where_less_is_better(sound):
    labels = 1 + np.arange(300) / 1000
    labels[7] = 50
    metric = replace(sound.metric, higher_is_better=False)
    found = kinds(replace(relabelled(sound, labels), metric=metric))
    assert found["failed"]["value"] == 1
    assert "lie far above the rest" in found["failed"]["text"]
    assert "up to 50" in found["failed"]["text"]
    labels[7] = -50
    assert "failed" not in kinds(replace(relabelled(sound, labels), metric=metric))


def test_ties(sound):
    found = kinds(relabelled(sound, np.arange(300) % 10))
    # Ten values of thirty each: 10 * 435 of 44,850 pairs.
    assert found["ties"]["value"] == pytest.approx(4350 / 44850)
    assert "9.7 % of pairs share a label (only 10 values differ)" in found["ties"]["text"]


def test_twins_and_candidates(make_task):
    task = make_task(classes=300, twins=2)
    found = kinds(task)
    assert found["twins"]["value"] == 300
    assert "300 architectures (50 %) compute the same" in found["twins"]["text"]
    values = task.values.copy()
    values[:30] = np.nan
    found = kinds(replace(task, values=values))
    assert found["unlabelled"]["value"] == 30
    assert "30 architectures (5 %) have no label" in found["unlabelled"]["text"]


def test_a_group_of_more_than_half(sound):
    groups = np.where(np.arange(300) < 200, 1, -1)
    found = kinds(replace(sound, group_of=groups))
    assert found["large_group"]["value"] == 200
    assert "one group has 200 of 300" in found["large_group"]["text"]
    assert "large_group" not in kinds(replace(sound, group_of=np.arange(300) // 10))


def test_an_attribute_that_never_changes(sound):
    graphs = sound.space.graphs
    table = np.full((*graphs.operations.shape, 2), 3.0, np.float32)
    table[5, 1, 0] = 4
    graphs = replace(graphs, attributes=table, attribute_names=("width", "kernel"))
    task = replace(sound, space=replace(sound.space, graphs=graphs))
    found = kinds(task)
    assert found["constant_attribute"]["value"] == 3
    assert "the attribute kernel is the same everywhere" in found["constant_attribute"]["text"]


def test_failed_trials_are_counted_and_no_candidates(sound):
    values = sound.values.copy()
    values[:40] = np.nan
    failed = np.zeros(300, bool)
    failed[:30] = True
    found = kinds(replace(sound, values=values, failed=failed))
    assert found["failed_trials"]["value"] == 30
    assert "30 trainings failed (10 % of those tried)" in found["failed_trials"]["text"]
    assert found["unlabelled"]["value"] == 10


def test_replicates_of_settings_are_no_waste(make_task):
    task = make_task(classes=150, twins=2)
    assert "do not spend labels on both" in kinds(task)["twins"]["text"]
    settings = Settings((Setting("lr", "number"),), np.arange(150.0)[:, None])
    graphs = GraphBatch.of_settings(settings)
    alone = replace(task, space=replace(task.space, graphs=graphs))
    text = kinds(alone)["twins"]["text"]
    assert "have the settings of an earlier one, as replicates do: keep --split class" in text
    assert "graph" not in text

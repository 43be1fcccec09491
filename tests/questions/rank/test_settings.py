"""A space of settings from a table to a list: neighbours, effects, pools, unknown levels."""

import csv

import numpy as np
import pytest

from nasrank.benchmarks import load_task
from nasrank.benchmarks.importing import import_data
from nasrank.errors import DataError
from nasrank.graphs import isomorphism_classes, joined
from nasrank.questions.rank.case import load_case, reduction_of, settings_unseen
from nasrank.questions.rank.checking import notes_of
from nasrank.questions.rank.explaining import effects_of, nearest_of
from nasrank.questions.rank.listing import list_order, list_rows
from nasrank.questions.rank.pool import rank_pool
from nasrank.questions.rank.pool_file import PoolFile
from nasrank.questions.rank.updating import read_labels, store_labels


def trials(count=70, labelled=50, seed=0):
    """Rows of settings; momentum belongs to sgd alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        optimizer = ("adam", "sgd", "lamb")[int(rng.integers(3))]
        row = {
            "lr": f"{10 ** rng.uniform(-4, -1):.3g}",
            "depth": int(rng.integers(2, 9)),
            "optimizer": optimizer,
            "momentum": f"{rng.uniform(0.8, 0.99):.3f}" if optimizer == "sgd" else "",
        }
        worth = row["depth"] - 2 * (np.log10(float(row["lr"])) + 2.5) ** 2 + rng.normal() / 10
        row["acc"] = f"{worth:.3f}" if number < labelled else ""
        rows.append(row)
    return rows


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def case(own_data):
    import_data("my-trials", write(own_data / "trials.csv", trials()), label=["acc"])
    return load_case("my-trials/own")


@pytest.fixture
def pool(case, own_data):
    def pool(rows, **options):
        path = write(own_data / "pool.csv", rows)
        graphs = case.graphs
        return PoolFile(
            path,
            graphs.vocabulary,
            graphs.attribute_names,
            reduction_of("my-trials/own"),
            settings=graphs.settings.columns,
            **options,
        )

    return pool


def quiet(done, total):
    """Progress that nobody sees."""


def changed(case, item, **values):
    """An evaluated architecture with other settings."""
    settings = case.graphs[case.items[[item]]].settings
    table = settings.values.copy()
    for name, value in values.items():
        table[0, settings.names.index(name)] = value
    return type(case.graphs).of_settings(type(settings)(settings.columns, table))


def test_the_nearest_is_named_by_what_differs(case):
    graphs = case.graphs[case.items]
    item = int(np.flatnonzero(np.isnan(graphs.settings.values[:, 3]))[0])
    lr, depth = graphs.settings.values[item, :2]
    (near,) = nearest_of(case, changed(case, item, lr=lr * 1.01, depth=depth))
    assert near.item == item
    assert near.difference == f"lr {lr:.3g} -> {lr * 1.01:.3g}"
    (same,) = nearest_of(case, graphs[[item]])
    assert (same.distance, same.difference) == (0, "the same settings")


def test_changes_stand_by_their_size(case):
    graphs = case.graphs[case.items]
    settings = graphs.settings
    item = 0
    other = changed(case, item, lr=settings.values[item, 0] * 1.001, depth=60)
    (near,) = nearest_of(case, other)
    assert near.difference.startswith("depth +")


def test_effects_are_those_of_settings(case, learnt):
    model = learnt(case)
    graphs = case.graphs[case.candidates]
    scores, _ = model.scorer.score(graphs)
    effects = effects_of(case, model.scorer, graphs, scores, model.calibration)
    for row, found in enumerate(effects):
        given = graphs.settings[[row]]
        names = {name.partition("=")[0] for name, _ in found}
        assert names <= {
            c.name for c, v in zip(given.columns, given.values[0], strict=True) if not np.isnan(v)
        }
        assert "optimizer" in names
    # Depth is worth a unit a step and the median is the usual one.
    depth = [dict(each) for each in effects]
    known = case.graphs[case.items].settings.values[:, 1]
    for row, found in enumerate(depth):
        value = graphs.settings.values[row, 1]
        if value >= np.median(known) + 2:
            assert found[f"depth={value:g}"] > 0


def test_a_pool_of_settings_gives_the_list_of_the_space(case, learnt, pool, tmp_path):
    model = learnt(case)
    rows = trials()[50:]
    found = rank_pool(
        model, pool(rows, chunk=7), 100, tmp_path / "scores", keep_scores=False, on_progress=quiet
    )
    assert found.seen == 20
    best = found.ids[0]
    assert best.startswith("lr=")
    assert len({*isomorphism_classes(found.graphs)}) == len(found.ids)
    both = joined([case.graphs[case.candidates], found.graphs])
    kinds = isomorphism_classes(both)
    assert {*kinds[: len(case.candidates)]} == {*kinds[len(case.candidates) :]}
    order = list_order(model, found, 5, diverse=True)
    listed = list_rows(model, found, order)
    assert len(listed) == 5
    assert "->" in listed[0]["difference"] or "depth" in listed[0]["difference"]


def test_repeated_candidates_count_once_and_evaluated_ones_not(case, learnt, pool, tmp_path):
    rows = trials()
    rows = [*rows[50:60], *rows[50:55], *rows[:4]]
    found = rank_pool(
        learnt(case), pool(rows), 100, tmp_path / "s", keep_scores=False, on_progress=quiet
    )
    assert (found.seen, found.evaluated, len(found.ids), found.twins.sum()) == (19, 4, 10, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "rmsprop"}, "line 2: optimizer is 'rmsprop', not one of adam, lamb, sgd"),
        ({"lr": "-1"}, "line 2: lr is '-1', not a finite number above 0"),
        ({"depth": "deep"}, "line 2: depth is 'deep', not a finite number"),
    ],
)
def test_unknown_values_are_refused_in_a_line(case, pool, change, message):
    rows = trials()[50:]
    rows[0] = rows[0] | change
    source = pool(rows)
    with pytest.raises(DataError, match=message) as caught:
        [*source.graphs(next(source.chunks())[1])]
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(case, pool):
    source = pool([{"lr": "0.1", "depth": "3"}])
    with pytest.raises(DataError, match="it has no column optimizer, which is a setting"):
        [*source.graphs(next(source.chunks())[1])]


def test_what_is_beyond_the_evaluated_is_said(case, learnt, pool, tmp_path):
    rows = [row | {"depth": 30} for row in trials()[50:60]]
    model = learnt(case)
    found = rank_pool(model, pool(rows), 100, tmp_path / "s", keep_scores=False, on_progress=quiet)
    assert settings_unseen(case, found.graphs) == ["depth=30"]
    order = list_order(model, found, 5, diverse=False)
    notes = notes_of(model, found, order, list_rows(model, found, order))
    assert any("no evaluated architecture reaches depth=30" in note for note in notes)
    assert settings_unseen(case, case.graphs[case.items]) == []


def test_new_labels_come_with_their_settings(case, pool, own_data):
    """Candidates of the space, a new trial, and one that failed, told by settings alone."""
    rows = [row | {"acc": "1.5"} for row in trials()[50:52]]
    rows.append(rows[0] | {"lr": "0.0123", "acc": "2.5"})
    rows.append(trials()[52] | {"acc": "nan"})
    path = write(own_data / "new.csv", rows)
    columns = case.graphs.settings.columns
    labels = read_labels(path, "acc", columns)
    assert list(labels.labels.values()) == [1.5, 1.5, 2.5, None]
    source = PoolFile(
        path, case.graphs.vocabulary, (), reduction_of("my-trials/own"), settings=columns
    )
    assert store_labels(labels, "my-trials/own", source) == (4, 0)
    task = load_task("my-trials/own")
    assert len(task) == 71
    assert (int((~np.isnan(task.labels)).sum()), int(task.failed.sum())) == (53, 1)
    # Once more they replace what is there, and a label that comes late is no failure any more.
    rows[3]["acc"] = "0.5"
    labels = read_labels(write(path, rows), "acc", columns)
    assert store_labels(labels, "my-trials/own", source) == (0, 1)
    assert load_task("my-trials/own").failed is None


def test_an_update_of_a_space_with_failures_keeps_them(own_data):
    rows = trials()
    rows[3]["acc"] = rows[4]["acc"] = "failed"
    path = write(own_data / "trials.csv", [{"id": f"t{n}"} | row for n, row in enumerate(rows)])
    import_data("my-trials", path, label=["acc"])
    new = own_data / "new.csv"
    new.write_text("id,label\nt55,3\nt4,1\n")
    assert store_labels(read_labels(new, "acc"), "my-trials/own", None) == (1, 1)
    assert np.flatnonzero(load_task("my-trials/own").failed).tolist() == [3]


def test_new_labels_are_found_by_the_names_of_the_space(own_data):
    rows = [{"run": f"run-{n}"} | row for n, row in enumerate(trials())]
    import_data("my-trials", write(own_data / "trials.csv", rows), label=["acc"])
    task = load_task("my-trials/own")
    names = frozenset(task.space.architectures)
    assert "run-3" in names
    path = write(own_data / "new.csv", [row | {"acc": "2"} for row in rows[60:62]])
    labels = read_labels(path, "acc", task.space.graphs.settings.columns, names)
    assert labels.labels == {"run-60": 2, "run-61": 2}
    assert store_labels(labels, "my-trials/own", None) == (2, 0)
    assert len(load_task("my-trials/own")) == 70

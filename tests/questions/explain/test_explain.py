"""Effects are what they are by hand, and edits are single."""

import csv
import itertools

import numpy as np
import pytest

import nasrank as nr
from nasrank.benchmarks.importing import import_data
from nasrank.graphs import GraphBatch
from nasrank.questions.explain.edits import Edit, Editor
from nasrank.questions.explain.effects import Seen, edit_rows, effect_rows, reward_rows
from nasrank.questions.explain.judges import jackknife
from nasrank.questions.rank.case import load_case

WORTH = {
    "block": {"dense": 0.0, "mixer": 1.0, "cell": 3.0},
    "norm": {"batch": 0.5, "layer": 0.0, "none": -1.5},
    "skip": {"yes": 2.0, "no": 0.0},
    "bias": {"yes": 0.0, "no": 0.0},
}


def worth(row):
    return sum(values[row[name]] for name, values in WORTH.items())


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def additive(own_data):
    """Import all settings whose worth is a sum, with labels of one sign or the other."""

    def make(name, sign):
        rows = [
            dict(zip(WORTH, levels, strict=True)) for levels in itertools.product(*WORTH.values())
        ]
        rows = [{**row, "result": f"{70 + sign * worth(row):.3f}"} for row in rows]
        path = write(own_data / f"{name}.csv", rows)
        import_data(name, path, label=["result"], lower_is_better=sign < 0, unit="%")
        return nr.explain(
            space=name, losses=["mse"], predictors=["ridge"], top=2, out=own_data / f"out-{name}"
        )

    return make


def by_hand(name, level):
    others = [value for each, value in WORTH[name].items() if each != level]
    return WORTH[name][level] - sum(others) / len(others)


@pytest.mark.parametrize("sign", [1, -1])
def test_effects_of_a_sum_are_its_terms_in_either_direction(additive, sign):
    result = additive(f"space{sign + 1}", sign)
    assert result.record["closed"]
    for row in [*result.tables["effects"], *result.tables["rewards"]]:
        expected = by_hand(*row["part"].split("="))
        assert row["true_effect"] == pytest.approx(expected, abs=2e-3)
        assert row["effect"] == pytest.approx(expected, rel=0.2, abs=0.25)
        assert row["effect_lower"] <= row["effect"] <= row["effect_upper"]
    # The best of all has nothing to gain, and its parts are those of the best levels.
    best = [row for row in result.tables["effects"] if row["place"] == 1]
    assert {row["part"] for row in best} - {"bias=yes", "bias=no"} == {
        "block=cell", "norm=batch", "skip=yes",
    }  # fmt: skip
    assert all(row["true_gain"] < 1e-3 for row in result.tables["edits"] if row["place"] == 1)
    truth = [row for row in result.tables["agreement"] if row["second"] == "labels"]
    assert truth[0]["order_tau"] > 0.9
    assert truth[0]["effects_tau"] > 0.8


def test_edits_of_settings_change_one_setting(additive):
    result = additive("edited", 1)
    for row in result.tables["edits"]:
        before, after = (dict(part.split("=") for part in text.split(", "))
                         for text in (row["id"], row["becomes"]))  # fmt: skip
        assert len([name for name in before if before[name] != after[name]]) == 1
        assert row["true_gain"] == pytest.approx(worth(after) - worth(before), abs=2e-3)


def graphs_of(own_data, rows, name="nets"):
    for number, row in enumerate(rows):
        row["label"] = f"{80 + number % 7 + 0.1 * number:.1f}" if number < len(rows) - 3 else ""
    import_data(name, write(own_data / f"{name}.csv", rows), unit="%")
    return load_case(f"{name}/own")


def chain(number, operations):
    nodes = ["input", *operations, "output"]
    edges = ";".join(f"{k}-{k + 1}" for k in range(len(nodes) - 1))
    return {"id": f"net{number}", "operations": ";".join(nodes), "edges": edges}


def branched(number, operations):
    row = chain(number, operations)
    return {**row, "edges": f"{row['edges']};0-{len(operations) + 1}"}


def test_edits_of_graphs_are_one_step_away_and_make_another_graph(own_data):
    kinds = list(itertools.product(("conv", "pool", "id5"), repeat=3))
    rows = [branched(number, each) for number, each in enumerate(kinds)]
    case = graphs_of(own_data, [*rows, chain(99, ("conv", "conv"))])
    item = int(case.items[5])
    ((edits, graphs),) = Editor(case).edits([item])
    own = case.graphs[[item]]
    assert {edit.kind for edit in edits} == {"operation", "edge"}
    changed = np.abs(graphs.operation_counts() - own.operation_counts()).sum(axis=1)
    nodes = graphs.sizes() - own.sizes()[0]
    edges = graphs.adjacency.sum(axis=(1, 2)) - own.adjacency.sum()
    for place, edit in enumerate(edits):
        if edit.change.startswith(("add ", "cut ")):
            # What no longer leads anywhere goes with a cut edge.
            assert changed[place] == 0 or edit.change.startswith("cut ")
        elif " -> " in edit.change:
            assert (changed[place], nodes[place], edges[place]) == (2, 0, 0)
        else:
            assert changed[place] == 1
            assert nodes[place] == (-1 if edit.change.startswith("without") else 1)
    found = Editor(case).found(graphs)
    swaps = [place for place, edit in enumerate(edits) if " -> " in edit.change]
    assert (found[swaps] >= 0).all()
    assert (found != item).all()
    assert Editor(case).found(own).tolist() == [item]


def test_chains_of_one_length_stay_so(own_data):
    kinds = list(itertools.product(("conv", "pool"), repeat=4))
    case = graphs_of(own_data, [chain(number, each) for number, each in enumerate(kinds)])
    ((edits, graphs),) = Editor(case).edits([0])
    assert len(edits) == 4
    assert (graphs.sizes() == 6).all()
    assert (Editor(case).found(graphs) >= 0).all()


EDITS = [
    Edit("operation", "1 conv", "1 conv -> pool", "conv", 1),
    Edit("operation", "1 conv", "1 conv -> skip", "conv", 1),
    Edit("edge", "1 conv > output", "pool on 1 conv > output", "edge", None, replaces=False),
]
GRAPHS = GraphBatch(
    np.tile(np.array([[0, 2, 1]], np.int16), (3, 1)),
    np.zeros((3, 3, 3), np.uint8),
    np.ones((3, 3), bool),
    ("input", "output", "conv"),
)
GAINS = np.array([[-1.0, -3.0, 0.5], [-1.0, -2.0, 0.5], [-1.0, -4.0, 0.5]])


def seen(true=(-2.0, -4.0, np.nan), becomes=(3, 4, -1)):
    return Seen(0, EDITS, GRAPHS, np.array(becomes), np.array(true))


def test_an_effect_by_hand():
    (row,) = effect_rows(seen(), GAINS)
    # 2 is the mean loss; without folds it is 1.5 and 2.5, whose mean has the error 1/2.
    assert row["effect"] == (1 + 3) / 2
    assert row["alternatives"] == 2
    assert row["true_effect"] == (2 + 4) / 2
    assert row["effect_upper"] - row["effect"] == pytest.approx(12.706 * 0.5, abs=1e-3)
    (unknown,) = effect_rows(seen(true=(-2.0, np.nan, np.nan)), GAINS)
    assert unknown["true_effect"] is None


def test_edits_by_hand_the_best_first_and_each_result_once():
    rows = edit_rows(seen(), GAINS, {3: "three", 4: "four"})
    assert [(row["gain"], row["becomes"], row["true_gain"]) for row in rows] == [
        (0.5, None, None), (-1.0, "three", -2.0), (-3.0, "four", -4.0),
    ]  # fmt: skip
    assert len(edit_rows(seen(becomes=(3, 3, -1)), GAINS, {3: "three"})) == 2


def test_rewards_are_means_over_architectures_whose_truth_is_known():
    rows = reward_rows([seen(), seen(true=(np.nan,) * 3)], [GAINS, 10 * GAINS])
    assert [(row["kind"], row["part"]) for row in rows] == [
        ("operation", "conv"), ("place", "conv, 1 from input"),
    ]  # fmt: skip
    assert {(row["effect"], row["true_effect"], row["times"]) for row in rows} == {(2.0, 3.0, 1)}
    (both, _) = reward_rows([seen(true=(np.nan,) * 3)] * 2, [GAINS, 3 * GAINS])
    assert (both["effect"], both["true_effect"], both["times"]) == (4.0, None, 2)


def test_a_jackknife_of_equal_values_has_no_doubt():
    assert jackknife(np.full(9, 2.5)) == (2.5, 2.5, 2.5)

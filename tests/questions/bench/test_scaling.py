import numpy as np
import pytest
import torch

from nasrank.errors import UsageError
from nasrank.predictors.predictor import Predictor
from nasrank.questions.bench import scaling
from nasrank.questions.bench.scaling import (
    Series,
    growth,
    installed,
    measure_scaling,
    random_graphs,
    trains_networks_alone,
)
from nasrank.questions.bench.tables import BENCH, Measurement, Setting, Trend
from nasrank.study import measurement
from nasrank.study.measurement import watched_memory

CPU = torch.device("cpu")
NAMES = ["prepare_seconds", "fit_seconds", "score_seconds", "score_rate", "peak_memory"]


@pytest.fixture(autouse=True)
def _memory_is_known(monkeypatch):
    """The same lines on every system."""
    monkeypatch.setattr(measurement, "_forget_peak", lambda: True)
    monkeypatch.setattr(measurement, "_resident", {"VmRSS": 100.0, "VmHWM": 175.5}.get)


def measured(*series, items=30):
    return [*measure_scaling(series, random_graphs(items, 5), CPU, epochs=1, repeats=1)]


def test_a_point_of_every_value_and_a_trend_of_three():
    lines = measured(Series("n_train", (4, 8, 16), ("gnn",), members=2))
    assert [line.name for line in lines] == [
        *NAMES * 3,
        "growth_of_fit_seconds",
        "growth_of_score_seconds",
    ]
    for line, n in zip(lines[:15], np.repeat((4, 8, 16), 5), strict=True):
        assert line.setting == Setting("n_train", "gnn", 2, n, 30, 5)
        assert line.value > 0
    assert {line.setting for line in lines[15:]} == {Trend("n_train", "gnn")}
    found = {(line.name, line.setting.n_train): line.value for line in lines[:15]}
    for n in (4, 8, 16):
        # Two members score thirty graphs each.
        assert found["score_rate", n] == pytest.approx(60 / found["score_seconds", n])
        assert found["peak_memory", n] == 75.5
    assert lines[15].value == pytest.approx(
        growth([(n, found["fit_seconds", n]) for n in (4, 8, 16)])
    )
    BENCH.build([line.row() for line in lines])


def test_networks_in_fleets_have_a_share_of_the_matrix_rate():
    lines = measured(Series("members", (1, 2, 3), ("gnn", "gp"), n_train=8))
    shares = [line for line in lines if line.name == "share_of_matrix_rate"]
    assert [(s.setting.predictor, s.setting.members) for s in shares] == [
        ("gnn", 1), ("gnn", 2), ("gnn", 3),
    ]  # fmt: skip
    assert all(share.value > 0 for share in shares)
    assert not any(line.name.startswith("growth") for line in lines)


def test_spaces_grow_by_repetition_and_graphs_by_nodes():
    lines = measured(
        Series("architectures", (10, 70), ("mlp",), n_train=4),
        Series("nodes", (4, 9), ("mlp",), n_train=4, architectures=20),
    )
    points = list(dict.fromkeys(line.setting for line in lines))
    assert points == [
        Setting("architectures", "mlp", 1, 4, 10, 5),
        Setting("architectures", "mlp", 1, 4, 70, 5),
        Setting("nodes", "mlp", 1, 4, 20, 4),
        Setting("nodes", "mlp", 1, 4, 20, 9),
    ]


def test_patience_ends_a_series():
    lines = measured(Series("n_train", (4, 8, 16), ("mlp",), patience=0.0))
    assert {line.setting.n_train for line in lines} == {4}


def test_growth_by_hand():
    assert growth([(1, 5.0), (10, 5.0), (100, 5.0)]) == pytest.approx(0)
    # Logs base 10: (0, 0), (1, 1), (2, 3): slope (-1 * -4/3 + 0 + 1 * 5/3) / 2 = 1.5.
    assert growth([(1, 1.0), (10, 10.0), (100, 1000.0)]) == pytest.approx(1.5)


def test_random_graphs_are_connected_and_as_large_as_asked():
    graphs = random_graphs(12, 20)
    assert (graphs.sizes() == 20).all()
    np.testing.assert_array_equal(graphs.adjacency, random_graphs(12, 20).adjacency)
    assert not np.array_equal(graphs.adjacency[0], graphs.adjacency[1])


def test_what_is_not_installed_is_left_out(monkeypatch):
    def missing(cls):
        raise UsageError("not here")

    assert installed(["gnn", "trees( trees = 300 )"]) == ["gnn", "trees"]
    monkeypatch.setattr(scaling.PREDICTORS["trees"], "require_extra", classmethod(missing))
    assert installed(["gnn", "trees"]) == ["gnn"]


def test_only_pure_networks_are_timed_in_part():
    assert trains_networks_alone("gnn(ensemble=3)")
    assert not trains_networks_alone("gp")
    assert not trains_networks_alone("boosting")
    assert Predictor.networks({}) == 0


def test_memory_is_unknown_where_nobody_can_tell(monkeypatch):
    monkeypatch.setattr(measurement, "_forget_peak", lambda: False)
    with watched_memory(CPU) as memory:
        pass
    assert memory.mebibytes is None
    lines = measured(Series("n_train", (4,), ("mlp",)))
    assert "peak_memory" not in [line.name for line in lines]


def test_the_row_of_a_lone_measurement_has_no_setting():
    row = Measurement("a", 1.0, "s", "n").row()
    assert [row[name] for name in ("axis", "predictor", "members", "nodes")] == [None] * 4
    assert list(row) == [column.name for column in BENCH.columns]

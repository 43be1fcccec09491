"""Pictures show every loss, are the same for the same tables, and need no network."""

import sys
from xml.etree import ElementTree as ET

import pytest

from nasrank.errors import DataError, UsageError
from nasrank.questions.compare.figures import draw_comparison

KEY = {"task": "space/data", "predictor": "gnn", "sampling": "random"}


@pytest.fixture
def tables():
    summary, runs, discovery = [], [], []
    for place, loss in enumerate(("mse", "pw(hr,mape,50)")):
        for n_train in (78, 156):
            tau = 0.6 + 0.1 * place + n_train / 1000
            row = {**KEY, "loss": loss, "n_train": n_train, "metric": "kendall_tau"}
            summary.append({**row, "mean": tau, "lower": tau - 0.02, "upper": tau + 0.02})
            for seed in (0, 1):
                run = f"{loss}-{n_train}-{seed}"
                runs.append(
                    {**KEY, "run_id": run, "loss": loss, "n_train": n_train, "n_test": 1000,
                     "seed": seed, "ceiling_tau": 0.95}
                )  # fmt: skip
                discovery += [
                    {"run_id": run, "top_fraction": 0.01, "k": k, "discovery_rate": rate}
                    for k, rate in ((0, 0.0), (100, 0.4 + seed / 10), (1000, 1.0))
                ]
    return {"summary": summary, "runs": runs, "discovery": discovery}


def texts(path):
    return {"".join(e.itertext()).strip() for e in ET.parse(path).iter() if e.tag.endswith("text")}  # noqa: S314 - our own file


def test_two_pictures_a_task_that_name_every_loss(tables, tmp_path):
    pytest.importorskip("matplotlib")
    paths = draw_comparison(tables, tmp_path)
    assert [p.name for p in paths] == ["space-data-gnn-tau.svg", "space-data-gnn-discovery.svg"]
    for path in paths:
        assert {"mse", "pw(hr,mape,50)"} <= texts(path)
    assert "training architectures" in texts(paths[0])
    assert "noise ceiling" in texts(paths[0])
    assert {"random search", "78 trained", "156 trained", "evaluations"} <= texts(paths[1])


def test_same_tables_same_bytes(tables, tmp_path):
    pytest.importorskip("matplotlib")
    first = [path.read_bytes() for path in draw_comparison(tables, tmp_path)]
    assert first == [path.read_bytes() for path in draw_comparison(tables, tmp_path)]


def test_a_loss_without_an_interval_is_drawn_all_the_same(tables, tmp_path):
    pytest.importorskip("matplotlib")
    for row in tables["summary"]:
        row["lower"] = row["upper"] = None
    assert len(draw_comparison(tables, tmp_path)) == 2


def test_without_matplotlib_it_says_how_to_get_it(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"install .*matplotlib"):
        draw_comparison(tables, tmp_path)


def test_a_folder_that_is_none_is_one_line(tables, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        draw_comparison(tables, tmp_path / "taken")


def test_predictors_with_one_loss_each_share_a_picture(tables, tmp_path):
    pytest.importorskip("matplotlib")
    names = {"mse": "gp", "pw(hr,mape,50)": "gnn"}
    for rows in (tables["summary"], tables["runs"]):
        for row in rows:
            row["predictor"] = names[row["loss"]]
    paths = draw_comparison(tables, tmp_path)
    assert [p.name for p in paths] == [
        "space-data-predictors-tau.svg",
        "space-data-predictors-discovery.svg",
    ]
    for path in paths:
        assert {"gp", "gnn"} <= texts(path)


def test_predictors_with_several_losses_have_a_picture_each(tables, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("summary", "runs"):
        tables[name] += [
            {**row, "predictor": "mlp", "run_id": "x" + row.get("run_id", "")}
            for row in tables[name]
        ]
    names = [path.name for path in draw_comparison(tables, tmp_path)]
    assert len(names) == 4
    assert {"space-data-gnn-tau.svg", "space-data-mlp-discovery.svg"} <= set(names)


def timed(tables, names):
    """The same tables by predictor, with seconds that grow with the place of the loss."""
    for rows in (tables["summary"], tables["runs"]):
        for row in rows:
            row["predictor"] = names[row["loss"]]
    for run in tables["runs"]:
        place = list(names).index(run["loss"])
        run |= {
            "kendall_tau": 0.6 + 0.1 * place,
            "fit_seconds": 1.0,
            "predict_seconds": 9.0 * place,
        }
    return tables


def test_predictors_have_a_picture_of_tau_against_seconds(tables, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.axes import Axes

    points = {}
    plot = Axes.plot

    def note(axes, *given, **look):
        if given[2:] == ("o",):
            points[tuple(round(float(at[0]), 6) for at in given[:2])] = look["markerfacecolor"]
        return plot(axes, *given, **look)

    monkeypatch.setattr(Axes, "plot", note)
    names = {"mse": "gp", "pw(hr,mape,50)": "some.module:theirs"}
    path = draw_comparison(timed(tables, names), tmp_path)[-1]
    assert path.name == "predictors-seconds.svg"
    # The name of own code is the last part.
    assert {"gp", "theirs"} <= texts(path)
    assert any("156 labels" in text for text in texts(path))
    assert set(points) == {(1.0, 0.6), (10.0, 0.7)}, points
    assert points[10.0, 0.7] == "white" != points[1.0, 0.6]


def test_a_predictor_that_lacks_a_task_is_not_set_beside_others(tables, tmp_path):
    pytest.importorskip("matplotlib")
    tables = timed(tables, {"mse": "gp", "pw(hr,mape,50)": "gnn"})
    more = [{**run, "task": "space/other", "run_id": "o" + run["run_id"]} for run in tables["runs"]
            if run["predictor"] == "gp"]  # fmt: skip
    tables["runs"] += more
    assert not {"gnn"} & texts(draw_comparison(tables, tmp_path)[-1])


def test_targets_of_a_loss_have_a_picture_of_what_they_gain(tables, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.axes import Axes

    points = {}
    plot = Axes.plot

    def note(axes, *given, **look):
        if "label" in look:
            points[look["label"]] = [round(float(x), 6) for x in given[0]]
        return plot(axes, *given, **look)

    monkeypatch.setattr(Axes, "plot", note)
    gain = {"mse": 0.0, "mse(targets=robust)": 0.03, "hr": -0.02}
    tables["runs"] = [
        {**run, "run_id": f"{loss}-{run['run_id']}", "loss": loss,
         # What a seed is worth falls out of the difference.
         "kendall_tau": 0.5 + 0.1 * place + own}
        for loss, own in gain.items()
        for place, run in enumerate(tables["runs"])
        if run["n_train"] == 78
    ]  # fmt: skip
    tables["summary"] = [
        {**tables["summary"][0], "loss": loss, "mean": 0.5 + own} for loss, own in gain.items()
    ]
    path = draw_comparison(tables, tmp_path)[-1]
    assert path.name == "gnn-targets.svg"
    assert points == {"mse(targets=robust)": [0.03], "hr": [-0.02]}
    assert "gnn: Kendall's tau above that of mse, mean and 95 % interval" in texts(path)


def test_without_several_targets_there_is_no_such_picture(tables, tmp_path):
    pytest.importorskip("matplotlib")
    for rows in (tables["summary"], tables["runs"]):
        for row in rows:
            row["loss"] = {"mse": "hr", "pw(hr,mape,50)": "mse(targets=robust)"}[row["loss"]]
    assert not [p for p in draw_comparison(tables, tmp_path) if "targets" in p.name]

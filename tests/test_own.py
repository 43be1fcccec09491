"""Code of the user's own, named by its file: losses, predictors, metrics."""

import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import nasrank as nr
from nasrank.errors import CheckFailed, UsageError
from nasrank.losses import LOSSES, parse, prepare, resolve
from nasrank.named import options_of_signature
from nasrank.own import adopt, canonical, is_trusted, trust, trusted
from nasrank.predictors import PREDICTORS
from nasrank.predictors.predictor import Member
from nasrank.predictors.specification import make_predictor, parse_predictor
from nasrank.runs.code import code_of
from nasrank.runs.own_metrics import MetricSpec, measured

MINE = '''
import torch
from factor import TWO

def my_loss(scores, labels, power=2.0, clip=False, table=()):
    """mean |s - y| ^ power"""
    return TWO / 2 * ((scores - labels).abs() ** power).mean()

def batched(scores, labels, *, where=None, reduction="mean", scale: float = 1):
    values = (scores - labels).square() if where is None else (scores - labels).square() * where
    values = scale * values.sum(-1) / (labels.shape[-1] if where is None else where.sum(-1))
    return values if reduction == "none" else values.mean()

def shape(scores, labels): return scores
def number(scores, labels): return 1.0
def flat(scores, labels): return torch.zeros(())
def never(scores, labels): return scores.sum() * float("nan")
def raises(scores, labels):
    return scores / labels.nothing
def needy(scores, labels, more): return scores.sum()

class Model(torch.nn.Module):
    def __init__(self, operations, numbers, width=8, deep: bool = True):
        super().__init__()
        self.start = torch.nn.Embedding(operations, width)
        self.score = torch.nn.Linear(width, 1)
    def forward(self, data):
        sums = torch.zeros(len(data.ptr) - 1, self.start.embedding_dim)
        return self.score(sums.index_add(0, data.batch, self.start(data.x)))

class Nodes(Model):
    def forward(self, data): return data.x.float()

class Mean:
    def __init__(self, shift=0.0): self.shift = shift
    def fit(self, X, y): self.weights = X.T @ (y - y.mean()); return self
    def predict(self, X): return X @ self.weights + self.shift

class Wide(Mean):
    def predict(self, X): return X

class Lost(Mean):
    def predict(self, X): return X[:, 0] * float("nan")

made = Mean(2.0)

def gap(scores, labels, k=10):
    return labels.max() - labels[(-scores).argsort()[:k]].max()
gap.better = "lower"
def rows(scores, labels): return scores
def sideways(scores, labels): return 1.0
sideways.better = "up"
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with code, which is where we are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nasrank.own._trusted", set())
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "factor.py").write_text("TWO = 2\n")
    return tmp_path


def refused(read, *text):
    with pytest.raises(UsageError) as found:
        read(*text)
    message = str(found.value)
    assert "\n" not in message
    return message


def test_options_are_read_from_the_signature_annotated_or_not(mine):
    trust("mine.py:my_loss")
    spec = parse("mine.py:my_loss( power = 3.0, clip=true )")
    assert str(spec) == "./mine.py:my_loss(clip=true,power=3)"
    assert spec.arguments == {"power": 3.0, "clip": True}
    assert str(parse("./mine.py:my_loss(power=2,clip=false)")) == "./mine.py:my_loss"
    message = refused(parse, "./mine.py:my_loss(table=3)")
    assert "table" in message
    assert "signature does not say" in message
    assert "must be a number" in refused(parse, "./mine.py:my_loss(power=x)")
    known = refused(parse, "./mine.py:my_loss(pwer=1)")
    assert known.endswith("Did you mean 'power'? Known: targets, power, clip.")


def test_a_signature_gives_kinds_defaults_and_what_it_does_not_say():
    def function(first, count=3, rate=0.5, name="a", on=True, *, free=None, odd=(1, 2)):
        pass

    options = options_of_signature(function)
    assert {name: option.kind for name, option in options.items()} == {
        "count": int, "rate": float, "name": str, "on": bool, "free": object, "odd": None,
    }  # fmt: skip
    assert [options["free"].read(text) for text in ("3", "0.5", "true", "word")] == [
        3, 0.5, True, "word",
    ]  # fmt: skip

    def later(scores, labels, *, half: "float | None" = None, whole: "Missing" = 2):
        pass

    # An annotation that cannot be read leaves the defaults to go by.
    assert [each.shown for each in options_of_signature(later).values()] == ["half=off", "whole=2"]


def test_a_loss_of_one_list_is_called_list_by_list(mine):
    trust("./mine.py:my_loss,./mine.py:batched")
    scores = torch.tensor([[1.0, 2.0, 9.0], [0.0, 4.0, 5.0]], requires_grad=True)
    labels = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 3.0]])
    where = torch.tensor([[True, True, False], [True, True, True]])
    for name, cube in (("my_loss", "power=3"), ("batched", "scale=2")):
        values = resolve(f"./mine.py:{name}")(scores, labels, where=where, reduction="none")
        # (1 + 4) / 2 and (0 + 9 + 4) / 3.
        assert values.tolist() == pytest.approx([2.5, 13 / 3])
        changed = resolve(f"./mine.py:{name}({cube})")(scores, labels, where=where)
        # (1 + 8) / 2 and (27 + 8) / 3, or twice the first.
        wanted = (4.5 + 35 / 3) / 2 if name == "my_loss" else 2.5 + 13 / 3
        assert changed.item() == pytest.approx(wanted)
    empty = resolve("./mine.py:my_loss")(scores, labels, where=torch.zeros_like(where))
    assert empty.item() == 0
    # Labels are prepared as for any loss: mean 0, deviation 1.
    assert prepare("./mine.py:my_loss", torch.tensor([1.0, 3.0])).labels.tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("name", "at", "words"),
    [
        ("shape", "def shape", "returned a tensor of shape (8,)"),
        ("number", "def number", "returned a float"),
        ("flat", "def flat", "has no gradient"),
        ("never", "def never", "returned nan"),
        ("raises", "return scores / labels", "AttributeError: 'Tensor' object has no attribute"),
        ("needy", "def needy", "needs scores, labels, more"),
        ("made", "class Mean", "is no function"),
    ],
)
def test_a_wrong_loss_is_refused_with_file_and_line(mine, name, at, words):
    trust(f"./mine.py:{name}")
    message = refused(resolve, f"./mine.py:{name}")
    assert words in message
    line = 1 + MINE[: MINE.index(at)].count("\n")
    assert message.startswith(f"./mine.py:{line}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./none.py:f", "./none.py: no such file. Give its path from"),
        ("./mine.py:my_los", "Did you mean 'my_loss'?"),
        ("./mine.py", "Name what is in it: ./mine.py:my_loss"),
        ("./broken.py:f", "./broken.py:2: ZeroDivisionError: division by zero"),
        ("./odd.py:f", "./odd.py:1: SyntaxError"),
        ("./leaves.py:f", "./leaves.py:1: SystemExit: 3"),
        ("no.such.module:f", "there is no module 'no' here"),
        ("nasrank.losses:f", "nasrank.losses: there is no 'f' in it"),
    ],
)
def test_what_cannot_be_loaded_is_named(mine, text, words):
    (mine / "broken.py").write_text("def f(scores, labels): pass\n1 / 0\n")
    (mine / "odd.py").write_text("def f(:\n")
    (mine / "leaves.py").write_text("raise SystemExit(3)\n")
    trust(text)
    assert words in refused(parse, text)


def test_only_what_an_option_names_is_run(mine):
    (mine / "evil.py").write_text("open('ran', 'w').close()\ndef f(scores, labels): pass\n")
    # As a table names it: a name like any other, with a digest of the text of its file.
    assert str(parse("./evil.py:f(power=2)")) == "./evil.py:f(power=2)"
    assert code_of("./evil.py:f", "./evil.py:f(a=1)")[0] == "./evil.py:f"
    assert "only run where an option" in refused(resolve, "./evil.py:f")
    assert not (mine / "ran").exists()
    trust("./evil.py:f")
    refused(parse, "./evil.py:f")
    assert (mine / "ran").exists()


def test_a_location_has_one_spelling(mine):
    (mine / "sub").mkdir()
    ways = ("mine.py:f", "./mine.py:f", "sub/../mine.py:f", f"{mine}/mine.py:f")
    assert {canonical(way) for way in ways} == {"./mine.py:f"}
    assert canonical("../other/mine.py:f") == "../other/mine.py:f"
    assert canonical("sklearn.svm:SVR") == "sklearn.svm:SVR"


def test_another_process_is_told_what_it_may_run_and_from_where(mine, monkeypatch):
    trust("./mine.py:my_loss")
    told = trusted()
    adopt(told)
    monkeypatch.setattr("nasrank.own._trusted", set())
    monkeypatch.setattr("nasrank.own._folders", [])
    monkeypatch.setattr("os.getpid", lambda: -1)
    monkeypatch.chdir("/")
    assert not is_trusted("./mine.py:my_loss")
    adopt(told)
    assert LOSSES["./mine.py:my_loss"].__doc__ == "mean |s - y| ^ power"


def test_code_and_what_lies_beside_it_count(mine):
    trust("./mine.py:my_loss")
    before = code_of("gnn", "./mine.py:my_loss(power=3)")
    assert before[0] == "gnn ./mine.py:my_loss"
    (mine / "mine.py").write_text("# A comment.\n" + MINE)
    (mine / "apart.py").write_text("x = 1\n")
    assert code_of("gnn", "./mine.py:my_loss") == before
    (mine / "factor.py").write_text("TWO = 4.0\n")
    assert code_of("gnn", "./mine.py:my_loss") != before
    scores, labels = torch.tensor([3.0, 3.0]), torch.tensor([1.0, 1.0])
    # Loaded again with its neighbour: 4 / 2 * 2 ** 2.
    assert resolve("./mine.py:my_loss")(scores, labels).item() == 8
    assert code_of("./mine.py:Model", "mse") != code_of("./mine.py:Model", "hr")


def test_neighbours_of_one_name_in_two_folders_are_two(mine):
    for number in (1, 2):
        (mine / f"f{number}").mkdir()
        (mine / f"f{number}" / "mine.py").write_text(MINE)
        (mine / f"f{number}" / "factor.py").write_text(f"TWO = {number}\n")
        trust(f"f{number}/mine.py:my_loss")
    scores, labels = torch.tensor([3.0, 3.0]), torch.tensor([1.0, 1.0])
    found = [resolve(f"f{number}/mine.py:my_loss")(scores, labels).item() for number in (1, 2, 1)]
    assert found == [2, 4, 2]


def members(make_graphs, loss="mse", count=12):
    """Thirty graphs, worth their convolutions, and two members on the first of them."""
    graphs = make_graphs(30)
    labels = graphs.operation_counts()[:, 2] + graphs.sizes() / 9
    items = np.arange(count)
    return graphs, [Member(items, labels[items], parse(loss), seed) for seed in (0, 1)]


@pytest.mark.parametrize("loss", ["mse", "listmle", "./mine.py:my_loss", "pw(hr,mape,5)"])
def test_a_module_is_trained_with_any_loss(mine, make_graphs, loss):
    trust(f"{loss},./mine.py:Model")
    graphs, both = members(make_graphs, loss)
    steps = []
    predictor = make_predictor("./mine.py:Model(width=4)", graphs)
    fitted = predictor.fit(both, on_step=lambda done, total: steps.append((done, total)))
    scores = fitted.scores()
    assert scores.shape == (2, 30)
    assert np.isfinite(scores).all()
    assert steps[-1][0] == steps[-1][1] == len(steps)
    # A member is what it is alone, and the same again; others differ.
    alone = predictor.fit(both[1:]).scores()
    assert np.array_equal(alone[0], scores[1])
    assert not np.array_equal(scores[0], scores[1])
    # A graph's score does not depend on its neighbours.
    np.testing.assert_allclose(fitted.scores(np.array([7])), scores[:, [7]], rtol=1e-5)
    np.testing.assert_allclose(fitted.on(graphs[np.array([7, 3])]).scores(), scores[:, [7, 3]],
                               rtol=1e-5)  # fmt: skip


def test_a_module_learns(mine, make_graphs):
    trust("./mine.py:Model")
    graphs, (member, _) = members(make_graphs, count=25)
    worth = graphs.operation_counts()[:, 2] + graphs.sizes() / 9
    scores = make_predictor("./mine.py:Model", graphs).fit([member]).scores()[0]
    assert np.corrcoef(scores[25:], worth[25:])[0, 1] > 0.9


def test_an_ensemble_of_modules_or_regressors_has_a_spread(mine, make_graphs):
    trust("./mine.py:Model,./mine.py:Mean")
    graphs, both = members(make_graphs)
    for name in ("./mine.py:Model", "./mine.py:Mean"):
        spec = parse_predictor(f"{name}(ensemble=3)")
        assert PREDICTORS[name].knows_spread(dict(spec.options))
        assert not PREDICTORS[name].knows_spread({})
        fitted = make_predictor(spec, graphs).fit(both)
        assert fitted.scores().shape == fitted.spread().shape == (2, 30)
        assert (fitted.spread() > 0).any()


@pytest.mark.parametrize("name", ["Mean", "Mean(shift=2)", "made"])
def test_a_regressor_is_fitted_as_it_is(mine, make_graphs, name):
    trust(f"./mine.py:{name}")
    graphs, both = members(make_graphs)
    fitted = make_predictor(f"./mine.py:{name}", graphs).fit(both)
    plain = make_predictor("./mine.py:Mean", graphs) if name == "Mean" else None
    scores = fitted.scores()
    assert scores.shape == (2, 30)
    # Both members have the same data, and nothing is drawn.
    assert np.array_equal(scores[0], scores[1])
    assert plain is None or np.array_equal(plain.fit(both).scores(), scores)
    np.testing.assert_allclose(fitted.on(graphs[np.array([4])]).scores(), scores[:, [4]])


def test_a_forest_gets_its_seed_from_the_run(make_graphs, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr("nasrank.own._trusted", set())
    name = "sklearn.ensemble:RandomForestRegressor"
    trust(name)
    graphs, both = members(make_graphs)
    predictor = make_predictor(f"{name}(n_estimators=5,max_depth=3)", graphs)
    scores = predictor.fit(both).scores()
    assert np.array_equal(predictor.fit(both).scores(), scores)
    assert not np.array_equal(scores[0], scores[1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Nodes", "returned a tensor of shape"),
        ("Wide", "predicted an array of shape"),
        ("Lost", "as nan. Return finite numbers"),
    ],
)
def test_a_wrong_predictor_is_refused_with_file_and_line(mine, make_graphs, name, words):
    trust(f"./mine.py:{name}")
    graphs, both = members(make_graphs)
    message = refused(lambda: make_predictor(f"./mine.py:{name}", graphs).fit(both).scores())
    assert words in message
    assert message.startswith("./mine.py:")


def test_what_is_no_predictor_is_refused(mine):
    trust("./mine.py:my_loss,./mine.py:gap,builtins:dict")
    assert "missing 2 required" in refused(parse_predictor, "./mine.py:my_loss")
    assert "makes no predictor" in refused(parse_predictor, "builtins:dict")


def test_a_metric_has_options_a_direction_and_one_finite_number(mine):
    trust("./mine.py:gap,./mine.py:rows,./mine.py:sideways")
    spec = MetricSpec.parse("mine.py:gap(k=1)")
    assert (str(spec), spec.better) == ("./mine.py:gap(k=1)", "lower")
    scores, labels = np.array([3.0, 2.0, 1.0]), np.array([5.0, 9.0, 1.0])
    assert measured([str(spec), "./mine.py:gap"], scores, labels) == [4, 0]
    assert measured([str(spec)], scores * np.nan, labels) == [None]
    assert "returned an array of shape (200,)" in refused(MetricSpec.parse, "./mine.py:rows")
    assert "Write 'higher' or 'lower'" in refused(MetricSpec.parse, "./mine.py:sideways")


def compare(folder, **options):
    how = {"tasks": ["nb201/cifar10"], "losses": ["mse"], "n_train": [12], "seeds": 2}
    return nr.compare(**{**how, **options}, out=folder / "out")


def test_own_code_is_part_of_a_runs_identity_and_its_metrics_stand_in_tables(mine, quick):
    options = {"losses": ["./mine.py:my_loss"], "metrics": ["./mine.py:gap(k=3)"]}
    result = compare(mine, **options)
    assert result.computed == 2
    (row,) = [row for row in result.tables["summary"] if row["metric"] == "./mine.py:gap(k=3)"]
    values = [row["value"] for row in result.tables["own_metrics"]]
    assert row["mean"] == pytest.approx(np.mean(values))
    assert {row["better"] for row in result.tables["own_metrics"]} == {"lower"}
    assert compare(mine, **options).computed == 0
    # A metric that is changed or new is measured, on runs trained anew.
    (mine / "mine.py").write_text(MINE.replace("labels.max() -", "2 * labels.max() -"))
    assert compare(mine, **options).computed == 2
    (mine / "factor.py").write_text("TWO = 3\n")
    assert compare(mine, **options).computed == 2
    made = pq.read_schema(mine / "out" / "runs.parquet").metadata[b"nasrank.about"].decode()
    assert "gnn ./mine.py:my_loss" in made


def test_a_regressor_made_worse_fails_the_gate(mine, tmp_path):
    grid = {"predictors": ["mine.py:Mean"], "seeds": 4}
    compare(mine, **grid)
    nr.check(mine / "out", against=tmp_path / "b.parquet", update=True, out=mine / "c")
    assert nr.check(mine / "out", against=tmp_path / "b.parquet", out=mine / "c").error is None
    (mine / "mine.py").write_text(MINE.replace("@ self.weights", "@ -self.weights"))
    assert "./mine.py:Mean" in str(
        nr.check(mine / "out", against=tmp_path / "b.parquet", out=mine / "c").notes
    )
    assert compare(mine, **grid).computed == 4
    failed = nr.check(mine / "out", against=tmp_path / "b.parquet", out=mine / "c")
    assert isinstance(failed.error, CheckFailed)


def test_other_processes_run_own_code_from_the_same_folder(mine):
    result = compare(mine, predictors=["./mine.py:Mean"], engine="processes", jobs=2)
    assert result.computed == 2
    message = refused(
        lambda: compare(mine, predictors=["./mine.py:Wide"], engine="processes", jobs=2)
    )
    assert message.startswith("./mine.py:")

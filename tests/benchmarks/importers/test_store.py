import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nasrank.benchmarks.importers import Measurement, store
from nasrank.benchmarks.importers.merge import save
from nasrank.benchmarks.importers.store import (
    data_folder,
    find_space,
    open_space,
    signature,
    space_path,
    stored_names,
)
from nasrank.benchmarks.space import Metric
from nasrank.benchmarks.tasks import load_task
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Condition, Setting, Settings
from nasrank.tables import is_sealed, write_parquet

from .conftest import MUTATIONS
from .test_imported import ACCURACY, chains, make_imported

TEST = Metric("test_acc", "%", True, "test accuracy")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def columns(stored):
    return {
        f"{each.dataset}:{each.metric.name}": stored.read_columns(each.columns)
        for each in stored.measurements
    }


def assert_same_graphs(found, expected):
    assert found.vocabulary == expected.vocabulary
    np.testing.assert_array_equal(found.operations, expected.operations)
    np.testing.assert_array_equal(found.adjacency, expected.adjacency)
    np.testing.assert_array_equal(found.mask, expected.mask)


def test_what_is_saved_is_what_is_opened():
    imported = make_imported()
    saved = save(imported)
    assert saved.added == 3
    assert saved.measured == {"d:val_acc": None}
    stored = open_space("toy")
    assert stored.path == space_path("toy")
    assert stored.title == "Toy"
    assert stored.read_architectures() == ("x", "y", "z")
    assert_same_graphs(stored.read_graphs(), imported.graphs)
    (measurement,) = stored.measurements
    assert measurement.metric == imported.measurements[0].metric
    assert measurement.provenance == store.Provenance("toy.bin", "made up", "MIT", "Nobody (2020)")
    np.testing.assert_array_equal(columns(stored)["d:val_acc"], imported.measurements[0].values)
    np.testing.assert_array_equal(
        stored.read_columns(["d:cost_seconds", "parameters"]),
        [[10, 1], [20, 2], [np.nan, 3]],
    )
    assert stored.chance == {"d": 10.0}
    assert (stored.drop, stored.contract) == (("none",), ("skip_connect",))
    assert stored_names() == ["toy"]


def test_random_graphs_with_parallel_edges_and_holes_in_the_padding(make_graphs):
    graphs = make_graphs(50, seed=3)
    save(make_imported(architectures=[str(n) for n in range(50)], graphs=graphs, **others(50)))
    assert_same_graphs(open_space("toy").read_graphs(), graphs)
    # Node 1 of each is padding now: the graph is the same, closed up.
    place = [0, *range(2, graphs.nodes + 1)]
    operations = np.zeros((50, graphs.nodes + 1), np.int16)
    adjacency = np.zeros((50, graphs.nodes + 1, graphs.nodes + 1), np.uint8)
    mask = np.zeros(operations.shape, np.bool_)
    operations[:, place], mask[:, place] = graphs.operations, graphs.mask
    adjacency[np.ix_(range(50), place, place)] = graphs.adjacency
    holes = GraphBatch(operations, adjacency, mask, graphs.vocabulary)
    save(
        make_imported(
            space="other", architectures=[str(n) for n in range(50)], graphs=holes, **others(50)
        )
    )
    assert_same_graphs(open_space("other").read_graphs(), graphs)


def others(count):
    return {
        "measurements": (Measurement("d", TEST, np.arange(count, dtype=float)[:, None]),),
        "cost_seconds": {},
        "parameters": None,
        "chance": {},
    }


def test_a_second_file_adds_columns_and_architectures():
    save(make_imported())
    second = make_imported(
        # w is new, and y and x come in another order.
        architectures=("w", "y", "x"),
        graphs=GraphBatch(*reordered([3, 1, 0]), ("input", "output", "a")),
        measurements=(
            Measurement("d", TEST, np.array([[7.0], [8.0], [9.0]])),
            Measurement("e", TEST, np.array([[1.0], [2.0], [np.nan]])),
        ),
        cost_seconds={"e": np.array([4.0, 5.0, 6.0])},
        parameters=None,
        chance={"e": 1.0},
        source="second.bin",
    )
    saved = save(second)
    assert saved.added == 1
    stored = open_space("toy")
    assert stored.read_architectures() == ("x", "y", "z", "w")
    found = columns(stored)
    assert list(found) == ["d:val_acc", "d:test_acc", "e:test_acc"]
    nan = np.nan
    np.testing.assert_array_equal(found["d:val_acc"], [[1, 2], [3, 4], [nan, 5], [nan, nan]])
    np.testing.assert_array_equal(found["d:test_acc"], [[9], [8], [nan], [7]])
    np.testing.assert_array_equal(found["e:test_acc"], [[nan], [2], [nan], [1]])
    np.testing.assert_array_equal(stored.read_columns(["e:cost_seconds"])[:, 0], [6, 5, nan, 4])
    np.testing.assert_array_equal(stored.read_columns(["parameters"])[:, 0], [1, 2, 3, nan])
    assert stored.chance == {"d": 10.0, "e": 1.0}
    assert_same_graphs(stored.read_graphs(), chains(4))
    assert [each.provenance.source for each in stored.measurements] == [
        "toy.bin",
        "second.bin",
        "second.bin",
    ]


def reordered(rows):
    graphs = chains(4)[rows]
    return graphs.operations, graphs.adjacency, graphs.mask


def test_a_metric_that_comes_again_is_replaced_as_a_whole():
    save(make_imported())
    before = open_space("toy").digests["d:val_acc:0"]
    again = Measurement("d", replace(TEST, name="val_acc"), np.array([[5.0], [np.nan], [np.nan]]))
    saved = save(make_imported(measurements=(again,)))
    # x, y and z had a value; z lacks one seed only.
    assert saved.measured == {"d:val_acc": 3}
    assert saved.added == 0
    stored = open_space("toy")
    np.testing.assert_array_equal(columns(stored)["d:val_acc"], [[5], [np.nan], [np.nan]])
    assert stored.measurements[0].width == 1
    assert stored.digests["d:val_acc:0"] != before


def test_operations_may_be_numbered_and_nodes_ordered_in_another_way():
    save(make_imported())
    graphs = chains(3)
    # A name that is not used shifts the codes; and node 1 and 2 of z change places.
    operations = np.where(graphs.operations == 2, 3, graphs.operations).astype(np.int16)
    swap = [0, 2, 1, 3]
    adjacency = graphs.adjacency.copy()
    adjacency[2] = graphs.adjacency[2][np.ix_(swap, swap)]
    other = GraphBatch(operations, adjacency, graphs.mask, ("input", "output", "b", "a"))
    assert not np.array_equal(adjacency, graphs.adjacency)
    save(make_imported(graphs=other))
    assert open_space("toy").read_graphs().vocabulary == ("input", "output", "a", "b")
    np.testing.assert_array_equal(open_space("toy").read_graphs().adjacency, graphs.adjacency)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architectures": ("y", "x", "z")},
            r"second: architecture 0, 'y', is another one than in toy, imported earlier",
        ),
        (
            {"architectures": ("p", "q", "r")},
            r"second: architecture 0, 'p', is 'x' in toy, imported earlier",
        ),
        ({"drop": ("a",)}, "second: its operations have other meanings"),
    ],
)
def test_contradictions_are_refused_and_change_nothing(changes, message):
    save(make_imported())
    before = space_path("toy").read_bytes()
    with pytest.raises(DataError, match=message):
        save(make_imported(source="second", **changes))
    assert space_path("toy").read_bytes() == before
    assert not list(space_path("toy").parent.glob("*.part"))


def test_a_cycle_is_refused_by_name(folder):
    graphs = chains(3)
    graphs.adjacency[2, 2, 1] = 1
    with pytest.raises(DataError, match=r"toy.bin: architecture 2, 'z', has a cycle"):
        save(make_imported(graphs=graphs))
    assert not folder.exists()


def test_edges_to_padding_and_huge_batches_are_refused():
    graphs = chains(3)
    graphs.adjacency[0, 0, 3] = 1
    with pytest.raises(DataError, match="an edge does not end at a node"):
        save(make_imported(graphs=graphs))
    with pytest.raises(DataError, match="too large: at most 256 nodes"):
        store.check_size(1, 257)
    with pytest.raises(DataError, match="too large"):
        store.check_size(2**20, 64)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "a b", "-a", "x" * 65, "a\0"])
def test_names_stay_in_the_folder(name):
    with pytest.raises(UsageError, match="is not a valid name of a space"):
        space_path(name)
    assert signature(name) == ()
    assert find_space(name) is None


def test_the_folder(monkeypatch, tmp_path):
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("NASRANK_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "nasrank"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".local" / "share" / "nasrank"
    assert stored_names() == []

    def homeless():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(DataError, match="Set NASRANK_DATA"):
        data_folder()
    assert stored_names() == []


def wide(widths, names=("width",), **changes):
    """Chains with a number at every node that is no end, and groups."""
    graphs = chains(3)
    table = np.full((*graphs.operations.shape, len(names)), np.nan, np.float32)
    table[:, 1] = np.reshape(widths, (3, -1))
    graphs = replace(graphs, attributes=table, attribute_names=names)
    return make_imported(graphs=graphs, **changes)


def test_attributes_and_groups_are_kept():
    imported = wide([16, 32, np.nan], groups=["g", "", "g"])
    save(imported)
    stored = open_space("toy")
    graphs = stored.read_graphs()
    assert stored.attributes == graphs.attribute_names == ("width",)
    np.testing.assert_array_equal(graphs.attributes, imported.graphs.attributes)
    assert stored.read_groups() == ("g", "", "g")
    assert stored.numbers == {"d:val_acc:0", "d:val_acc:1", "d:cost_seconds", "parameters"}


def test_files_with_attributes_are_joined():
    names = ("width", "kernel")
    save(wide([[16, 3], [32, 5], [8, 7]], names, groups=["g", "", "h"]))
    # The other way round, and y alone is known.
    again = wide(
        [[5, 32], [1, 2], [3, 4]], names[::-1], architectures=("y", "v", "w"), groups=None
    )
    graphs = replace(
        again.graphs[[0, 1, 2]],
        operations=chains(3)[[1, 0, 2]].operations,
        mask=chains(3)[[1, 0, 2]].mask,
        adjacency=chains(3)[[1, 0, 2]].adjacency,
    )
    save(replace(again, graphs=graphs))
    stored = open_space("toy")
    assert stored.read_architectures() == ("x", "y", "z", "v", "w")
    found = stored.read_graphs()
    assert found.attribute_names == names
    assert found.attributes[:, 1].tolist() == [[16, 3], [32, 5], [8, 7], [2, 1], [4, 3]]
    assert stored.read_groups() == ("g", "", "h", "", "")
    save(replace(again, graphs=graphs, groups=["new", "", "one"]))
    assert open_space("toy").read_groups() == ("g", "new", "h", "", "one")


def test_another_width_is_another_graph():
    save(wide([16, 32, 8]))
    before = space_path("toy").read_bytes()
    with pytest.raises(DataError, match=r"architecture 1, .y., is another one"):
        save(wide([16, 33, 8]))
    with pytest.raises(DataError, match=r"its nodes have the attributes depth, but those of"):
        save(wide([16, 32, 8], ("depth",)))
    with pytest.raises(DataError, match=r"the attributes none, but those of .* width"):
        save(make_imported())
    assert space_path("toy").read_bytes() == before
    save(wide([16, 32, 8]))
    with pytest.raises(DataError, match="with 20000 attributes are too large"):
        store.check_size(2**10, 16, 20_000)


def test_groups_of_another_length_are_refused():
    with pytest.raises(DataError, match="it has groups of 1 architectures, not of 3"):
        make_imported(groups=["g"])


def test_what_has_neither_is_stored_as_ever():
    save(make_imported())
    stored = open_space("toy")
    assert (stored.attributes, stored.grouped) == ((), False)
    assert stored.read_graphs().attributes is None
    assert not {"attributes", "group"} & set(stored.digests)


def test_a_missing_space():
    assert find_space("toy") is None
    with pytest.raises(
        DataError, match=r"toy is not imported. Import it with: nasrank data import"
    ):
        open_space("toy")


def test_a_folder_that_cannot_be_written(folder):
    folder.write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        save(make_imported())


def read_all(name):
    stored = open_space(name)
    stored.read_architectures()
    stored.read_graphs()
    if stored.grouped:
        stored.read_groups()
    columns(stored)
    return stored


@pytest.mark.parametrize("rich", [False, True])
def test_a_damaged_file_is_refused_or_reads_the_same(folder, rich):
    """Whatever byte is wrong: digests leave no third way, and the seal notices every one."""
    save(wide([16, 32, 8], groups=["g", "", "g"]) if rich else make_imported())
    path = space_path("toy")
    content = path.read_bytes()
    truth = read_all("toy")
    refusals = []
    for mutation in range(MUTATIONS):
        rng = np.random.default_rng(mutation)
        damaged = bytearray(content)
        if mutation % 5 == 0:
            damaged = damaged[: int(rng.integers(len(damaged)))]
        else:
            damaged[int(rng.integers(len(damaged)))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        assert not is_sealed(path)
        try:
            found = read_all("toy")
        except DataError as error:
            refusals.append(str(error))
        else:
            assert found.digests == truth.digests
    assert len(refusals) > MUTATIONS // 2
    for refusal in refusals:
        assert "toy.parquet" in refusal
        assert "nasrank data import toy PATH" in refusal
        assert "\n" not in refusal


def test_a_file_of_another_version_or_name(monkeypatch):
    save(make_imported())
    path = space_path("toy")
    path.rename(path.with_name("other.parquet"))
    with pytest.raises(DataError, match="of another version"):
        open_space("other")
    with monkeypatch.context() as later:
        later.setattr(store, "FORMAT_VERSION", 2)
        save(make_imported())
    path.with_name("third.parquet").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="of another version"):
        open_space("third")


def test_opening_is_noticed_when_the_file_changes():
    save(make_imported())
    first = open_space("toy")
    assert open_space("toy") is first
    save(make_imported(note="new"))
    assert open_space("toy") is not first
    assert open_space("toy").measurements[0].provenance.note == "new"


def test_costs_and_parameters_of_an_earlier_file_stay_where_a_later_one_has_none():
    from nasrank.benchmarks.importers.merge import _updated

    rows, new = np.array([2, 0]), np.array([5.0, np.nan])
    earlier = np.array([1.0, np.nan, 3.0])
    assert _updated(earlier, new, rows, 3).tolist()[0] == 1.0
    assert np.isnan(_updated(earlier, new, rows, 3)[1])
    assert _updated(earlier, new, rows, 3)[2] == 5.0
    assert np.isnan(_updated(None, new, rows, 3)[:2]).all()


LR = Setting("lr", "number", "log")
OPTIMIZER = Setting("optimizer", "category", levels=("adam", "sgd"))
MOMENTUM = Setting("momentum", "number", condition=Condition("optimizer", (1.0,)))


def trials(rows, columns=(LR, OPTIMIZER, MOMENTUM), **changes):
    table = Settings(columns, np.array(rows, np.float64))
    return make_imported(graphs=GraphBatch.of_settings(table), **changes)


ROWS = ([1e-3, 0, np.nan], [1e-2, 1, 0.9], [0.1, 1, 0.5])


def test_settings_are_kept_with_their_meaning():
    save(trials(ROWS))
    stored = open_space("toy")
    assert stored.settings == (LR, OPTIMIZER, MOMENTUM)
    graphs = stored.read_graphs()
    assert graphs.only_settings
    assert graphs.settings.columns == stored.settings
    np.testing.assert_array_equal(graphs.settings.values, ROWS)


def test_files_with_settings_are_joined_by_name_and_level():
    save(trials(ROWS))
    other = replace(OPTIMIZER, levels=("lion", "sgd"))
    save(
        trials(
            [[0, 0.7, 0.2], [1, 0.9, 0.01], [0, np.nan, 0.3]],
            (other, MOMENTUM, LR),
            architectures=("v", "y", "w"),
        )
    )
    settings = open_space("toy").read_graphs().settings
    assert settings.columns[1].levels == ("adam", "sgd", "lion")
    np.testing.assert_array_equal(settings.values, [*ROWS, [0.2, 2, 0.7], [0.3, 2, np.nan]])


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([[1e-3], [1e-2], [0.1]], (LR,), "it has the settings lr, but those of toy are lr, opt"),
        (
            ROWS,
            (replace(LR, kind="ordered", scale="linear", levels=("a", "b")), OPTIMIZER, MOMENTUM),
            "setting 'lr' is ordered here and number in toy",
        ),
        ([[1e-3, 1, 0], *ROWS[1:]], (LR, OPTIMIZER, MOMENTUM), "architecture 0, 'x', is another"),
    ],
)
def test_settings_that_contradict_earlier_ones_are_refused(rows, columns, message):
    save(trials(ROWS))
    before = space_path("toy").read_bytes()
    rows = np.array(rows)
    if columns[0].levels:
        rows[:, 0] = 0
    with pytest.raises(DataError, match=message):
        save(trials(rows, columns))
    assert space_path("toy").read_bytes() == before


def test_failures_are_kept_and_reach_the_task():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    failed = np.array([False, True, False])
    save(trials(ROWS, measurements=(Measurement("d", ACCURACY, values, failed),)))
    task = load_task("toy/d")
    assert task.failed.tolist() == [False, True, False]
    assert task.evaluated.tolist() == [True, True, False]
    np.testing.assert_array_equal(task.values, values)
    # A later file without failures replaces the metric as a whole.
    save(trials(ROWS, measurements=(Measurement("d", ACCURACY, values),)))
    assert load_task("toy/d").failed is None


def test_a_value_of_a_failed_training_is_refused():
    failed = np.array([True, False, False])
    with pytest.raises(DataError, match="d:val_acc has a value for architecture 0, which failed"):
        make_imported(measurements=(Measurement("d", ACCURACY, np.ones((3, 2)), failed),))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda header: header.update(size=0), "no architectures or no measurements"),
        (lambda header: header.update(title=5), "of another version"),
        (lambda header: header.update(chance={"d": float("nan")}), "not a number"),
        (lambda header: header.update(costs=["other"]), "contradict each other"),
        (lambda header: header["measurements"][0].update(dataset="$(x)"), "not a valid name"),
        # As many columns as no memory holds the names of.
        (lambda header: header["measurements"][0].update(width=2**62), "columns differ"),
        (lambda header: header["measurements"][0].update(width="1"), "of another version"),
        (lambda header: header["digests"].update(more=""), "columns differ"),
    ],
)
def test_a_header_that_no_import_wrote_is_refused_though_its_digest_holds(change, complaint):
    save(make_imported())
    path = space_path("toy")
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"nasrank.header"])
    change(header)
    content = json.dumps(header).encode()
    metadata = {"nasrank.header": content, "nasrank.digest": hashlib.sha256(content).hexdigest()}
    write_parquet(table.replace_schema_metadata(metadata), path, seal=True)
    with pytest.raises(DataError, match=complaint) as caught:
        open_space("toy")
    assert "nasrank data import toy PATH" in str(caught.value)

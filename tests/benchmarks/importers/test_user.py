import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.benchmarks.importers import records, user
from nasrank.benchmarks.nb201 import architecture_string, cell_graphs, official_order
from nasrank.errors import DataError, UsageError

CSV = """id,operations,edges,label,cost_seconds,parameters
a,input;conv;output,0-1;1-2,71.5,10,100
b,input;conv;pool;output,0-1;1-2;2-3;0-3,,20,
c,input;output,,50,,7
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="archs.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def edges_of(graphs, row):
    counts = graphs.adjacency[row]
    return {(u, v): int(counts[u, v]) for u, v in np.argwhere(counts).tolist()}


def names_of(graphs, row):
    return [graphs.vocabulary[code] for code in graphs.operations[row][graphs.mask[row]]]


def check_the_three(imported):
    assert imported.architectures == ("a", "b", "c")
    graphs = imported.graphs
    assert names_of(graphs, 0) == ["input", "conv", "output"]
    assert names_of(graphs, 1) == ["input", "conv", "pool", "output"]
    assert edges_of(graphs, 0) == {(0, 1): 1, (1, 2): 1}
    assert edges_of(graphs, 1) == {(0, 1): 1, (1, 2): 1, (2, 3): 1, (0, 3): 1}
    assert edges_of(graphs, 2) == {}
    (measurement,) = imported.measurements
    assert measurement.dataset == "own"
    np.testing.assert_array_equal(measurement.values, [[71.5], [np.nan], [50]])
    np.testing.assert_array_equal(imported.cost_seconds["own"], [10, 20, np.nan])
    np.testing.assert_array_equal(imported.parameters, [100, np.nan, 7])
    assert imported.source == f"archs.{imported.source.rpartition('.')[2]}"


def test_csv_by_hand(write):
    path = write(CSV)
    assert user.recognises(path)
    imported = user.read(path, space="mine")
    check_the_three(imported)
    assert imported.space == "mine"
    metric = imported.measurements[0].metric
    assert (metric.name, metric.unit, metric.higher_is_better) == ("label", "1", True)
    assert not metric.replicates


def test_a_byte_order_mark_windows_ends_blanks_and_empty_lines_do_not_matter(tmp_path):
    text = CSV.replace("a,input", " a ,input").replace("\n", "\r\n\r\n")
    path = tmp_path / "archs.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    check_the_three(user.read(path))


ROWS = [
    {"id": "a", "operations": ["input", "conv", "output"], "edges": [[0, 1], [1, 2]],
     "label": 71.5, "cost_seconds": 10, "parameters": 100},
    {"id": "b", "operations": ["input", "conv", "pool", "output"],
     "edges": [[0, 1], [1, 2], [2, 3], [0, 3]], "cost_seconds": 20},
    {"id": "c", "operations": ["input", "output"], "edges": [], "label": 50, "parameters": 7},
]  # fmt: skip


def test_json_lines(write):
    path = write("\n".join(json.dumps(row) for row in ROWS) + "\n", "archs.jsonl")
    check_the_three(user.read(path))


def test_parquet(tmp_path):
    path = tmp_path / "archs.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    check_the_three(user.read(path))


def test_all_ways_to_write_a_graph_agree(write):
    expected = user.read(write("id,operations,edges,label\nx,input;a;b;output,0-1;1-2;2-3,1\n"))
    for text in (
        "id,layers,label\nx,a;b,1\n",
        "id,operations,matrix,label\nx,input;a;b;output,0100;0010;0001;0000,1\n",
        'id,operations,matrix,label\nx,input;a;b;output,"0,1,0,0;0 0 1 0;0001;0000",1\n',
    ):
        found = user.read(write(text)).graphs
        assert found.vocabulary == expected.graphs.vocabulary
        np.testing.assert_array_equal(found.operations, expected.graphs.operations)
        np.testing.assert_array_equal(found.adjacency, expected.graphs.adjacency)


def test_parallel_edges_count(write):
    row = "id,operations,edges,label\nx,input;output,0-1;0-1;0-1,1\n"
    assert edges_of(user.read(write(row)).graphs, 0) == {(0, 1): 3}
    row = "id,operations,matrix,label\nx,input;output,03;00,1\n"
    assert edges_of(user.read(write(row)).graphs, 0) == {(0, 1): 3}


def test_strings_of_nb201(write):
    cells = official_order()[[5, 77]]
    lines = [
        f"{architecture_string(cell)},{value}" for cell, value in zip(cells, "12", strict=True)
    ]
    imported = user.read(write("\n".join(["arch_str,label", *lines])))
    assert imported.architectures == tuple(architecture_string(cell) for cell in cells)
    expected = cell_graphs(cells)
    np.testing.assert_array_equal(imported.graphs.operations, expected.operations)
    np.testing.assert_array_equal(imported.graphs.adjacency, expected.adjacency)
    with pytest.raises(DataError, match="line 2: arch_str is not a NAS-Bench-201 cell, such as"):
        user.read(write("arch_str,label\n|nonsense|,1\n"))


def test_labels_of_several_seeds(write):
    text = "id,layers,acc_0,acc_1,time\nx,a,1,2,9\ny,b,,4,8\n"
    imported = user.read(
        write(text), label=["acc_0", "acc_1"], dataset="flowers", unit="%", lower_is_better=True
    )
    (measurement,) = imported.measurements
    metric = measurement.metric
    assert (metric.name, metric.unit, metric.higher_is_better) == ("acc", "%", False)
    assert metric.replicates
    assert measurement.dataset == "flowers"
    np.testing.assert_array_equal(measurement.values, [[1, 2], [np.nan, 4]])
    imported = user.read(write(text), label=["time"])
    assert imported.measurements[0].metric.name == "time"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (["label"], "label"),
        (["label_0", "label_1"], "label"),
        (["val acc (%)"], "val_acc"),
        (["seed1", "seed2"], "seed"),
        (["x", "y"], "label"),
        (["acc_10", "acc_11"], "acc"),
        (["Größe"], "Gr_e"),
    ],
)
def test_names_of_metrics(write, header, name):
    path = write(f"id,layers,{','.join(header)}\nx,a,{','.join('1' * len(header))}\n")
    assert user.read(path, label=header).measurements[0].metric.name == name


ONE = "id,operations,edges,label\n"
WIDE = "id,layers,label,attribute_width\n"
CELL = architecture_string(official_order()[5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no architecture"),
        ("id,layers,label\n", "holds no architecture"),
        ("id,layers,label\nx,a\n", "line 2: 2 fields under 3 columns"),
        ("id,layers,label,label\n", "line 1: the header has two columns of the same name"),
        ("id,,label\nx,a,1\n", "a column without a name"),
        ('id,layers,label\nx,"a,1\n', "not CSV"),
        ("id,layers,label\nx,a,1\nx,b,2\n", "line 3: id 'x' is also that of line 2"),
        ("id,layers,label\n,a,1\n", "line 2: id is not a name"),
        ("id,layers,Lable\nx,a,1\n", "no column label. Did you mean --label lable. Choose"),
        ("id,layers,score\nx,a,1\n", "no column label. Choose another with --label, one of: id"),
        ("id,layers,label\nx,a,\n", "no row has a label"),
        ("id,layers,label\nx,a,inf\n", "every row failed"),
        ("id,layers,label\nx,a,-1e999\n", "line 2: label is '-1e999', not"),
        ("id,layers,label\nx,a,good\n", "line 2: label is 'good', not"),
        ("id,layers,label,cost_seconds\nx,a,1,-5\n", "cost_seconds is '-5', not a .*least 0"),
        ("id,label\nx,1\n", "no column of settings and writes no graphs"),
        ("id,layers,operations,edges,label\nx,a,a,,1\n", "columns for several ways to write"),
        ("id,layers,label,attributes\nx,a,1,5\n", "give each attribute a column of its own"),
        (
            WIDE + "x,a;b,1,16\ny,a;b,1,16;x\n",
            "line 3: attribute_width is 'x' at position 1, not a",
        ),
        (
            WIDE + "x,a;b,1,nan;16\n",
            "line 2: attribute_width is 'nan' at position 0, not a finite",
        ),
        (WIDE + "x,a;b,1,16;-inf\n", "'-inf' at position 1, .* Leave it empty where a node has"),
        (WIDE + "x,a;b,1,1e39;2\n", r"is '1e\+39' at position 0, not a finite number"),
        (WIDE + "x,a;b,1,16;16;16\n", "line 2: attribute_width has 3 numbers for 2 layers"),
        (WIDE + "x,a;b,1,16;\ny,a;b,1,;;\n", "line 3: attribute_width has 3 numbers for 2"),
        (WIDE + "x,a,1,\n", "the column attribute_width has no number in any row. Fill or drop"),
        (
            "id,operations,edges,label,attribute_w\nx,input;a;output,0-1;1-2,1,5;5\n",
            "attribute_w has 2 numbers for 3 operations",
        ),
        (
            f"arch_str,label,attribute_w\n{CELL},1,5\n",
            "attribute_w needs nodes, but arch_str has none",
        ),
        ("id,layers,label,group\nx,a,1," + "g" * 300 + "\n", "line 2: group is not a name of at"),
        ("id,layers,label\nx,input;a,1\n", "layers lists input or output"),
        ("id,layers,label\nx,a;;b,1\n", "line 2: '' is not the name of an operation"),
        (ONE + "x,conv;output,0-1,1\n", "line 2: operations lacks a node named input"),
        (ONE + "x,input;a,0-1,1\n", "operations lacks a node named output"),
        (ONE + "x,input;output,0-2,1\n", "'2' is not a whole number from 0 to 1"),
        (ONE + "x,input;output,0:1,1\n", "'0:1' is not an edge, such as 0-1"),
        (ONE + "x,input;output,0--1,1\n", "'0--1' is not an edge"),
        (ONE + "x,input;output,1-0,1\n", "edge 1-0 enters an input or leaves an output"),
        (ONE + f"x,{';'.join(['input', *'a' * 300, 'output'])},0-1,1\n", "302 nodes are more"),
        (ONE + f"x,input;output,{';'.join(['0-1'] * 256)},1\n", "occurs more than 255 times"),
        ("id,operations,matrix,label\nx,input;output,01,1\n", "matrix is not 2 by 2"),
        ("id,operations,matrix,label\nx,input;output,,1\n", "matrix is not 2 by 2"),
        ("id,operations,matrix,label\nx,input;output,0x;00,1\n", "'x' is not a whole number"),
    ],
)
def test_bad_rows_are_named(write, text, message):
    with pytest.raises(DataError, match=message) as caught:
        user.read(write(text))
    assert str(caught.value).count("archs.csv") == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "line 1: not a JSON object"),
        ("{", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ('{"id": "x", "layers": "a", "label": true}', "label is 'True', not"),
        ('{"id": "x", "layers": "a", "label": [1]}', "label is .*, not"),
        ('{"id": "x", "layers": "a", "label": Infinity}', "every row failed"),
        ('{"id": "x", "layers": "a", "label": 1' + "0" * 400 + "}", ", not a finite number"),
        ('{"id": "x", "layers": {"a": 1}, "label": 1}', "layers is neither text nor a list"),
        ('{"id": "x", "layers": null, "label": 1}', "layers is empty"),
        ('{"id": "x", "layers": [1], "label": 1}', "'1' is not the name of an operation"),
        ('{"id": true, "layers": [], "label": 1}', "id is not a name"),
        ('{"id": 1, "layers": ["a"], "label": 1, "group": [1]}', "group is not a name"),
        ('{"id": 1, "layers": ["a"], "label": 1, "group": true}', "group is not a name"),
        ('{"id": 1, "layers": ["a"], "label": 1, "attribute_w": [true]}', "'True' at position 0"),
        ('{"id": 1, "layers": ["a"], "label": 1, "attribute_w": [NaN]}', "'nan' at position 0"),
        ('{"id": 1, "layers": ["a"], "label": 1, "attribute_w": NaN}', "'nan' at position 0"),
        ('{"id": 1, "layers": ["a"], "label": 1, "attribute_w": [[1]]}', "at position 0, not a"),
        ('{"id": 1, "layers": ["a"], "label": 1, "attribute_w": {}}', "at position 0, not a fin"),
        ('{"id": "x\\u0000", "layers": [], "label": 1}', "id is not a name"),
        (
            '{"id": 1, "operations": ["input", "output"], "edges": [[0, 1, 2]], "label": 1}',
            "is not an edge",
        ),
        (
            '{"id": 1, "operations": ["input", "output"], "edges": [[0, 0.5]], "label": 1}',
            "'0.5' is not a whole number",
        ),
        (
            '{"id": 1, "operations": ["input", "output"], "matrix": [[0], [0]], "label": 1}',
            "matrix is not 2 by 2",
        ),
    ],
)
def test_bad_json_lines_are_named(write, line, message):
    with pytest.raises(DataError, match=message) as caught:
        user.read(write(line, "archs.jsonl"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_files_that_are_none(tmp_path, write, monkeypatch):
    with pytest.raises(DataError, match="not a file"):
        user.read(tmp_path / "missing.csv")
    with pytest.raises(DataError, match="not a file"):
        user.read(tmp_path)
    with pytest.raises(DataError, match=r"not one of .csv, .tsv, .*Save it as one of these"):
        user.read(write("x", "archs.xlsx"))
    with pytest.raises(DataError, match="Parquet"):
        user.read(write("PAR1", "archs.parquet"))
    latin = tmp_path / "latin.csv"
    latin.write_bytes("id,layers,label\né,a,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        user.read(latin)
    monkeypatch.setattr(records, "ROW_LIMIT", 2)
    with pytest.raises(DataError, match="more than 2 rows"):
        user.read(write(CSV))


def test_a_line_without_end_is_not_read_to_its_end(tmp_path):
    for name in ("long.csv", "long.jsonl"):
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(2**30)  # a gigabyte of zeros that takes no space on disk
        with pytest.raises(DataError, match="line 1: longer than"):
            user.read(path)


def test_label_columns_must_exist(write):
    with pytest.raises(UsageError, match=r"unknown label column 'lable'. Did you mean 'label'"):
        user.read(write(CSV), label=["lable"])
    with pytest.raises(UsageError, match="names a column twice"):
        user.read(write(CSV), label=["label", "label"])


def test_progress_is_told(write):
    lines = "".join(f"x{n},a,{n}\n" for n in range(2500))
    told = []
    user.read(write("id,layers,label\n" + lines), on_progress=lambda *now: told.append(now))
    assert told == [(1000, None), (2000, None), (2500, 2500)]


WIDTHS = """id,layers,attribute_width,attribute_kernel,label,group
a,mb;mb,64;128,3,1,x
b,mb;id;mb;mb,16;;8.5;,,2,
c,mb,32,5,3,x
"""


def check_widths(graphs):
    nan = np.nan
    assert graphs.attribute_names == ("width", "kernel")
    expected = [
        [nan, 64, 128, nan, nan, nan],
        [nan, 16, nan, 8.5, nan, nan],
        [nan, 32, nan, nan, nan, nan],
    ]
    np.testing.assert_array_equal(graphs.attributes[:, :, 0], expected)
    expected = [[nan, 3, 3, *[nan] * 3], [nan] * 6, [nan, 5, *[nan] * 4]]
    np.testing.assert_array_equal(graphs.attributes[:, :, 1], expected)


def test_numbers_of_layers_and_groups(write, tmp_path):
    imported = user.read(write(WIDTHS))
    check_widths(imported.graphs)
    assert imported.groups == ["x", "", "x"]
    rows = [
        {"id": "a", "layers": ["mb", "mb"], "attribute_width": [64, 128],
         "attribute_kernel": [3, 3], "label": 1, "group": "x"},
        {"id": "b", "layers": ["mb", "id", "mb", "mb"], "attribute_width": [16, None, 8.5, None],
         "label": 2},
        {"id": "c", "layers": ["mb"], "attribute_width": [32], "attribute_kernel": [5], "label": 3,
         "group": "x"},
    ]  # fmt: skip
    lines = "\n".join(json.dumps(row) for row in rows)
    found = user.read(write(lines, "archs.jsonl"))
    check_widths(found.graphs)
    assert found.groups == imported.groups
    path = tmp_path / "archs.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    check_widths(user.read(path).graphs)


def test_numbers_of_nodes(write):
    text = "id,operations,edges,label,size\nx,input;a;output,0-1;1-2,1,224;16;\n"
    graphs = user.read(write(text), attributes=["size"]).graphs
    assert graphs.attribute_names == ("size",)
    np.testing.assert_array_equal(graphs.attributes[0, :, 0], [224, 16, np.nan])
    # Columns that nobody chose are passed over.
    assert user.read(write(text)).graphs.attributes is None
    assert user.read(write(text)).groups is None


def test_attribute_columns_must_exist_and_mean_nothing_else(write):
    with pytest.raises(UsageError, match=r"unknown attribute column 'wdith'. Did you mean"):
        user.read(write("id,layers,label,width\nx,a,1,5\n"), attributes=["wdith"])
    with pytest.raises(UsageError, match="names a column twice"):
        user.read(write(WIDTHS), attributes=["attribute_width"] * 2)
    for column in ("label", "group", "layers"):
        with pytest.raises(UsageError, match=f"--attributes {column}: {column} means something"):
            user.read(write(WIDTHS), attributes=[column])
    with pytest.raises(UsageError, match="the space is built in"):
        user.read(write(f"arch_str,label,w\n{CELL},1,5\n"), built_in=True, attributes=["w"])
    # A label is no attribute, whatever it is called.
    imported = user.read(write(WIDTHS), label=["attribute_kernel"])
    assert imported.graphs.attribute_names == ("width",)


def test_widths_survive_damage(survives):
    survives(user, "archs.csv", WIDTHS.encode(), seed=3)


def test_csv_survives_damage(survives):
    survives(user, "archs.csv", CSV.encode())


def test_json_lines_survive_damage(survives):
    survives(user, "archs.jsonl", "\n".join(json.dumps(row) for row in ROWS).encode(), seed=1)


def test_parquet_survives_damage(survives, tmp_path):
    path = tmp_path / "source.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    survives(user, "archs.parquet", path.read_bytes(), seed=2)


def test_labels_written_in_percent_have_that_unit(write):
    path = write("id,layers,label,loss\nx,a,50%,1\ny,b,51.5%,2\n")
    assert user.read(path).measurements[0].metric.unit == "%"
    assert user.read(path, label=["loss"]).measurements[0].metric.unit == "1"
    assert user.read(path, unit="share").measurements[0].metric.unit == "share"

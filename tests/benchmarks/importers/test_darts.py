import json

import numpy as np
import pytest

from nasrank.benchmarks.importers import darts
from nasrank.benchmarks.importers.darts_cells import (
    CONTRACT,
    DROP,
    Genotype,
    genotype_graphs,
    genotype_of_fields,
    genotype_text,
    parse_genotype,
)
from nasrank.errors import DataError
from nasrank.graphs import canonicalise, isomorphism_classes

CHAIN = [
    ["sep_conv_3x3", 0],
    ["sep_conv_3x3", 1],
    ["sep_conv_3x3", 0],
    ["dil_conv_5x5", 2],
    ["max_pool_3x3", 1],
    ["skip_connect", 2],
    ["avg_pool_3x3", 3],
    ["sep_conv_5x5", 4],
]
# The architecture that DARTS found on CIFAR-10 (Liu et al. 2019), as its authors print it.
DARTS_V2 = """Genotype(
    normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
            ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)],
    normal_concat=[2, 3, 4, 5],
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1),
            ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
    reduce_concat=range(2, 6))"""


def changed(edge, new, cell=CHAIN):
    return [new if place == edge else old for place, old in enumerate(cell)]


def genotype(normal=CHAIN, reduce=CHAIN, **concat):
    return genotype_of_fields({"normal": normal, "reduce": reduce, **concat})


def classes(*genotypes):
    graphs = canonicalise(genotype_graphs(genotypes), drop=DROP, contract=CONTRACT)
    return isomorphism_classes(graphs).tolist()


def test_reads_what_python_prints():
    found = parse_genotype(DARTS_V2)
    assert found.normal[5] == ("skip_connect", 0)
    assert found.reduce[2] == ("skip_connect", 2)
    assert found.normal_concat == found.reduce_concat == (2, 3, 4, 5)
    text = genotype_text(found)
    assert parse_genotype(text) == found
    assert parse_genotype(text.replace("'", '"').replace("[(", "((").replace(")]", "))")) == found
    assert genotype_text(parse_genotype(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Genotype()",
        "__import__('os').system('true')",
        DARTS_V2.replace("range(2, 6)", "range(2, 7)"),
        DARTS_V2.replace("range(2, 6)", "[]"),
        DARTS_V2.replace("range(2, 6)", "[2, 2]"),
        DARTS_V2.replace("max_pool_3x3", "max_pool_9x9"),
        DARTS_V2.replace("('skip_connect', 2), ('max_pool_3x3', 1)],", "('skip_connect', 2)],"),
        DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"),
        DARTS_V2 + " " * 5000,
        "(" * 3000,
        "Genotype(normal=[" + "('a', 1)," * 300,
    ],
)
def test_refuses_other_texts(text):
    with pytest.raises(ValueError, match=r"."):
        parse_genotype(text)


def test_graph_of_one_architecture():
    graphs = genotype_graphs([genotype()])
    names = [graphs.vocabulary[code] for code in graphs.operations[0]]
    adjacency = graphs.adjacency[0]
    edges = {
        (names[source], names[target]): int(adjacency[source, target])
        for source, target in zip(*np.nonzero(adjacency), strict=True)
    }
    assert len(names) == 30
    # Of each cell: 2 edges from the input, 8 into edges, 8 into sums, 4 sums into the output.
    assert adjacency.sum() == 2 * (2 + 8 + 8 + 4)
    assert ("input", "n-c_{k-2}") in edges
    assert ("n-sum", "output") in edges
    assert ("n-sum", "n-dil_conv_5x5") in edges
    assert not any(a.startswith("n-") and b.startswith("r-") for a, b in edges)


def test_skips_are_contracted_where_they_are_identities():
    # Edge 5 of the chain is a skip from the sum 2, in both cells: 30 nodes become 28.
    graphs = canonicalise(genotype_graphs([genotype()]), drop=DROP, contract=CONTRACT)
    assert graphs.sizes().tolist() == [28]
    # From an input of the reduction cell it halves the resolution, so it stays.
    strided = changed(0, ["skip_connect", 0])
    here = canonicalise(genotype_graphs([genotype(reduce=strided)]), drop=DROP, contract=CONTRACT)
    assert here.sizes().tolist() == [28]
    there = canonicalise(genotype_graphs([genotype(normal=strided)]), drop=DROP, contract=CONTRACT)
    assert there.sizes().tolist() == [27]


def test_what_is_the_same_and_what_is_not():
    same = genotype(normal=[CHAIN[1], CHAIN[0], *CHAIN[2:]])
    swapped = genotype(normal=CHAIN, reduce=changed(7, ["sep_conv_3x3", 4]))
    other_way = genotype(normal=changed(7, ["sep_conv_3x3", 4]), reduce=CHAIN)
    other_input = genotype(normal=changed(2, ["sep_conv_3x3", 1]))
    fewer = genotype(normal_concat=[4, 5])
    found = classes(genotype(), same, swapped, other_way, other_input, fewer)
    assert found == [0, 0, 1, 2, 3, 4]


def test_parts_must_be_a_genotype():
    for bad in (
        None,
        {"normal": CHAIN},
        {"normal": CHAIN, "reduce": "CHAIN"},
        {"normal": CHAIN, "reduce": [["sep_conv_3x3"]] * 8},
        {"normal": CHAIN, "reduce": [["sep_conv_3x3", True]] * 8},
        {"normal": CHAIN, "reduce": CHAIN, "reduce_concat": 3},
        {"normal": CHAIN, "reduce": changed(0, ["sep_conv_3x3", 2])},
        {"normal": CHAIN, "reduce": changed(0, ["sep_conv_3x3", -1])},
    ):
        with pytest.raises(ValueError, match=r"."):
            genotype_of_fields(bad)
    assert isinstance(genotype(), Genotype)


JSON = [
    {"genotype": DARTS_V2, "val_acc": [97.0, 97.5], "test_acc": 97.2, "train_seconds": 5.0},
    {"normal": CHAIN, "reduce": CHAIN, "val_acc": 94.0, "parameters": 3_000_000},
    {"genotype": {"normal": changed(0, ["max_pool_3x3", 0]), "reduce": CHAIN}},
]
ONE = genotype_text(genotype())
TWO = genotype_text(genotype(normal=changed(0, ["max_pool_3x3", 0])))
CSV = f'genotype,val_acc,test_acc\n"{ONE}",0.94,0.93\n"{TWO}",,0.91\n'


@pytest.mark.parametrize("lines", [False, True])
def test_reads_json(tmp_path, lines):
    path = tmp_path / "darts.json"
    path.write_text("\n".join(map(json.dumps, JSON)) if lines else json.dumps(JSON))
    assert darts.recognises(path)
    found = darts.read(path)
    assert found.space == "darts"
    assert len(found) == 3
    val, test = found.measurements
    assert (val.dataset, val.metric.name, test.metric.name) == ("cifar10", "val_acc", "test_acc")
    np.testing.assert_array_equal(val.values, [[97.0, 97.5], [94.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(found.cost_seconds["cifar10"], [5.0, np.nan, np.nan])
    np.testing.assert_array_equal(found.parameters, [np.nan, 3e6, np.nan])


def test_reads_csv_and_makes_fractions_percent(tmp_path):
    path = tmp_path / "darts.csv"
    path.write_text(CSV)
    assert darts.recognises(path)
    found = darts.read(path)
    assert found.architectures == (ONE, TWO)
    val, test = found.measurements
    np.testing.assert_allclose(val.values, [[94.0], [np.nan]])
    np.testing.assert_allclose(test.values, [[93.0], [91.0]])
    assert "fractions" in val.metric.description


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no architecture"),
        ("[3]", "row 0: not a JSON object"),
        ('{"genotype": }', "not JSON at line 1, column 14"),
        ('{"normal": 1}\n{"normal": }', "line 2: not JSON"),
        (json.dumps([JSON[1], JSON[1]]), "row 1 repeats the genotype of row 0"),
        (json.dumps([JSON[2]]), "no row has val_acc"),
        (json.dumps([JSON[1] | {"val_acc": "9 4"}]), "val_acc is '9 4', not a number"),
        (json.dumps([JSON[1] | {"val_acc": float("inf")}]), "no row has val_acc"),
        (json.dumps([JSON[1] | {"val_acc": 940}]), "row 0: val_acc is outside 0 to 100"),
        (json.dumps([JSON[1] | {"parameters": [1, 2]}]), "not a single number of at least 0"),
        (json.dumps([JSON[1] | {"train_seconds": -1}]), "not a single number of at least 0"),
        ("val_acc,genotype,val_acc\n", "two columns of the same name"),
        ("genotype,val_acc\n", "no architecture"),
        (f'genotype,val_acc\n"{ONE}"\n', "line 2: 1 fields under 2 columns"),
        (f'genotype,val_acc\n"{ONE}",good\n', "line 2: val_acc is 'good', not a number"),
        ("genotype,val_acc\nGenotype,3\n", "line 2: 'Genotype' is not a genotype"),
        ("arch,val_acc\nx,3\n", "no column genotype. Name it with --column genotype=COLUMN, one"),
        ('genotype,val_acc\n"unclosed', "line 2"),
        ("genotype,val_acc\n" + "9" * 10**6, "line 2"),
        (b"genotype,val_acc\n\xff", "not UTF-8"),
    ],
)
def test_says_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "darts.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        darts.read(path)
    assert "\n" not in str(caught.value)


def test_what_failed_is_no_label(tmp_path):
    path = tmp_path / "darts.json"
    rows = [JSON[1], JSON[2] | {"val_acc": float("nan")}, JSON[0] | {"val_acc": "diverged"}]
    rows.append({"normal": CHAIN, "reduce": changed(0, ["avg_pool_3x3", 0])})
    path.write_text(json.dumps(rows))
    (measured, _) = darts.read(path).measurements
    np.testing.assert_array_equal(measured.values[:, 0], [94, np.nan, np.nan, np.nan])
    assert measured.failed.tolist() == [False, True, True, False]


def test_none_is_no_edge():
    """It produces nothing, wherever it comes from; what only it feeds is not there either."""
    two = changed(1, ["none", 1])
    graphs = genotype_graphs([genotype(), genotype(normal=two)])
    assert graphs.sizes().tolist() == [30, 29]
    assert graphs.adjacency[1].sum() == graphs.adjacency[0].sum() - 2
    elsewhere = genotype(normal=changed(1, ["none", 0]))
    other = genotype(normal=changed(0, ["none", 1]))
    assert classes(genotype(), genotype(normal=two), elsewhere, other) == [0, 1, 1, 2]
    # Node 2 of this cell has no input left, so the edges that it feeds are gone as well.
    dead = genotype(normal=changed(0, ["none", 0], two))
    without = changed(0, ["none", 0], two)
    for edge in (3, 5):
        without = changed(edge, ["none", 0], without)
    assert classes(dead, genotype(normal=without)) == [0, 0]
    assert genotype_text(dead).count("'none'") == 2


@pytest.mark.parametrize(
    "before", ["DARTS_V2 = ", "genotypes.", "V2=cnn.genotypes.", "self.best = ", " "]
)
def test_spellings_of_a_genotype(before):
    assert parse_genotype(before + DARTS_V2) == parse_genotype(DARTS_V2)
    with pytest.raises(ValueError, match="is not a genotype"):
        parse_genotype(f"{before}{DARTS_V2}; import os")


def test_a_table_in_any_form_with_columns_of_any_name(tmp_path):
    """Semicolons, a decimal comma, parts in columns, and a name that the user gives."""
    path = tmp_path / "darts.csv"
    parts = [str([tuple(edge) for edge in CHAIN])] * 2
    path.write_text(f'net;Val_Acc\n"G = {ONE}";93,5\n"{TWO}";failed\n')
    assert not darts.recognises(path)
    renamed = {"cell": "net"}
    assert darts.recognises(path, renamed=renamed)
    found = darts.read(path, renamed=renamed)
    assert found.architectures == (ONE, TWO)
    (measured,) = found.measurements
    np.testing.assert_array_equal(measured.values, [[93.5], [np.nan]])
    assert measured.failed.tolist() == [False, True]
    header = "normal\tnormal_concat\treduce\treduce_concat\tval_acc\n"
    path.write_text(f"{header}{parts[0]}\trange(2, 6)\t{parts[1]}\t[2, 3, 4, 5]\t0.9\n")
    assert darts.recognises(path)
    assert darts.read(path).architectures == (ONE,)


def test_refuses_what_is_no_file(refuses):
    refuses(darts, "darts.json")


@pytest.mark.parametrize("content", [json.dumps(JSON), CSV])
def test_survives_mutations(survives, content):
    survives(darts, "darts.csv" if content == CSV else "darts.json", content.encode())

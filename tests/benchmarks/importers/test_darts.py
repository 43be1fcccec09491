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
        ("[]", "no genotype"),
        ("[3]", "row 1 is not a JSON object"),
        ('{"genotype": }', "line 1 is not JSON"),
        (json.dumps([JSON[1], JSON[1]]), "row 2 repeats the genotype of row 1"),
        (json.dumps([JSON[2]]), "no row has val_acc"),
        (json.dumps([JSON[1] | {"val_acc": "94"}]), "for val_acc, not a number"),
        (json.dumps([JSON[1] | {"val_acc": float("inf")}]), "for val_acc, not a number"),
        (json.dumps([JSON[1] | {"val_acc": 940}]), "outside 0 to 100"),
        (json.dumps([JSON[1] | {"parameters": [1, 2]}]), "needs a single number"),
        (json.dumps([JSON[1] | {"train_seconds": -1}]), "needs a single number"),
        ("val_acc,genotype,val_acc\n", "should name distinct columns"),
        ("genotype,val_acc\n", "no genotype"),
        (f'genotype,val_acc\n"{ONE}"\n', "line 2 has 1 of 2 fields"),
        (f'genotype,val_acc\n"{ONE}",good\n', "for val_acc, not a number"),
        ("genotype,val_acc\nGenotype,3\n", "is not a genotype"),
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


def test_nan_is_no_label(tmp_path):
    path = tmp_path / "darts.json"
    path.write_text(json.dumps([JSON[1], JSON[2] | {"val_acc": float("nan")}]))
    assert np.isnan(darts.read(path).measurements[0].values).tolist() == [[False], [True]]


def test_refuses_what_is_no_file(refuses):
    refuses(darts, "darts.json")


@pytest.mark.parametrize("content", [json.dumps(JSON), CSV])
def test_survives_mutations(survives, content):
    survives(darts, "darts.any", content.encode())

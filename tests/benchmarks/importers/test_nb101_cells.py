from hashlib import md5
from itertools import permutations

import numpy as np
import pytest

from nasrank.benchmarks.importers.nb101_cells import (
    VOCABULARY,
    cell_graphs,
    cell_hash,
    cell_text,
    check_cell,
)
from nasrank.graphs import canonicalise, isomorphism_classes

CHAIN = ("010001000", "input,maxpool3x3,output")


def digest(text):
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def test_the_hash_of_the_smallest_cell_by_hand():
    # Input has one target and no source, output the reverse; then two rounds for two vertices.
    a, b = digest("(1, 0, -1)"), digest("(0, 1, -2)")
    a, b = digest(f"|{b}|{a}"), digest(f"{a}||{b}")
    a, b = digest(f"|{b}|{a}"), digest(f"{a}||{b}")
    first, second = sorted([a, b])
    assert cell_hash("0100", "input,output") == digest(f"['{first}', '{second}']")


def test_isomorphic_cells_have_one_hash():
    # Two vertices side by side between input and output may change places.
    matrix = "0110" + "0001" + "0001" + "0000"
    one = cell_hash(matrix, "input,conv1x1-bn-relu,maxpool3x3,output")
    assert one == cell_hash(matrix, "input,maxpool3x3,conv1x1-bn-relu,output")
    assert one != cell_hash(matrix, "input,maxpool3x3,maxpool3x3,output")


def test_any_order_of_the_vertices_gives_the_hash():
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 5), (4, 5)]
    names = ["input", *VOCABULARY[2:], "maxpool3x3", "output"]
    found = set()
    for inner in permutations(range(1, 5)):
        place = [0, *inner, 5]
        matrix = np.zeros((6, 6), int)
        operations = [""] * 6
        for vertex, name in enumerate(names):
            operations[place[vertex]] = name
        for u, v in edges:
            matrix[place[u], place[v]] = 1
        digits = "".join(map(str, matrix.ravel()))
        found.add(cell_hash(digits, ",".join(operations)))
    assert len(found) == 1


def test_the_official_hashes_of_all_cells_up_to_five_vertices(shared_data):
    import pandas as pd

    table = pd.read_parquet(shared_data / "nb101_ecnas_le5v_4epochs.parquet")
    matrices = table["matrix_rows"].str.replace("/", "").tolist()
    operations = table["ops"].tolist()
    found = [cell_hash(*cell) for cell in zip(matrices, operations, strict=True)]
    assert found == table["nb101_hash"].tolist()
    # The hash and our classes agree: different cells are different graphs.
    graphs = canonicalise(cell_graphs(matrices, operations))
    assert len(np.unique(isomorphism_classes(graphs))) == len(table) == 2532
    texts = [cell_text(*cell) for cell in zip(matrices, operations, strict=True)]
    assert texts == (table["matrix_rows"] + " " + table["ops"]).tolist()


def test_graphs_of_cells_of_different_sizes():
    graphs = cell_graphs(["0100", CHAIN[0]], ["input,output", CHAIN[1]])
    assert graphs.vocabulary == VOCABULARY
    assert graphs.operations.tolist() == [[0, 1, 0], [0, 4, 1]]
    assert graphs.mask.tolist() == [[True, True, False], [True, True, True]]
    assert np.argwhere(graphs.adjacency).tolist() == [[0, 0, 1], [1, 0, 1], [1, 1, 2]]


@pytest.mark.parametrize(
    ("matrix", "operations", "complaint"),
    [
        ("", "input,output", "0 digits are not a matrix"),
        ("0", "input", "1 digits are not a matrix"),
        ("01100100", CHAIN[1], "8 digits are not a matrix"),
        ("0" * 64, CHAIN[1], "64 digits are not a matrix"),
        ("021001000", CHAIN[1], "digits other than 0 and 1"),
        ("01\N{ARABIC-INDIC DIGIT ONE}001000", CHAIN[1], "digits other than 0 and 1"),
        ("010001010", CHAIN[1], "does not lead to a later vertex"),
        ("110001000", CHAIN[1], "does not lead to a later vertex"),
        ("01111" + "00111" + "00011" + "00001" + "00000", "a,b,c,d,e", "more than 9 edges"),
        (CHAIN[0], "input,output", "2 operations for 3 vertices"),
        (CHAIN[0], "input,maxpool3x3,maxpool3x3", "start with input and end with output"),
        (CHAIN[0], "output,maxpool3x3,input", "start with input and end with output"),
        (CHAIN[0], "input,conv9x9,output", "operation 'conv9x9' is unknown"),
        (CHAIN[0], "input,input,output", "operation 'input' is unknown"),
    ],
)
def test_what_is_no_cell_is_refused(matrix, operations, complaint):
    check_cell(*CHAIN)
    with pytest.raises(ValueError, match=complaint):
        check_cell(matrix, operations)

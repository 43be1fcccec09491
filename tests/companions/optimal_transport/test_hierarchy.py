import numpy as np
import pytest

from nasrank.companions.optimal_transport.hierarchy import (
    Hierarchy,
    hierarchy_of_columns,
    parse_hierarchy,
    read_hierarchy,
)
from nasrank.companions.optimal_transport.trees import DEFAULT_TREES, TREES, load_tree
from nasrank.errors import DataError, UsageError

LINES = """
# animals and what they do not drive
animal: pet, farm
pet: cat, dog
farm: cow
thing: car
"""
CLASSES = ("cat", "dog", "cow", "car")


def test_distances_are_edges_on_the_way():
    tree = parse_hierarchy(LINES, "t", CLASSES)
    assert tree.paths[0] == ("animal", "pet", "cat")
    # cat-dog: 2 edges by way of pet; cat-cow: 4 by animal; cat-car: 3 up and 2 down.
    assert tree.distances.tolist() == [[0, 2, 4, 5], [2, 0, 4, 5], [4, 4, 0, 5], [5, 5, 5, 0]]
    assert tree.pair_distances().tolist() == [2, 4, 5, 4, 5, 5]
    assert tree.levels == 3
    assert tree.groups == ("animal", "thing")
    assert tree.group_of.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        '{"animal": {"pet": ["cat", "dog"], "farm": ["cow"]}, "thing": ["car"]}',
        '{"animal": ["pet", "farm"], "pet": ["cat", "dog"], "farm": ["cow"], "thing": ["car"]}',
        '{"animal": [{"pet": ["cat", "dog"]}, {"farm": ["cow"]}], "thing": ["car", "ship"]}',
    ],
)
def test_json_says_the_same(text):
    assert parse_hierarchy(text, "t", CLASSES).paths == parse_hierarchy(LINES, "t", CLASSES).paths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b\nb: c\nc: a\nx: cat, dog, cow, car", "circle: [abc] > [abc] > [abc] > "),
        ("cat: cat\nx: dog, cow, car", "has children"),
        ("pet: cat, dog\nfarm: cow", "class 'car' is not in the tree"),
        ("pet: cat, dog\nfarm: cow, cat, car", "below 'pet' and below 'farm'"),
        ("pet: cat, dog, cat2\ncat: cow, car", "class 'cat' has children"),
        ("pet cat", "line 1"),
        ("pet: cat,,dog", "line 1"),
        (": cat", "line 1"),
        ("", "not in the tree"),
        ("{", "not JSON"),
        ("[1]", "where an object"),
        ('{"pet": "cat"}', "where an object"),
        ('{"pet": [null]}', "not a name"),
        ('{"pet": ["cat"], "pet": ["dog"], "farm": ["cat"]}', "below 'pet' and below 'farm'"),
        ('{"a": {"b": {"a": ["cat", "dog", "cow", "car"]}}}', "circle"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_trees_that_are_none(text, message):
    with pytest.raises(DataError, match=message) as caught:
        parse_hierarchy(text, "t", CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["all: cat, dog, cow, car", "a: cat\nb: dog\nc: cow\nd: car"])
def test_without_structure_there_is_nothing_to_keep(text):
    with pytest.raises(UsageError, match="equally far"):
        parse_hierarchy(text, "t", CLASSES)


def test_files(tmp_path):
    path = tmp_path / "animals.txt"
    path.write_text(LINES)
    assert read_hierarchy(path, CLASSES).name == "animals.txt"
    path.write_bytes(b"\xff\xfe\x00")
    for bad, message in (
        (path, "text file"),
        (tmp_path, "a folder"),
        (tmp_path / "x", "No such"),
    ):
        with pytest.raises(DataError, match=message):
            read_hierarchy(bad, CLASSES)


def test_label_columns_make_a_tree():
    columns = {
        "kind": ["cat", "car", "dog", "cat", "cow"],
        "group": ["pet", "car", "pet", "pet", "farm"],
        "realm": ["animal", "thing", "animal", "animal", "animal"],
    }
    tree = hierarchy_of_columns("f.parquet", columns, ("car", "cat", "cow", "dog"))
    assert tree.paths[0] == ("thing", "car", "car")
    assert tree.distances[0].tolist() == [0, 6, 6, 6]
    assert tree.distances[1].tolist() == [6, 0, 4, 2]
    columns["group"][3] = "wild"
    with pytest.raises(DataError, match="kind 'cat' is in group 'pet' and in 'wild'"):
        hierarchy_of_columns("f.parquet", columns, ("car", "cat", "cow", "dog"))


def test_classes_held_out_are_two_of_a_group_and_at_most_half():
    tree = load_tree("clothes", ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal",
                                 "Shirt", "Sneaker", "Bag", "Ankle boot"))  # fmt: skip
    # Two of six clothes, one of three shoes, none of one bag.
    assert tree.unseen().tolist() == [0, 1, 5]
    digits = load_tree("even-odd", tuple("0123456789"))
    assert digits.unseen().tolist() == [0, 1, 2, 3]
    left = digits.of(np.arange(4, 10))
    assert left.paths == digits.paths[4:]
    assert digits.of(np.array([0, 2, 4])) is None
    assert digits.of(np.array([0, 2])) is None


def test_one_class_alone_is_a_tree_without_pairs():
    assert Hierarchy("t", (("a",),)).pair_distances().tolist() == []


def test_names_of_trees():
    assert set(DEFAULT_TREES.values()) <= set(TREES)
    five = load_tree("five", tuple("0123456789"))
    assert [int(five.distances[0, other]) for other in (2, 1, 6)] == [2, 4, 6]
    with pytest.raises(UsageError, match="unknown tree 'evenodd'"):
        load_tree("evenodd", ("0",))
    with pytest.raises(DataError, match=r"no/such\.txt"):
        load_tree("no/such.txt", ("0",))
    with pytest.raises(DataError, match="class '10'"):
        load_tree("five", ("0", "10"))

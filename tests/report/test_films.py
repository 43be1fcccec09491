"""Embeddings in a page: what is played is what was written, whatever else the file holds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.report.films import read_film

RESULTS = Path(__file__).parents[2] / "results"
PLAYED = RESULTS / "hard" / "emoji" / "embeddings.json"


def file_of(folder, data):
    path = folder / "embeddings.json"
    text = data if isinstance(data, str) else json.dumps(data)
    path.write_text(text)
    return path


RUN = {
    "names": {"3": "three", "7": "<b>"},
    "classes": [[3, 7], [7], []],
    "epochs": [
        {"real": [[0, 1], [2, 3.00049]], "positive": [[4, 5]]},
        {"real": [[1, 1], [1, 1]], "positive": None, "negative": []},
    ],
    "log": {"triplet_loss": [0.5, None], "within": [1, 2]},
}


def test_points_know_their_class_and_kind(tmp_path):
    film = read_film(file_of(tmp_path, {"<i>": RUN}))["<i>"]
    assert film["names"] == ["three", "<b>"]
    first, second = film["epochs"]
    assert first["points"] == [[0, 1, 0, 0], [2, 3.0, 1, 0], [4, 5, 1, 1]]
    assert first["log"] == {"triplet_loss": 0.5}
    assert second["log"] == {}


def test_every_point_of_a_committed_file_is_there():
    written = json.loads(PLAYED.read_text())
    films = read_film(PLAYED)
    assert films.keys() == written.keys()
    for method, film in films.items():
        for epoch, there in zip(film["epochs"], written[method]["epochs"], strict=True):
            points = [
                p for kind in ("real", "positive", "negative") for p in there.get(kind) or ()
            ]
            assert [p[:2] for p in epoch["points"]] == [[round(c, 3) for c in p] for p in points]


@pytest.mark.parametrize(
    "data",
    [
        "[" * 100_000,
        "{",
        [1],
        {"m": 1},
        {"m": {**RUN, "classes": [[3, 8], [7], []]}},
        {"m": {**RUN, "epochs": [{"real": [[0, "x"], [1, 1]]}]}},
        {"m": {**RUN, "epochs": [{"real": [[0, float("inf")], [1, 1]]}]}},
    ],
)
def test_what_cannot_be_played_is_an_error_of_one_line(tmp_path, data):
    with pytest.raises(DataError, match=r"embeddings\.json") as caught:
        read_film(file_of(tmp_path, data))
    assert "\n" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(VALUES, st.sampled_from(["names", "classes", "epochs", "log"]))
def test_any_content_is_played_or_refused(tmp_path_factory, value, key):
    path = file_of(tmp_path_factory.mktemp("film"), {"m": {**RUN, key: value}})
    try:
        film = read_film(path)
    except DataError:
        return
    for epoch in film["m"]["epochs"]:
        assert all(len(point) == 4 for point in epoch["points"])

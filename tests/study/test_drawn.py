from types import SimpleNamespace

import pytest

from nasrank.questions.compare.options import CompareConfig
from nasrank.study.drawn import drawn_before, picture_key, remember


def draw(_result):
    """Stand for what draws."""


def result(**changes):
    usual = {"config": CompareConfig(), "tables": {"runs": [{"tau": 0.5}]}, "shown": None}
    return SimpleNamespace(**usual | changes)


STUDY = SimpleNamespace(pictures=draw)


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / "z.svg", tmp_path / "a.svg"]
    for path in paths:
        path.write_text(f"<svg>{path.name}</svg>")
    remember(tmp_path, picture_key(STUDY, result()), paths)
    return paths


def test_pictures_of_the_same_tables_are_there(tmp_path, pictures):
    assert drawn_before(tmp_path, picture_key(STUDY, result())) == pictures


def test_other_tables_or_options_need_other_pictures(tmp_path, pictures):
    for other in (
        result(tables={"runs": [{"tau": 0.6}]}),
        result(config=CompareConfig(seeds=7)),
        result(shown="more than tables"),
    ):
        assert drawn_before(tmp_path, picture_key(STUDY, other)) is None
    assert picture_key(SimpleNamespace(pictures=None), result()) is None


@pytest.mark.parametrize("content", ["<svg/>", None])
def test_a_picture_that_was_changed_or_removed_is_drawn_again(tmp_path, pictures, content):
    pictures[1].unlink()
    if content is not None:
        pictures[1].write_text(content)
    assert drawn_before(tmp_path, picture_key(STUDY, result())) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 9999, '{"key": 1}', '{"key": KEY, "files": [7]}']
)
def test_a_file_of_another_form_is_not_believed(tmp_path, pictures, text):
    key = picture_key(STUDY, result())
    (tmp_path / "pictures.json").write_text(text.replace("KEY", f'"{key}"'))
    assert drawn_before(tmp_path, key) is None


def test_pictures_elsewhere_are_not_remembered(tmp_path, pictures):
    (tmp_path / "pictures.json").unlink()
    remember(tmp_path / "other", picture_key(STUDY, result()), pictures)
    assert not [*tmp_path.rglob("pictures.json")]

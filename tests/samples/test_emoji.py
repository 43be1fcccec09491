"""Sheets made here, so that no package of images is needed."""

import json
from pathlib import Path

import numpy as np
import pytest

from nasrank.errors import DataError
from nasrank.samples import load_samples
from nasrank.samples.emoji import read_emoji

Image = pytest.importorskip("PIL.Image")

NAMES = ("cat", "dog", "sun", "tree")


def package(folder, vendor, size=32, names=NAMES, lacking=(), topics=None):
    """A sheet of 2x2 tiles, each of one grey of its own, with clear borders."""
    root = folder / f"emoji-datasource-{vendor}"
    sheet = np.zeros((2 * (size + 2), 2 * (size + 2), 4), np.uint8)
    listed = []
    for number, name in enumerate(names):
        x, y = number % 2, number // 2
        top, left = y * (size + 2) + 1, x * (size + 2) + 1
        sheet[top : top + size, left : left + size] = (*[40 * number] * 3, 255)
        has = {f"has_img_{each}": name not in lacking for each in ("google", "twitter", "apple")}
        own = (
            {}
            if topics is None
            else dict(zip(("category", "subcategory"), topics[number], strict=True))
        )
        listed.append({"short_name": name, "sheet_x": x, "sheet_y": y, **has, **own})
    place = root / "img" / vendor / "sheets"
    place.mkdir(parents=True)
    Image.fromarray(sheet, "RGBA").save(place / f"{size}.png")
    (root / "emoji.json").write_text(json.dumps(listed))
    return root


def test_tiles_are_cut_where_they_lie(tmp_path):
    for vendor in ("google", "twitter"):
        package(tmp_path, vendor)
    data = load_samples("emoji", data_dir=tmp_path)
    assert data.shape == (3, 32, 32)
    assert sorted(data.class_names) == sorted(NAMES)
    assert len(data.train) + len(data.test) == 8
    for part in (data.train, data.test):
        for image, number in zip(part.values, part.classes, strict=True):
            grey = 40 * NAMES.index(data.class_names[number]) / 255
            np.testing.assert_allclose(image, grey, atol=1e-6)


def test_one_image_a_vendor_and_size(tmp_path):
    for vendor in ("google", "twitter", "apple"):
        root = package(tmp_path, vendor, lacking=("dog",))
        for size in (20, 64):
            wide = package(tmp_path / str(size), vendor, size=size)
            sheet = Path("img") / vendor / "sheets" / f"{size}.png"
            (wide / sheet).rename(root / sheet)
    data = read_emoji([tmp_path / "none", tmp_path], sizes=(20, 32, 64))
    # Three vendors in three sizes, without the emoji that is lacking.
    assert sorted(data.class_names) == ["cat", "sun", "tree"]
    counts = np.bincount(np.r_[data.train.classes, data.test.classes])
    assert counts.tolist() == [9, 9, 9]


def test_clear_pixels_are_white(tmp_path):
    for vendor in ("google", "twitter"):
        root = package(tmp_path, vendor)
        path = root / "img" / vendor / "sheets" / "32.png"
        pixels = np.array(Image.open(path))
        pixels[..., 3] //= 2
        Image.fromarray(pixels, "RGBA").save(path)
    data = load_samples("emoji", data_dir=tmp_path)
    black = data.class_names.index("cat")
    values = data.train.values[data.train.classes == black]
    np.testing.assert_allclose(values, 1 - 127 / 255, atol=1e-6)


def test_what_is_missing_is_named_with_the_command(tmp_path):
    package(tmp_path, "google")
    with pytest.raises(DataError, match="npm install emoji-datasource-google") as caught:
        load_samples("emoji", data_dir=tmp_path)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["png", "json", "keys", "empty", "far"])
def test_damaged_files(tmp_path, damage):
    for vendor in ("google", "twitter"):
        root = package(tmp_path, vendor, names=() if damage == "empty" else NAMES)
        listed = root / "emoji.json"
        if damage == "png":
            sheet = root / "img" / vendor / "sheets" / "32.png"
            sheet.write_bytes(sheet.read_bytes()[:60])
        elif damage == "json":
            listed.write_text("[{")
        elif damage == "keys":
            listed.write_text('[{"short_name": "cat"}]')
        elif damage == "far":
            text = listed.read_text()
            listed.write_text(text.replace('"sheet_x": 1', '"sheet_x": 7'))
    with pytest.raises(DataError, match="nstall"):
        load_samples("emoji", data_dir=tmp_path)


def test_the_published_packages(request):
    folder = Path("node_modules")
    if not (folder / "emoji-datasource-google").is_dir():
        pytest.skip("emoji-datasource packages are not installed in ./node_modules")
    data = load_samples("emoji")
    assert len(data.class_names) > 1_700


TOPICS = (("Nature", "animal"), ("Nature", "animal"), ("Nature", "sky"), ("Nature", "plant"))


def test_emoji_have_the_tree_of_their_topics(tmp_path):
    for vendor in ("google", "twitter"):
        package(tmp_path, vendor, topics=TOPICS)
    data = load_samples("emoji", data_dir=tmp_path)
    by_name = dict(zip(data.class_names, data.above, strict=True))
    assert by_name["cat"] == by_name["dog"] == ("Nature", "animal")
    assert by_name["sun"] == ("Nature", "sky")


def test_a_drawing_of_an_emoji_is_never_on_both_sides_of_topics(tmp_path):
    for vendor in ("google", "twitter"):
        package(tmp_path, vendor, topics=TOPICS)
    data = load_samples("emoji-topics", data_dir=tmp_path)
    assert data.class_names == ("Nature/animal", "Nature/plant", "Nature/sky")
    assert data.above == (("Nature",),) * 3
    greys = [set(np.round(255 * part.values[:, 0, 0, 0]).astype(int)) for part in
             (data.train, data.test)]  # fmt: skip
    assert len(data.train) + len(data.test) == 8
    assert not greys[0] & greys[1]
    # One of the two animals is for testing, by both vendors.
    assert np.bincount(data.test.classes, minlength=3).tolist() == [2, 0, 0]


def test_topics_that_packages_do_not_name_are_missed(tmp_path):
    for vendor in ("google", "twitter"):
        package(tmp_path, vendor)
    assert load_samples("emoji", data_dir=tmp_path).above == ()
    with pytest.raises(DataError, match="names no topics"):
        load_samples("emoji-topics", data_dir=tmp_path)

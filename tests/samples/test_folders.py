"""Pictures in folders and photographs of solar cells, made here."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.samples import load_samples
from nasrank.samples.elpv import ELPV_INSTALL, read_elpv
from nasrank.samples.folders import CLIPART_INSTALL, read_folders

Image = pytest.importorskip("PIL.Image")


def picture(path, colour=(255, 0, 0, 255), size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", size, colour).save(path)


@pytest.fixture
def tree(tmp_path):
    for number in range(4):
        picture(tmp_path / "animals" / "birds" / f"{number}.png", (250, 0, 0, 255))
        picture(tmp_path / "animals" / "fish" / "sea" / f"{number}.png", (0, 250, 0, 255))
        picture(tmp_path / "tools" / "saws" / f"{number}.PNG", (0, 0, 250, 255))
    picture(tmp_path / "tools" / "rare" / "0.png")
    (tmp_path / "tools" / "notes.txt").write_text("no picture")
    return tmp_path


def test_folders_are_classes_and_those_above_their_tree(tree):
    data = load_samples(str(tree))
    assert data.class_names == ("animals/birds", "animals/fish/sea", "tools/saws")
    assert data.above == (("animals",), ("animals", "animals/fish"), ("tools",))
    assert data.shape == (3, 32, 32)
    assert (len(data.train), len(data.test)) == (9, 3)
    assert data.notes == (f"{tree}: 1 pictures of classes of fewer than 2 are left out",)
    for part in (data.train, data.test):
        assert part.values[part.classes == 1][:, 1].min() == pytest.approx(250 / 255)


def test_a_depth_joins_what_lies_deeper(tree):
    data = read_folders([tree / "none", tree], name="x", depth=2)
    assert data.class_names == ("animals/birds", "animals/fish", "tools/saws")
    assert data.above == (("animals",), ("animals",), ("tools",))


def test_pictures_stand_in_a_white_square(tmp_path):
    for number in range(2):
        picture(tmp_path / "wide" / f"{number}.png", (0, 0, 0, 255), (8, 4))
        picture(tmp_path / "clear" / f"{number}.png", (0, 0, 0, 0))
    data = load_samples(str(tmp_path))
    pooled = {
        data.class_names[number]: image
        for part in (data.train, data.test)
        for image, number in zip(part.values, part.classes, strict=True)
    }
    assert pooled["clear"].min() == 1
    wide = pooled["wide"][0]
    assert wide[:8].min() == 1
    assert wide[8:24].max() == 0
    assert wide[24:].min() == 1


def test_links_out_of_the_folder_are_not_followed(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    picture(outside / "secret" / "0.png")
    picture(outside / "secret" / "1.png")
    (tree / "linked").symlink_to(outside / "secret")
    (tree / "animals" / "birds" / "9.png").symlink_to(outside / "secret" / "0.png")
    data = load_samples(str(tree))
    assert len(data.train) + len(data.test) == 12
    assert "linked" not in data.class_names


def test_what_is_no_picture_is_refused_by_name(tree):
    (tree / "animals" / "birds" / "0.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"birds/0.png: not a PNG image"):
        load_samples(str(tree))


def test_one_folder_is_no_set(tmp_path):
    picture(tmp_path / "a" / "0.png")
    picture(tmp_path / "a" / "1.png")
    with pytest.raises(DataError, match="two are needed"):
        load_samples(str(tmp_path))


def test_a_package_that_is_not_there_says_what_to_install(tmp_path):
    with pytest.raises(DataError, match=CLIPART_INSTALL):
        load_samples("openclipart", data_dir=tmp_path / "none")
    with pytest.raises(DataError, match=ELPV_INSTALL):
        load_samples("elpv", data_dir=tmp_path / "none")


LINES = [
    f"images/cell{number:04d}.png  {degree:<18} {kind}"
    for number, (degree, kind) in enumerate(
        (d, k) for d in (0.0, 0.3333333333333333, 1.0) for k in ("mono", "poly") for _ in range(4)
    )
]


def cells(folder, lines=LINES):
    for number in range(len(LINES)):
        picture(
            folder / "images" / f"cell{number:04d}.png", (number, number, number, 255), (30, 30)
        )
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_solar_cells_are_of_a_degree_and_a_kind(tmp_path):
    data = load_samples("elpv", data_dir=cells(tmp_path))
    assert data.class_names == (
        "mono 0", "poly 0", "mono 0.33", "poly 0.33", "mono 1", "poly 1",
    )  # fmt: skip
    assert data.above[2] == ("sound", "degree 0.33")
    assert data.above[4] == ("defective", "degree 1")
    assert data.shape == (1, 50, 50)
    assert "not the list of version 1.0.0" in data.notes[0]
    seen = {round(255 * float(image.mean())): number
            for part in (data.train, data.test)
            for image, number in zip(part.values, part.classes, strict=True)}  # fmt: skip
    assert seen == {number: number // 4 for number in range(len(LINES))}


@pytest.mark.parametrize(
    "line",
    [
        "../../etc/passwd.png 0.0 mono",
        "images/cell0001.png 0.0 other",
        "images/cell1.png 0 mono",
        "",
    ],
)
def test_other_lines_are_refused_with_their_number(tmp_path, line):
    folder = cells(tmp_path, [LINES[0], line, LINES[1]])
    with pytest.raises(DataError, match="line 2"):
        read_elpv([folder])


@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_as_a_list_are_refused_in_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("cells")
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        read_elpv([Path(folder)])
    assert "\n" not in str(error.value)


def test_the_real_photographs_where_they_are_installed():
    try:
        data = load_samples("elpv")
    except DataError as error:
        pytest.skip(str(error))
    assert data.notes == ()
    assert len(data.train) + len(data.test) == 2624
    assert np.bincount(np.r_[data.train.classes, data.test.classes]).min() > 20

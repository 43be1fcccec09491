"""A user's own files in an output folder are safe, whatever their names."""

import json
import os
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.errors import DataError
from nasrank.files import Scratch, remove_stale_parts
from nasrank.study.conduct import conduct
from nasrank.study.ownership import claim

OTHER = "elsewhere-1-1"


def content(folder: Path) -> dict[str, object]:
    """Every file, link and folder below a folder, hidden ones included."""

    def of(path: Path) -> object:
        if path.is_symlink():
            return path.readlink()
        return path.read_bytes() if path.is_file() else None

    return {str(path.relative_to(folder)): of(path) for path in sorted(folder.rglob("*"))}


@pytest.fixture
def foreign(tmp_path):
    """A folder of somebody else's files that look a little like ours."""
    victim = tmp_path / "victim"
    (victim / "deep").mkdir(parents=True)
    (victim / "deep" / "thesis.tex").write_text("years of work")
    (victim / "part-000000.parquet").write_text("mine")
    folder = tmp_path / "shared"
    (folder / "runs.d").mkdir(parents=True)
    (folder / "scores" / "old").mkdir(parents=True)
    for name in (
        *("notes.txt", ".hidden", "backup.part", "half.tar.part", "runs.d/my.fleet"),
        *("runs.d/notes.parquet", "scores/old/part-000000.parquet", "scores/readme"),
    ):
        (folder / name).write_text(f"{name} is mine")
    (folder / "scores" / "linked").symlink_to(victim)
    (folder / "link.part").symlink_to(victim / "deep" / "thesis.tex")
    long_ago = time.time() - 1e7
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (long_ago, long_ago))
    return folder


def test_a_study_leaves_the_files_of_others_as_they_were(foreign, toy):
    before = {**content(foreign), **content(foreign.parent / "victim")}
    conduct(toy.ToyConfig(), foreign, study=toy.TOY)
    after = {**content(foreign), **content(foreign.parent / "victim")}
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize("name", ["run.json", "answer.json", "table.parquet", "TABLE"])
def test_a_file_that_nasrank_did_not_write_is_not_replaced(name, tmp_path, toy):
    name = f"{toy.TOY.main.name}.parquet" if name == "TABLE" else name
    path = tmp_path / name
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"a": [1]}), path)
    else:
        path.write_text('{"my": "own"}')
    before = path.read_bytes()
    if name == "table.parquet":  # no name of this study's
        conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    else:
        with pytest.raises(DataError, match=f"{name}: it exists, and nasrank did not write it"):
            conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
        assert [path.name for path in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == before


def test_our_own_folder_and_our_own_tables_may_be_replaced(tmp_path, toy):
    conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    conduct(toy.ToyConfig(), tmp_path, study=toy.TOY)
    # As in a copy of published tables.
    (tmp_path / "run.json").unlink()
    shutil.rmtree(tmp_path / "runs.d")
    claim(tmp_path, [f"{toy.TOY.main.name}.parquet"])
    (tmp_path / "run.json").write_text(json.dumps({"command": ["no", "text"]}))
    with pytest.raises(DataError, match=r"run\.json"):
        claim(tmp_path, ["run.json"])


def test_only_parts_with_a_name_of_ours_are_stale(tmp_path):
    ours = tmp_path / f"a.parquet.{OTHER}.part"
    kept = [tmp_path / "a.part", tmp_path / "a-1-1.part", tmp_path / f".{OTHER}.part.gz"]
    for path in (ours, *kept):
        path.write_text("half")
        os.utime(path, (0, 0))
    link = tmp_path / f"b.{OTHER}.part"
    link.symlink_to(kept[0])
    assert remove_stale_parts(tmp_path) == 1
    assert not ours.exists()
    assert link.is_symlink()
    assert all(path.exists() for path in kept)


def test_scratch_is_removed_only_where_it_is_ours_and_nobody_works_in_it(tmp_path):
    scratch = Scratch(tmp_path / "mine", "part-*")
    scratch.claim()
    (scratch.folder / "part-1").write_text("scores")
    assert scratch.remove()
    assert not scratch.folder.exists()
    # Without a mark.
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "part-1").write_text("precious")
    assert not Scratch(tmp_path / "theirs", "part-*").remove()
    with pytest.raises(DataError, match="files that are not nasrank's"):
        Scratch(tmp_path / "theirs", "part-*").claim()
    # Behind a link.
    scratch.claim()
    (tmp_path / "link").symlink_to(scratch.folder)
    assert not Scratch(tmp_path / "link", "part-*").remove()
    # With a file of another program, which stays.
    (scratch.folder / "own.txt").write_text("precious")
    (scratch.folder / "part-2").symlink_to(tmp_path / "theirs" / "part-1")
    assert not scratch.remove()
    assert (scratch.folder / "own.txt").read_text() == "precious"
    assert (tmp_path / "theirs" / "part-1").read_text() == "precious"


def test_scratch_of_a_running_process_stays(tmp_path):
    scratch = Scratch(tmp_path / "busy", "part-*")
    scratch.claim()
    mark = next(scratch.folder.iterdir())
    machine, _ = mark.read_text().split()
    mark.write_text(f"{machine} {os.getppid()}\n")
    assert not scratch.remove()
    # On another machine it is given a day.
    mark.write_text("elsewhere 1\n")
    assert not scratch.remove()
    os.utime(mark, (0, 0))
    assert scratch.remove()

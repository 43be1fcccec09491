"""Pictures: formats, fonts, titles that fit, names at the ends of lines, and every study's own."""

import json
import re
from pathlib import Path

import pytest
from picture_checks import faults

from nasrank.benchmarks.titles import task_title
from nasrank.companions.hard_samples import figures as hard
from nasrank.companions.optimal_transport import figures as ot
from nasrank.questions.compare.figures import draw_comparison
from nasrank.questions.search.figures import draw_searches
from nasrank.studies import STUDIES, config_of
from nasrank.study.conduct import study_of
from nasrank.study.pictures import FORMATS, drawn_as, name_ends, picture, written_as
from nasrank.tables import read_parquet

RESULTS = Path(__file__).parents[2] / "results"
LONG = "what stands above this panel is a sentence that is far wider than the panel itself is"


@pytest.fixture(autouse=True, scope="module")
def _every_picture_here_is_looked_at():
    """`pictures_are_sound` looks at them where this module is loaded."""
    import matplotlib.figure  # noqa: F401


def test_a_picture_is_written_in_every_format_that_is_asked_for(tmp_path):
    path = tmp_path / "one.svg"
    with drawn_as(FORMATS):
        files = written_as(path)
        with picture(path, (3, 2), "a title") as figure:
            figure.subplots().set_xlabel("seconds")
    assert files == [tmp_path / f"one.{each}" for each in ("svg", "pdf", "png")]
    assert "seconds" in files[0].read_text()
    # A font with its outlines, and no Type 3 font, which publishers refuse.
    pdf = files[1].read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert b"/Subtype /Type3" not in pdf
    assert files[2].read_bytes().startswith(b"\x89PNG")
    assert written_as(path) == [path]
    assert written_as(tmp_path / "embeddings.json") == [tmp_path / "embeddings.json"]


def test_the_same_picture_is_the_same_file(tmp_path):
    before = []
    for _ in range(2):
        with drawn_as(FORMATS), picture(tmp_path / "one.svg", (3, 2)) as figure:
            figure.subplots().plot([1, 2], [3, 4])
        before.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    assert before[0] == before[1]


def test_titles_that_are_too_wide_are_broken(tmp_path):
    with picture(tmp_path / "one.svg", (6, 2.5), f"{LONG}. {LONG}") as figure:
        for axes in figure.subplots(1, 2):
            axes.set_title(LONG, loc="left", fontsize=9)
    assert faults(figure) == []
    assert all("\n" in axes.get_title(loc="left") for axes in figure.axes)


@pytest.mark.parametrize("limits", [(2e-3, 9e-3), (6e-4, 4e-3), (0.2, 0.95), (1e-5, 1e-1)])
def test_numbers_at_ticks_of_a_short_log_scale_stand_apart(tmp_path, limits):
    with picture(tmp_path / "one.svg", (4, 1.6)) as figure:
        for axes in figure.subplots(1, 2, sharey=True):
            axes.loglog(limits, limits)
    assert faults(figure) == []
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        labels = (*axis.get_majorticklabels(), *axis.get_minorticklabels())
        assert any(label.get_text() for label in labels)


def test_numbers_of_a_log_scale_are_written_out_where_they_are_short(tmp_path):
    with picture(tmp_path / "one.svg", (6, 2)) as figure:
        left, right = figure.subplots(1, 2)
        left.loglog((0.2, 20_000), (1, 2))
        right.loglog((1e-7, 1), (1, 2))
    said = [[label.get_text() for label in axes.get_xticklabels()] for axes in figure.axes]
    assert {"1", "100", "10,000"} <= {*said[0]}
    assert all("mathdefault" in text for text in said[1] if text)


@pytest.mark.parametrize("limits", [(-2e-17, 5e-17), (1e8, 1e8 + 5), (1.2e7, 3.5e7)])
def test_numbers_at_ticks_are_whole(tmp_path, limits):
    with picture(tmp_path / "one.svg", (5, 2)) as figure:
        for axes in figure.subplots(1, 2):
            axes.plot(limits, limits)
            axes.set_xlabel("as wide as the panel, or nearly")
    assert faults(figure) == []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            assert axis.get_offset_text().get_text() == ""
            labels = [label.get_text() for label in axis.get_ticklabels()]
            assert len(set(labels)) == len(labels)


def test_faults_are_found():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    for x, words in ((0.5, "one text"), (0.52, "another one"), (-0.2, "cut off")):
        figure.text(x, 0.5, words)
    assert faults(figure) == [
        "leaves the canvas: 'cut off'",
        "overlap: 'one text' and 'another one'",
    ]


def test_names_of_lines_that_end_alike_stand_apart_in_their_order(tmp_path):
    heights = {f"line{number}": 1 + number / 1000 for number in range(12)}
    with picture(tmp_path / "one.svg", (5, 3)) as figure:
        axes = figure.subplots()
        for height in heights.values():
            axes.plot([0, 1], [0, height])
        name_ends(axes, [(height, name, "black") for name, height in heights.items()])
    placed = {text.get_text(): text.xy[1] for text in axes.texts}
    assert sorted(placed, key=placed.get) == list(heights)
    assert faults(figure) == []


def test_tasks_have_names_that_a_reader_knows():
    assert task_title("nb201/imagenet16-120") == "NAS-Bench-201, ImageNet16-120"
    assert task_title("nb201/cifar10:latency") == "NAS-Bench-201, CIFAR-10, latency"
    assert task_title("nbgraph/cora") == "NAS-Bench-Graph, Cora"
    assert task_title("not/imported") == "not/imported"


@pytest.mark.parametrize("command", STUDIES)
def test_studies_that_draw_have_the_option(command):
    config = config_of(command)
    needed = {"ot diagnose": {"file": "x.parquet"}, "supcon diagnose": {"file": "x.parquet"}}
    try:
        study = study_of(config(**needed.get(command, {})))
    except Exception:  # noqa: BLE001 - options that are required; the study does not depend on them
        study = study_of(config.model_construct(data="digits"))
    assert config.draws == (study.pictures is not None)


def studies():
    return [path.parent for path in sorted(RESULTS.rglob("run.json"))]


@pytest.mark.parametrize(
    "folder", studies(), ids=lambda folder: str(folder.relative_to(RESULTS)) or "results"
)
def test_pictures_of_reference_results_are_sound(folder, tmp_path):
    command = json.loads((folder / "run.json").read_text()).get("command")
    draw = {"compare": compared, "search": searched, "hard": hardened, "ot train": moved}
    if command not in draw:
        pytest.skip(f"pictures of {command} are drawn from more than its tables")
    draw[command](folder, tmp_path)
    for path in tmp_path.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert re.search("<text", text)


def rows(folder, name):
    return read_parquet(folder / f"{name}.parquet").to_pylist()


def compared(folder, out):
    tables = {name: rows(folder, name) for name in ("summary", "runs", "discovery")}
    # Pictures of tasks differ in their numbers alone; the first one stands for all.
    task = tables["summary"][0]["task"]
    for name in ("summary", "runs"):
        tables[name] = [row for row in tables[name] if row["task"] == task]
    assert len(draw_comparison(tables, out)) >= 2


def searched(folder, out):
    every = rows(folder, "search")
    assert draw_searches([row for row in every if row["task"] == every[0]["task"]], out)


def hardened(folder, out):
    if (folder / "hard_archs.parquet").exists():
        assert hard.draw_archs(rows(folder, "hard_archs"), out)
    else:
        names = ("hard_summary", "hard_epochs", "hard_sensitivity")
        assert hard.draw_hard(
            {name: rows(folder, name) for name in names if (folder / f"{name}.parquet").exists()},
            out,
        )


def moved(folder, out):
    ot.draw_measures(rows(folder, "ot"), folder.name, out / "measures.svg")

"""Predicted against true: ranks, what is drawn of them, and where a list errs."""

import dataclasses
import re
import shutil

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import rankdata

from nasrank.report.comparison import comparisons_of
from nasrank.report.folders import find_studies
from nasrank.report.predicted import average_ranks, kept_dots, predicted_of
from nasrank.runs.tables import PREDICTIONS, RUNS
from nasrank.tables import read_parquet


@pytest.mark.parametrize("values", [[], [1.0], [3.0, 1.0, 2.0], [0.0] * 5, [2, 1, 2, 1, 5]])
def test_equal_values_share_the_mean_of_their_ranks(values):
    values = np.array(values, np.float64)
    assert average_ranks(values).tolist() == rankdata(values).tolist()


@pytest.mark.parametrize("size", [1, 99, 101, 20_000])
@pytest.mark.parametrize("tied", [True, False])
def test_the_middle_is_thinned_and_never_the_top(size, tied):
    rng = np.random.default_rng(size)
    true = np.full(size, (size + 1) / 2) if tied else rng.permutation(size) + 1.0
    predicted = rng.permutation(size) + 1.0
    best, others = kept_dots(true, predicted)
    count = max(1, -(-size // 100))
    assert len(best) == count
    assert tied or {*true[best]} == {*range(1, count + 1)}
    assert not {*best} & {*others}
    # Whatever is predicted to be of the best stands in the picture too.
    assert {*np.flatnonzero(predicted <= count)} <= {*best, *others}
    assert min(size, 220) - count <= len(others) <= count + 220
    if size > 1_000 and not tied:
        assert max(true[others]) == size
        assert max(true[others][true[others] < 1_000]) > 900


def test_errors_by_part_and_hits_by_hand(hostile):
    [c] = comparisons_of(find_studies([hostile]))
    predicted = predicted_of(c)
    assert [*predicted] == [78]
    (clouds,) = predicted[78].clouds
    assert clouds.note == "seed 0"
    assert len(clouds.clouds) == len(c.methods) == 12
    assert not predicted[78].without
    (panel,) = predicted[78].errors
    for cloud in clouds.clouds:
        # 880 that were not trained on: the best 9.
        assert cloud.top.count("M") == 9
        assert cloud.rest.count("M") <= 9 + 220
        hits = int(cloud.note.split()[0])
        assert hits == (0 if "onerror" in cloud.name else 9)
        # In order all dots stand on the diagonal, which rises.
        dots = [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h0", cloud.top)]
        on = {abs(x + y - 200) <= 1 for x, y in dots}
        assert on == {"onerror" not in cloud.name}
    # Turned round, the best tenth is off by 1 less twice the mean rank within it.
    off = dict(re.findall(r"[:;] (\S.*?) (\d+\.\d), \S+ and", panel.alt))
    (backwards,) = (float(value) for name, value in off.items() if "onerror" in name)
    assert backwards == pytest.approx(90.0, abs=0.2)
    assert {float(value) for name, value in off.items() if "onerror" not in name} == {0.0}


def test_less_is_better_where_the_best_there_is_says_so(hostile, tmp_path):
    """Labels with their sign turned, and the best of them with it, say the same."""
    shutil.copytree(hostile, tmp_path / "turned")
    for table, column in ((PREDICTIONS, "label"), (RUNS, "best_possible")):
        path = tmp_path / "turned" / f"{table.name}.parquet"
        rows = read_parquet(path).to_pylist()
        table.write([{**row, column: -row[column]} for row in rows], path)
    found = [predicted_of(c) for c in comparisons_of(find_studies([hostile, tmp_path]))]
    assert found[0] == found[1] != {}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.drop_columns(["score"]),
        lambda data: data.set_column(3, "score", data["architecture"]),
        lambda data: data.slice(0, 0),
        lambda data: data.set_column(0, "run_id", data["architecture"]),
        lambda data: data.set_column(3, "score", pa.nulls(len(data), pa.float64())),
    ],
)
def test_scores_that_are_damaged_or_none_draw_nothing(hostile, change):
    [study] = find_studies([hostile])
    table = study.tables["predictions"]
    kept = dataclasses.replace(table, data=change(table.data))
    tables = {**study.tables, "predictions": kept}
    [c] = comparisons_of([dataclasses.replace(study, tables=tables)])
    assert predicted_of(c) == {}


def test_without_scores_the_page_says_how_to_keep_them(pages):
    text = pages["compared"].path.read_text(encoding="utf-8")
    (said,) = re.findall(r'<p class="absent">.*?</p>', text)
    assert "no scores were kept" in said
    command = re.search("<code>(.*?)</code>", said)[1]
    assert command.startswith("nasrank compare")
    assert " --keep-predictions " in command
    assert "<svg" not in said
    assert 'class="absent"' not in pages["hostile"].path.read_text(encoding="utf-8")

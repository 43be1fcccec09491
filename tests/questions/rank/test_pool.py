"""Pools of any length: in any order, in any chunks, stopped at any time, the list is the same."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank.errors import DataError
from nasrank.questions.rank.pool import rank_pool, rank_space
from nasrank.questions.rank.pool_file import PoolFile


@pytest.fixture(name="model", scope="module", params=["mlp", "gnn(ensemble=2)"])
def _model(request, own_model):
    return own_model(request.param)


@pytest.fixture(name="quick", scope="module")
def _quick(own_model):
    return own_model()


def pool_of(path, model, chunk=64):
    graphs = model.case.graphs
    return PoolFile(path, graphs.vocabulary, graphs.attribute_names, model.case.reduction, chunk)


def ranked(path, model, folder, chunk=64, *, keep=False, tell=lambda _done, _total: None):
    pool = pool_of(path, model, chunk)
    return rank_pool(model, pool, 150, folder, keep_scores=keep, on_progress=tell)


def same(a, b):
    assert a.ids == b.ids
    np.testing.assert_allclose(a.scores, b.scores, atol=2e-5)
    np.testing.assert_array_equal(a.twins, b.twins)
    if a.spread is not None:
        np.testing.assert_allclose(a.spread, b.spread, atol=2e-5)


def test_chunks_order_and_format_change_nothing(model, networks, write_csv, tmp_path):
    rows = networks(300, seed=9, prefix="pool")
    folder = tmp_path / "scores"
    whole = ranked(write_csv(tmp_path / "pool.csv", rows), model, folder, 1000)
    assert whole.seen == 300
    assert len(whole.ids) + whole.twins.sum() + whole.evaluated == 150
    assert (np.diff(whole.scores) <= 0).all()
    same(whole, ranked(tmp_path / "pool.csv", model, folder, 37))
    moved = [rows[place] for place in np.random.default_rng(0).permutation(300)]
    same(whole, ranked(write_csv(tmp_path / "moved.csv", moved), model, folder))
    lines = [
        json.dumps(
            {
                "id": row["id"],
                "operations": row["operations"].split(";"),
                "edges": [
                    [int(end) for end in edge.split("-")] for edge in row["edges"].split(";")
                ],
            }
        )
        for row in rows
    ]
    (tmp_path / "pool.jsonl").write_text("\n".join(lines))
    same(whole, ranked(tmp_path / "pool.jsonl", model, folder))
    lists = [
        {**json.loads(line), "edges": rows[place]["edges"]} for place, line in enumerate(lines)
    ]
    (tmp_path / "pool.json").write_text(json.dumps(lists))
    same(whole, ranked(tmp_path / "pool.json", model, folder))
    text = (tmp_path / "pool.csv").read_text().replace(",", "\t")
    (tmp_path / "pool.tsv.gz").write_bytes(gzip.compress(text.encode()))
    same(whole, ranked(tmp_path / "pool.tsv.gz", model, folder))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pool.parquet", row_group_size=70)
    same(whole, ranked(tmp_path / "pool.parquet", model, folder, 64))
    assert not folder.exists()


def test_a_pool_scores_as_the_space_does(model, networks, write_csv, tmp_path):
    # The space itself as a pool: those evaluated are passed over, and nothing else changes.
    pool = ranked(write_csv(tmp_path / "pool.csv", networks(120)), model, tmp_path / "scores")
    space = rank_space(model, tmp_path, keep_scores=False)
    assert pool.ids == space.ids
    np.testing.assert_allclose(pool.scores, space.scores, atol=2e-5)
    np.testing.assert_array_equal(pool.twins, space.twins)
    assert pool.evaluated >= 40


def test_twins_count_once(quick, networks, write_csv, tmp_path):
    rows = networks(30, seed=9, prefix="pool")
    again = [row | {"id": f"again{place}"} for place, row in enumerate(rows[:10])]
    found = ranked(write_csv(tmp_path / "pool.csv", rows + again), quick, tmp_path / "scores")
    assert len(found.ids) + found.twins.sum() + found.evaluated == 40
    assert found.twins.sum() >= 10 - found.evaluated


def test_what_was_stopped_goes_on(quick, networks, write_csv, tmp_path):
    path = write_csv(tmp_path / "pool.csv", networks(300, seed=9, prefix="pool"))
    whole = ranked(path, quick, tmp_path / "one")

    def stop(done, _total):
        if done >= 192:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ranked(path, quick, tmp_path / "two", tell=stop)
    parts = sorted(each.name for each in (tmp_path / "two").glob("part-*"))
    assert parts == ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
    # A chunk that was damaged since is scored again, the two others are not.
    (tmp_path / "two" / parts[1]).write_bytes(b"PAR1")
    scored = []

    class Counted(type(quick.scorer)):
        def score(self, graphs):
            scored.append(len(graphs))
            return super().score(graphs)

    old = quick.scorer
    counted = replace(quick, scorer=Counted(old.fitted, old.centre, old.scale))
    same(whole, ranked(path, counted, tmp_path / "two", keep=True))
    assert sum(scored) == 300 - 2 * 64
    assert len(list((tmp_path / "two").glob("part-*"))) == 5
    kept = pq.read_table(tmp_path / "two" / "part-000004.parquet").to_pylist()
    assert kept[-1]["row"] == 299


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x,input;conv9x9;output,0-1;1-2", "line 4: operation 'conv9x9' is not in the space"),
        ("x,input;pool;output,0-1;1-7", "line 4: '7' is not a whole number from 0 to 2"),
        ("x,input;pool;pool;output,0-1;1-2;2-1;2-3", "line 4: its graph is none: .*cycle"),
        ("p1,input;pool;output,0-1;1-2", "line 4: id 'p1' "),
        (",input;pool;output,0-1;1-2", "line 4: id is not a name"),
    ],
)
@pytest.mark.parametrize("chunk", [64, 2])
def test_bad_rows_are_named(line, message, chunk, quick, tmp_path):
    good = "p1,input;pool;output,0-1;1-2\np2,input;pool;pool;output,0-1;1-2;2-3\n"
    (tmp_path / "pool.csv").write_text(f"id,operations,edges\n{good}{line}\n")
    with pytest.raises(DataError, match=message):
        ranked(tmp_path / "pool.csv", quick, tmp_path / "scores", chunk)


def test_files_that_are_no_pools(quick, tmp_path):
    with pytest.raises(DataError, match="not a file"):
        ranked(tmp_path / "none.csv", quick, tmp_path / "scores")
    (tmp_path / "pool.xlsx").write_text("x")
    with pytest.raises(DataError, match=r"not one of \.csv"):
        ranked(tmp_path / "pool.xlsx", quick, tmp_path / "scores")
    (tmp_path / "pool.csv").write_text("id,operations,edges\n")
    with pytest.raises(DataError, match="holds no architecture"):
        ranked(tmp_path / "pool.csv", quick, tmp_path / "scores")
    (tmp_path / "pool.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="Parquet"):
        ranked(tmp_path / "pool.parquet", quick, tmp_path / "scores")


def test_a_pool_of_evaluated_ones_holds_nothing_new(quick, networks, write_csv, tmp_path):
    path = write_csv(tmp_path / "pool.csv", networks(120)[:40])
    with pytest.raises(DataError, match="every architecture of it is evaluated"):
        ranked(path, quick, tmp_path / "scores")
    renamed = [row | {"id": f"other{place}"} for place, row in enumerate(networks(120)[:40])]
    with pytest.raises(DataError, match="the same graph as evaluated"):
        ranked(write_csv(path, renamed), quick, tmp_path / "scores")

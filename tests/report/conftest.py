"""Folders as commands write them, one of them with names that would like to be markup."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nasrank.report.page import write_report
from nasrank.runs.tables import BUDGET, DISCOVERY, HEADLINE, PREDICTIONS, RUNS, SUMMARY
from nasrank.tables import read_parquet

RESULTS = Path(__file__).parents[2] / "results"
COMPARED = RESULTS / "losses" / "nbgraph"
HOSTILE = {
    "mse": "<img src=x onerror=document.title='broken'>",
    "hr": '"><script>document.title="broken"</script>',
    "listmle": "</script><script>document.title='broken'</script>",
    "ew": "' onmouseover='alert(1)",
    "lr": "{{ 7 * 7 }}{% raw %}\u2028&amp;",
    "mape": "=cmd|' /C calc'!A0",
    "nbgraph/cora": "<b>space</b>/<svg onload=alert(1)>",
}


def renamed(rows, names):
    return [
        {k: names.get(v, v) if isinstance(v, str) else v for k, v in row.items()} for row in rows
    ]


def write_scores(folder, *, items=900, trained=20):
    """Write scores for two seeds of every loss on one task; only ``mse`` orders backwards."""
    rng, kept = np.random.default_rng(0), []
    for run in read_parquet(folder / "runs.parquet").to_pylist():
        if run["n_train"] == 78 and run["seed"] < 2 and run["task"] == "nbgraph/arxiv":
            labels = np.append(rng.random(items - 1), 1.0) * run["best_possible"]
            scores = -labels if run["loss"] == HOSTILE["mse"] else labels
            kept += [
                {
                    "run_id": run["run_id"],
                    "item": item,
                    "architecture": f"<b>{item}</b>",
                    "score": float(scores[item]),
                    "label": float(labels[item]),
                    "in_train": item < trained,
                }
                for item in range(items)
            ]
    PREDICTIONS.write(kept, folder / "predictions.parquet")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A comparison with scores whose names are markup wherever it can be hidden."""
    folder = tmp_path_factory.mktemp("hostile") / "<i>'\"&"
    folder.mkdir()
    about = json.loads((COMPARED / "run.json").read_text())
    about["config"]["losses"] = [HOSTILE.get(n, n) for n in about["config"]["losses"]]
    about |= {"notes": ["<script>note</script>"], "left_out": ["<b>left out</b>"]}
    about["code"] = {"<u>code": "</dd>abc"}
    (folder / "run.json").write_text(json.dumps(about))
    for table in (RUNS, SUMMARY, HEADLINE, BUDGET, DISCOVERY):
        rows = renamed(read_parquet(COMPARED / f"{table.name}.parquet").to_pylist(), HOSTILE)
        table.write(rows, folder / f"{table.name}.parquet", about)
    write_scores(folder)
    return folder


@pytest.fixture(scope="session")
def pages(tmp_path_factory, hostile):
    """Pages by name: of one comparison, of a hostile one, of a study, of several."""
    folder = tmp_path_factory.mktemp("pages")
    mixed = folder / "mixed"
    shutil.copytree(RESULTS / "pr" / "ring-target", mixed / "ring-target")
    shutil.copytree(RESULTS / "search" / "nbgraph", mixed / "search")
    found = {
        "compared": [COMPARED],
        "hostile": [hostile],
        "study": [RESULTS / "pr" / "ring"],
        "film": [RESULTS / "hard" / "emoji"],
        "several": [COMPARED, mixed],
    }
    written = {name: write_report(of, folder / f"{name}.html") for name, of in found.items()}
    before = folder / "before"
    shutil.copytree(COMPARED, before)
    table = read_parquet(COMPARED / "runs.parquet")
    rows = [
        {**row, "kendall_tau": row["kendall_tau"] + 0.02 * (row["loss"] == "mse")}
        for row in table.to_pylist()
    ]
    RUNS.write(rows, before / "runs.parquet", json.loads(table.schema.metadata[b"nasrank.about"]))
    written["changed"] = write_report([COMPARED], folder / "changed.html", [before])
    return written


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser without a screen, where Chromium is installed."""
    place = Path(__file__).with_name("browser.py")
    specification = importlib.util.spec_from_file_location("browser_of_tests", place)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    if module.CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    started = module.Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()

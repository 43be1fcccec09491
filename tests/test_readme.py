"""What the README and the pages of docs say can be typed, can be typed."""

import json
import math
import re
import shlex
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from nasrank.cli import run
from nasrank.tables import write_parquet

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORDS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def blocks(language):
    """All blocks of a language, in the order of the pages; one that is repeated, once."""
    found = [re.findall(rf"```{language}\n(.*?)```", words, re.DOTALL) for words in WORDS.values()]
    return list(dict.fromkeys(block for each in found for block in each))


COMMANDS = list(
    dict.fromkeys(
        part.strip()
        for block in blocks("console")
        for line in block.splitlines()
        for part in line.split("&&")
        if part.strip().startswith("nasrank ")
    )
)
LONG = ("nasrank ot speed", "nasrank pr theory", "nasrank hard ")
"""Commands that take half a minute."""
PYTHON, TEXT, CSV = blocks("python"), blocks("text"), blocks("csv")
LINKS = [
    (page.relative_to(ROOT), link)
    for page, words in WORDS.items()
    for link in re.findall(r"\]\(([^)#]+)\)", re.sub(r"```.*?```", "", words, flags=re.DOTALL))
    if "://" not in link
]


def test_there_is_something_to_check():
    assert len(COMMANDS) >= 2
    assert len(PYTHON) >= 3


def trials():
    """The README's own trials and a hundred more, whose loss depends on lr and depth."""
    lines = next(each for each in CSV if each.startswith("run,lr")).strip().splitlines()
    for number in range(100):
        lr = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)[number % 6]
        depth, width = 2 + number // 12 % 9, 64 * 2 ** (number * 5 % 4)
        optimizer, momentum = (("adam", ""), ("sgd", (0.9, 0.95, 0.99)[number % 3]))[number % 2]
        loss = 0.4 + 0.1 * (math.log10(lr) + 2) ** 2 + 0.3 / depth + number * 37 % 10 / 500
        done = ("", "") if number >= 90 else ("finished", f"{loss:.3f}")
        if number % 31 == 30:
            done = "crashed", ""
        row = (f"run-{number}", lr, depth, width, optimizer, momentum, *done)
        lines.append(",".join(map(str, row)))
    return "\n".join(lines) + "\n"


def journal():
    """A study of 60 trials, as Optuna writes it to a journal; three of them failed."""
    kinds = {
        "lr": ("FloatDistribution", {"low": 1e-5, "high": 0.1, "log": True}),
        "depth": ("IntDistribution", {"low": 2, "high": 9, "step": 1}),
        "optimizer": ("CategoricalDistribution", {"choices": ["adam", "sgd"]}),
    }
    entries = [{"op_code": 0, "study_name": "study", "directions": [1]}]
    for number in range(60):
        lr, depth = 10 ** (-5 + 4 * (number * 0.618 % 1)), 2 + number * 5 % 8
        entries.append({"op_code": 4, "study_id": 0, "datetime_start": "2026-05-01T10:00:00"})
        for name, value in (("lr", lr), ("depth", depth), ("optimizer", number % 2)):
            kind, attributes = kinds[name]
            written = json.dumps({"name": kind, "attributes": attributes})
            entries.append(
                {
                    "op_code": 5,
                    "trial_id": number,
                    "param_name": name,
                    "param_value_internal": value,
                    "distribution": written,
                }
            )
        loss = 0.4 + 0.1 * (math.log10(lr) + 3) ** 2 + 0.3 / depth
        end = {"state": 3, "values": None} if number % 20 == 19 else {"state": 1, "values": [loss]}
        end["datetime_complete"] = "2026-05-01T10:01:00"
        entries.append({"op_code": 6, "trial_id": number, **end})
    lines = [json.dumps({**entry, "worker_id": "w"}) for entry in entries]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder with the README's own table, grown to a size one can train on, and its data."""
    folder = tmp_path_factory.mktemp("readme")
    header, *rows = next(each for each in CSV if each.startswith("id,")).strip().splitlines()
    chain = ";".join(f"{n}-{n + 1}" for n in range(8))
    more = [f"c{k},input;{';'.join(('conv3x3', 'pool')[int(bit)] for bit in f'{k:07b}')};output,"
            f"{chain},{90 - k / 10}"
            for k in range(3, 103)]  # fmt: skip
    (folder / "trials.csv").write_text(trials())
    (folder / "more.csv").write_text(next(each for each in CSV if each.startswith("run,val_loss")))
    (folder / "study.log").write_text(journal())
    for block in PYTHON:
        if (name := re.match(r"# (\w+\.py)\n", block)) is not None:
            (folder / name[1]).write_text(block)
    (folder / "next.csv").write_text(next(each for each in CSV if each.startswith("lr,")))
    (folder / "archs.csv").write_text("\n".join([header, *rows, *more]) + "\n")
    new = ["c,input;pool;conv3x3;output,0-1;1-2;2-3,", "d,input;pool;pool;output,0-1;1-2;2-3,"]
    with (folder / "archs.csv").open("a") as file:
        file.write("\n".join(new) + "\n")
    (folder / "new-labels.csv").write_text("id,label\nc,91.2\n")
    vectors = {"x": [0.0, 0.1, 1.0, 1.1] * 8, "y": [1.0, 1.1, 0.0, 0.1] * 8}
    content = pa.table({**vectors, "kind": ["a", "a", "b", "b"] * 8})
    write_parquet(content, folder / "features.parquet")
    (folder / "candidates.csv").write_text("\n".join([header, *new]) + "\n")
    return folder


def typed(arguments, folder, monkeypatch, capsys):
    """Type a command in a folder, in this process; return exit code, stdout and stderr."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NASRANK_DATA", str(folder / "data"))
    monkeypatch.setattr(sys, "argv", ["nasrank", *arguments])
    capsys.readouterr()
    try:
        code = run()
    except SystemExit as leaving:
        code = leaving.code or 0
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(each, marks=pytest.mark.long if each.startswith(LONG) else ())
        for each in COMMANDS
    ],
)
def test_commands_can_be_typed(command, imported, tmp_path, monkeypatch, capsys):
    folder = imported
    if "test_acc" in command:
        pytest.skip("needs labels that do not come with pip")
    arguments = shlex.split(command)[1:]
    if arguments[0] in {"compare", "search", "hard"} or arguments[1] in {"train", "simulate"}:
        arguments += ["--dry-run", "--out", str(tmp_path)]
    if arguments[:2] == ["ot", "speed"]:
        arguments += ["--samples", "8,16", "--dimensions", "4,8", "--classes", "2,3"]
        arguments += ["--repeats", "1", "--out", str(tmp_path)]
    if arguments[0] == "rank":
        # A choice of one loss, and a predictor that trains at once.
        with_own_loss = "--loss" in arguments or any("sklearn" in each for each in arguments)
        quick = [] if with_own_loss else ["--losses", "mse"]
        if "--predictor" not in arguments:
            quick += ["--predictor", "mlp", "--ensemble", "1"]
        arguments += [*quick, "--out", str(tmp_path)]
    if arguments[0] == "explain":
        arguments += ["--predictors", "ridge", "--top", "1", "--out", str(tmp_path)]
        arguments = ["b" if each == "net0042" else each for each in arguments]
    if arguments[0] == "report":
        # Results that are there already.
        arguments = ["report", str(ROOT / "results" / "losses" / "nbgraph")]
    if arguments[0] == "check":
        # Results that are there already, and a baseline that the line before has made of them.
        places = {"nasrank-out/ci": str(ROOT / "results"), "baseline.parquet": "b.parquet"}
        arguments = [places.get(argument, argument) for argument in arguments]
    code, _, stderr = typed(arguments, folder, monkeypatch, capsys)
    assert code == 0, stderr


def test_what_the_import_says_is_what_it_says(imported, monkeypatch, capsys):
    folder = imported
    command = ["data", "import", "my-trials", "trials.csv", "--label", "val_loss"]
    code, stdout, stderr = typed(command, folder, monkeypatch, capsys)
    assert code == 0, stderr
    said = [line.rstrip() for line in stdout.splitlines() if not line.startswith("my-trials")]
    shown = next(each for each in TEXT if each.startswith("task") and "my-trials" in each)
    tables = [line.rstrip() for line in shown.splitlines() if not line.startswith("my-trials")]
    # Sentences are broken at another width there.
    assert " ".join(" ".join(tables).split()) == " ".join(" ".join(said).split())


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.splitlines()[0])
def test_python_blocks_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "a page", "exec"), {})  # noqa: S102 - our own text


@pytest.mark.parametrize(("page", "link"), LINKS, ids=str)
def test_links_lead_somewhere(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()


def test_every_page_is_found_from_the_readme():
    linked = {link for page, link in LINKS if page.name == "README.md"}
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} <= linked


def test_the_readme_is_read_in_three_minutes():
    assert len(WORDS[PAGES[0]].splitlines()) <= 160


def test_every_loss_predictor_and_space_is_named():
    from nasrank.benchmarks import SPACES
    from nasrank.losses import LOSSES
    from nasrank.predictors import PREDICTORS

    for name in (*LOSSES, *PREDICTORS, *SPACES):
        assert f"`{name}`" in WORDS[PAGES[0]], name

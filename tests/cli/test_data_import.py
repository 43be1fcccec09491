"""Importing, typed as a user would type it."""

import contextlib
import io
import json
import pickle
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from nasrank.cli import run
from nasrank.cli.layout import lay_out
from nasrank.cli.setting_page import setting_sheet


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def nasrank(*arguments):
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["nasrank", *map(str, arguments)]),
    ):
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code
    return SimpleNamespace(returncode=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


@pytest.fixture
def archs(tmp_path):
    """Chains of four layers; a third of them are candidates without a label."""
    rng = np.random.default_rng(0)
    lines = ["id,layers,acc_0,acc_1,cost_seconds"]
    kinds = ["conv3", "conv5", "pool"]
    for number in range(81):
        layers = [kinds[number // 3**place % 3] for place in range(4)]
        worth = 50 + 10 * layers.count("conv5") + 3 * layers.count("conv3")
        seeds = worth + rng.normal(size=2)
        label = f"{seeds[0]:.3f},{seeds[1]:.3f}" if number % 3 else ","
        lines.append(f"net{number},{';'.join(layers)},{label},{100 + number}")
    path = tmp_path / "archs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_from_a_table_to_a_comparison(archs, tmp_path):
    """A user's own table becomes a task, and losses are compared on it."""
    done = nasrank("data", "import", "my-space", archs, "--label", "acc_0,acc_1", "--unit", "%")
    assert (done.returncode, done.stderr) == (0, "")
    assert "my-space/own" in done.stdout
    info = json.loads(nasrank("data", "info", "my-space/own", "--format", "json").stdout)["answer"]
    assert (info["architectures"], info["labelled"], info["classes"]) == (81, 54, 81)
    assert info["replicates"]["architectures"] == {"2": 54}
    assert info["metric"]["name"] == "acc"
    assert info["metric"]["unit"] == "%"
    assert info["sources"][0]["state"] == "imported"
    # 100 + 0, ..., 100 + 80 seconds.
    assert info["cost_gpu_seconds"]["total"] == 8100 + 80 * 81 / 2
    assert "archs.csv imported" in nasrank("data", "info", "my-space/own").stdout
    compared = nasrank(
        *("compare", "--tasks", "my-space/own", "--losses", "mse,hr", "--n-train", "20"),
        *("--seeds", "2", "--out", tmp_path / "out", "--format", "json"),
    )
    assert compared.returncode == 0, compared.stderr
    rows = json.loads(compared.stdout)["tables"]["headline"]
    assert {row["task"] for row in rows} == {"my-space/own"}
    assert {row["loss"] for row in rows} == {"mse", "hr"}


def test_json_keys_and_what_is_replaced(archs):
    arguments = ("data", "import", "mine", archs, "--label", "acc_0", "--format", "json")
    (row,) = json.loads(nasrank(*arguments).stdout)["tables"]["imported"]
    assert row.pop("path").endswith("mine.parquet")
    assert row == {
        "task": "mine/own",
        "metric": "acc_0",
        "description": "acc_0 as given by the user",
        "unit": "1",
        "better": "higher",
        "architectures": 81,
        "labelled": 54,
        "failed": 0,
        "replicates": 1,
        "replaced": None,
    }
    text = archs.read_text().splitlines()
    archs.write_text("\n".join(text[:30]))
    again = nasrank(*arguments)
    (row,) = json.loads(again.stdout)["tables"]["imported"]
    assert (row["labelled"], row["replaced"]) == (19, 54)
    assert again.stderr.startswith("warning: mine/own had 54 labels and now has 19.")


def test_lower_is_better_and_datasets(archs):
    done = nasrank(
        *("data", "import", "mine", archs, "--label", "cost_seconds", "--lower-is-better"),
        *("--unit", "s", "--dataset", "roses", "--quiet", "--format", "json"),
    )
    (row,) = json.loads(done.stdout)["tables"]["imported"]
    assert (row["task"], row["better"], row["unit"]) == ("mine/roses", "lower", "s")
    nasrank("data", "import", "mine", archs, "--label", "acc_0,acc_1")
    listed = json.loads(nasrank("data", "list", "--format", "json").stdout)["tables"]["tasks"]
    mine = [row for row in listed if row["task"].startswith("mine/")]
    assert [row["task"] for row in mine] == ["mine/roses", "mine/own"]
    assert [row["replicates"] for row in mine] == [1, 2]
    assert {row["state"] for row in mine} == {"imported"}
    assert {row["package"] for row in mine} == {"archs.csv"}


def test_path_shows_the_data_folder(folder, archs):
    rows = json.loads(nasrank("data", "path", "--format", "json").stdout)["tables"]["paths"]
    assert rows[1] == {"what": "data", "path": str(folder), "exists": False}
    nasrank("data", "import", "mine", archs, "--label", "acc_0")
    rows = json.loads(nasrank("data", "path", "--format", "json").stdout)["tables"]["paths"]
    assert rows[1]["exists"]
    assert rows[-1] == {
        "what": "mine/own",
        "path": str(folder / "spaces" / "mine.parquet"),
        "exists": True,
    }


def test_help_has_an_example_and_names_the_schema():
    text = nasrank("data", "import", "--help").stdout
    for word in ("Example: nasrank data import", "cost_seconds", "edges", "--lower-is-better"):
        assert word in text


class Hostile:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["my-space", "missing.csv"], 4, "missing.csv: no such file or folder"),
        (["My Space", "archs.csv"], 2, "is not a valid name of a space"),
        (["../up", "archs.csv"], 2, "is not a valid name of a space"),
        (["my-space", "archs.csv"], 4, "it has no column label. Choose another with --label"),
        (["my-space", "archs.csv", "--label", "acc0"], 2, "Did you mean 'acc_0'?"),
        (["my-space", "archs.csv", "--label", "id"], 4, "line 2: id is 'net0', not a finite"),
        (["my-space", "."], 4, "not a file"),
        (["nb101", "archs.csv"], 4, "not recognised as data of nb101, whose formats are: "),
        (["nb201", "archs.csv", "--label", "acc_0"], 4, "it has no column arch_str"),
        (
            ["my-space", "archs.csv", "--label", "acc_0", "--dataset", "a/b"],
            2,
            "--dataset 'a/b' should be at most 64 letters",
        ),
        (["my-space", "hostile.jsonl"], 4, "not UTF-8"),
        (["nb201", "hostile.pth"], 4, "hostile.pth"),
    ],
)
def test_what_cannot_be_imported_says_so_in_one_line(
    archs, folder, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(archs.parent)
    for name in ("hostile.jsonl", "hostile.pth"):
        (archs.parent / name).write_bytes(pickle.dumps(Hostile()))
    done = nasrank("data", "import", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not folder.exists()


def test_what_is_not_imported_yet_says_how():
    done = nasrank("data", "info", "darts/cifar10")
    assert done.returncode == 4
    assert "nasrank data import darts PATH" in done.stderr
    done = nasrank("compare", "--tasks", "nb201/cifar10:test_acc", "--dry-run")
    assert done.returncode == 4
    assert "nasrank data import nb201 PATH" in done.stderr


def test_widths_and_families_of_networks(tmp_path):
    """Sequences of layers with widths: they count, and no family is on both sides."""
    rng = np.random.default_rng(1)
    lines = ["id,layers,width,attribute_kernel,label,group"]
    for number in range(120):
        widths = 2 ** rng.integers(4, 9, 3)
        layers = ";".join(rng.choice(["mb3", "mb6"], 3))
        worth = 50 + np.log2(widths) @ [1, 2, 3]
        texts = ";".join(map(str, widths)), "3;5;3", f"{worth:.3f}"
        lines.append(f"net{number},{layers},{','.join(texts)},family{number // 4}")
    path = tmp_path / "nets.csv"
    path.write_text("\n".join(lines) + "\n")
    done = nasrank("data", "import", "nets", path, "--attributes", "width,attribute_kernel")
    assert (done.returncode, done.stderr) == (0, "")
    info = json.loads(nasrank("data", "info", "nets/own", "--format", "json").stdout)["answer"]
    assert info["attributes"] == ["width", "attribute_kernel"]
    assert info["groups"] == 30
    # Widths tell all networks apart, or nearly so; two kinds in three places would be eight.
    assert info["classes"] > 100
    assert {each["kind"] for each in info["warnings"]} >= {"few_labels"}
    page = nasrank("data", "info", "nets/own").stdout
    assert "Pitfalls" in page
    assert "30, none on both sides of a split by class" in page
    assert "width, attribute_kernel" in page
    done = nasrank("data", "import", "nets", path)
    assert done.returncode == 4
    assert "its nodes have the attributes kernel, but those of nets" in done.stderr
    done = nasrank("data", "import", "nb201", path, "--attributes", "width")
    assert done.returncode in {2, 4}
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def trials(tmp_path):
    """Sixty trials of four settings, of which some failed and ten are candidates."""
    rng = np.random.default_rng(3)
    lines = ["run_name,lr,depth,optimizer,momentum,framework,status,val_loss"]
    for number in range(60):
        lr, depth = 10 ** rng.uniform(-5, -1), rng.integers(2, 9)
        optimizer = rng.choice(["adam", "sgd"])
        momentum = f"{rng.uniform(0.8, 0.99):.3f}" if optimizer == "sgd" else ""
        loss = 1 + (np.log10(lr) + 3) ** 2 - depth / 10 + rng.normal() / 10
        status, label = ("crashed", "") if number % 20 == 7 else ("finished", f"{loss:.4f}")
        if number >= 50:
            status = label = ""
        lines.append(f"run{number},{lr:.3g},{depth},{optimizer},{momentum},torch,{status},{label}")
    path = tmp_path / "trials.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_settings_needs_no_other_option(trials, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = nasrank("data", "import", "my-space", trials, "--label", "val_loss")
    assert (done.returncode, done.stderr) == (0, "")
    head, _, rest = done.stdout.partition("Lower is taken")
    assert "lower         47       3             60" in head
    assert "lr         number, log" in head
    assert "where optimizer is sgd" in head
    assert "by the name of val_loss; give --higher-is-better if it is not." in rest
    assert "run_name (names of the rows, taken as ids); framework (always torch)" in rest
    assert "Failed: 3 status crashed." in rest
    assert "--setting NAME=KIND" in rest
    info = json.loads(nasrank("data", "info", "my-space/own", "--format", "json").stdout)["answer"]
    assert (info["architectures"], info["labelled"], info["classes"]) == (60, 47, 60)
    assert info["metric"]["better"] == "lower"
    assert info["best"][0]["architecture"].startswith("run")
    assert (info["failed"], info["told_by"]) == (3, "settings")
    assert [row["setting"] for row in info["settings"]] == ["lr", "depth", "optimizer", "momentum"]
    page = nasrank("data", "info", "my-space/own").stdout
    assert "60, 47 labelled, 3 failed" in page
    assert "60 by their settings" in page
    assert "where optimizer is sgd" in page
    assert "isomorph" not in page
    sheet = setting_sheet(info["settings"])
    assert all(len(line) <= 80 for line in lay_out(sheet, 80))


def test_corrections_are_made_by_importing_again(trials, tmp_path):
    again = ("data", "import", "my-space", trials, "--label", "val_loss", "--format", "json")
    first = json.loads(nasrank(*again).stdout)["answer"]
    assert [row["setting"] for row in first["settings"]] == [
        "lr",
        "depth",
        "optimizer",
        "momentum",
    ]
    assert first["named_by"] == "run_name"
    assert first["failures"] == {"status crashed": 3}
    assert first["guessed_lower"]
    corrections = [
        "--setting",
        "lr=linear",
        "--category",
        "depth",
        "--ignore",
        "momentum,run_name",
    ]
    done = nasrank(*again, *corrections, "--higher-is-better")
    assert (done.returncode, done.stderr) == (0, "")
    second = json.loads(done.stdout)
    kinds = {row["setting"]: (row["kind"], row["scale"]) for row in second["answer"]["settings"]}
    assert kinds == {
        "lr": ("number", "linear"),
        "depth": ("category", None),
        "optimizer": ("category", None),
    }
    (row,) = second["tables"]["imported"]
    assert (row["better"], row["replaced"], row["failed"]) == ("higher", 47, 3)
    file = tmp_path / "mine.toml"
    file.write_text(
        'label = "val_loss"\ncategory = ["depth"]\nignore = "momentum,run_name"\n'
        'higher-is-better = true\n[setting]\nlr = "linear"\n'
    )
    third = json.loads(
        nasrank("data", "import", "my-space", trials, "--config", file, "--format", "json").stdout
    )
    assert third["answer"] == second["answer"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--setting", "lr=round"], 2, "is no kind of setting"),
        (["--setting", "Lr=log"], 2, "Did you mean 'lr'?"),
        (["--settings", "val_loss"], 2, "the column means something else"),
        (["--setting", "optimizer=number"], 4, "line 2: optimizer is '"),
        (["--attributes", "lr"], 4, "the column lr needs nodes"),
    ],
)
def test_wrong_corrections_are_named_in_one_line(trials, folder, arguments, code, message):
    done = nasrank("data", "import", "my-space", trials, "--label", "val_loss", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("ignore = 3", "ignore should be text in quotes"), ("lower-is-better = 1", "true or false"),
     ("colour = 'red'", "unknown option 'colour'"), ("[setting]\nlr = 3", "setting should be")],
)  # fmt: skip
def test_wrong_options_of_a_file_are_named_in_one_line(trials, tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    done = nasrank("data", "import", "my-space", trials, "--config", tmp_path / "mine.toml")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_columns_beside_graphs_are_left_out_with_a_word(archs):
    done = nasrank("data", "import", "mine", archs, "--label", "acc_0")
    assert "Left out: acc_1. To make columns settings" in done.stdout
    assert "--settings acc_1" in done.stdout


CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"


def test_columns_have_the_names_that_the_user_gives(tmp_path):
    """For a built-in space, a benchmark's format and a space of one's own, in a file too."""
    table = tmp_path / "table.tsv"
    table.write_text(f"net_str\tTop-1\n{CELL}\t91,5\n")
    done = nasrank(
        *("data", "import", "nb201", table, "--column", "cell=net_str", "--label", "top-1"),
        *("--format", "json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = json.loads(done.stdout)["tables"]["imported"]
    assert (row["task"], row["labelled"]) == ("nb201/own", 1)
    cell = str([("sep_conv_3x3", 0), ("none", 1)] * 4)
    table.write_text(f"arch\tval\nX = Genotype(normal={cell}, normal_concat=range(2, 6), "
                     f"reduce={cell}, reduce_concat=range(2, 6))\t91.5\n")  # fmt: skip
    assert nasrank("data", "import", "darts", table).returncode == 4
    done = nasrank("data", "import", "darts", table, "--column", "cell=arch,val_acc=val")
    assert (done.returncode, done.stderr) == (0, "")
    table.write_text("trial\tlr\tdepth\tscore\n7\t0.1\t3\t5\n9\t0.2\t5\t6\n")
    mine = ("data", "import", "mine", table, "--format", "json")
    done = nasrank(*mine, "--column", "id=trial", "--column", "label=score")
    assert (done.returncode, done.stderr) == (0, "")
    first = json.loads(done.stdout)
    (tmp_path / "mine.toml").write_text('[column]\nid = "trial"\nlabel = "score"\n')
    again = json.loads(nasrank(*mine, "--config", tmp_path / "mine.toml").stdout)
    assert again["answer"] == first["answer"]
    assert nasrank("data", "info", "mine/own").stdout.count(" 9") > 0


@pytest.mark.parametrize(
    ("space", "columns", "message"),
    [
        ("mine", "id", "--column 'id': write two names, as in cell=net_str"),
        ("mine", "id=a,id=b", "--column id: it is given two columns"),
        ("mine", "id=nets", "unknown column 'nets'. Did you mean 'net'?"),
        ("mine", "name=net", "unknown name of a column for --column 'name'. "),
        ("nats-size", "cell=net", "a NATS-Bench folder"),
    ],
)
def test_wrong_names_of_columns_are_refused_in_one_line(space, columns, message, tmp_path, folder):
    path = tmp_path / "NATS-sss-v1_0-50262-simple"
    path.mkdir()
    (path / "meta.pickle.pbz2").touch()
    if space == "mine":
        path = tmp_path / "a.csv"
        path.write_text("net,lr,label\na,1,2\nb,2,3\n")
    done = nasrank("data", "import", space, path, "--column", columns)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


def test_a_benchmark_that_is_taken_for_a_table_of_ones_own_is_named(tmp_path, folder):
    path = tmp_path / "results_0.json"
    path.write_text('{"optimized_hyperparamater_config": {}, "info": [], "runtime": 3}')
    done = nasrank("data", "import", "mine", path)
    assert (done.returncode, done.stdout) == (4, "")
    assert "no table of your own, but: NAS-Bench-301 results of trainings" in done.stderr
    assert f"nasrank data import darts {path}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


def test_graphs_without_names_are_named_by_what_they_are(tmp_path):
    path = tmp_path / "archs.csv"
    path.write_text("layers,attribute_w,label\na;b,1,5\na,2;,6\na;b,1,7\n".replace("2;", "2"))
    done = nasrank("data", "import", "mine", path)
    assert (done.returncode, done.stderr) == (0, "")
    info = json.loads(nasrank("data", "info", "mine/own", "--format", "json").stdout)["answer"]
    names = [each["architecture"] for each in info["best"]]
    assert names[0] == "a, w=2" or names == ["a;b, w=1 #2", "a, w=2", "a;b, w=1"], names


def test_what_a_table_says_is_text_everywhere(tmp_path, monkeypatch):
    """Formulas, terminal escapes and markup of a file do nothing on a page."""
    monkeypatch.setenv("COLUMNS", "200")
    words = ["=cmd|'/C calc'!A0", "[bold red]x[/]", "\x1b[31mred", "@SUM(1)"]
    lines = ["id,[link=http://x]kind,\x1b[2Jact,label"]
    lines += [f'"n[i]{n}",{words[n % 4]},{words[n // 4 % 4]},{n}' for n in range(16)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    done = nasrank("data", "import", "mine", path)
    assert (done.returncode, done.stderr) == (0, "")
    pages = [done.stdout, nasrank("data", "info", "mine/own").stdout]
    assert not any("\x1b" in page for page in pages)
    for text in ("\\x1b[2Jact", "[link=http://x]kind", "[bold red]x[/]", "=cmd|'/C calc'!A0"):
        assert text in pages[0]
    assert "n[i]15" in pages[1]


def test_a_further_table_is_read_with_the_settings_of_the_space(trials, tmp_path):
    """A few rows say too little of kinds: here the depth is constant and a level is new."""
    nasrank("data", "import", "my-space", trials, "--label", "val_loss")
    more = tmp_path / "more.csv"
    more.write_text(
        "run_name,lr,depth,optimizer,momentum,framework,latency_s\n"
        "new0,0.1,4,lamb,,jax,2.5\nnew1,0.2,4,adam,,jax,3.5\nnew2,0.3,4,sgd,0.9,jax,1.5\n"
        "new3,0.3,4,sgd,0.8,jax,1.25\nnew4,0.3,4,sgd,0.7,jax,1.0\n"
    )
    done = nasrank("data", "import", "my-space", more, "--label", "latency_s", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    (row,) = found["tables"]["imported"]
    assert (row["architectures"], row["labelled"], row["better"]) == (65, 5, "lower")
    assert found["answer"]["named_by"] == "run_name"
    kinds = {each["setting"]: each for each in found["answer"]["settings"]}
    assert list(kinds) == ["lr", "depth", "optimizer", "momentum"]
    assert (kinds["lr"]["scale"], kinds["optimizer"]["levels"]) == ("log", ["adam", "sgd", "lamb"])
    info = nasrank("data", "info", "my-space/own", "--format", "json").stdout
    assert json.loads(info)["answer"]["architectures"] == 65
    more.write_text("run_name,lr,depth,latency_s\nnew5,0.1,4,2\n")
    done = nasrank(
        "data", "import", "my-space", more.rename(tmp_path / "x.csv"), "--label", "latency_s"
    )
    assert done.returncode == 4
    assert "it has no column optimizer, which is a setting of the space" in done.stderr


def test_a_further_table_may_lack_what_never_applies(trials, tmp_path):
    nasrank("data", "import", "my-space", trials, "--label", "val_loss")
    more = tmp_path / "more.csv"
    more.write_text("id,lr,depth,optimizer,momentum,acc\na,0.1,4,adam,,1\nb,0.2,5,adam,,2\n")
    done = nasrank("data", "import", "my-space", more, "--label", "acc")
    assert (done.returncode, done.stderr) == (0, "")
    assert "momentum   number       -" in done.stdout


def test_another_label_of_the_same_table_keeps_the_first(trials):
    nasrank("data", "import", "my-space", trials, "--label", "val_loss")
    done = nasrank("data", "import", "my-space", trials, "--label", "lr", "--ignore", "val_loss")
    assert done.returncode == 0, done.stderr
    info = json.loads(nasrank("data", "info", "my-space/own", "--format", "json").stdout)["answer"]
    # The later import says what the settings are.
    assert [row["setting"] for row in info["settings"]] == ["depth", "optimizer", "momentum"]
    assert (info["labelled"], info["metric"]["name"]) == (47, "val_loss")

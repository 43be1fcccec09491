"""The house rules that no single module can keep alone."""

import ast
import functools
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nasrank

ROOT = Path(nasrank.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

GROUND = {
    "allocator", "cache", "code", "version", "errors", "escapes", "files", "grammar", "installing",
    "lifetime", "limits", "named", "own", "registry", "seeds", "statistics", "tables",
}  # fmt: skip
MIDDLE = {
    "graphs", "losses", "metrics", "proxies", "benchmarks", "predictors", "samples", "encoders",
}  # fmt: skip

MAY_IMPORT = {
    # What a part may import besides itself. A new part needs a line here.
    "nasrank": {"version", "api", "benchmarks", "losses", "predictors"},
    "version": set(),
    "errors": {"installing"},
    "installing": set(),
    "code": set(),
    "cache": {"errors", "files", "tables"},
    "seeds": set(),
    "own": {"errors"},
    "registry": {"errors", "own"},
    "grammar": {"errors", "escapes"},
    "allocator": set(),
    "lifetime": {"allocator"},
    "named": {"errors", "grammar", "own", "registry"},
    "files": {"errors"},
    "limits": {"errors"},
    "escapes": set(),
    "statistics": {"errors"},
    "tables": {"version", "errors", "escapes", "files", "grammar", "limits"},
    "graphs": GROUND,
    "losses": GROUND | {"graphs"},
    "metrics": GROUND,
    "proxies": GROUND | {"graphs"},
    "benchmarks": GROUND | {"graphs", "proxies"},
    "predictors": GROUND | {"graphs", "losses"},
    "peers": {"errors", "named"},
    "samples": GROUND,
    "encoders": GROUND,
    "studies": {"study"},
    "api": GROUND | {"studies", "study"},
    "study": GROUND | {"metrics"},
    "runs": GROUND | MIDDLE | {"study"},
    "questions": GROUND | MIDDLE | {"study", "runs"},
    "companions": GROUND | MIDDLE | {"study", "runs"},
    "report": GROUND | {"studies", "study", "benchmarks", "runs", "questions"},
    "cli": GROUND | MIDDLE | {"studies", "study", "runs", "questions", "companions", "report"},
    "__main__": {"cli"},
}
ONLY_HERE = {"typer": "cli", "click": "cli", "rich": "cli"}
WRITES_PARQUET = {"write_table", "to_parquet", "ParquetWriter", "write_dataset"}
MAKES_CHANCE = {"default_rng", "manual_seed", "seed", "RandomState", "SeedSequence", "Generator"}
MAKES_CHANCE |= {"Random", "SystemRandom"}
MAY_MAKE = {
    "nasrank.seeds": {"default_rng", "manual_seed", "Generator"},
    # The published random split is this very call.
    "nasrank.benchmarks.splits": {"default_rng"},
    # The authors of the benchmark shuffled its cells so.
    "nasrank.benchmarks.nb201": {"Random"},
}
MAY_SPEAK = {
    "nasrank.cli.output": {"echo", "write", "Console"},
    "nasrank.cli.progress": {"Console"},
    # The version, and a line of its own where nothing is imported yet.
    "nasrank.cli.app": {"echo"},
    "nasrank.cli": {"write"},
    # JSON, a page from a template that escapes, and pictures.
    "nasrank.tables": {"write_text"},
    "nasrank.companions.hard_samples.figures": {"write_text"},
    "nasrank.report.page": {"write_text"},
    "nasrank.study.pictures": {"savefig"},
    # No text from data: a lock, a pool of made-up rows, and a counter of the kernel.
    "nasrank.files": {"write_text"},
    "nasrank.questions.bench.pools": {"write_text"},
    "nasrank.study.measurement": {"write_text"},
}
MOST_LINES = 80
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


def part_of(module):
    """``nasrank.graphs.dag`` belongs to graphs, ``nasrank`` to itself."""
    first, *rest = module.split(".")
    assert first == "nasrank"
    return rest[0] if rest else "nasrank"


def name_of(path):
    names = ("nasrank", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


NAMES = {name_of(path) for path in MODULES}


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def once(found):
    """What a rule looks at in a file is found once, since several rules look at it."""

    @functools.cache
    def listed(path):
        return tuple(found(path))

    return listed


@once
def imported(path):
    """Every module a file imports, at its top or within a function."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}"
            yield node.module
            # ``from nasrank import tables`` names a module, as ``from pyarrow import parquet``.
            yield from (
                f"{node.module}.{alias.name}"
                for alias in node.names
                if node.module != "nasrank" or f"nasrank.{alias.name}" in NAMES
            )


@once
def calls(path):
    """Every call as (last name called, its keywords, line)."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = ast.unparse(getattr(node.func, "value", ast.Name("")))
            yield owner, name, {keyword.arg for keyword in node.keywords}


def offenders(rule):
    """Everything that breaks a rule, in all modules, a line each."""
    return [f"{name_of(path)}: {found}" for path in MODULES for found in rule(path)]


def test_arrows_point_one_way():
    def wrong(path):
        own = part_of(name_of(path))
        for module in imported(path):
            first = module.split(".")[0]
            if first == "nasrank" and part_of(module) not in MAY_IMPORT[own] | {own}:
                yield f"may not import {module}"

    assert not offenders(wrong)


def test_the_table_has_no_circle_and_no_idle_line():
    order = list(TopologicalSorter(MAY_IMPORT).static_order())
    assert set(order) == set(MAY_IMPORT) == {part_of(name) for name in NAMES}


def test_some_packages_are_imported_in_one_part_alone():
    def wrong(path):
        for module in imported(path):
            part = ONLY_HERE.get(module.split(".")[0])
            if part is not None and part_of(name_of(path)) != part:
                yield f"may not import {module}"

    assert not offenders(wrong)


def test_only_tables_writes_parquet():
    def wrong(path):
        if name_of(path) != "nasrank.tables":
            yield from {name for _, name, _ in calls(path)} & WRITES_PARQUET

    assert not offenders(wrong)


def test_only_seeds_makes_chance():
    def wrong(path):
        made = {name for _, name, _ in calls(path)} & MAKES_CHANCE
        yield from made - MAY_MAKE.get(name_of(path), set())
        if "Random" not in made:
            yield from {"random", "secrets"} & set(imported(path))
        for owner, name, keywords in calls(path):
            shared = owner in {"torch", "np.random", "numpy.random"} and name in DRAWS
            if shared and "generator" not in keywords:
                yield f"{owner}.{name} draws from the global generator"

    assert not offenders(wrong)


def test_text_leaves_where_it_is_made_harmless():
    def wrong(path):
        found = {
            name
            for owner, name, _ in calls(path)
            if (name in {"echo", "secho", "Console", "write_text", "savefig"})
            or (name == "print" and not owner)
            or (name.startswith("write") and owner in {"sys.stdout", "sys.stderr", "stream"})
        }
        yield from found - MAY_SPEAK.get(name_of(path), set())

    assert not offenders(wrong)


def test_every_module_says_what_it_is_for_and_what_it_offers():
    def wrong(path):
        tree = tree_of(path)
        if not ast.get_docstring(tree):
            yield "has no docstring"
        defined = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assigned = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
        public = any(not node.name.startswith("_") for node in defined)
        if public and not any(line.startswith("__all__ = ") for line in assigned):
            yield "has no __all__"

    assert not offenders(wrong)


def test_no_function_is_longer_than_eighty_lines():
    """Without its docstring, which may be as long as it has something to say."""

    def wrong(path):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                said = node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0
                lines = node.end_lineno - node.lineno + 1 - said
                if lines > MOST_LINES:
                    yield f"{node.name} has {lines} lines"

    assert not offenders(wrong)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (test_arrows_point_one_way, "from nasrank.cli import app"),
        (test_some_packages_are_imported_in_one_part_alone, "import rich.table"),
        (test_only_tables_writes_parquet, "pq.write_table(a, b)"),
        (test_only_seeds_makes_chance, "torch.rand(3)"),
        (test_text_leaves_where_it_is_made_harmless, "print(name)"),
        (test_text_leaves_where_it_is_made_harmless, "sys.stderr.write(name)"),
        (test_every_module_says_what_it_is_for_and_what_it_offers, "def f(): pass"),
        (test_no_function_is_longer_than_eighty_lines, "def f():\n" + "    1\n" * 80),
    ],
)
def test_every_rule_finds_an_offender(rule, code, tmp_path, monkeypatch):
    bad = tmp_path / "losses" / "bad.py"
    bad.parent.mkdir()
    bad.write_text(code)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "MODULES", [bad])
    with pytest.raises(AssertionError, match=r"nasrank\.losses\.bad: "):
        rule()


def modules_after(statement):
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return set(done.stdout.split())


def importing(*parts):
    """``import a, b`` for all modules of these parts that a command loads at once."""
    found = [name_of(path) for path in MODULES if part_of(name_of(path)) in parts]
    return f"import {', '.join(found)}"


def test_collecting_tests_imports_no_package_that_few_of_them_need(pytestconfig):
    """Every process that runs tests pays for it; `tests/later.py` says how it is put off."""
    loaded = pytestconfig.pluginmanager.get_plugin("collecting").imported
    few = {"torch._dynamo", "torch_geometric", "ot", "networkx", "pytorch_metric_learning"}
    assert not few & loaded


def test_the_command_line_imports_nothing_heavy():
    loaded = modules_after(importing("cli"))
    assert not {"torch", "scipy", "pandas", "pyarrow", "torch_geometric", "matplotlib"} & loaded


@pytest.mark.parametrize(
    "statement",
    [
        "import nasrank.losses",
        "import nasrank.predictors",
        importing("benchmarks"),
        importing("errors", "files", "grammar", "registry", "seeds", "statistics", "tables"),
        importing("samples"),
        "import nasrank.encoders",
        "import nasrank.graphs",
        "import nasrank.metrics",
        "from nasrank.losses import parse; parse('pw(hr,mse,50)')",
        "from nasrank.predictors import PREDICTORS; 'gnn' in PREDICTORS",
    ],
)
def test_light_packages_import_nothing_heavy(statement):
    loaded = modules_after(statement)
    assert not {"torch", "scipy.stats", "pandas", "torch_geometric", "matplotlib"} & loaded

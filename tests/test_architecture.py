"""The house rules that no single module can keep alone."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nasrank

ROOT = Path(nasrank.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
EVERY = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))

GROUND = {"version", "errors", "files", "grammar", "registry", "seeds", "statistics", "tables"}
MIDDLE = {
    "graphs", "losses", "metrics", "proxies", "benchmarks", "predictors", "samples", "encoders",
}  # fmt: skip

MAY_IMPORT = {
    # What a part may import besides itself. A new part needs a line here.
    "nasrank": {"version", "api", "benchmarks", "losses", "predictors"},
    "version": set(),
    "errors": set(),
    "seeds": set(),
    "registry": {"errors"},
    "grammar": {"errors"},
    "files": {"errors"},
    "statistics": {"errors"},
    "tables": {"version", "errors", "files"},
    "graphs": GROUND,
    "losses": GROUND | {"graphs"},
    "metrics": GROUND,
    "proxies": GROUND | {"graphs"},
    "benchmarks": GROUND | {"graphs", "proxies"},
    "predictors": GROUND | {"graphs", "losses"},
    "samples": GROUND,
    "encoders": GROUND,
    "studies": {"study"},
    "api": GROUND | {"studies", "study"},
    "study": GROUND | {"metrics"},
    "runs": GROUND | MIDDLE | {"study"},
    "questions": GROUND | MIDDLE | {"study", "runs"},
    "companions": GROUND | MIDDLE | {"study", "runs"},
    "cli": GROUND | MIDDLE | {"studies", "study", "runs", "questions", "companions"},
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


def calls(path):
    """Every call as (last name called, its keywords, line)."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = ast.unparse(getattr(node.func, "value", ast.Name("")))
            yield owner, name, {keyword.arg for keyword in node.keywords}


@EVERY
def test_arrows_point_one_way(path):
    own = part_of(name_of(path))
    allowed = MAY_IMPORT[own] | {own}
    for module in imported(path):
        if module.split(".")[0] == "nasrank":
            assert part_of(module) in allowed, f"{name_of(path)} may not import {module}"


def test_the_table_has_no_circle_and_no_idle_line():
    order = list(TopologicalSorter(MAY_IMPORT).static_order())
    assert set(order) == set(MAY_IMPORT) == {part_of(name) for name in NAMES}


@EVERY
def test_some_packages_are_imported_in_one_part_alone(path):
    own = part_of(name_of(path))
    for module in imported(path):
        for package, part in ONLY_HERE.items():
            if module == package or module.startswith(f"{package}."):
                assert own == part, f"{name_of(path)} may not import {package}"


@EVERY
def test_only_tables_writes_parquet(path):
    if name_of(path) != "nasrank.tables":
        assert not {name for _, name, _ in calls(path)} & WRITES_PARQUET


@EVERY
def test_only_seeds_makes_chance(path):
    made = {name for _, name, _ in calls(path)} & MAKES_CHANCE
    assert made <= MAY_MAKE.get(name_of(path), set())
    if "Random" not in made:
        assert not {"random", "secrets"} & set(imported(path))
    for owner, name, keywords in calls(path):
        if name in DRAWS and owner in {"torch", "np.random", "numpy.random"}:
            assert "generator" in keywords, f"{name_of(path)} draws from the global generator"


@EVERY
def test_every_module_says_what_it_is_for_and_what_it_offers(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    defined = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    if any(not node.name.startswith("_") for node in defined):
        assigned = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
        assert any(line.startswith("__all__ = ") for line in assigned)


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

"""A digest of source changes with what computes a number, and with nothing else."""

import sys

import pytest

from nasrank.code import source_digest
from nasrank.runs.code import code_of

SOURCE = '''"""A module."""

import math

from pack import helper


def loss(scores, labels):
    """Explain."""
    name = "not # a comment"
    return math.fsum(scores) - helper.twice(labels)  # the sum
'''
HELPER = "def twice(x):\n    return 2 * x\n"


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """Write a package on the path, and return what writes it again and digests it."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "unused.py").write_text("x = 1\n")

    def digest(source=SOURCE, helper=HELPER, unused="x = 1\n", within=("pack",)):
        (folder / "losses.py").write_text(source)
        (folder / "helper.py").write_text(helper)
        (folder / "unused.py").write_text(unused)
        return source_digest(["pack.losses"], within)

    return digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # the sum", ""),
        ("  # the sum", "  # another # comment"),
        ('    """Explain."""\n', ""),
        ('    """Explain."""\n', '    """Explain\n\n    at length: x = 1.\n    """\n'),
        ('"""A module."""\n', ""),
        ("import math\n", "\n\nimport math   \n"),
        ("\n\n\ndef", "\n\n\n# above\ndef"),
    ],
)
def test_words_for_readers_do_not_count(pack, old, new):
    assert old in SOURCE
    assert pack(SOURCE.replace(old, new)) == pack()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fsum(scores) -", "fsum(scores) +"),
        ("not # a comment", "not # another comment"),
        ("    return", "    if scores:\n        return"),
        ("import math", "import cmath as math"),
    ],
)
def test_what_computes_counts(pack, old, new):
    assert old in SOURCE
    assert pack(SOURCE.replace(old, new)) != pack()


def test_what_is_imported_counts_where_it_is_asked_about(pack):
    changed = HELPER.replace("2", "3")
    assert pack(helper=changed) != pack()
    assert pack(helper=changed, within=()) == pack(within=())
    assert pack(unused="x = 2\n") == pack()
    relative = SOURCE.replace("from pack import", "from . import")
    assert pack(relative, changed) != pack(relative)


def test_nothing_is_imported_and_the_order_of_modules_does_not_matter(pack):
    pack()
    assert source_digest(["pack.helper", "pack.losses"], ()) == source_digest(
        ["pack.losses", "pack.helper"], ()
    )
    assert "pack.losses" not in sys.modules


def test_a_module_without_source_is_known_in_this_process_alone():
    assert source_digest(["no.such.module"], ()) == source_digest(["no.such.module"], ())
    assert source_digest(["sys"], ()) == source_digest(["sys"], ())
    assert source_digest(["no.such.module"], ()) != source_digest([], ())


def test_a_run_is_named_by_what_computes_it():
    names = {spelling: code_of("gnn", spelling) for spelling in ("hr", "mse", "pw(hr,mse,50)")}
    assert [name for name, _ in names.values()] == ["gnn hr", "gnn mse", "gnn hr mse"]
    # Losses of different modules differ in their code, options of one do not.
    assert len({digest for _, digest in names.values()}) == 3
    assert code_of("gnn", "hr(margin=0.5)") == code_of("gnn", "hr")
    assert code_of("gp", "mse(targets=robust)")[1] != code_of("gnn", "mse")[1]

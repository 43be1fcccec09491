"""Whatever is typed or written in a configuration file: a documented exit code, no traceback.

``NASRANK_FUZZ`` sets how many cases each command gets; ``make reliability`` asks for thousands.
"""

import contextlib
import io
import os
import sys
import unicodedata
import warnings
from itertools import chain
from pathlib import Path
from unittest import mock

import pytest
from command_tree import COMMANDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrank.cli import run

CASES = int(os.environ.get("NASRANK_FUZZ", "15"))
CODES = {0, 2, 3, 4, 5, 130}
SLOW = {"budget", "data verify", "search"}
"""Commands that read a lot before they answer; they get a fifth of the cases."""


def fuzz(name=""):
    return settings(
        max_examples=-(-CASES // 5) if name in SLOW else CASES,
        deadline=None,
        # The folder of a case may be that of the case before: commands have to bear that too.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


HARMLESS = {
    "budget", "check", "data import", "data info", "data path", "data verify", "env",
}  # fmt: skip
"""Commands that train nothing, fetch nothing and read little, so that any arguments will do."""


NAMES = (
    "nb201/cifar10", "nb201/cifar10:latency", "nb201", "nb201/", "/", ":", "nbgraph/cora",
    "my/own", "mse", "hr(margin=0.5)", "hr(margin=nan)", "hr(margin=1e400)", "hr(",
    "pw(hr,mse,50)", "pw(hr,mse,-1)", "pw(pw(hr,mse,3),mse,9)", "gnn", "mlp", "random", "class",
    "single", "all", "diverse", "stratified", "auto", "cpu", "cuda", "ci", "full", "json", "csv",
    "table", "test_acc",
)  # fmt: skip
NUMBERS = (
    "0", "1", "-1", "20", "78", "4340", "1e3", "1.5", "nan", "inf", "-inf", "9" * 30, "0x10",
    "٣", "1_000", "9" * 5000, "78,", ",", "20,20", "1000000000",
)  # fmt: skip
OBEYED = ("\x1b]0;owned\a", "\u202egnp", "\x9b31m\u2028", "[red]x[/red]")
"""Words that a terminal or what writes to it would obey."""
PATHS = ("", ".", "/", "/dev/null", "/proc/nasrank", "no/such", "a" * 300, "~", "-", "{folder}/x")

junk = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
# Bytes that are no text reach a program as lone surrogates.
word = st.one_of(
    st.sampled_from(NAMES), st.sampled_from(NUMBERS), st.sampled_from(PATHS), junk,
    st.just("\udcff"), st.sampled_from(OBEYED),
    st.lists(st.sampled_from(NAMES + NUMBERS), max_size=3).map(",".join),
)  # fmt: skip


RIGHT = {
    "--tasks": ("nb201/cifar10", "nbgraph/cora,nb201/cifar10", "nb201/cifar100:latency"),
    "--losses": ("mse", "hr(margin=0.5),listmle", "pw(hr,mse,5)"),
    "--predictors": ("gnn", "mlp,gnn"),
    "--n-train": ("78", "20,40", "1100"),
    "--seeds": ("1", "3"),
    "--seed": ("0", str(2**63)),
    "--subset": ("ci", "full"),
    "--split": ("class", "random"),
    "--labels": ("mean", "single"),
    "--test": ("rest", "all"),
    "--sampling": ("random", "stratified,random"),
    "--device": ("auto", "cpu"),
    "--engine": ("local", "processes", "dask"),
    "--jobs": ("1", "2"),
    "--scheduler": ("tcp://127.0.0.1:8786",),
    "--memory-limit": ("4GiB", "1KB"),
    "--format": ("table", "json", "csv"),
    "--tolerance": ("0", "0.01", "1e308"),
}
"""What can be meant, so that a command line is not refused at its first word."""


def options_of(command):
    """What can be typed: arguments, and options with or without a value, mostly right ones."""
    parts = [word.map(lambda text: [text])]
    for parameter in command.params:
        for name in [*parameter.opts, *parameter.secondary_opts]:
            if not name.startswith("-") or name == "--help":
                continue
            if getattr(parameter, "is_flag", False):
                parts.append(st.just([name]))
                continue
            right = st.sampled_from(RIGHT.get(name, (*PATHS, *NAMES)))
            parts += [
                *[v.map(lambda text, name=name: [name, text]) for v in (right, right, word)],
                word.map(lambda text, name=name: [f"{name}={text}"]),
                st.just([name]),
            ]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    first = st.tuples(*[st.sampled_from((*PATHS, *NAMES)) for _ in arguments]).map(list)
    rest = st.lists(st.one_of(parts), max_size=5).map(lambda lists: [*chain(*lists)])
    return st.tuples(first, rest).map(lambda both: both[0] + both[1])


def safe(name, command):
    """What is added so that a command that happens to be right trains nothing."""
    if name in HARMLESS:
        return []
    known = {option for parameter in command.params for option in parameter.opts}
    return ["--dry-run"] if "--dry-run" in known else ["--no-such-option"]


def type_in(arguments):
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["nasrank", *arguments]),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", RuntimeWarning)
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code
    return code or 0, stdout.getvalue(), stderr.getvalue()


def assert_civil(arguments):
    code, stdout, stderr = type_in(arguments)
    assert code in CODES, (arguments, code, stderr)
    assert "Traceback" not in stderr, (arguments, stderr)
    obeyed = {"Cc", "Cf", "Zl", "Zp"}
    printed = (stdout + stderr).replace("\n", "")
    assert not [each for each in printed if unicodedata.category(each) in obeyed], arguments
    # Usage errors of the parser come in a box; all others are one line.
    if stderr.startswith("error:"):
        assert len(stderr.splitlines()) == 1, (arguments, stderr)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, warm_cache, monkeypatch):
    """Relative paths lead nowhere that matters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


@pytest.mark.parametrize("name", COMMANDS)
def test_any_command_line_ends_with_a_documented_code(name, tmp_path):
    command = COMMANDS[name]

    @fuzz(name)
    @given(options_of(command))
    def meet(arguments):
        filled = [each.replace("{folder}", str(tmp_path)) for each in arguments]
        assert_civil([*name.split(), *safe(name, command), *filled])

    meet()


scalar = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["nan", "inf", "-inf", "1.5", "1e308", "2020-01-01", "07:32:00", "{}", "[]"]),
    word.map(lambda text: '"' + "".join(f"\\U{ord(c) % 0xD800:08x}" for c in text) + '"'),
    st.just('"a\\u0000b"'),
)
value = st.one_of(scalar, st.lists(scalar, max_size=3).map(lambda all_: f"[{', '.join(all_)}]"))


def keys_of(command):
    names = [option[2:] for each in command.params for option in each.opts if option[:2] == "--"]
    return st.one_of(st.sampled_from(names), st.sampled_from(["x", '""', "a.b", "[table]"]))


WITH_FILES = [name for name, c in COMMANDS.items() if any("--config" in p.opts for p in c.params)]


@pytest.mark.parametrize("name", WITH_FILES)
def test_any_configuration_file_ends_with_a_documented_code(name, tmp_path):
    command = COMMANDS[name]
    line = st.tuples(keys_of(command), value).map(" = ".join)
    lines = st.lists(line, max_size=3).map("\n".join)
    damaged = st.lists(st.one_of(line, junk), max_size=5).map("\n".join)
    contents = st.one_of(lines.map(str.encode), damaged.map(str.encode), st.binary(max_size=40))

    @fuzz(name)
    @given(contents)
    def meet(content):
        path = Path(tmp_path, "run.toml")
        path.write_bytes(content)
        first = ["."] if any(p.param_type_name == "argument" for p in command.params) else []
        assert_civil([*name.split(), *safe(name, command), *first, "--config", str(path)])

    meet()


@fuzz()
@given(st.lists(word, max_size=4))
def test_any_words_without_a_command_end_with_a_documented_code(arguments):
    if arguments and arguments[0] in {name.split()[0] for name in COMMANDS}:
        arguments = ["--", *arguments]
    assert_civil(arguments)

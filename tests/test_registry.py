"""Names: what is registered is found, what is not is answered with a hint."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from nasrank.errors import UsageError
from nasrank.registry import Registry, unknown_name


@pytest.fixture
def tools() -> Registry[object]:
    tools: Registry[object] = Registry("tool", group="nasrank.tools")

    @tools.register("hammer")
    def hammer() -> str:
        return "bang"

    tools.register("saw", target="math:sqrt")
    return tools


def test_names_come_in_the_order_of_registration(tools):
    assert tools.names() == list(tools) == ["hammer", "saw"]
    assert len(tools) == 2
    assert "saw" in tools
    assert "drill" not in tools


def test_the_decorator_returns_what_it_decorates():
    numbers: Registry[object] = Registry("number")

    def one() -> int:
        return 1

    assert numbers.register("one")(one) is one
    assert numbers["one"] is one


def test_a_target_is_imported_on_first_use_only():
    code = (
        "import sys; from nasrank.registry import Registry; r = Registry('thing');"
        "r.register('a', target='colorsys:rgb_to_hsv'); names = list(r), 'a' in r;"
        "before = 'colorsys' in sys.modules; thing = r['a'];"
        "print(before, 'colorsys' in sys.modules, thing.__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "True", "rgb_to_hsv"]


def test_a_target_may_be_an_attribute_of_an_attribute():
    things: Registry[object] = Registry("thing")
    things.register("join", target="os:path.join")
    assert things["join"]("a", "b").startswith("a")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("sav", " Did you mean 'saw'?"), ("SAW", " Did you mean 'saw'?"), ("zzz", "")],
)
def test_an_unknown_name_is_answered_in_one_line(tools, asked, hint):
    with pytest.raises(UsageError) as caught:
        tools[asked]
    assert str(caught.value) == f"unknown tool {asked!r}.{hint} Known: hammer, saw."


def test_with_nothing_known_the_answer_says_so():
    assert str(unknown_name("tool", "saw", [])) == "unknown tool 'saw'. Known: none."


def test_a_name_is_given_once(tools):
    with pytest.raises(UsageError, match="tool 'saw' is registered twice: as math:sqrt and as"):
        tools.register("saw")(len)
    with pytest.raises(UsageError, match="registered twice"):
        tools.register("saw", target="math:sqrt")


@pytest.mark.parametrize("name", ["", "Saw", "a b", "a(b)", "a,b", "a=b", "-a"])
def test_names_leave_the_grammar_around_them_alone(tools, name):
    with pytest.raises(ValueError, match="cannot name a tool"):
        tools.register(name, target="math:sqrt")


@pytest.mark.parametrize("target", ["math", "math:", ":sqrt", "math:sqrt:x", "a b:c"])
def test_a_target_is_a_module_and_an_attribute(tools, target):
    with pytest.raises(ValueError, match="must read 'module:attribute'"):
        tools.register("drill", target=target)


def test_entry_points_are_read_once_and_on_a_miss_only(tools, monkeypatch):
    asked = []

    def entry_points(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("drill", "math:cos", group)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert tools["saw"](4.0) == 2.0
    assert list(tools) == ["hammer", "saw"]
    assert asked == []
    assert tools["drill"](0.0) == 1.0
    assert list(tools) == ["hammer", "saw", "drill"]
    assert "file" not in tools
    assert asked == ["nasrank.tools"]


def test_an_entry_point_cannot_take_the_place_of_a_known_name(tools, monkeypatch):
    points = [EntryPoint("saw", "math:cos", "nasrank.tools")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    with pytest.raises(
        UsageError, match="'saw' is registered twice: as math:sqrt and as math:cos"
    ):
        tools["drill"]

"""Pictures within a page: nothing in a file can run, fetch, or reach other parts of the page."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.report.drawings import inline_picture, picture_width

RESULTS = Path(__file__).parents[2] / "results"
parsed = ET.fromstring
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
BAD = [
    "<script>alert(1)</script>",
    '<g onload="alert(1)"/>',
    '<a xlink:href="javascript:alert(1)"><text>x</text></a>',
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>x</body></foreignObject>",
    '<image xlink:href="http://example.org/a.png" width="1" height="1"/>',
    '<image href="data:image/svg+xml;base64,PHN2Zz4="/>',
    '<use href="http://example.org/#a"/>',
    '<path d="M0 0" style="fill:url(http://example.org/a)"/>',
    '<path d="M0 0" style="fill:u\\72l(http://example.org/a)"/>',
    "<style>@import 'http://example.org';*{display:none}</style>",
    '<animate attributeName="href" values="javascript:alert(1)"/>',
    '<set attributeName="onclick" to="alert(1)"/>',
    '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
]


def write(folder, inner, head=HEAD):
    path = folder / "a.svg"
    path.write_text(f'{head}viewBox="0 0 10 10">{inner}</svg>', encoding="utf-8")
    return path


@pytest.mark.parametrize("inner", BAD)
def test_what_could_do_something_is_dropped(tmp_path, inner):
    text = inline_picture(write(tmp_path, inner + "<text>kept</text>"), "p")
    for word in ("alert", "example.org", "script", "import", "onload", "onclick", "svg+xml"):
        assert word not in text
    assert "kept" in text


def test_text_stays_text(tmp_path):
    path = write(tmp_path, "<text>&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt;</text>")
    text = inline_picture(path, "p")
    assert "<script" not in text
    assert parsed(text).find("text").text == "<script>alert(1)</script> &lt;"


def test_names_are_prefixed_and_links_within_still_hold(tmp_path):
    inner = (
        '<defs><clipPath id="a"><rect width="5" height="5"/></clipPath><path id="m" d="M0 0"/>'
        '</defs><g id="unused" clip-path="url(#a)"><use xlink:href="#m" x="1.2345"/></g>'
    )
    text = inline_picture(write(tmp_path, inner), "q7-")
    root = parsed(text)
    names = {each.get("id") for each in root.iter() if each.get("id")}
    assert names == {"q7-0", "q7-1"}
    [use] = root.iter("use")
    assert use.get("href")[1:] in names
    assert use.get("x") == "1.23"
    assert [g.get("clip-path") for g in root.iter("g")] == ["url(#q7-0)"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<svg",
        "<html/>",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        '<!DOCTYPE s [<!ENTITY a "b">]>' + HEAD + 'viewBox="0 0 1 1">&a;</svg>',
        "<a>" * 100_000,
    ],
)
def test_what_is_no_picture_is_an_error_of_one_line(tmp_path, text):
    path = tmp_path / "a.svg"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.svg"):
        inline_picture(path, "p")


@given(st.text(max_size=200))
def test_any_text_is_refused_or_safe(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "a.svg"
    path.write_text(f'{HEAD}viewBox="0 0 1 1">{text}</svg>', encoding="utf-8", errors="replace")
    try:
        found = inline_picture(path, "p")
    except DataError:
        return
    assert parsed(found).tag == "svg"


def test_our_own_pictures_keep_what_they_show():
    paths = sorted((RESULTS / "pr" / "ring").glob("*.svg"))
    assert paths
    for path in paths:
        text = inline_picture(path, "p")
        before, after = parsed(path.read_text()), parsed(text)
        for kind in ("text", "tspan", "use", "image"):
            there = list(before.iter("{http://www.w3.org/2000/svg}" + kind))
            assert len(there) == len(list(after.iter(kind)))
        words = {"".join(each.itertext()).strip() for each in after.iter("text")}
        assert words == {
            "".join(each.itertext()).strip()
            for each in before.iter("{http://www.w3.org/2000/svg}text")
        }
        assert len(text) < path.stat().st_size
        assert picture_width(text) > 100


def test_dots_that_look_alike_say_so_once(tmp_path):
    """As matplotlib writes them: each in a group of its own, with its style."""
    dot = '<g clip-path="url(#c)"><use xlink:href="#m" x="{}" y="2" style="fill: {}"/></g>'
    font = "style=\"font-size: 9px; font-family: 'DejaVu Sans', Arial; text-anchor: end\""
    inner = (
        '<defs><clipPath id="c"><rect width="5" height="5"/></clipPath><path id="m" d="M0 0"/>'
        f"</defs><g>{''.join(dot.format(i, 'red' if i < 5 else 'blue') for i in range(9))}</g>"
        f'<text {font} transform="rotate(-0 1 2)">a > b</text>'
    )
    root = parsed(inline_picture(write(tmp_path, inner), "p"))
    looks = {each: group for group in root.iter("g") for each in group if each.tag == "use"}
    assert [float(each.get("x")) for each in root.iter("use")] == [*range(9)]
    said = [each.get("style") or looks[each].get("style") for each in root.iter("use")]
    assert said == ["fill:red"] * 5 + ["fill:blue"] * 4
    assert sum(each.get("clip-path") is not None for each in root.iter("g")) == 1
    assert root.find("text").attrib == {"style": "font-size:9px;text-anchor:end"}
    assert root.find("text").text == "a > b"


def test_what_is_seen_through_as_a_whole_stays_apart(tmp_path):
    dot = '<g style="opacity: 0.5"><use xlink:href="#m" x="{}" style="opacity: 0.5"/></g>'
    inner = f'<defs><path id="m" d="M0 0"/></defs>{"".join(map(dot.format, range(3)))}'
    root = parsed(inline_picture(write(tmp_path, inner), "p"))
    assert len(root.findall("g")) == 3
    assert all(use.get("style") == "opacity:0.5" for use in root.iter("use"))

"""Pictures of a folder, made fit to stand within a page.

A file may come from anywhere, so what is not known to be harmless is dropped: elements, attributes
and links that are not in the lists below. Names within a picture are prefixed, so that two
pictures in one page do not mix theirs up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from nasrank.errors import DataError
from nasrank.limits import require_regular

__all__ = ["inline_picture", "picture_width"]

_PLACES = {"d", "points", "x", "y"}
_LARGEST = 2**23
_SPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_ELEMENTS = {
    "svg", "g", "path", "text", "tspan", "circle", "ellipse", "rect", "line", "polyline",
    "polygon", "defs", "clipPath", "use", "image", "linearGradient", "radialGradient", "stop",
}  # fmt: skip
_ATTRIBUTES = {
    "viewBox", "id", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width",
    "height", "points", "transform", "style", "clip-path", "fill", "stroke", "stroke-width",
    "opacity", "fill-opacity", "stroke-opacity", "offset", "stop-color", "text-anchor",
    "preserveAspectRatio", "gradientUnits", "gradientTransform", "dx", "dy",
}  # fmt: skip
_OWN = re.compile(r"url\(\s*#([^)\s]+)\s*\)")
_FAR = re.compile(r"url\(\s*(?!#)|@|\\|/\*|expression|javascript:", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]+")
_WIDTH = re.compile(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ')
_LONG = re.compile(r"-?\d+\.\d{2,}")
_HOUSE_FONT = re.compile(r"font-family:'DejaVu Sans'[^;]*;?")
_UPRIGHT = re.compile(r"rotate\(-?0 [^()]*\)")
_VEILED = re.compile(r"(^|;)opacity:")
"""A group that is seen through as a whole, which its parts one by one are not."""


def inline_picture(path: Path, name: str) -> str:
    """Return a picture as SVG that can stand in a page: no script, no link, no request.

    Args:
        path: The file.
        name: Prefix of its names, unique in the page: letters and digits.

    Raises:
        DataError: It cannot be read, or is no SVG.
    """
    require_regular(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: too large for a page. Leave it out")
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read. Draw it again") from error
    if "<!ENTITY" in text:
        raise DataError(f"{path}: defines entities, which no picture of nasrank's does")
    try:
        root = ET.fromstring(text)  # noqa: S314 - entities are refused above
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not SVG. Draw it again") from error
    if root.tag != f"{_SPACE}svg" or root.get("viewBox") is None:
        raise DataError(f"{path}: not SVG with a viewBox. Draw it again")
    names = {old: f"{name}{place}" for place, old in enumerate(sorted(_named_in(root)))}
    _clean(root, names)
    # The page decides how wide it is; a style could put it over other parts.
    for each in ("width", "height", "style", "transform"):
        root.attrib.pop(each, None)
    # In text and attributes a ">" is written otherwise.
    return ET.tostring(root, encoding="unicode").replace(" />", "/>")


def picture_width(svg: str) -> float:
    """Return the width of a picture, in its own units; 0 where it has none."""
    found = _WIDTH.search(svg)
    return 0.0 if found is None else float(found[1])


def _named_in(root: ET.Element) -> set[str]:
    """Return the names that something refers to."""
    found: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            found |= set(_OWN.findall(value))
            if key in {_LINK, "href"} and value.startswith("#"):
                found.add(value[1:])
    return found


def _clean(element: ET.Element, names: Mapping[str, str]) -> None:
    element.tag = element.tag.removeprefix(_SPACE)
    given = dict(element.attrib)
    element.attrib.clear()
    for key, value in given.items():
        if key in {_LINK, "href"}:
            if element.tag == "image" and _IMAGE.fullmatch(value):
                element.set("href", "".join(value.split()))
            elif element.tag == "use" and value[:1] == "#" and value[1:] in names:
                element.set("href", f"#{names[value[1:]]}")
        elif key == "id":
            if value in names:
                element.set("id", names[value])
        elif key in _ATTRIBUTES and not _FAR.search(value) and (own := _own(key, value, names)):
            element.set(key, own)
    kept: list[ET.Element] = []
    for child in element:
        # A comment or an instruction has no name.
        known = str(child.tag).removeprefix(_SPACE) in _ELEMENTS
        if known and not _is_paper(child):
            _clean(child, names)
            # A group that says nothing is only its parts.
            kept += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = _said_once(_merged(kept))
    if element.tag not in {"text", "tspan"}:
        element.text = None
    element.tail = None if element.tag != "tspan" else element.tail


def _own(key: str, value: str, names: Mapping[str, str]) -> str:
    """Write an attribute as short as it can be; nothing where it says nothing."""
    own = _OWN.sub(lambda found: f"url(#{names[found[1]]})", value)
    if key in _PLACES:
        return " ".join(_LONG.sub(_short, own).split())
    if key == "style":
        # The page has the same fonts for all pictures.
        return _HOUSE_FONT.sub("", own.replace("; ", ";").replace(": ", ":")).rstrip(";")
    return _UPRIGHT.sub("", own).strip() if key == "transform" else own


def _merged(elements: list[ET.Element]) -> list[ET.Element]:
    """Join neighbouring groups that say the same: of many dots each is in one of its own."""
    found: list[ET.Element] = []
    for each in elements:
        if (
            found
            and each.tag == found[-1].tag == "g"
            and each.attrib == found[-1].attrib
            and "id" not in each.attrib
            and not _VEILED.search(each.get("style", ""))
        ):
            found[-1].extend(each)
            found[-1][:] = _said_once(list(found[-1]))
        else:
            found.append(each)
    return found


def _said_once(elements: list[ET.Element]) -> list[ET.Element]:
    """Let a group say how dots look that all look alike."""
    style = elements[0].get("style", "") if elements else ""
    alike = all(each.tag == "use" and each.get("style") == style for each in elements)
    if len(elements) < 2 or not style or not alike or _VEILED.search(style):
        return elements
    group = ET.Element("g", {"style": style})
    for each in elements:
        del each.attrib["style"]
    group.extend(elements)
    return [group]


def _is_paper(group: ET.Element) -> bool:
    """Whether it is the white sheet below a picture or a panel, which hides a dark page."""
    path = group.find(f"{_SPACE}path")
    mark = group.get("id", "").startswith("patch_")
    return mark and path is not None and path.get("style") == "fill: #ffffff"


def _short(found: re.Match[str]) -> str:
    value = float(found[0])
    return f"{value:.{1 if abs(value) >= 10 else 2}f}".rstrip("0").rstrip(".")

"""What must hold for every picture: no two texts on one another, none beyond the edge."""

from itertools import combinations

from later import Later

texts = Later("matplotlib.text")

SLACK = 1.5
"""Dots that boxes of texts may share: they are wider than the letters in them."""


def faults(figure):
    """Say which texts of a figure stand on one another or leave its canvas."""
    figure.draw_without_rendering()
    canvas = figure.bbox
    placed, hidden = [], _hidden(figure)
    for text in figure.findobj(texts.Text):
        if text.get_text().strip() and text.get_visible() and id(text) not in hidden:
            box = text.get_window_extent()
            if box.width > 0 and box.height > 0:
                placed.append((text.get_text(), box))
    found = [
        f"leaves the canvas: {words!r}"
        for words, box in placed
        if box.x0 < -SLACK
        or box.y0 < -SLACK
        or box.x1 > canvas.width + SLACK
        or box.y1 > canvas.height + SLACK
    ]
    for (first, a), (second, b) in combinations(placed, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        up = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > SLACK and up > 2 * SLACK:
            found.append(f"overlap: {first!r} and {second!r}")
    return found


def _hidden(figure):
    """Return the texts that are not drawn, by identity: such as those of ticks beyond limits."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            shown = axes.get_visible() and axes.axison and axis.get_visible()
            drawn = {id(each) for each in axis._update_ticks()} if shown else set()
            for tick in (*axis.majorTicks, *axis.minorTicks):
                if id(tick) not in drawn:
                    hidden |= {id(tick.label1), id(tick.label2)}
            if not shown:
                hidden |= {id(axis.label), id(axis.offsetText)}
        if not axes.get_visible():
            hidden |= {id(text) for text in axes.findobj(texts.Text)}
    return hidden

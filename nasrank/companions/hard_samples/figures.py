"""Pictures of metric learning with hard samples: SVG, and one page that plays the epochs."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.files import replacing
from nasrank.study.pictures import drawing, look, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_architectures", "draw_hard", "write_page"]

Row = Mapping[str, Any]

_METRICS = (
    ("recall_at_1", "Recall@1, higher is better"),
    ("separation", "separation between / within, higher is better"),
    ("fpr_at_95_recall", "false positives at 95 % recall, lower is better"),
)
_CURVES = (
    ("triplet_loss", "triplet loss of real triplets"),
    ("active_share", "generated triplets within the margin"),
    ("synthetic_negative", "distance to the generated negative"),
    ("threshold", "threshold of the reverse triplet"),
)


def draw_hard(tables: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Draw what the tables say.

    Args:
        tables: Rows of ``hard_summary`` and ``hard_epochs``, and of ``hard_sensitivity`` where it
            was swept.
        folder: Where to write ``methods.svg``, ``epochs.svg`` and ``sensitivity.svg``.

    Returns:
        The files written; a picture without anything to show is left out.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    paths = []
    with drawing() as figures:
        rows = [row for row in tables["hard_summary"] if row["mean"] is not None]
        if rows:
            names = list(dict.fromkeys(map(_setting, rows)))
            figure = figures(figsize=(11.0, 1.1 + 0.28 * len(names)), layout="constrained")
            every = figure.subplots(1, len(_METRICS), sharey=True)
            for axes, (metric, title) in zip(every, _METRICS, strict=True):
                _dots(axes, [row for row in rows if row["metric"] == metric], names)
                axes.set_title(title, loc="left", fontsize=9)
            figure.supxlabel("mean and 95 % interval over seeds, unseen classes", fontsize=8)
            paths.append(folder / "methods.svg")
            save(figure, paths[-1])
        epochs = tables["hard_epochs"]
        if epochs:
            figure = figures(figsize=(11.0, 6.4), layout="constrained")
            for axes, (column, title) in zip(figure.subplots(2, 2).flat, _CURVES, strict=True):
                _curves(axes, epochs, column)
                axes.set_title(title, loc="left", fontsize=9)
                axes.set_xlabel("epoch")
            handles: dict[str, Any] = {}
            for axes in figure.axes:
                for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                    handles.setdefault(label, handle)
            figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
            paths.append(folder / "epochs.svg")
            save(figure, paths[-1])
        swept = [r for r in tables.get("hard_sensitivity", ()) if r["difference"] is not None]
        if swept:
            figure = figures(figsize=(7.0, 1.1 + 0.24 * len(swept)), layout="constrained")
            axes = figure.subplots()
            _differences(axes, swept)
            axes.set_title(f"{swept[0]['data']}, {swept[0]['method']}", loc="left", fontsize=9)
            paths.append(folder / "sensitivity.svg")
            save(figure, paths[-1])
    return paths


def draw_architectures(rows: Sequence[Row], folder: Path) -> Path:
    """Draw Kendall's tau and precision at the top by method and size.

    Args:
        rows: Means and bounds of each method and ``n_train``.
        folder: Where to write ``architectures.svg``.

    Returns:
        The file written.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    path = folder / "architectures.svg"
    names = [f"n = {row['n_train']}, {row['method']}" for row in rows]
    with drawing() as figures:
        figure = figures(figsize=(9.0, 1.1 + 0.28 * len(rows)), layout="constrained")
        every = figure.subplots(1, 2, sharey=True)
        for axes, (metric, title) in zip(
            every, (("kendall_tau", "Kendall's tau"), ("precision_at_5pct", "precision at 5 %")),
            strict=True,
        ):  # fmt: skip
            for place, row in enumerate(rows):
                if row[metric] is None:
                    continue
                colour = look(1 if row["method"] == "plain" else 0)["color"]
                if row[f"{metric}_lower"] is not None:
                    ends = [row[f"{metric}_lower"], row[f"{metric}_upper"]]
                    axes.plot(ends, [place, place], color=colour, linewidth=1)
                axes.plot([row[metric]], [place], "o", color=colour, markersize=4)
            axes.set_title(f"{title}, higher is better", loc="left", fontsize=9)
            axes.set_yticks(range(len(rows)), names, fontsize=8)
            axes.set_ylim(len(rows) - 0.5, -0.5)
        figure.supxlabel("mean and 95 % interval over seeds", fontsize=8)
        save(figure, path)
    return path


def write_page(pictures: Mapping[str, Any], data: str, path: Path) -> None:
    """Write a page that plays real and generated embeddings epoch by epoch.

    The page holds everything it needs, its script included, and asks nothing of a network.

    Args:
        pictures: By method: ``classes`` (of real samples, generated positives and generated
            negatives), ``names`` of classes, ``epochs`` (points ``real``, ``positive`` and
            ``negative`` by epoch), ``log`` (numbers by epoch) and ``seed``.
        data: Name of the data.
        path: Where to write it.

    Raises:
        DataError: The folder cannot be written.
    """
    # In a script "</" could end it.
    content = json.dumps(_plain(dict(pictures)), separators=(",", ":")).replace("</", "<\\/")
    page = _PAGE.replace("%TITLE%", html.escape(f"Hard samples on {data}"))
    with replacing(path) as part:
        part.write_text(page.replace("%DATA%", content), encoding="utf-8")


def _setting(row: Row) -> str:
    extra = ["augmented"] if row["augmentation"] else []
    extra += [f"decay {row['weight_decay']:g}"] if row["weight_decay"] else []
    return f"{row['method']}{', ' if extra else ''}{', '.join(extra)}"


def _dots(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    for row in rows:
        place = names.index(_setting(row))
        colour = look(0 if "two-stage" in row["method"] else 1)["color"]
        if row["lower"] is not None:
            axes.plot([row["lower"], row["upper"]], [place, place], color=colour, linewidth=1)
        axes.plot([row["mean"]], [place], "o", color=colour, markersize=4)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _curves(axes: Axes, rows: Sequence[Row], column: str) -> None:
    for place, setting in enumerate(dict.fromkeys(map(_setting, rows))):
        by_epoch: dict[int, list[float]] = {}
        for row in rows:
            if _setting(row) == setting and row[column] is not None:
                by_epoch.setdefault(row["epoch"], []).append(row[column])
        if by_epoch:
            means = [sum(values) / len(values) for values in by_epoch.values()]
            axes.plot(
                list(by_epoch), means, markersize=3, linewidth=1, label=setting, **look(place)
            )


def _differences(axes: Axes, rows: Sequence[Row]) -> None:
    colours = {"better": look(2)["color"], "worse": look(1)["color"]}
    for place, row in enumerate(rows):
        colour = colours.get(row["matters"], "#777777")
        axes.plot([row["lower"], row["upper"]], [place, place], color=colour, linewidth=1)
        axes.plot([row["difference"]], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [f"{row['option']} = {row['value']}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("Recall@1 less that of the settings asked for, 95 % interval over seeds")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%TITLE%</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 1.5rem auto;
  padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin-bottom: .2rem }
.bar { display: flex; flex-wrap: wrap; gap: .8rem; align-items: center }
input[type=range] { flex: 1; min-width: 12rem }
svg { width: 100%; height: auto; border: 1px solid #ddd; border-radius: 4px }
table { border-collapse: collapse; font-size: .8rem; display: block; overflow-x: auto }
td, th { padding: .15rem .5rem; text-align: right; border-bottom: 1px solid #eee }
tr.now { background: #eef4fa }
.key { font-size: .85rem } .key span { margin-right: 1rem; white-space: nowrap }
</style>
<h1>%TITLE%</h1>
<p>Embeddings of training samples on the two main axes of the last epoch; one colour a class.
Filled dots are real, rings are generated positives, crosses generated negatives, in the colour of
the class they are meant to be of. The two-stage method is a reconstruction.</p>
<div class="bar">
<label>Method <select id="method"></select></label>
<button id="play" type="button">Play</button>
<input id="epoch" type="range" min="0" value="0" aria-label="Epoch">
<output id="shown"></output>
</div>
<svg id="plot" viewBox="0 0 720 460" role="img" aria-label="Embeddings"></svg>
<p class="key" id="key"></p>
<h2>Training log</h2>
<p>Distances on the unit sphere, means over the batches of an epoch. The active share counts
generated triplets within the margin: the more, the more difficult.</p>
<svg id="log" viewBox="0 0 720 230" role="img" aria-label="Training log"></svg>
<p class="key" id="logkey"></p>
<table id="numbers"></table>
<script id="data" type="application/json">%DATA%</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
  "#999933"];
const kinds = [["real", 0], ["positive", 1], ["negative", 2]];
const lines = [["triplet_loss", "triplet loss"], ["within", "within classes"],
  ["between", "between classes"], ["synthetic_positive", "to generated positive"],
  ["synthetic_negative", "to generated negative"], ["active_share", "active share"],
  ["threshold", "threshold"]];
const space = "http://www.w3.org/2000/svg";
let timer = null;

function add(parent, name, attributes, text) {
  const node = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}
function paint(run, number) {
  return colours[Object.keys(run.names).indexOf(String(number)) % colours.length];
}
function bounds(run) {
  let box = [1e9, -1e9, 1e9, -1e9];
  for (const epoch of run.epochs) for (const [kind] of kinds) for (const p of epoch[kind] || [])
    box = [Math.min(box[0], p[0]), Math.max(box[1], p[0]), Math.min(box[2], p[1]),
      Math.max(box[3], p[1])];
  const span = Math.max(box[1] - box[0], (box[3] - box[2]) * 1.56, 1e-6);
  return p => [360 + 680 * (p[0] - (box[0] + box[1]) / 2) / span,
    230 - 680 * (p[1] - (box[2] + box[3]) / 2) / span];
}
function plot() {
  const run = data[at("method").value], epoch = Number(at("epoch").value), svg = at("plot");
  const place = bounds(run);
  svg.replaceChildren();
  for (const [kind, column] of kinds) (run.epochs[epoch][kind] || []).forEach((p, row) => {
    const [x, y] = place(p), colour = paint(run, run.classes[column][row]);
    if (kind === "real") add(svg, "circle", {cx: x, cy: y, r: 4, fill: colour, opacity: .75});
    else if (kind === "positive")
      add(svg, "circle", {cx: x, cy: y, r: 5.5, fill: "none", stroke: colour});
    else add(svg, "path", {d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: colour});
  });
  at("shown").value = `epoch ${epoch + 1} of ${run.epochs.length}`;
  [...at("numbers").rows].forEach((row, index) =>
    row.className = index === epoch + 1 ? "now" : "");
  at("mark").setAttribute("x1", across(run, epoch));
  at("mark").setAttribute("x2", across(run, epoch));
}
function across(run, epoch) {
  return 45 + 660 * (run.epochs.length > 1 ? epoch / (run.epochs.length - 1) : .5);
}
function key(node, entries) {
  node.replaceChildren(...entries.map(([text, colour]) => {
    const span = document.createElement("span"), dot = document.createElement("b");
    dot.textContent = "\\u25cf "; dot.style.color = colour;
    span.append(dot, text);
    return span;
  }));
}
function choose() {
  const run = data[at("method").value], svg = at("log");
  at("epoch").max = run.epochs.length - 1;
  at("epoch").value = run.epochs.length - 1;
  key(at("key"), Object.entries(run.names).map(([number, name]) => [name, paint(run, number)]));
  const used = lines.filter(([name]) => run.log[name].some(value => value !== null));
  const values = used.flatMap(([name]) => run.log[name].filter(value => value !== null));
  const low = Math.min(0, ...values), high = Math.max(.1, ...values);
  const up = value => 205 - 190 * (value - low) / (high - low);
  svg.replaceChildren();
  for (let step = 0; step <= 4; step++) {
    const value = low + (high - low) * step / 4;
    add(svg, "line", {x1: 45, x2: 705, y1: up(value), y2: up(value), stroke: "#eee"});
    add(svg, "text", {x: 40, y: up(value) + 4, "text-anchor": "end", "font-size": 11},
      value.toFixed(2));
  }
  add(svg, "line", {id: "mark", y1: 10, y2: 205, stroke: "#999", "stroke-dasharray": 3});
  add(svg, "text", {x: 705, y: 224, "text-anchor": "end", "font-size": 11}, "epoch");
  used.forEach(([name], index) => {
    const points = run.log[name].map((value, epoch) => value === null ? null :
      `${across(run, epoch)},${up(value)}`).filter(point => point !== null);
    add(svg, "polyline", {points: points.join(" "), fill: "none", "stroke-width": 1.6,
      stroke: colours[index % colours.length]});
  });
  key(at("logkey"), used.map(([, text], index) => [text, colours[index % colours.length]]));
  const table = at("numbers");
  table.replaceChildren();
  const head = table.insertRow();
  for (const text of ["epoch", ...used.map(([, label]) => label)]) {
    const cell = document.createElement("th");
    cell.textContent = text;
    head.append(cell);
  }
  run.epochs.forEach((_, epoch) => {
    const row = table.insertRow();
    row.insertCell().textContent = epoch + 1;
    for (const [name] of used) {
      const value = run.log[name][epoch];
      row.insertCell().textContent = value === null ? "" : value.toFixed(3);
    }
  });
  plot();
}
for (const name of Object.keys(data)) at("method").add(new Option(name, name));
const two = Object.keys(data).find(name => name.startsWith("two-stage"));
if (two) at("method").value = two;
at("method").addEventListener("change", choose);
at("epoch").addEventListener("input", plot);
at("play").addEventListener("click", () => {
  if (timer) { clearInterval(timer); timer = null; at("play").textContent = "Play"; return; }
  at("play").textContent = "Stop";
  at("epoch").value = 0;
  plot();
  timer = setInterval(() => {
    if (Number(at("epoch").value) >= Number(at("epoch").max)) {
      clearInterval(timer); timer = null; at("play").textContent = "Play"; return;
    }
    at("epoch").value = Number(at("epoch").value) + 1;
    plot();
  }, 600);
});
if (Object.keys(data).length) choose();
</script>
</html>
"""

"use strict";
// The page can be read without any of this: it sorts, filters, copies, colours and changes theme.
(async () => {
const MOST = 200, GAP = 11.5;
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const tables = await held(document.getElementById("tables").textContent);
const spoken = document.getElementById("spoken");
const say = text => { spoken.textContent = text; };

// What the page holds: JSON, compressed, in base64. Without the means to read it the page stays as it is.
async function held(text) {
  if (!window.DecompressionStream) return null;
  const bytes = Uint8Array.from(atob(text.trim()), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function make(name, attributes, text) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", {style: "position:fixed;opacity:0"});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

// Values of a packed column, one per row.
function values(packed, rows) {
  if (Array.isArray(packed)) return packed;
  if ("all" in packed) return new Array(rows).fill(packed.all);
  if (typeof packed.at === "string")
    return Array.from(packed.at, letter => packed.of[LETTERS.indexOf(letter)]);
  return packed.at.map(place => packed.of[place]);
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value !== "number") return value;
  if (Number.isInteger(value) || (Math.abs(value) >= 1e4 && Math.abs(value) < 1e12))
    return value.toLocaleString("en-US", {maximumFractionDigits: 0});
  const short = Number(value.toPrecision(4));
  return Math.abs(short) < 1e-4 ? short.toExponential() :
    short.toLocaleString("en-US", {maximumSignificantDigits: 4});
}

function quoted(value) {
  const text = value === null || value === undefined ? "" :
    Array.isArray(value) ? value.join(";") : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function before(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", {numeric: true});
}

class Sheet {
  constructor(place) {
    this.place = place;
    this.table = tables[place.dataset.table];
    this.columns = this.table.columns.map(column => values(column.values, this.table.rows));
    this.order = [...Array(this.table.rows).keys()];
    this.kept = this.order;
    this.by = null;
    this.down = false;
    this.limit = MOST;
    this.build();
  }

  get(row, column) { return this.columns[column][row]; }

  // What a cell shows: a value, or the two ends of an interval.
  text(row, shows) {
    if (shows.of.length === 1) return shown(this.get(row, shows.of[0]));
    const [low, high] = shows.of.map(column => this.get(row, column));
    if (low === null && high === null) return "";
    return `${low === null ? "(−∞" : `[${shown(low)}`}, ${high === null ? "∞)" : `${shown(high)}]`}`;
  }

  build() {
    const tools = make("div", {class: "tools"}), label = make("label");
    this.input = make("input", {type: "search", placeholder: "words, or loss=mse"});
    label.append("Filter ", this.input);
    this.count = make("output");
    const button = make("button", {type: "button", class: "plain"}, "Copy as CSV");
    button.addEventListener("click", () => copy(this.csv(), `${this.kept.length} rows`));
    this.input.addEventListener("input", () => { this.limit = MOST; this.filter(); });
    tools.append(label, this.count, button);
    this.scroll = this.place.querySelector(".scroll");
    this.body = make("tbody");
    const table = make("table"), head = make("tr");
    this.heads = this.table.shows.map((shows, place) => {
      const cell = make("th", {scope: "col", title: shows.about});
      if (shows.right) cell.className = "r";
      const sorter = make("button", {type: "button"}, shows.title);
      sorter.addEventListener("click", () => this.sort(place));
      cell.append(sorter);
      head.append(cell);
      return cell;
    });
    const top = make("thead");
    top.append(head);
    table.append(top, this.body);
    this.more = make("button", {type: "button", class: "plain"});
    this.more.addEventListener("click", () => { this.limit = Infinity; this.draw(); });
    this.scroll.replaceChildren(table);
    this.place.replaceChildren(tools, this.scroll, this.more);
    this.filter();
  }

  sort(place) {
    const shows = this.table.shows[place], column = this.columns[shows.of[0]];
    this.down = this.by === place ? !this.down : shows.better === "higher";
    this.by = place;
    const sign = this.down ? -1 : 1, missing = value => value === null || value === undefined;
    this.order.sort((a, b) => missing(column[a]) - missing(column[b]) ||
      (missing(column[a]) ? 0 : sign * before(column[a], column[b])) || a - b);
    this.heads.forEach((head, at) => at === place ?
      head.setAttribute("aria-sort", this.down ? "descending" : "ascending") :
      head.removeAttribute("aria-sort"));
    say(`sorted by ${shows.title}, ${this.down ? "highest" : "lowest"} first`);
    this.filter();
  }

  // Every word must stand in a row; NAME=TEXT asks for one column, NAME<1 and NAME>1 for numbers.
  filter() {
    const asked = this.input.value.toLowerCase().split(/\s+/).filter(Boolean).map(word => {
      const found = /^([\w]+)(=|<|>)(.+)$/.exec(word);
      const at = found ? this.table.columns.findIndex(column => column.name === found[1]) : -1;
      if (at < 0) return row => this.columns.some(column =>
        String(column[row] ?? "").toLowerCase().includes(word) );
      const [, , sign, text] = found;
      return row => {
        const value = this.get(row, at);
        if (sign === "=") return String(value ?? "").toLowerCase() === text;
        return value !== null && (sign === "<" ? value < Number(text) : value > Number(text));
      };
    });
    this.kept = this.order.filter(row => asked.every(test => test(row)));
    this.draw();
  }

  draw() {
    const some = this.kept.slice(0, this.limit);
    this.body.replaceChildren(...some.map(row => {
      const line = make("tr");
      for (const shows of this.table.shows) {
        const cell = make("td"), text = this.text(row, shows);
        if (shows.right) cell.className = "r";
        if (shows.title === "verdict")
          cell.append(make("span", {class: `verdict v-${text}`}, text));
        else cell.textContent = text;
        line.append(cell);
      }
      return line;
    }));
    const all = this.table.rows.toLocaleString("en-US");
    const kept = this.kept.length.toLocaleString("en-US");
    this.count.value = this.kept.length === this.table.rows ? `${all} rows` : `${kept} of ${all} rows`;
    this.more.hidden = some.length === this.kept.length;
    this.more.textContent = `Show all ${kept}`;
  }

  csv() {
    const lines = [this.table.columns.map(column => quoted(column.name)).join(",")];
    for (const row of this.kept)
      lines.push(this.columns.map(column => quoted(column[row])).join(","));
    return lines.join("\n") + "\n";
  }
}

// Pictures of known elements and attributes, as the page would hold them if it had the room.
for (const place of tables ? document.querySelectorAll("[data-picture]") : [])
  place.replaceChildren(new DOMParser()
    .parseFromString(tables[place.dataset.picture], "text/html").body.firstElementChild);

// Tables are made when they are first seen.
for (const details of tables ? document.querySelectorAll("details.table") : []) {
  const open = () => {
    const place = details.querySelector("[data-table]");
    if (details.open && !place.dataset.made) {
      place.dataset.made = "yes";
      new Sheet(place);
    }
  };
  details.addEventListener("toggle", open);
  open();
}

function draw(parent, name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
}

// Points of one method, one epoch after another, on scales that hold all its epochs.
function project(figure, methods) {
  const pick = figure.querySelector("select"), svg = figure.querySelector("svg");
  const slide = figure.querySelector("input"), play = figure.querySelector("button");
  const said = figure.querySelector("output"), names = figure.querySelector(".names");
  let timer = null;
  const show = () => {
    const film = methods[pick.value], epoch = film.epochs[slide.value];
    const all = film.epochs.flatMap(each => each.points);
    const ends = place => all.reduce(([low, high], point) =>
      [Math.min(low, point[place]), Math.max(high, point[place])], [Infinity, -Infinity]);
    const [left, right] = ends(0), [down, up] = ends(1);
    const one = Math.min(680 / Math.max(right - left, 1e-9), 400 / Math.max(up - down, 1e-9));
    svg.replaceChildren();
    for (const [x, y, label, kind] of epoch.points) {
      const cx = 360 + one * (x - (left + right) / 2), cy = 220 - one * (y - (up + down) / 2);
      const colour = `c${label % 8}`;
      if (kind === 2) draw(svg, "path", {class: `negative ${colour}`,
        d: `M${cx - 3.5} ${cy - 3.5}l7 7m0 -7l-7 7`});
      else draw(svg, "circle", {class: `${kind ? "positive" : "real"} ${colour}`, cx, cy, r: 4});
    }
    const log = Object.entries(epoch.log).map(([key, value]) =>
      `, ${key.replaceAll("_", " ")} ${shown(value)}`).join("");
    said.value = `epoch ${Number(slide.value) + 1} of ${film.epochs.length}${log}`;
  };
  const choose = () => {
    const film = methods[pick.value];
    slide.max = film.epochs.length - 1;
    slide.value = slide.max;
    names.replaceChildren(...film.names.map((name, place) =>
      make("span", {class: `c${place % 8}`}, `● ${name}`)));
    show();
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  for (const name of Object.keys(methods))
    if (methods[name].epochs.length) pick.add(new Option(name, name));
  if (!pick.options.length) return;
  pick.addEventListener("change", () => { stop(); choose(); });
  slide.addEventListener("input", show);
  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = "Stop";
    slide.value = 0;
    show();
    timer = setInterval(() => {
      if (Number(slide.value) >= Number(slide.max)) return stop();
      slide.value = Number(slide.value) + 1;
      show();
    }, 600);
  });
  figure.hidden = false;
  choose();
}
for (const figure of tables ? document.querySelectorAll("[data-film]") : [])
  project(figure, tables[figure.dataset.film]);

// Names at the ends of lines are moved apart: blocks of touching names around their mean.
function spread(svg) {
  const lines = [...svg.querySelectorAll(".line.on")].sort((a, b) => a.dataset.y - b.dataset.y);
  const low = 12, high = svg.viewBox.baseVal.height - 30, blocks = [];
  for (const line of lines) {
    blocks.push([Math.min(Math.max(Number(line.dataset.y), low), high), 1]);
    while (blocks.length > 1) {
      const [b, a] = [blocks.at(-1), blocks.at(-2)], count = a[1] + b[1];
      if (b[0] - a[0] >= GAP * count / 2 - 1e-9) break;
      const middle = (a[0] * a[1] + b[0] * b[1]) / count, half = GAP * (count - 1) / 2;
      blocks.splice(-2, 2, [Math.max(Math.min(middle, high - half), low + half), count]);
    }
  }
  let next = 0;
  for (const [middle, count] of blocks)
    for (let step = 0; step < count; step++)
      lines[next++].querySelector("text").setAttribute(
        "y", (middle + GAP * (step - (count - 1) / 2) + 3.5).toFixed(1));
}

for (const study of document.querySelectorAll(".study")) {
  const toggle = number => {
    const chip = study.querySelector(`.chip[data-m="${number}"]`);
    const on = !chip.classList.contains("on");
    chip.setAttribute("aria-pressed", String(on));
    for (const each of study.querySelectorAll(`.m[data-m="${number}"]`))
      each.classList.toggle("on", on);
    for (const svg of study.querySelectorAll(".panel svg")) spread(svg);
  };
  for (const chip of study.querySelectorAll(".chip"))
    chip.addEventListener("click", () => toggle(chip.dataset.m));
}

// A study that is named in a link, or printed, is open.
function unfold() {
  const fold = document.getElementById(location.hash.slice(1))?.querySelector(".fold");
  if (fold) fold.open = true;
}
addEventListener("hashchange", unfold);
addEventListener("beforeprint", () =>
  document.querySelectorAll(".fold").forEach(fold => { fold.open = true; }));
unfold();

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () =>
    copy(document.getElementById(button.dataset.copy).textContent, "command"));
}

const theme = document.getElementById("theme"), root = document.documentElement;
const dark = () => root.dataset.theme ? root.dataset.theme === "dark" :
  matchMedia("(prefers-color-scheme: dark)").matches;
const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
try { if (localStorage.nasrankTheme) root.dataset.theme = localStorage.nasrankTheme; } catch {}
theme.hidden = false;
name();
theme.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  try { localStorage.nasrankTheme = root.dataset.theme; } catch {}
  name();
});
root.dataset.ready = "yes";
})();

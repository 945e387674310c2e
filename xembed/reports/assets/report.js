(() => {
"use strict";
// Texts reach the page by textContent only: nothing in them is ever read as markup.
const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const bytes = (element) => Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
const unpack = async (element) =>
  new Response(new Blob([bytes(element)]).stream().pipeThrough(new DecompressionStream("gzip"))).text();

/* ---- theme ---- */
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const isDark = () =>
  !printing && (root.classList.contains("dark") || (prefersDark.matches && !root.classList.contains("light")));
const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const themeButton = byId("theme");
const onTheme = () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  for (const plot of plots) Plotly.update(plot, traceColours(plot), layoutColours(plot));
};
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const dark = !isDark();
  root.classList.toggle("dark", dark);
  root.classList.toggle("light", !dark);
  onTheme();
});
prefersDark.addEventListener("change", () => onTheme());

/* ---- figures ---- */
const plots = [];
const CONFIG = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "autoScale2d"],
  toImageButtonOptions: { format: "svg", filename: "xembed" },
};
const mix = (one, other, share) => {
  const [a, b] = [one, other].map((name) => [1, 3, 5].map((i) => parseInt(colour(name).slice(i, i + 2), 16)));
  return `rgb(${a.map((x, i) => Math.round(share * x + (1 - share) * b[i])).join(",")})`;
};
// A trace says in meta, and a shape in its name, which colour of the style sheet it takes.
const traceColours = (plot) => {
  const colours = plot.data.map((trace) => colour(trace.meta));
  const fills = colours.map((c) => `${c}2e`);
  const update = { "line.color": colours, "marker.color": colours, fillcolor: fills };
  // Signed cells go from blue by the ground to orange, no deeper than their text can be read on.
  if (plot.data.some((trace) => trace.meta === "signed"))
    update.colorscale = plot.data.map(() => [[0, mix("f", "panel", 0.6)], [0.5, colour("panel")], [1, mix("g", "panel", 0.6)]]);
  return update;
};
const layoutColours = (plot) => {
  const update = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": colour("ink"),
    "hoverlabel.bgcolor": colour("ink"), "hoverlabel.font.color": colour("bg"),
    "modebar.color": colour("quiet"), "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.activecolor": colour("ink"),
    "newselection.line.color": colour("ink"),
  };
  for (const axis of ["xaxis", "yaxis"]) {
    update[`${axis}.gridcolor`] = colour("grid");
    update[`${axis}.zerolinecolor`] = colour("grid");
    update[`${axis}.linecolor`] = colour("line");
  }
  (plot.layout.shapes || []).forEach((shape, i) => {
    update[`shapes[${i}].line.color`] = colour(shape.name || "quiet");
  });
  return update;
};
const drawFigure = async (plot) => {
  const spec = JSON.parse(byId(plot.dataset.spec).textContent);
  const layout = {
    ...spec.layout, autosize: true, margin: { l: 56, r: 12, t: 12, b: 48 },
    font: { family: getComputedStyle(document.body).fontFamily, size: 13 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { ...spec.layout.xaxis, automargin: true }, yaxis: { ...spec.layout.yaxis, automargin: true },
  };
  plot.data = spec.data;
  plot.layout = layout;
  const colours = traceColours(plot);
  spec.data.forEach((trace, i) => {
    trace.marker = { ...trace.marker, color: colours["marker.color"][i] };
    trace.line = { ...trace.line, color: colours["line.color"][i] };
    trace.fillcolor = colours.fillcolor[i];
    if (trace.meta === "signed") trace.colorscale = colours.colorscale[i];
    trace.unselected = { marker: { opacity: 0.12 } };
  });
  await Plotly.newPlot(plot, spec.data, layout, CONFIG);
  await Plotly.relayout(plot, layoutColours(plot));
  plots.push(plot);
};

/* ---- parts ---- */
// A page has one part, a combined page several. Each has a state of its own, and its ids begin with its prefix.
const tip = byId("tip");
const startPart = async (part) => {
const prefix = part.dataset.prefix;
const $ = (id) => byId(prefix + id);

/* ---- rows ---- */
let rows = null;      // columns, as packed
let order = [];       // positions in the table, sorted and filtered
let lassoed = null;   // positions drawn around, or null
let sortKey = "depth", sortDown = false, shown = 0;
const STEP = 25;
const signed = (x) => `${x >= 0 ? "+" : ""}${x.toFixed(2)}`;
const NUMBERS = [
  ["depth", () => "depth", (x) => x.toFixed(3)],
  ["inF", () => `in ${rows.names[0]}`, (x) => x.toFixed(3)],
  ["inG", () => `in ${rows.names[1]}`, (x) => x.toFixed(3)],
  ["lean", () => "leaning", signed],
];
const regionOf = (i) => (rows.region ? rows.regions[rows.region[i]] : "");
const cell = (parent, text, name, label) => {
  const td = document.createElement("td");
  td.className = name;
  if (label) td.dataset.label = label;
  else td.dir = "auto";
  td.textContent = text;
  parent.append(td);
  return td;
};
const addRows = () => {
  const body = $("rows").tBodies[0];
  const part = document.createDocumentFragment();
  for (const i of order.slice(shown, shown + STEP)) {
    const tr = document.createElement("tr");
    const mark = document.createElement("span");
    mark.className = rows.corpus[i] ? "mark g" : "mark";
    cell(tr, rows.names[rows.corpus[i]], "corpus").prepend(mark);
    cell(tr, rows.row[i], "num", "row");
    for (const [key, label, format] of NUMBERS) if (rows[key]) cell(tr, format(rows[key][i]), "num", label());
    if (rows.text || rows.region) {
      const td = cell(tr, rows.text ? rows.text[i] : "", "text");
      if (rows.region) {
        const region = document.createElement("span");
        region.className = "region";
        region.textContent = regionOf(i);
        td.append(region);
      }
    }
    part.append(tr);
  }
  body.append(part);
  shown = Math.min(shown + STEP, order.length);
  $("more").hidden = shown >= order.length;
};
const refresh = () => {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const total = rows.row.length;
  order = [];
  for (let i = 0; i < total; i++) {
    if (lassoed && !lassoed.has(i)) continue;
    if (words.length) {
      const text = `${rows.names[rows.corpus[i]]} ${rows.row[i]} ${rows.text ? rows.text[i] : ""}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
    }
    order.push(i);
  }
  const column = rows[sortKey];
  order.sort((a, b) => (column[a] - column[b]) * (sortDown ? -1 : 1) || a - b);
  $("rows").tBodies[0].replaceChildren();
  shown = 0;
  addRows();
  $("count").textContent = order.length === total ? `${total} texts` : `${order.length} of ${total} texts`;
  $("clear").hidden = !lassoed && !words.length;
  for (const button of $("rows").querySelectorAll("th button"))
    button.parentElement.setAttribute(
      "aria-sort", button.dataset.key === sortKey ? (sortDown ? "descending" : "ascending") : "none");
};
const select = (positions) => {
  lassoed = positions;
  for (const plot of plots) {
    if (!("texts" in plot.dataset) || !part.contains(plot)) continue;
    const chosen = plot.data.map((trace) => {
      if (!positions) return null;
      const points = [];
      const ids = trace.customdata;
      const list = ids._inputArray || ids;
      for (let k = 0; k < list.length; k++) if (positions.has(Number(list[k]))) points.push(k);
      return points;
    });
    Plotly.restyle(plot, { selectedpoints: chosen });
  }
  refresh();
};
// A cell that starts with one of these could be run as a formula by a spreadsheet (OWASP: CSV injection).
const csvCell = (value) => {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const downloadCsv = () => {
  const columns = [
    ["corpus", (i) => rows.names[rows.corpus[i]]], ["row", (i) => rows.row[i]], ["depth", (i) => rows.depth[i]],
    ["depth_in_F", (i) => rows.inF[i]], ["depth_in_G", (i) => rows.inG[i]],
  ];
  if (rows.region) columns.push(["leaning", (i) => rows.lean[i]], ["region", regionOf]);
  columns.push(["text", (i) => (rows.text ? rows.text[i] : "")]);
  const lines = [columns.map(([name]) => name).join(",")];
  for (const i of order) lines.push(columns.map(([, value]) => csvCell(value(i))).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
  link.download = "xembed-texts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const startRows = async () => {
  rows = JSON.parse(await unpack($("rows-data")));
  $("search").closest(".controls").hidden = false;
  $("rows").hidden = false;
  let waiting = 0;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 120); });
  $("more").addEventListener("click", addRows);
  $("csv").addEventListener("click", downloadCsv);
  $("clear").addEventListener("click", () => { $("search").value = ""; select(null); });
  for (const button of $("rows").querySelectorAll("th button"))
    button.addEventListener("click", () => {
      if (sortKey === button.dataset.key) sortDown = !sortDown;
      else { sortKey = button.dataset.key; sortDown = false; }
      refresh();
    });
  for (const button of part.querySelectorAll("button[data-region]")) {
    button.hidden = false;
    button.addEventListener("click", () => showRegion(Number(button.dataset.region)));
  }
  refresh();
};
const showRegion = (region) => {
  const inside = new Set();
  rows.region.forEach((one, i) => { if (one === region) inside.add(i); });
  $("search").value = "";
  select(inside);
  $("all").scrollIntoView();
  $("clear").focus({ preventScroll: true });
};

/* ---- hovering and selecting ---- */
const showTip = (event) => {
  const point = event.points[0];
  const i = Number(point.customdata);
  const head = document.createElement("b");
  const lean = rows.lean ? `, leaning ${signed(rows.lean[i])}` : "";
  head.textContent = `${rows.names[rows.corpus[i]]}, row ${rows.row[i]}, depth ${rows.depth[i].toFixed(3)}${lean}`;
  const text = document.createElement("span");
  text.dir = "auto";
  text.textContent = rows.text ? rows.text[i].slice(0, 400) : "";
  tip.replaceChildren(head, text);
  if (rows.region) {
    const region = document.createElement("span");
    region.className = "region";
    region.dir = "auto";
    region.textContent = regionOf(i);
    tip.append(region);
  }
  tip.hidden = false;
  const { clientX: x, clientY: y } = event.event;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
};
const link = (plot) => {
  plot.on("plotly_hover", showTip);
  plot.on("plotly_unhover", () => { tip.hidden = true; });
  plot.on("plotly_selected", (event) => {
    if (event && event.points.length) select(new Set(event.points.map((point) => Number(point.customdata))));
  });
  plot.on("plotly_deselect", () => select(null));
};

/* ---- sentences of a benchmark ---- */
let looks = null;
const FAINT = 0.05;  // share of the largest below which a word gets no sign
const make = (tag, name, ...children) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (prefix && /^h\d$/.test(tag)) element.setAttribute("aria-level", Number(tag[1]) + 1);  // the part has a heading
  element.append(...children);  // strings become text
  return element;
};
const named = (text) => make("bdi", "", String(text));
const short = (x) => (x === null || x === undefined ? "–" : x === 0 ? "0"
  : `${x > 0 ? "+" : "−"}${String(Number(Math.abs(x).toPrecision(3)))}`);
const decimals = (x) => (x === null ? "–" : x.toFixed(3));
const tone = (x) => (x > 0 ? "pos" : x < 0 ? "neg" : "");
const sizeOf = (rows) => Math.max(0, ...rows.flat().map((x) => Math.abs(x || 0)));
const chip = (word, truth, value, most, lines) => {
  const share = most > 0 ? Math.abs(value || 0) / most : 0;
  const sign = make("sup", "", share < FAINT ? "" : value > 0 ? "+" : "−");
  sign.setAttribute("aria-hidden", "true");
  const element = make("span", `word ${tone(value)}${truth ? " true" : ""}`, named(word), sign);
  element.style.setProperty("--share", share.toFixed(2));
  element.tabIndex = -1;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", [word, ...lines].join(", "));
  const show = () => placeTip(element, word, lines);
  element.addEventListener("mouseenter", show);
  element.addEventListener("focus", show);
  for (const end of ["mouseleave", "blur"]) element.addEventListener(end, () => { tip.hidden = true; });
  return element;
};
const placeTip = (element, word, lines) => {
  tip.replaceChildren(make("b", "", named(word)), ...lines.map((line) => make("div", "", named(line))));
  tip.hidden = false;
  const [from, box] = [element.getBoundingClientRect(), tip.getBoundingClientRect()];
  tip.style.left = `${Math.max(4, Math.min(from.left, innerWidth - box.width - 8))}px`;
  tip.style.top = `${from.bottom + 6 + box.height > innerHeight ? Math.max(4, from.top - box.height - 6) : from.bottom + 6}px`;
};
// One stop of the tab key; the arrows go from word to word and from form to form.
const columnsOf = (columns, label) => {
  const group = make("div", "columns", ...columns.map((cells) => make("div", "", ...cells)));
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `${label}. Arrow keys go from word to word.`);
  const words = () => [...group.children].map((column) => [...column.querySelectorAll(".word")]);
  const first = group.querySelector(".word");
  if (first) first.tabIndex = 0;
  group.addEventListener("keydown", (event) => {
    const grid = words();
    let x = grid.findIndex((column) => column.includes(event.target));
    if (x < 0) return;
    let y = grid[x].indexOf(event.target);
    if (event.key === "ArrowRight") x += 1;
    else if (event.key === "ArrowLeft") x -= 1;
    else if (event.key === "ArrowDown") y += 1;
    else if (event.key === "ArrowUp") y -= 1;
    else if (event.key === "Home") x = 0;
    else if (event.key === "End") x = grid.length - 1;
    else if (event.key === "Escape") { tip.hidden = true; return; }
    else return;
    event.preventDefault();
    const next = grid[x] && grid[x][y];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  return group;
};
const tableOf = (name, head, body, label) => {
  const row = make("tr", "", ...head.map((text) => make("th", "", named(text))));
  const table = make("table", name, make("thead", "", row), make("tbody", "", ...body));
  const scroll = make("div", "scroll", table);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", label);
  for (const cell of row.children) cell.scope = "col";
  return scroll;
};
const rowOf = (first, cells) => {
  const head = make("th", "", named(first));
  head.scope = "row";
  return make("tr", "", head, ...cells);
};
const unfolded = { numbers: false, all: false };
const fold = (key, title, ...children) => {
  const details = make("details", "", make("summary", "", title), ...children);
  details.open = unfolded[key];
  details.addEventListener("toggle", () => { unfolded[key] = details.open; });
  return details;
};
// Pair Shapley values once where all forms have the same.
const pairsOf = (forms) => {
  const known = forms.filter((form) => form.found.pair);
  const first = known.length ? JSON.stringify(known[0].found.pair) : "";
  if (known.length > 1 && known.every((form) => JSON.stringify(form.found.pair) === first))
    return [{ form: "", words: forms.map((form) => form.words), pair: known[0].found.pair }];
  return known.map((form) => ({ form: form.form, words: [form.words], pair: form.found.pair }));
};
const formsNow = () => {
  const sentence = looks.sentences[$("inspect-sentence").selectedIndex];
  const scheme = $("inspect-scheme").value;
  return sentence.forms.filter((form) => form.schemes[scheme])
    .map((form) => ({ ...form, found: form.schemes[scheme] }));
};
const option = (value, text) => {
  const element = make("option", "", text);
  element.value = value;
  return element;
};
const offerMethods = (wanted) => {
  const forms = formsNow();
  const there = looks.methods.filter((name) => forms.length && forms.every((form) => form.found.methods[name]));
  const select = $("inspect-method");
  select.replaceChildren(...there.map((name) => option(name, looks.labels[name])));
  const best = looks.best[$("inspect-scheme").value];
  select.value = there.includes(wanted) ? wanted : there.includes(best) ? best : there[0] || "";
};
const renderLook = () => {
  const at = $("inspect-sentence").selectedIndex;
  const sentence = looks.sentences[at];
  const scheme = $("inspect-scheme").value;
  offerMethods($("inspect-method").value);
  const method = $("inspect-method").value;
  const forms = formsNow();
  tip.hidden = true;
  $("inspect-back").disabled = at === 0;
  $("inspect-next").disabled = at === looks.sentences.length - 1;
  const why = make("span", "quiet", named(sentence.why));
  const view = make("article", "panel look", make("h3", "", `Sentence ${sentence.group} `, why));
  $("inspect-view").replaceChildren(view);
  if (!method) {
    view.append(make("p", "quiet", "This scheme has no attributions of this sentence."));
    return;
  }
  const values = forms.map((form) => form.found.methods[method]);
  const most = sizeOf(values);
  const pairs = pairsOf(forms);
  const pairAt = (place) => pairs.map(({ form, pair }) => (pair[place] === null || pair[place] === undefined
    ? "" : `pair Shapley${form && ` ${form}`} ${short(pair[place])}`)).filter(Boolean);
  forms.forEach((form, i) => {
    const total = values[i].reduce((sum, x) => sum + Math.abs(x), 0);
    const n = form.truth.reduce((sum, x) => sum + x, 0);
    const chance = n / form.truth.length;
    const mass = total > 0 ? values[i].reduce((sum, x, k) => sum + (form.truth[k] ? Math.abs(x) : 0), 0) / total : chance;
    const right = form.found.correct ? "right" : "wrong";
    view.append(make("p", "form", make("b", "", named(form.form)), `: probability ${decimals(form.found.p)}, ${right}; `
      + `mass accuracy ${decimals(mass)}, chance ${decimals(chance)}`));
  });
  const length = Math.max(...forms.map((form) => form.words.length));
  const places = Array.from({ length }, (_, k) => k);
  const cellsAt = (k) => forms.flatMap((form, i) => (k < form.words.length ? [chip(
    form.words[k], form.truth[k], values[i][k], most,
    [`${form.form}, word ${k + 1} of ${form.words.length}`, `attribution ${short(values[i][k])}`,
      form.truth[k] ? "changed word" : "not changed", ...pairAt(k)])] : []));
  view.append(columnsOf(places.map(cellsAt), `${looks.labels[method]} on ${scheme}`));
  for (const { form, words, pair } of pairs) {
    const size = sizeOf([pair]);
    const columns = places.filter((k) => pair[k] !== null && pair[k] !== undefined).map((k) => [
      chip(words.map((row) => row[k]).join(" / "), 1, pair[k], size, [`word ${k + 1}`, `pair Shapley ${short(pair[k])}`]),
      make("small", "", short(pair[k])),
    ]);
    view.append(make("p", "form", "Exact pair Shapley", form ? ", " : "", form ? named(form) : "", ":"),
      columnsOf(columns, "Exact pair Shapley"));
  }
  const right = (text) => make("td", "num", text);
  const numbers = places.map((k) => rowOf(String(k), [
    ...forms.flatMap((form, i) => (k < form.words.length
      ? [make("td", "", named(form.words[k]), form.truth[k] ? " ▣" : ""), right(short(values[i][k]))]
      : [right(""), right("")])),
    ...pairs.map(({ pair }) => right(short(pair[k]))),
  ]));
  const head = ["Place", ...forms.flatMap((form) => [form.form, "Attribution"]),
    ...pairs.map(({ form }) => `Pair Shapley ${form}`.trim())];
  view.append(fold("numbers", "The numbers", tableOf("plain", head, numbers, "The numbers")));
  const all = forms.map((form) => {
    const lines = looks.methods.filter((name) => form.found.methods[name]).map((name) => {
      const row = form.found.methods[name];
      const size = sizeOf([row]);
      return rowOf(looks.labels[name], row.map((x) => {
        const td = make("td", tone(x), short(x));
        td.style.setProperty("--share", size > 0 ? (Math.abs(x) / size).toFixed(2) : "0");
        return td;
      }));
    });
    const box = tableOf("grid shown", [form.form, ...form.words], lines, `All methods, ${form.form}`);
    form.truth.forEach((mark, k) => { if (mark) box.querySelectorAll("thead th")[k + 1].classList.add("true"); });
    return box;
  });
  view.append(fold("all", `All methods on this sentence, scheme ${scheme}`, ...all));
};
const startInspector = async () => {
  looks = JSON.parse(await unpack($("inspect-data")));
  const sentences = looks.sentences.map((sentence, i) => {
    const text = sentence.forms.length ? sentence.forms[0].words.join(" ") : "";
    return option(i, `${sentence.group}: ${text.length > 60 ? `${text.slice(0, 59)}…` : text}`);
  });
  $("inspect-sentence").replaceChildren(...sentences);
  $("inspect-scheme").replaceChildren(...looks.schemes.map((name) => option(name, name)));
  for (const id of ["inspect-sentence", "inspect-scheme", "inspect-method"]) $(id).addEventListener("change", renderLook);
  for (const [id, step] of [["inspect-back", -1], ["inspect-next", 1]])
    $(id).addEventListener("click", () => { $("inspect-sentence").selectedIndex += step; renderLook(); });
  for (const button of part.querySelectorAll("button.look")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      $("inspect-sentence").selectedIndex =
        looks.sentences.findIndex((sentence) => String(sentence.group) === button.dataset.group);
      $("inspect-scheme").value = button.dataset.scheme;
      offerMethods(button.dataset.method);
      renderLook();
      $("inspector").scrollIntoView();
      $("inspect-sentence").focus({ preventScroll: true });
    });
  }
  $("inspect-controls").hidden = false;
  if (looks.sentences.length && looks.schemes.length) renderLook();
};

/* ---- texts to open, word by word ---- */
let told = null;
let toldOrder = [], toldShown = 0;
// The title of a word is for pages without scripts: here its number shows at once.
part.addEventListener("mouseover", (event) => {
  const word = event.target instanceof Element && event.target.closest(".said .word");
  if (!word) return;
  if (word.title) { word.dataset.value = word.title; word.removeAttribute("title"); }
  placeTip(word, word.querySelector("bdi").textContent, [word.dataset.value]);
  word.addEventListener("mouseleave", () => { tip.hidden = true; }, { once: true });
});
const worth = (word, value, most) => {
  const share = most > 0 ? Math.abs(value) / most : 0;
  const element = make("span", `word ${tone(value)}`, named(word));
  if (told.signs && share >= FAINT) element.append(make("sup", "", value > 0 ? "+" : "−"));
  element.style.setProperty("--share", share.toFixed(2));
  element.dataset.value = told.signs ? short(value) : short(value).replace("+", "");
  return element;
};
const toldDetails = (item) => {
  const facts = make("span", "facts");
  item.facts.forEach(([label, value], i) => {
    const fact = make("span", "nobreak");
    if (label) fact.append(make("span", "quiet", label), " ");
    fact.append(value);
    facts.append(...(i ? [" · "] : []), fact);
  });
  const line = make("span", "line", item.line);
  line.dir = "auto";
  const most = sizeOf([item.values]);
  const said = make("p", "said");
  said.dir = item.dir;
  item.words.forEach((word, k) => said.append(worth(word, item.values[k], most), " "));
  if (item.more) said.append(make("span", "quiet", `… and ${item.more} more words`));
  const main = make("div", "", said, ...item.notes.map((note) => make("p", "quiet", note)));
  const body = make("div", item.near ? "pair" : "", main);
  if (item.near) {
    const text = make("p", "", item.near[0]);
    text.dir = "auto";
    body.append(make("div", "near", make("h4", "", `${told.beside} `, make("span", "quiet", item.near[1])), text));
  }
  const rows = item.words.map((word, k) => rowOf(word, [make("td", "num", said.children[k].dataset.value)]));
  const table = tableOf("plain", ["Word", "Attribution"], rows, `Words of row ${item.row}`);
  table.querySelectorAll("thead th")[1].className = "num";
  return make("details", "told", make("summary", "", facts, " ", line), body,
    make("details", "numbers", make("summary", "", "The numbers"), table));
};
const addTold = () => {
  $("told-list").append(...toldOrder.slice(toldShown, toldShown + STEP).map((i) => toldDetails(told.items[i])));
  toldShown = Math.min(toldShown + STEP, toldOrder.length);
  $("told-more").hidden = toldShown >= toldOrder.length;
};
const refreshTold = () => {
  const wanted = $("told-search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const { key, down } = told.orders[$("told-order").selectedIndex];
  toldOrder = told.items.map((_, i) => i).filter((i) => {
    const text = `${told.items[i].row} ${told.items[i].words.join(" ")} ${told.items[i].line}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  toldOrder.sort((a, b) => (told.items[a].keys[key] - told.items[b].keys[key]) * (down ? -1 : 1) || a - b);
  $("told-list").replaceChildren();
  toldShown = 0;
  addTold();
  if ($("told-list").firstChild) $("told-list").firstChild.open = true;
  const total = told.items.length;
  $("told-count").textContent = toldOrder.length === total ? `${total} texts` : `${toldOrder.length} of ${total} texts`;
};
const startTold = async () => {
  told = JSON.parse(await unpack($("told-data")));
  let waiting = 0;
  $("told-search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refreshTold, 120); });
  $("told-order").addEventListener("change", refreshTold);
  $("told-more").addEventListener("click", addTold);
  $("told-controls").hidden = told.items.length < 2;
  refreshTold();
};

if ($("rows-data")) await startRows();
if ($("inspect-data")) await startInspector();
if ($("told-data")) await startTold();
return (plot) => { if ("texts" in plot.dataset && rows) link(plot); };
};

/* ---- start ---- */
const fail = (message) => {
  for (const plot of document.querySelectorAll(".plot")) { plot.textContent = message; plot.style.height = "auto"; }
};
const start = async () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  if (typeof DecompressionStream === "undefined") {
    fail("Charts need a browser of 2023 or later. The tables below hold the results.");
    return;
  }
  const parts = [];
  for (const part of document.querySelectorAll("[data-prefix]")) parts.push([part, await startPart(part)]);
  if (byId("library")) {
    const script = document.createElement("script");
    script.textContent = await unpack(byId("library"));
    document.head.append(script);
  }
  for (const [part, linked] of parts) {
    for (const plot of part.querySelectorAll(".plot")) {
      await drawFigure(plot);
      linked(plot);
    }
  }
  root.dataset.ready = "yes";
};
// Paper can't be clicked: what is folded is printed open.
const folded = [];
let theme = "";
addEventListener("beforeprint", () => {
  printing = true;
  theme = root.className;
  root.className = "light";
  for (const details of document.querySelectorAll("details:not([open])")) { details.open = true; folded.push(details); }
  onTheme();
});
addEventListener("afterprint", () => {
  printing = false;
  root.className = theme;
  for (const details of folded.splice(0)) details.open = false;
  onTheme();
});
start().catch((error) => { fail("The charts could not be drawn. The tables below hold the results."); throw error; });
})();

/* ---- downloads: data, tables and figures as files ---- */
// A cell that starts with one of these could be run as a formula by a spreadsheet (OWASP: CSV injection).
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
// What a page writes as a number: no zeros in front, so that codes such as 007 stay as they are.
const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?%?$/i;
// "−1,234" is a number to a reader only; "-1234" is one to a program, too.
const plainNumber = (text) => {
  const plain = text.trim().replace("−", "-").replace(/^\+(?=[\d.])/, "").replace(/^(-?\d{1,3})((?:,\d{3})+)(?!\d)/,
    (_, first, rest) => first + rest.replaceAll(",", ""));
  return PLAIN_NUMBER.test(plain) ? plain : null;
};
const csvCell = (value) => {
  const text = String(value);
  const safe = typeof value === "string" && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
const csvLine = (cells, write = csvCell) => `${cells.map((cell) => write(cell)).join(",")}\r\n`;
const save = (name, type, ...parts) => {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
// The mark in front tells spreadsheets that it is UTF-8. `lines`: written by csvLine.
const saveCsv = (title, lines) => save(fileName(title, "csv"), "text/csv;charset=utf-8", "\ufeff", ...lines);
// Letters, digits and hyphens only: no file system takes offence, and no name can hide an ending.
const fileName = (title, ending) => {
  const words = title.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60);
  return `xembed-${words.replace(/^-+|-+$/g, "") || "page"}.${ending}`;
};
const brief = (text, most = 80) => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};
const saveButton = (kind, what, action) => {
  const button = make("button", "", kind);
  button.type = "button";
  button.setAttribute("aria-label", `${kind}: download ${what}`);
  button.title = `Download as ${kind}`;
  button.addEventListener("click", action);
  return button;
};
// Names of two things on a page can be the same: those of parts say of which part, others are counted.
const usedNames = new Map();
const uniqueName = (kind, name, element) => {
  const part = element.closest("[data-prefix]");
  const number = part ? part.dataset.prefix.replace(/\D/g, "") : "";
  const full = `${kind} “${brief(name)}”${number ? ` of part ${number}` : ""}`;
  const times = (usedNames.get(full) || 0) + 1;
  usedNames.set(full, times);
  return times > 1 ? `${full} (${times})` : full;
};

/* Figures are saved as they are on the page, but with their title, and black on white in both themes. */
const inLight = (read) => {
  const before = root.className;
  root.className = "light";
  try { return read(); } finally { root.className = before; }
};
// Plotly reads markup in titles.
const asTitle = (text, width) => {
  const most = Math.max(20, Math.floor(width / 9));
  const lines = [""];
  for (const word of brief(text, 3 * most).split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > most && lines.at(-1)) lines.push(brief(word, most));
    else lines[lines.length - 1] = brief(longer, most);
  }
  const escaped = (line) => line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return { text: lines.map(escaped).join("<br>"), lines: lines.length };
};
const figureToSave = (plot, title) => {
  const [traces, looks] = inLight(() => [traceColors(plot), layoutColors(plot)]);
  const data = plot.data.map((trace, i) => {
    const copy = { ...trace, line: { ...trace.line }, marker: { ...trace.marker } };
    const own = Object.entries(traces).map(([path, values]) => [path, values[i]]);
    setPaths(copy, Object.fromEntries(own.filter(([, value]) => value !== undefined)));
    return copy;
  });
  const layout = structuredClone(plot.layout);
  setPaths(layout, looks);
  const width = Math.max(700, plot.clientWidth);
  const { text, lines } = asTitle(title, width);
  const top = 24 + 22 * lines;
  const legend = (layout.showlegend ?? data.length > 1) ? 34 : 0;
  const height = Math.max(plot.clientHeight, 320) + top + legend;
  Object.assign(layout, {
    width, height, autosize: false, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", selections: [],
    margin: { l: 76, r: 24, t: top + legend, b: 64 },
    title: { text, x: 0, xref: "paper", xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { t: 16 },
      font: { size: 17 } },
  });
  return { picture: { data, layout }, width, height };
};
const savePicture = async (plot, title, format) => {
  const { picture, width, height } = figureToSave(plot, title);
  const scale = format === "png" ? 2 : 1;
  const content = await Plotly.toImage(picture, { format, width, height, scale, imageDataOnly: true });
  const name = fileName(title, format);
  if (format === "svg") save(name, "image/svg+xml", content);
  else save(name, "image/png", Uint8Array.from(atob(content), (c) => c.charCodeAt(0)));
};
const addSaves = (plot) => {
  const figure = plot.closest("figure");
  const title = figure.querySelector("h2, h3, h4").textContent;
  const what = uniqueName("the figure", title, figure);
  const buttons = ["png", "svg"].map((format) =>
    saveButton(format.toUpperCase(), what, () => savePicture(plot, title, format)));
  const table = figure.querySelector("details table");
  if (table) buttons.push(saveButton("CSV", `the numbers of ${what}`, () => saveTable(table, title)));
  figure.querySelector("figcaption").after(make("p", "saves", make("span", "", "Download"), " ", ...buttons));
};

/* All data of the page, as they are in the file beside it. */
const startData = () => {
  const button = byId("json");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () =>
    save(button.dataset.name, "application/json", await unpack(byId("json-data"))));
};

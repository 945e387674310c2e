/* ---- the table of all texts, and the dots that stand for them ---- */
// Returns what links a figure to the table.
const startRows = async ({ part, $ }) => {
  const rows = JSON.parse(await unpack($("rows-data")));  // columns
  let order = [];       // positions in the table, sorted and filtered
  let lassoed = null;   // positions drawn around, or null
  let sortKey = "depth", sortDown = false, shown = 0;
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
  const showRegion = (region) => {
    const inside = new Set();
    rows.region.forEach((one, i) => { if (one === region) inside.add(i); });
    $("search").value = "";
    select(inside);
    $("all").scrollIntoView();
    $("clear").focus({ preventScroll: true });
  };

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
  return link;
};

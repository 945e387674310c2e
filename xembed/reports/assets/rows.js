/* ---- the table of all texts, and the dots that stand for them ---- */
// Returns what links a figure to the table.
const MOST_GROUPS = 8;  // buttons for groups of texts at first
const MOST_COLORS = 5;  // values of a column with a color of their own
const collator = new Intl.Collator("en", { numeric: true });
const startRows = async ({ part, $ }) => {
  const rows = JSON.parse(await unpack($("rows-data")));  // columns
  let order = [];       // positions in the table, sorted and filtered
  let lassoed = null;   // positions drawn around, or null
  let fading = 0;
  const linked = [];    // figures whose dots are texts
  const groups = rows.groups || [];
  const hidden = new Set();  // groups that are switched off
  const groupOf = [];        // of each region
  groups.forEach((group, g) => { for (const region of group.regions) groupOf[region] = g; });
  let sortKey = "depth", sortDown = false, shown = 0;
  const signed = (x) => `${x >= 0 ? "+" : ""}${x.toFixed(2)}`;
  const written = ({ signed: withSign }) => (withSign ? signed : (x) => x.toFixed(3));
  const known = rows.meta || [];  // columns of short texts
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
  // What an explanation says of the words of a text, made when it is opened.
  const wordsOf = (i, open) => {
    const { component, ...said } = rows.said[i];
    const fold = make("details", "why", make("summary", "", "Its words, along ", named(rows.components[component])));
    fold.addEventListener("toggle", () => { if (!fold.querySelector(".said")) fold.append(saidOf(said, true)); });
    fold.open = open;
    return fold;
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
      for (const { key, label } of known) cell(tr, rows[key][i], "meta", label);
      for (const one of rows.numbers) cell(tr, written(one)(rows[one.key][i]), "num", one.label);
      if (rows.text || rows.region) {
        const td = cell(tr, rows.text ? rows.text[i] : "", "text");
        if (rows.region) {
          const region = document.createElement("span");
          region.className = "region";
          region.textContent = regionOf(i);
          td.append(region);
        }
        if (rows.said && rows.said[i]) td.append(wordsOf(i, order.length === 1));
      }
      part.append(tr);
    }
    body.append(part);
    shown = Math.min(shown + STEP, order.length);
    $("more").hidden = shown >= order.length;
  };
  const amount = (n) => n.toLocaleString("en");
  const wanted = () => $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const isFiltered = () => Boolean(lassoed || hidden.size || wanted().length);
  let searched = null;  // what the search looks through, for each row
  const searchable = () => searched || (searched = rows.row.map((row, i) =>
    `${rows.names[rows.corpus[i]]} ${row} ${known.map(({ key }) => rows[key][i]).join(" ")} ${
      rows.text ? rows.text[i] : ""}`.toLowerCase()));
  const list = () => {
    const column = rows[sortKey];
    const compare = typeof column[0] === "string" ? (a, b) => collator.compare(column[a], column[b])
      : (a, b) => column[a] - column[b];
    order.sort((a, b) => compare(a, b) * (sortDown ? -1 : 1) || a - b);
    $("rows").tBodies[0].replaceChildren();
    shown = 0;
    addRows();
    for (const button of $("rows").querySelectorAll("th button"))
      button.parentElement.setAttribute(
        "aria-sort", button.dataset.key === sortKey ? (sortDown ? "descending" : "ascending") : "none");
  };
  // What was drawn around, what is searched and which groups are on hold together, in the table and the figures.
  const refresh = () => {
    const words = wanted();
    const total = rows.row.length;
    order = [];
    for (let i = 0; i < total; i++) {
      if (lassoed && !lassoed.has(i)) continue;
      if (hidden.size && hidden.has(groupOf[rows.region[i]])) continue;
      if (words.length && !words.every((word) => searchable()[i].includes(word))) continue;
      order.push(i);
    }
    list();
    $("count").textContent = order.length === total ? `${amount(total)} texts`
      : `${amount(order.length)} of ${amount(total)} texts`;
    $("clear").hidden = !isFiltered();
    showGroups();
    // The table is there before the figures, which take longer, are drawn anew.
    clearTimeout(fading);
    fading = setTimeout(fade, 16);
  };
  const fade = () => {
    const left = isFiltered() ? new Set(order) : null;
    for (const { plot, traces, positions, tell } of linked) {
      const chosen = positions.map((dots) => {
        if (!left) return null;
        const points = [];
        dots.forEach((position, k) => { if (left.has(position)) points.push(k); });
        return points;
      });
      const before = traces.map((k) => plot.data[k].selectedpoints);
      const outlined = (plot.layout.selections || []).length > 0;
      if (left || outlined || before.some(Boolean))
        Plotly.update(plot, { selectedpoints: chosen }, outlined ? { selections: [] } : {}, traces);
      tell(left, left ? chosen.flat().length : 0);
    }
  };
  const clearAll = () => {
    $("search").value = "";
    lassoed = null;
    hidden.clear();
    refresh();
  };
  const downloadCsv = () => {
    const columns = [
      ["corpus", (i) => rows.names[rows.corpus[i]]], ["row", (i) => rows.row[i]],
      ...known.map(({ key, label }) => [label, (i) => rows[key][i]]),
      ...rows.numbers.map(({ key, csv }) => [csv, (i) => rows[key][i]]),
    ];
    if (rows.region) columns.push(["region", regionOf]);
    columns.push(["text", (i) => (rows.text ? rows.text[i] : "")]);
    const lines = order.map((i) => csvLine(columns.map(([, value]) => value(i))));
    saveCsv("texts", [csvLine(columns.map(([name]) => name)), ...lines]);
  };
  const showRegion = (region) => {
    const own = groupOf[region];
    $("search").value = "";
    lassoed = null;
    hidden.clear();
    if (groups[own].regions.length === 1) groups.forEach((_, g) => { if (g !== own) hidden.add(g); });
    else lassoed = new Set(rows.region.flatMap((one, i) => (one === region ? [i] : [])));
    refresh();
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
    for (const { key, label } of known)
      if (rows[key][i]) tip.append(make("span", "region", named(label), ": ", named(rows[key][i])));
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
  /* Buttons that switch groups of texts on and off, below the last figure whose dots are texts. */
  const buttons = [];
  const everything = make("button", "all");
  const showGroups = () => {
    buttons.forEach((button, g) => button.setAttribute("aria-pressed", String(!hidden.has(g))));
    everything.textContent = hidden.size ? "Show all" : "Hide all";
  };
  const makeGroups = () => {
    if (groups.length < 2) return;
    const bar = make("div", "switches", make("span", "quiet", "Regions shown"));
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Regions shown in the figures and in the table of texts");
    groups.forEach(({ label, status }, g) => {
      const button = make("button", "", status ? make("b", "", `${status}:`) : "", status ? " " : "", named(label));
      button.type = "button";
      button.title = status ? `${status}: ${label}` : label;
      button.addEventListener("click", () => { if (!hidden.delete(g)) hidden.add(g); refresh(); });
      buttons.push(button);
    });
    // Few at first: the first ones, and all other texts, which are the last.
    const late = groups.length > MOST_GROUPS ? buttons.slice(MOST_GROUPS - 1, -1) : [];
    bar.append(...buttons);
    for (const button of late) button.hidden = true;
    if (late.length) {
      const more = make("button", "all", `${late.length} more`);
      more.type = "button";
      more.addEventListener("click", () => {
        for (const button of late) button.hidden = false;
        late[0].focus();
        more.remove();
      });
      bar.append(more);
    }
    everything.type = "button";
    everything.addEventListener("click", () => {
      if (hidden.size) hidden.clear();
      else groups.forEach((_, g) => hidden.add(g));
      refresh();
    });
    bar.append(everything);
    [...part.querySelectorAll(".plot[data-texts]")].at(-1).after(bar);
  };
  /* A choice of what the dots are colored by, below the last figure whose dots are texts. */
  const colors = make("select");
  const key = make("span", "quiet");
  const valuesBy = [
    ["corpus", null], ...(groups.length > 1 ? [["region", rows.region.map((region) => {
      const { label, status } = groups[groupOf[region]];
      return status ? `${status}: ${label}` : label;
    })]] : []),
    ["depth", rows.depth], ...known.map(({ key: of, label }) => [label, rows[of]]),
  ];
  // Returns the color of each text, and writes what the colors mean. Many numbers or dates are a scale.
  const colorsOf = (values) => {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
    const numbers = values.map((value) => (value === "" ? NaN : Number.isFinite(+value) ? +value : Date.parse(value)));
    const isScale = counts.size > MOST_COLORS + 1
      && values.every((value, i) => value === "" || typeof value === "number" || /^[-+\d]/.test(value) && !isNaN(numbers[i]));
    const swatch = (name, text) => {
      const mark = make("b", "", "■ ");
      mark.style.color = `var(--${name})`;
      return make("span", "", mark, named(text), " ");
    };
    if (isScale) {
      const present = numbers.filter((x) => !isNaN(x));
      const low = present.reduce((a, b) => Math.min(a, b)), high = present.reduce((a, b) => Math.max(a, b));
      const at = (x) => values[numbers.indexOf(x)];
      key.replaceChildren(swatch("f", at(low)), "to ", swatch("g", at(high)));
      return numbers.map((x) => (isNaN(x) ? color("quiet") : mix("g", "f", (x - low) / (high - low || 1))));
    }
    const most = [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0])).slice(0, MOST_COLORS);
    const names = new Map(most.map(([value], c) => [value, `c${c}`]));
    key.replaceChildren(...most.map(([value], c) => swatch(`c${c}`, value === "" ? "(blank)" : value)),
      ...(counts.size > most.length ? [swatch("quiet", "all others")] : []));
    return values.map((value) => color(names.get(value) || "quiet"));
  };
  const paint = () => {
    const values = valuesBy[colors.selectedIndex][1];
    if (!values) key.replaceChildren();
    for (const { plot, traces, positions } of linked) {
      plot.paint = values && (() => {
        const all = colorsOf(values);
        return new Map(traces.map((k, t) => [k, positions[t].map((i) => all[i])]));
      });
      Plotly.restyle(plot, { "marker.color": traceColors(plot)["marker.color"] });
    }
  };
  const makeColors = () => {
    const figure = [...part.querySelectorAll(".plot[data-texts]")].at(-1);
    if (!figure) return;
    for (const [label] of valuesBy) colors.append(make("option", "", label));
    colors.addEventListener("change", paint);
    figure.after(make("div", "paint", make("label", "quiet", "Color by ", colors), key));
  };
  // Says below a figure how many texts are left, where any are faded. Returns what to tell it.
  const makeTeller = (plot, all) => {
    const place = make("a");
    place.href = `#${$("all").id}`;
    const drawn = make("span");
    const button = make("button", "", "Show all again");
    button.type = "button";
    button.addEventListener("click", () => { clearAll(); $("search").focus({ preventScroll: true }); });
    const line = make("p", "left", "Not faded: ", place, drawn, " ", button);
    line.hidden = true;
    plot.after(line);
    return (left, dots) => {
      line.hidden = !left;
      if (!left) return;
      place.textContent = `${amount(left.size)} of ${amount(rows.row.length)} texts in the table`;
      drawn.textContent = all < rows.row.length ? `, ${amount(dots)} of them drawn` : "";
    };
  };
  const link = (plot) => {
    const traces = plot.data.flatMap((trace, k) => (trace.customdata ? [k] : []));
    const positions = traces.map((k) => {
      const ids = plot.data[k].customdata;
      return Array.from(ids._inputArray || ids, Number);
    });
    linked.push({ plot, traces, positions, tell: makeTeller(plot, positions.flat().length) });
    plot.on("plotly_hover", showTip);
    plot.on("plotly_unhover", () => { tip.hidden = true; });
    plot.on("plotly_selected", (event) => {
      if (!event) return;
      // Around nothing: as it was.
      if (event.points.length) lassoed = new Set(event.points.map((point) => Number(point.customdata)));
      refresh();
    });
    plot.on("plotly_click", (event) => {
      lassoed = new Set([Number(event.points[0].customdata)]);
      refresh();
      $("all").scrollIntoView();
      $("clear").focus({ preventScroll: true });
    });
    plot.on("plotly_deselect", clearAll);
    if (isFiltered()) refresh();
  };
  // Nothing has the focus after a lasso, so that the key is heard on the whole page; in a part, it is meant for that.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.target.closest(".word") || !isFiltered()) return;
    const target = event.target.closest("[data-prefix]");
    if (!target || target === part) clearAll();
  });
  $("search").closest(".controls").hidden = false;
  $("rows").hidden = false;
  let waiting = 0;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 120); });
  $("more").addEventListener("click", addRows);
  $("csv").addEventListener("click", downloadCsv);
  $("clear").addEventListener("click", clearAll);
  for (const button of $("rows").querySelectorAll("th button"))
    button.addEventListener("click", () => {
      if (sortKey === button.dataset.key) sortDown = !sortDown;
      else { sortKey = button.dataset.key; sortDown = false; }
      list();
    });
  for (const button of part.querySelectorAll("button[data-region]")) {
    button.hidden = false;
    button.addEventListener("click", () => showRegion(Number(button.dataset.region)));
  }
  makeGroups();
  makeColors();
  refresh();
  return link;
};

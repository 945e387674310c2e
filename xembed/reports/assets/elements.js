/* ---- elements, words and tables: strings become text, never markup ---- */
const tip = byId("tip");
const STEP = 25;  // rows or texts shown at once
const FAINT = 0.05;  // share of the largest below which a word gets no sign
const make = (tag, name, ...children) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
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
// A text as colored words, with a sign where they count.
const saidOf = ({ words, values, more, dir }, signs) => {
  const most = sizeOf([values]);
  const said = make("p", "said");
  said.dir = dir;
  words.forEach((word, k) => {
    const share = most > 0 ? Math.abs(values[k]) / most : 0;
    const element = make("span", `word ${tone(values[k])}`, named(word));
    if (signs && share >= FAINT) element.append(make("sup", "", values[k] > 0 ? "+" : "−"));
    element.style.setProperty("--share", share.toFixed(2));
    element.dataset.value = signs ? short(values[k]) : short(values[k]).replace("+", "");
    said.append(element, " ");
  });
  if (more) said.append(make("span", "quiet", `… and ${more} more words`));
  return said;
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
// In a part of a combined page headings are a level lower.
const heading = ({ prefix }, tag, ...children) => make(prefix ? `h${Number(tag[1]) + 1}` : tag, "", ...children);

/* ---- tables: sorted by their headers, searched, and saved ---- */
const SORTED = "table.sheet:not(.matrix, .summary), table.plain, table.grid:not(.shown)";
const SAVED_ONLY = "table.grid.shown, table.sheet.matrix";
const FEW = 3;  // rows that are worth sorting
const MANY = 12;  // rows at most that need no search
const BESIDE = "small, .quiet:not(.badge), .caution";  // what stands beside the number or word of a cell
const MISSING = /^(?:[–—-]|n\/a)?$/;
const STARTS_WITH_NUMBER = /^(?:p\s*)?([<>≤≥≈=]?)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?=$|[\s%×])/i;
const textOf = (node) => node.textContent.replace(/\s+/g, " ").trim();
// The text of a cell, and what stands beside it.
const partsOf = (cell) => {
  if (!cell) return ["", ""];
  if (!cell.firstElementChild) return [textOf(cell), ""];
  const copy = cell.cloneNode(true);
  for (const element of copy.querySelectorAll("svg, button:not(.sort), .hear, [aria-hidden=true]")) element.remove();
  for (const line of copy.querySelectorAll("br, small")) line.before(" ");
  const whole = textOf(copy);
  const beside = [...copy.querySelectorAll(BESIDE)].filter((one) => !one.parentElement.closest(BESIDE));
  const said = beside.map(textOf).filter(Boolean).join(" ");
  for (const element of beside) element.remove();
  const main = textOf(copy);
  return main ? [main, said] : [whole, ""];
};
const sortNumber = (text) => {
  const found = STARTS_WITH_NUMBER.exec(text.replace(/[−–](?=[\d.])/, "-").replace(/(\d),(?=\d{3}(?!\d))/g, "$1"));
  if (!found) return null;
  const value = Number(found[2]);
  // Less than 0.001 comes before 0.001.
  return found[1] === "<" ? value - Math.abs(value) * 1e-9 : found[1] === ">" ? value + Math.abs(value) * 1e-9 : value;
};
// The cells of a row by column; a cell over several columns is in its first.
const byColumn = (row) => {
  const cells = [];
  for (const cell of row.cells) {
    cells.push(cell);
    for (let i = 1; i < cell.colSpan; i++) cells.push(null);
  }
  return cells;
};
// What is moved together: a row, or a body where a table has one for each entry. The first row of it is what counts.
const unitsOf = (table) =>
  [...(table.tBodies.length > 1 ? table.tBodies : table.tBodies.length ? table.tBodies[0].rows : [])];
const firstRow = (unit) => (unit.rows ? unit.rows[0] : unit);
const orderedBy = (units, column, down) => {
  const cells = units.map((unit) => {
    const cell = byColumn(firstRow(unit))[column];
    return cell && cell.colSpan > 1 ? "" : partsOf(cell)[0];
  });
  const numbers = cells.map(sortNumber);
  const said = cells.filter((text) => !MISSING.test(text)).length;
  const numeric = said > 0 && 3 * numbers.filter((x) => x !== null).length >= 2 * said;
  const keys = cells.map((text, i) => (numeric ? numbers[i] : MISSING.test(text) ? null : text));
  const compare = numeric ? (a, b) => a - b : new Intl.Collator(undefined, { numeric: true }).compare;
  // What is missing is last in both directions.
  return units.map((_, i) => i).sort((i, j) => {
    if (keys[i] === null || keys[j] === null) return (keys[i] === null) - (keys[j] === null) || i - j;
    return compare(keys[i], keys[j]) * (down ? -1 : 1) || i - j;
  }).map((i) => units[i]);
};
const csvParts = (cell) => {
  const [main, beside] = partsOf(cell);
  if (!cell || cell.matches("th, .text, .said, [dir=auto]")) return [main, beside];
  if (main === "–") return ["", beside];
  const found = /^(\S+) (\(.*|✓)$/.exec(main);
  return found && plainNumber(found[1]) ? [found[1], `${found[2]} ${beside}`.trim()] : [main, beside];
};
const tableCell = (text) => plainNumber(text) ?? csvCell(text);
// Rows as they are shown. A number stays a number for programs, so that what stands beside it in its cell, such as an
// interval, has a column of its own.
const csvOfTable = (table) => {
  const heads = byColumn(table.tHead.rows[0]).map((cell) => partsOf(cell).filter(Boolean).join(" "));
  const shown = unitsOf(table).filter((unit) => !unit.hidden);
  const rows = shown.map((unit) => byColumn(firstRow(unit)).map(csvParts));
  const width = Math.max(heads.length, ...rows.map((row) => row.length));
  const columns = Array.from({ length: width }, (_, k) => {
    const values = rows.map((row) => row[k] || ["", ""]);
    const head = heads[k] || "";
    return values.some(([, beside]) => beside)
      ? [[head, ...values.map(([main]) => main)], [`${head} (note)`.trim(), ...values.map(([, beside]) => beside)]]
      : [[head, ...values.map(([main]) => main)]];
  }).flat();
  return [null, ...rows].map((_, i) => csvLine(columns.map((column) => column[i]), tableCell));
};
const saveTable = (table, title) => saveCsv(title, csvOfTable(table));
// What a table is called: its caption or label, or what stands above it.
const titleOf = (table, outer) => {
  if (table.caption) return partsOf(table.caption)[0];
  const label = outer.getAttribute("aria-label");
  if (label && label !== "The numbers") return label;
  for (let at = outer; at && !at.matches("[data-prefix], body"); at = at.parentElement) {
    for (let above = at.previousElementSibling; above; above = above.previousElementSibling) {
      const isName = above.matches("h2, h3, h4") || (above.matches("summary") && textOf(above) !== "The numbers");
      if (isName) return partsOf(above)[0];
    }
  }
  return "Table";
};
const makeSortable = (table, given) => {
  let column = -1, down = false;
  const headers = byColumn(table.tHead.rows[0]);
  const sort = (k) => {
    if (column !== k) { column = k; down = false; }
    else if (!down) down = true;
    else column = -1;
    headers.forEach((header, i) => {
      if (!header || header.tagName !== "TH") return;
      if (i === column) header.setAttribute("aria-sort", down ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    });
    const sorted = column < 0 ? given : orderedBy(given, column, down);
    given[0].parentElement.append(...sorted);
  };
  headers.forEach((header, k) => {
    if (!header || header.tagName !== "TH" || header.colSpan > 1 || !textOf(header)) return;
    const button = make("button", "sort", ...header.childNodes);
    button.type = "button";
    button.addEventListener("click", () => sort(k));
    header.append(button);
  });
};
const makeSearch = (units, what) => {
  const input = make("input");
  input.type = "search";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.placeholder = "Search";
  input.setAttribute("aria-label", `Search ${what}`);
  const count = make("span", "", `${units.length} rows`);
  count.setAttribute("role", "status");
  let texts = null, waiting = 0;
  const search = () => {
    texts = texts || units.map((unit) => [...unit.querySelectorAll("th, td")].map(textOf).join(" ").toLowerCase());
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    units.forEach((unit, i) => {
      unit.hidden = !words.every((word) => texts[i].includes(word));
      left += !unit.hidden;
    });
    count.textContent = words.length ? `${left} of ${units.length} rows` : `${units.length} rows`;
  };
  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  return [input, count];
};
const known = new WeakSet();
const startTable = (table) => {
  if (known.has(table)) return;
  known.add(table);
  const units = unitsOf(table);
  if (units.length < FEW || !table.tHead) return;
  const box = table.parentElement;
  const outer = box.matches(".scroll:not(.panel)") ? box : table;
  const title = titleOf(table, outer);
  const what = uniqueName("the table", title, table);
  const sorts = table.matches(SORTED);
  const ofOneText = table.closest("details.numbers");  // its words, which there are for each text: sorted, no more
  const searches = sorts && !ofOneText && units.length > MANY;
  const tools = make("p", "saves", ...(searches ? makeSearch(units, what) : []));
  // The button of a figure gives its numbers, too.
  if (!table.closest("figure") && !ofOneText) tools.append(saveButton("CSV", what, () => saveTable(table, title)));
  if (tools.firstChild) outer[searches ? "before" : "after"](tools);
  if (sorts) makeSortable(table, units);
};
// Tables in folds begin when they are opened: a page can hold hundreds.
const startTables = (within) => {
  for (const table of within.querySelectorAll(`:is(${SORTED}, ${SAVED_ONLY})`))
    if (!table.closest("details:not([open])")) startTable(table);
};
document.addEventListener("toggle", (event) => {
  if (event.target.tagName === "DETAILS" && event.target.open && !printing) startTables(event.target);
}, true);

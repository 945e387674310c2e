/* ---- start ---- */
// A page has one part, a combined page several. Each has a state of its own, and its ids begin with its prefix.
// Returns what to do with each of its figures once drawn.
const startPart = async (part) => {
  const prefix = part.dataset.prefix;
  const here = { part, prefix, $: (id) => byId(prefix + id) };
  const link = here.$("rows-data") ? await startRows(here) : null;
  if (here.$("inspect-data")) await startInspector(here);
  if (here.$("told-data")) await startTold(here);
  return (plot) => { if (link && "texts" in plot.dataset) link(plot); };
};
const fail = (message) => {
  for (const plot of document.querySelectorAll(".plot")) { plot.textContent = message; plot.style.height = "auto"; }
};
const start = async () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  startTables(document);
  if (typeof DecompressionStream === "undefined") {
    fail("Charts need a browser of 2023 or later. The tables below hold the results.");
    return;
  }
  startData();
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
      addSaves(plot);
      linked(plot);
    }
  }
  root.dataset.ready = "yes";
};
// Paper can't be clicked: what is folded is printed open.
const folded = [];
const widened = [];
const PAPER = 640;  // pixels that a page of A4 leaves for a chart
let theme = "";
addEventListener("beforeprint", () => {
  printing = true;
  theme = root.className;
  root.className = "light";
  for (const details of document.querySelectorAll("details:not([open])")) { details.open = true; folded.push(details); }
  onTheme();
  for (const plot of plots) {
    if (plot.clientWidth <= PAPER) continue;
    widened.push(plot);
    Plotly.relayout(plot, { width: PAPER });
  }
});
addEventListener("afterprint", () => {
  printing = false;
  root.className = theme;
  for (const details of folded.splice(0)) details.open = false;
  onTheme();
  for (const plot of widened.splice(0)) Plotly.relayout(plot, { width: null, autosize: true });
});
start().catch((error) => { fail("The charts could not be drawn. The tables below hold the results."); throw error; });

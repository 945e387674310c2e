/* ---- figures ---- */
const plots = [];
const CONFIG = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "autoScale2d", "toImage"],  // buttons below a figure save it
};
const mix = (one, other, share) => {
  const [a, b] = [one, other].map((name) => [1, 3, 5].map((i) => parseInt(color(name).slice(i, i + 2), 16)));
  return `rgb(${a.map((x, i) => Math.round(share * x + (1 - share) * b[i])).join(",")})`;
};
// A trace says in meta, and a shape in its name, which color of the style sheet it takes.
const traceColors = (plot) => {
  const colors = plot.data.map((trace) => color(trace.meta));
  const fills = colors.map((c) => `${c}2e`);
  const painted = plot.paint ? plot.paint() : new Map();  // a color for each dot of some traces
  const marks = colors.map((c, i) => painted.get(i) || c);
  const update = { "line.color": colors, "marker.color": marks, fillcolor: fills };
  // Signed cells go from blue by the ground to orange, no deeper than their text can be read on.
  // A shade of how many texts lie somewhere goes from clear to half of its color.
  if (plot.data.some((trace) => trace.type === "heatmap"))
    update.colorscale = plot.data.map((trace, i) => (trace.meta === "signed"
      ? [[0, mix("f", "panel", 0.6)], [0.5, color("panel")], [1, mix("g", "panel", 0.6)]]
      : trace.type === "heatmap" ? [[0, `${colors[i]}00`], [1, `${colors[i]}b3`]] : undefined));
  return update;
};
const layoutColors = (plot) => {
  const update = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": color("ink"),
    "hoverlabel.bgcolor": color("ink"), "hoverlabel.font.color": color("bg"),
    "modebar.color": color("quiet"), "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.activecolor": color("ink"),
    "newselection.line.color": color("ink"),
  };
  for (const axis of ["xaxis", "yaxis"]) {
    update[`${axis}.gridcolor`] = color("grid");
    update[`${axis}.zerolinecolor`] = color("grid");
    update[`${axis}.linecolor`] = color("line");
  }
  (plot.layout.shapes || []).forEach((shape, i) => {
    update[`shapes[${i}].line.color`] = color(shape.name || "quiet");
  });
  return update;
};
// Sets what an update names by a path ("shapes[0].line.color") in the object itself, so that a figure is drawn once.
const setPaths = (object, update) => {
  for (const [path, value] of Object.entries(update)) {
    const keys = path.match(/[^.[\]]+/g);
    const last = keys.pop();
    keys.reduce((place, key) => (place[key] ??= {}), object)[last] = value;
  }
};
const drawFigure = async (plot) => {
  const spec = JSON.parse(byId(plot.dataset.spec).textContent);
  // Margins that follow the labels and axes of one scale chase each other.
  const automargin = !(spec.layout.yaxis && spec.layout.yaxis.scaleanchor);
  const layout = {
    ...spec.layout, autosize: true, margin: { l: automargin ? 56 : 68, r: 12, t: 12, b: 48 },
    font: { family: getComputedStyle(document.body).fontFamily, size: 13 },
    legend: { ...spec.layout.legend, orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { ...spec.layout.xaxis, automargin }, yaxis: { ...spec.layout.yaxis, automargin },
  };
  plot.data = spec.data;
  plot.layout = layout;
  const colors = traceColors(plot);
  spec.data.forEach((trace, i) => {
    trace.marker = { ...trace.marker, color: colors["marker.color"][i] };
    trace.line = { ...trace.line, color: colors["line.color"][i] };
    trace.fillcolor = colors.fillcolor[i];
    if (trace.type === "heatmap") trace.colorscale = colors.colorscale[i];
    trace.unselected = { marker: { opacity: 0.12 } };
  });
  if (!automargin) layout.yaxis.title = { ...layout.yaxis.title, standoff: 8 };
  setPaths(layout, layoutColors(plot));
  await Plotly.newPlot(plot, spec.data, layout, CONFIG);
  plots.push(plot);
};

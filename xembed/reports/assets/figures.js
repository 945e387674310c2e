/* ---- figures ---- */
const plots = [];
const CONFIG = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "autoScale2d", "toImage"],  // buttons below a figure save it
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
  // A shade of how many texts lie somewhere goes from clear to half of its colour.
  if (plot.data.some((trace) => trace.type === "heatmap"))
    update.colorscale = plot.data.map((trace, i) => (trace.meta === "signed"
      ? [[0, mix("f", "panel", 0.6)], [0.5, colour("panel")], [1, mix("g", "panel", 0.6)]]
      : trace.type === "heatmap" ? [[0, `${colours[i]}00`], [1, `${colours[i]}b3`]] : undefined));
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
  const colours = traceColours(plot);
  spec.data.forEach((trace, i) => {
    trace.marker = { ...trace.marker, color: colours["marker.color"][i] };
    trace.line = { ...trace.line, color: colours["line.color"][i] };
    trace.fillcolor = colours.fillcolor[i];
    if (trace.type === "heatmap") trace.colorscale = colours.colorscale[i];
    trace.unselected = { marker: { opacity: 0.12 } };
  });
  if (!automargin) layout.yaxis.title = { ...layout.yaxis.title, standoff: 8 };
  setPaths(layout, layoutColours(plot));
  await Plotly.newPlot(plot, spec.data, layout, CONFIG);
  plots.push(plot);
};

"use strict";
// Charts by Vega-Lite: specifications come with the page, sizes and colours are added here.

function chartConfig(dark, width) {
  const [paper, ink, line] = dark
    ? ["#15171a", "#e8eaed", "#3a3f45"]
    : ["#ffffff", "#1c1e21", "#dddddd"];
  const words = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
  const columns = Math.max(1, Math.min(6, Math.floor((width - 60) / 190)));
  return {
    aria: false,
    background: paper,
    font: "system-ui, sans-serif",
    axis: { ...words, titleFontWeight: "normal", gridColor: line, domainColor: ink, tickColor: ink },
    legend: { ...words, orient: "bottom", direction: "horizontal", columns, labelLimit: 320 },
    header: { ...words, labelFontWeight: "bold" },
    title: { color: ink, anchor: "start" },
    view: { stroke: null },
    text: { color: ink },
    rule: { color: ink },
    bar: { color: ink },
  };
}

// So many columns that no row is much shorter than the others.
function evenColumns(panels, most) {
  return Math.ceil(panels / Math.ceil(panels / most)) || 1;
}

function sized(spec, rows, width) {
  const own = structuredClone(spec);
  if (own.facet) {
    const panels = new Set(rows.map((row) => row[own.facet.field])).size;
    own.columns = evenColumns(panels, Math.max(1, Math.min(own.columns, Math.floor(width / 280))));
    own.spec.width = Math.floor(width / own.columns) - 95; // each panel has an axis
  } else {
    own.width = width;
    own.autosize = { type: "fit-x", contains: "padding" };
  }
  return own;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function embed(box, spec, rows, width, dark) {
  const decoders = new Set(rows.map(({ decoder }) => decoder).filter(Boolean));
  const whole = { ...sized(spec, rows, width), datasets: { ...spec.datasets, frame: rows } };
  whole.params = [...(whole.params ?? []), { name: "shown", value: [...decoders] }];
  return vegaEmbed(box, whole, {
    actions: false,
    ast: true,
    config: chartConfig(dark, width),
    defaultStyle: false,
    logLevel: 1, // errors: a chart without marks, as nobody is ticked, is no fault
    renderer: "svg",
    tooltip: { theme: dark ? "dark" : "light" },
  });
}

// One picture with one text; its marks have no names that help, and its numbers are in a table.
function describe(svg, text) {
  for (const part of svg.querySelectorAll("[role]")) {
    for (const name of ["role", "aria-roledescription", "aria-label"]) part.removeAttribute(name);
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", text);
}

async function drawChart(box, spec, rows) {
  const turn = (box.turn = (box.turn ?? 0) + 1);
  const fresh = document.createElement("div");
  const made = await embed(fresh, spec, rows, box.clientWidth, isDark());
  describe(fresh.querySelector("svg"), spec.description);
  if (turn !== box.turn) return made.finalize(); // a later one is on its way
  box.finalize?.();
  box.finalize = () => made.finalize();
  box.replaceChildren(fresh);
}

async function saveSvg(name, title, spec, rows) {
  const box = document.createElement("div");
  const made = await embed(box, { title, ...spec }, rows, 900, false);
  save(name, "image/svg+xml", await made.view.toSVG());
  made.finalize();
}

function readable(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

function drawNumbers(details, title, rows) {
  const box = details.querySelector(".scroll");
  const draw = () => {
    const columns = rows.length ? Object.keys(rows[0]) : [];
    const words = columns.filter((name) => rows.some((row) => typeof row[name] === "string"));
    const cells = rows.map((row) => columns.map((name) => readable(row[name])));
    drawTable(box, { title, columns, words, rows: cells }, { head: -1 });
  };
  details.ontoggle = () => details.open && draw();
  if (details.open) draw();
}

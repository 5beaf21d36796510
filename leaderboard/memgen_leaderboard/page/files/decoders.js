"use strict";
// One decoder: what it is, and what it reads beyond the control in each cell.

const inPoints = (value) => `${value < 0 ? "-" : "+"}${Math.abs(100 * value).toFixed(1)}`;
const inPercent = (value) => (value === null ? "–" : (100 * value).toFixed(1));

function excesses(data, decoder) {
  const figure = data.figures.find(({ name }) => name === "rates");
  return figure ? rowsOf(figure.frame).filter((row) => row.decoder === decoder) : [];
}

function drawDecoder(article, data) {
  const section = article.querySelector(".decoder");
  section.hidden = !data.decoders.length;
  if (section.hidden) return;
  const select = section.querySelector("select");
  if (!select.options.length) options(select, data.decoders.map((name) => [name, name]));
  const wanted = state.get("decoder");
  const decoder = data.decoders.includes(wanted) ? wanted : data.shown[0] ?? data.decoders[0];
  select.value = decoder;
  section.querySelector(".certificate").replaceChildren(
    ...[["decoder", decoder],
      ...(data.about[decoder] ?? [["method", "of a plugin that was not there when this page was made"]])]
      .map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text))),
  );
  const cells = excesses(data, decoder).toSorted((one, other) => other.excess - one.excess);
  const above = cells.filter(({ low }) => low !== null && low > 0).length;
  const below = cells.filter(({ high }) => high !== null && high < 0).length;
  section.querySelector(".verdict").textContent = cells.length
    ? `Of ${counted(cells.length, "cell")} it is significantly above the control in ${above}, and below it in ${below}.`
    : "It has no reading beside a control.";
  const halves = cells.map(({ excess, high }) => [100 * excess, high === null ? 0 : 100 * (high - excess)]);
  const scale = scaleOf(halves);
  drawTable(section.querySelector(".scroll"), {
    title: `${decoder}: X in each cell, the best first`,
    columns: ["model and data set", "ρ", "X", "accuracy", "control", "ceiling"],
    words: ["model and data set"],
    rows: cells.map((row, place) => [
      pairOf(row), String(row.rate), `${inPoints(row.excess)} ± ${halves[place][1].toFixed(1)}`,
      ...[row.decoded, row.control, row.ceiling].map(inPercent),
    ]),
  }, { drawn: { X: [["", (row) => drawnInterval(measured(row[2]), scale)]] } });
}

function jumpTo(article, part) {
  article.querySelector(part).scrollIntoView({ block: "start" });
}

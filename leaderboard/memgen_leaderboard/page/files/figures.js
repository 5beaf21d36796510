"use strict";
// Figures of a suite: one is shown, of the models, data sets and decoders that are chosen.

const ALL_PAIRS = "all together";

const pairOf = (row) => (row.model === null ? ALL_PAIRS : `${row.model} on ${row.dataset}`);

function shownDecoders(data) {
  const chosen = state.params().getAll("decoders").join(",");
  return chosen ? new Set(JSON.parse(chosen)) : new Set(data.shown);
}

function drawDecoders(section, data, isNeeded) {
  const box = section.querySelector(".decoders");
  box.hidden = !isNeeded;
  const shown = shownDecoders(data);
  if (box.querySelector("label")) {
    for (const tick of box.querySelectorAll("input")) tick.checked = shown.has(tick.value);
    return;
  }
  for (const decoder of data.decoders) {
    const tick = element("input", { type: "checkbox", value: decoder, checked: shown.has(decoder) });
    tick.addEventListener("change", () => {
      const ticked = Array.from(box.querySelectorAll("input:checked"), (one) => one.value);
      state.set({ decoders: JSON.stringify(ticked) });
    });
    box.append(element("label", {}, tick, decoder));
  }
}

function choosePair(section, rows, start) {
  const label = section.querySelector(".pair");
  const select = label.querySelector("select");
  const pairs = [...new Set(rows.map(pairOf))];
  label.hidden = pairs.length < 2;
  options(select, pairs.map((pair) => [pair, pair]));
  const chosen = [state.get("pair"), start, pairs[0]].find((pair) => pairs.includes(pair));
  select.value = chosen;
  return rows.filter((row) => pairOf(row) === chosen);
}

// Printed, it stands without the widgets that chose what is drawn.
function drawCaption(section, title, text) {
  section.querySelector("figcaption").replaceChildren(element("b", {}, `${title}.`), ` ${text}`);
}

function drawFigure(article, data) {
  const section = article.querySelector(".figures");
  if (!data.figures.length) return null;
  const chosen = data.figures.find((one) => one.name === state.get("figure")) ?? data.figures[0];
  for (const button of section.querySelectorAll("[data-figure]")) {
    button.setAttribute("aria-pressed", button.dataset.figure === chosen.name);
  }
  drawDecoders(section, data, chosen.decoders);
  let rows = rowsOf(chosen.frame);
  if (chosen.pairs) rows = choosePair(section, rows, data.start.pair);
  else section.querySelector(".pair").hidden = true;
  const shown = shownDecoders(data);
  const places = new Map(data.decoders.map((decoder, place) => [decoder, place]));
  const place = ({ decoder }) => places.get(decoder) ?? -1;
  rows.sort((one, other) => place(one) - place(other)); // as on the board; legends follow
  if (chosen.decoders) rows = rows.filter((row) => row.decoder === null || shown.has(row.decoder));
  const of = chosen.pairs && rows.length ? pairOf(rows[0]) : "all models and data sets";
  const title = `${chosen.title}: ${of}, ${article.dataset.suite}`;
  drawCaption(section, title, chosen.caption);
  drawChart(section.querySelector(".chart"), chosen.spec, rows);
  drawNumbers(section.querySelector(".figure-data"), title, rows);
  return { name: chosen.name, title, spec: chosen.spec, rows };
}

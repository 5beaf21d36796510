"use strict";
// All readings, opened when somebody asks for them; filters and order are in the address, too.

const PAGE = 100;
const FILTERS = ["dataset", "model", "rate", "kind", "labels", "decoder", "layer", "status"];

async function openReadings(article) {
  const section = article.querySelector(".readings");
  const found = parseCsv(await textOf(article, "readings"));
  const form = section.querySelector("form");
  const search = element("input", { type: "search", "data-key": "r-q", autocomplete: "off" });
  form.append(element("label", {}, "Find ", search));
  for (const name of FILTERS) {
    const place = found.columns.indexOf(name);
    const values = [...new Set(found.rows.map((row) => row[place]))].filter(Boolean).sort();
    if (values.length < 2) continue;
    const select = element("select", { "data-key": `r-${name}` });
    options(select, [["", "all"], ...values.map((value) => [value, value])]);
    form.append(element("label", {}, `${name} `, select));
  }
  const words = found.columns.filter((_, place) =>
    found.rows.some((row) => row[place] && Number.isNaN(Number(row[place]))));
  article.readings = { ...found, words, start: 0 };
  section.querySelector(".explorer").hidden = false;
  section.querySelector('[data-act="open-readings"]').hidden = true;
}

function drawReadings(article) {
  const found = article.readings;
  if (!found) return;
  const section = article.querySelector(".readings");
  const wanted = state.get("r-q").toLowerCase();
  const kept = FILTERS.map((name) => [found.columns.indexOf(name), state.get(`r-${name}`)]);
  const rows = found.rows.filter((row) =>
    kept.every(([place, value]) => !value || row[place] === value) &&
    (!wanted || row.some((cell) => cell.toLowerCase().includes(wanted))));
  const [sort, descending] = [state.get("r-sort"), state.get("r-dir") === "down"];
  const ordered = sorted(rows, found.columns.indexOf(sort), descending);
  found.start = Math.max(0, Math.min(found.start, Math.floor((rows.length - 1) / PAGE) * PAGE));
  const end = Math.min(found.start + PAGE, rows.length);
  drawTable(section.querySelector(".scroll"), {
    title: "Readings", columns: found.columns, words: found.words,
    rows: ordered.slice(found.start, end),
  }, { sort, descending, head: -1, onsort: (column) => sortBy(column, "r-") });
  section.querySelector(".status").textContent = rows.length
    ? `${found.start + 1} to ${end} of ${counted(rows.length, "reading")}` : "No such readings.";
  section.querySelector('[data-act="previous"]').disabled = found.start === 0;
  section.querySelector('[data-act="next"]').disabled = end >= rows.length;
}

function turnPage(article, step) {
  article.readings.start += step * PAGE;
  drawReadings(article);
}

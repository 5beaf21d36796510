"use strict";
// Tables whose headings sort them.

// The number that a cell begins with, as in "64.9 ± 1.2"; nothing and dashes come last.
function sortKey(text) {
  const number = Number.parseFloat(text);
  return Number.isNaN(number) ? null : number;
}

function sorted(rows, column, descending) {
  if (column < 0) return rows;
  const numeric = rows.some((row) => sortKey(row[column]) !== null);
  const key = (row) => (numeric ? sortKey(row[column]) : row[column] || null);
  return [...rows].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    const order = numeric ? a - b : a.localeCompare(b);
    return descending ? -order : order;
  });
}

// Options: `drawn` has, by column, headings and functions of a row for drawings that follow it;
// columns without any text are left out of `sparse` tables; `links` are heads of rows that can be followed.
function drawTable(box, table, { sort = "", descending = false, head = 0, onsort = null, links = null, drawn = {}, sparse = false } = {}) {
  const rows = sorted(table.rows, table.columns.indexOf(sort), descending);
  const words = new Set(table.words ?? []);
  const places = table.columns.map((_, place) => place).filter((place) => place === head ||
    !sparse || !rows.length || rows.some((row) => row[place] !== "–" && row[place] !== ""));
  const heading = (column) => {
    const attributes = { scope: "col", class: words.has(column) ? "word" : false };
    if (!onsort) return element("th", attributes, column);
    const direction = descending ? "descending" : "ascending";
    if (column === sort) attributes["aria-sort"] = direction;
    const button = element("button", { type: "button", onclick: () => onsort(column) }, column);
    attributes.class = `sortable ${attributes.class || ""}`.trim();
    return element("th", attributes, button);
  };
  const cell = (text, place) => {
    const inner = place === head && links?.names.includes(text)
      ? element("button", { type: "button", class: "plain", onclick: () => links.follow(text) }, text) : text;
    if (place === head) return element("th", { scope: "row" }, inner);
    return element("td", { class: words.has(table.columns[place]) ? "word" : false }, text);
  };
  const headings = (column) => [heading(column),
    ...(drawn[column] ?? []).map(([name]) => element("th", { scope: "col", class: "word" }, name || "drawn"))];
  const cells = (row) => places.flatMap((place) => [cell(row[place], place),
    ...(drawn[table.columns[place]] ?? []).map(([, make]) => element("td", { class: "excess" }, make(row)))]);
  const focused = box.contains(document.activeElement) ? document.activeElement.textContent : null;
  box.replaceChildren(
    element("table", {},
      element("caption", {}, element("span", {}, table.title)),
      element("thead", {}, element("tr", {}, ...places.flatMap((place) => headings(table.columns[place])))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))),
    ),
  );
  // Who sorts by keyboard stays where they were.
  for (const button of box.querySelectorAll("thead button")) {
    if (button.textContent === focused) button.focus();
  }
  return rows;
}

// One key of the state for the column, one for the direction; a second press turns it around.
function sortBy(column, prefix = "") {
  const again = state.get(`${prefix}sort`) === column;
  const down = again && state.get(`${prefix}dir`) !== "down";
  state.set({ [`${prefix}sort`]: column, [`${prefix}dir`]: down ? "down" : "" });
}

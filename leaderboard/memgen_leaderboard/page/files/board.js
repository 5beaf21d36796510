"use strict";
// The board: which one is shown, in which order, and which of its rows.

const AXES = ["kind", "labels", "dataset", "model", "rate"];

function drawBoard(article, data) {
  const section = article.querySelector(".board");
  const chosen = (axis) => state.get(axis) || data.start[axis];
  const board = data.boards.find((one) => AXES.every((axis) => one.where[axis] === chosen(axis)));
  const box = section.querySelector(".scroll");
  const status = section.querySelector(".status");
  const notes = section.querySelector(".notes");
  if (!board) {
    box.replaceChildren();
    notes.replaceChildren();
    status.textContent = "There are no such readings.";
    return null;
  }
  const wanted = state.get("q").toLowerCase();
  const rows = board.rows.filter((row) => row[data.head].toLowerCase().includes(wanted));
  const table = { title: board.title, columns: data.columns, words: data.words, rows };
  const shown = drawTable(box, table, {
    sort: state.get("sort"),
    descending: state.get("dir") === "down",
    head: data.head,
    onsort: (column) => sortBy(column),
  });
  notes.replaceChildren(...board.notes.map((note) => element("p", {}, data.notes[note])));
  status.textContent = `${rows.length} of ${board.rows.length} rows`;
  return { ...table, rows: shown, latex: board.latex };
}

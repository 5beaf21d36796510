"use strict";
// The board: which one is shown, in which order, and which of its rows.

const AXES = ["kind", "labels", "pair", "noise", "rate"];
const EXCESS = "X";

// X of each row on the scale of the board, and by rate where all rates are together.
function drawings(data, board) {
  const place = data.columns.indexOf(EXCESS);
  const scale = scaleOf(board.rows.map((row) => measured(row[place])));
  const found = [["interval", (row) => drawnInterval(measured(row[place]), scale)]];
  if (board.where.rate) return found;
  const byDecoder = Map.groupBy(
    rowsOf(data.figures.find(({ name }) => name === "rates")?.frame ?? {})
      .filter((row) => pairOf(row) === board.where.pair && (!board.where.noise || row.noise === board.where.noise)),
    ({ decoder }) => decoder);
  const values = [...byDecoder.values()].flat().map(({ excess }) => [excess, 0]);
  const line = (row) => sparkline(
    (byDecoder.get(row[data.head]) ?? []).toSorted((one, other) => one.rate - other.rate)
      .map(({ rate, excess }) => [rate, excess]), scaleOf(values));
  return [...found, ["by rate", line]];
}

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
  const title = wanted ? `${board.title}, rows with “${wanted}”` : board.title;
  const table = { title, columns: data.columns, words: data.words, rows };
  const shown = drawTable(box, table, {
    sort: state.get("sort"),
    descending: state.get("dir") === "down",
    head: data.head,
    sparse: true,
    onsort: (column) => sortBy(column),
    links: {
      names: data.decoders,
      follow(decoder) {
        state.set({ decoder });
        jumpTo(article, ".decoder");
      },
    },
    drawn: { [EXCESS]: drawings(data, board) },
  });
  notes.replaceChildren(...board.notes.map((note) => element("p", {}, data.notes[note])));
  status.textContent = `${rows.length} of ${counted(board.rows.length, "row")}`;
  return { ...table, rows: shown, latex: board.latex };
}

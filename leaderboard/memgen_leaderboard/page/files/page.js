"use strict";
// Ties the parts together: an action changes the state, and the state is drawn.

const articles = [...document.querySelectorAll("article")];
const opened = new Map();

const current = () =>
  articles.find(({ dataset }) => dataset.suite === state.get("suite")) ?? articles[0];

async function dataOf(article) {
  if (!opened.has(article)) {
    opened.set(article, textOf(article, "data").then(JSON.parse));
    fillNetworks(article, await opened.get(article));
  }
  return opened.get(article);
}

function fillControls(article, data) {
  for (const control of document.querySelectorAll("header [data-key], main > p [data-key]")) {
    control.value = state.get(control.dataset.key) || articles[0].dataset.suite;
  }
  for (const control of article.querySelectorAll("form [data-key]")) {
    const { key } = control.dataset;
    if (control !== document.activeElement || control.localName === "select") {
      control.value = state.get(key) || (data.start[key] ?? "");
    }
  }
}

async function draw() {
  const article = current();
  for (const one of articles) one.hidden = one !== article;
  const data = await dataOf(article);
  fillControls(article, data);
  article.shown = { board: drawBoard(article, data), figure: drawFigure(article, data) };
  drawDecoder(article, data);
  drawNetwork(article, data);
  if (!article.readings && [...state.params().keys()].some((key) => key.startsWith("r-"))) {
    await openReadings(article);
    fillControls(article, data);
  }
  drawReadings(article);
}

const fileName = (article, what) => `${article.dataset.suite} ${what}`.replace(/[^\w.+-]+/g, "-");

const ACTIONS = {
  "board-csv"(article) {
    const { columns, rows } = article.shown.board;
    save(fileName(article, "board.csv"), "text/csv", toCsv(columns, rows));
  },
  "board-latex": (article) =>
    save(fileName(article, "board.tex"), "application/x-tex", article.shown.board.latex),
  "figure-svg"(article) {
    const { name, title, spec, rows } = article.shown.figure;
    return saveSvg(fileName(article, `${name}.svg`), title, spec, rows);
  },
  "figure-csv"(article) {
    const { name, rows } = article.shown.figure;
    const columns = Object.keys(rows[0] ?? {});
    const cells = rows.map((row) => columns.map((column) => row[column]));
    save(fileName(article, `${name}.csv`), "text/csv", toCsv(columns, cells));
  },
  "readings-csv": async (article) =>
    save(fileName(article, "readings.csv"), "text/csv", await textOf(article, "readings")),
  "readings-parquet": (article) =>
    save(fileName(article, "readings.parquet"), "application/vnd.apache.parquet",
      bytesOf(article, "parquet")),
  async "open-readings"(article) {
    await openReadings(article);
    fillControls(article, await dataOf(article));
    drawReadings(article);
  },
  previous: (article) => turnPage(article, -1),
  next: (article) => turnPage(article, 1),
  reset: () => state.set(Object.fromEntries([...AXES, "q", "sort", "dir"].map((key) => [key, ""]))),
  async link(article) {
    const status = article.querySelector(".board .status");
    try {
      await navigator.clipboard.writeText(location.href);
      status.textContent = "Copied: what you see is in the link.";
    } catch {
      status.textContent = "The page's address is the link to what you see.";
    }
  },
};

function showTheme() {
  const button = document.querySelector("#theme");
  button.setAttribute("aria-pressed", isDark());
}

document.querySelector("#theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
  draw();
});
document.addEventListener("click", ({ target }) => {
  const link = target.closest("[data-jump]");
  if (link) setTimeout(() => jumpTo(current(), link.dataset.jump)); // when the address has changed
  const button = target.closest("[data-act], [data-figure]");
  if (button?.dataset.figure) state.set({ figure: button.dataset.figure });
  else if (button) ACTIONS[button.dataset.act](current());
});
document.addEventListener("input", ({ target }) => {
  if (target.dataset.key) state.set({ [target.dataset.key]: target.value });
});
document.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { showTheme(); draw(); });
let width = innerWidth;
window.addEventListener("resize", () => {
  if (innerWidth !== width) draw();
  width = innerWidth;
});
showTheme();
draw().then(() => { document.documentElement.dataset.ready = "yes"; });

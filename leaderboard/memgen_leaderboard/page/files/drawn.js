"use strict";
// Small drawings within tables: intervals on a common scale, and lines over rates.

const [MARK_WIDTH, MARK_HEIGHT] = [110, 14];

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const drawing = (width, ...children) =>
  svg("svg", { width, height: MARK_HEIGHT, "aria-hidden": "true" }, ...children);

// "-4.1 ± 1.3" to [-4.1, 1.3]; null for a dash.
function measured(text) {
  const [value, half] = text.split("±").map(Number.parseFloat);
  return Number.isNaN(value) ? null : [value, half || 0];
}

const onScale = (value, [low, high]) =>
  2 + ((MARK_WIDTH - 4) * (value - low)) / (high - low || 1);

// The ends of a scale that holds all intervals, and 0.
function scaleOf(intervals) {
  const ends = intervals.filter(Boolean).flatMap(([value, half]) => [value - half, value + half]);
  return [Math.min(0, ...ends), Math.max(0, ...ends)];
}

function drawnInterval(interval, scale) {
  if (!interval) return "";
  const [value, half] = interval;
  const at = (x) => onScale(x, scale).toFixed(1);
  return drawing(MARK_WIDTH,
    svg("path", { class: "zero", d: `M${at(0)} 0v${MARK_HEIGHT}` }),
    svg("path", { d: `M${at(value - half)} 7H${at(value + half)}` }),
    svg("circle", { cx: at(value), cy: 7, r: 3.5 }));
}

// A line through [x, y] points, and the level 0.
function sparkline(points, [low, high]) {
  if (points.length < 2) return "";
  const [width, last] = [16 * (points.length - 1) + 6, points.length - 1];
  const y = (value) => (MARK_HEIGHT - 2 - ((MARK_HEIGHT - 4) * (value - low)) / (high - low || 1)).toFixed(1);
  const places = points.map(([, value], place) => `${3 + 16 * place} ${y(value)}`);
  return drawing(width,
    svg("path", { class: "zero", d: `M0 ${y(0)}H${width}` }),
    svg("path", { class: "line", d: `M${places.join("L")}` }),
    svg("circle", { cx: 3 + 16 * last, cy: y(points[last][1]), r: 2.5 }));
}

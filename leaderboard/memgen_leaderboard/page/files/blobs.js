"use strict";
// What the page carries packed, and opens when it is needed.

function bytesOf(article, name) {
  const packed = article.querySelector(`script[data-blob="${name}"]`).textContent;
  return Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
}

async function textOf(article, name) {
  const stream = new Blob([bytesOf(article, name)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
}

// Columns to rows: {decoder: [..], rate: [..]} to [{decoder, rate}, ..].
function rowsOf(frame) {
  const names = Object.keys(frame);
  const count = names.length ? frame[names[0]].length : 0;
  return Array.from({ length: count }, (_, place) =>
    Object.fromEntries(names.map((name) => [name, frame[name][place]])),
  );
}

// A field holds commas, quotes and new lines when it is in quotes (RFC 4180).
function parseCsv(text) {
  const found = [];
  for (const line of text.matchAll(/(?:"(?:[^"]|"")*"|[^\n"])+/g)) {
    const fields = line[0].matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
    found.push(Array.from(fields, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain));
  }
  return { columns: found[0], rows: found.slice(1) };
}

function toCsv(columns, rows) {
  const field = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    // A spreadsheet would compute it, unless it is a number.
    if (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(field).join(",")).join("\n") + "\n";
}

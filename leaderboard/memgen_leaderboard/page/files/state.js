"use strict";
// What is shown, as it stands in the address: #rate=0.4&sort=recovery. Nothing else remembers it.

const state = {
  params: () => new URLSearchParams(location.hash.slice(1)),
  get: (key) => state.params().get(key) ?? "",
  set(changes) {
    const params = state.params();
    for (const [key, value] of Object.entries(changes)) {
      if (value === "") params.delete(key);
      else params.set(key, value);
    }
    history.replaceState(null, "", `#${params}`);
    window.dispatchEvent(new Event("hashchange"));
  },
};

// Elements with their text; text is never read as HTML.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
}

function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

"use strict";
// One network: its certificate and its training curve.

function fillNetworks(article, data) {
  const select = article.querySelector('[data-key="network"]');
  const groups = Map.groupBy(data.networks, (network) => network.group);
  select.replaceChildren(
    ...Array.from(groups, ([label, networks]) =>
      element("optgroup", { label },
        ...networks.map(({ id, name }) => element("option", { value: id }, name)))),
  );
}

function drawNetwork(article, data) {
  const section = article.querySelector(".networks");
  section.hidden = !data.networks.length;
  if (section.hidden) return;
  const wanted = state.get("network");
  const network = data.networks.find(({ id }) => id === wanted) ?? data.networks[0];
  section.querySelector("select").value = network.id;
  section.querySelector(".certificate").replaceChildren(
    ...network.certificate.map(([term, value]) =>
      element("div", {}, element("dt", {}, term), element("dd", {}, value))),
  );
  const rows = rowsOf(data.training.frame).filter((row) => row.network_id === network.id);
  const figure = section.querySelector("figure");
  const numbers = section.querySelector(".figure-data");
  figure.hidden = numbers.hidden = !rows.length;
  if (!rows.length) return;
  drawCaption(section, `Training: ${network.group}, ${network.name}`, data.training.caption);
  drawChart(section.querySelector(".chart"), data.training.spec, rows);
  drawNumbers(numbers, `Training of network ${network.id}`, rows);
}

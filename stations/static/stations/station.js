// A station's page: its figures and changes, live. Times are the city's.

import { showConnection } from "./connection.js";
import { Link } from "./link.js";
import { statusBadge } from "./tables.js";
import { number } from "./texts.js";
import { Ticker } from "./ticker.js";

const page = document.getElementById("station");
const { station: id, contract, zone } = page.dataset;
const link = new Link(page.dataset.socket, () => ({ contracts: [contract] }));
const showMs = showConnection(link);
const ticker = new Ticker(document.getElementById("ticker"), { href: () => null });
const inCity = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });

function show(station) {
  for (const name of ["bikes", "electrical", "stands", "capacity"]) {
    if (station[name] !== null) page.querySelector(`[data-figure="${name}"]`).textContent = number(station[name]);
  }
  document.getElementById("status").replaceChildren(statusBadge(station));
  const changed = page.querySelector('[data-figure="changed"]');
  changed.dateTime = station.polled_at;
  changed.textContent = inCity.format(new Date(station.polled_at));
}

link.addEventListener("frame", ({ detail: frame }) => {
  const ours = (frame.stations ?? frame.changes ?? []).filter((station) => station.id === id);
  ours.forEach(show);
  if (frame.type !== "delta") return;
  ticker.add(ours);
  if (frame.changes.length) showMs(link.msSince(frame.changes.at(-1).polled_at));
});
link.open();

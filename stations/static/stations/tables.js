// The tables: the same figures and stations as the map, for readers who do not use it.

import { localise } from "../site/local-time.js";
import { badWord, make, number, percent, say } from "./texts.js";
import { stateOf } from "./station_store.js";

/** Put figures into the elements that name them by data-figure. */
export function showFigures(root, figures) {
  const shown = {
    stations: number(figures.stations),
    bikes: number(figures.bikes),
    stands: number(figures.stands),
    empty: percent(figures.empty, figures.stations),
    full: percent(figures.full, figures.stations),
  };
  for (const [name, text] of Object.entries(shown)) write(root.querySelector(`[data-figure="${name}"]`), text);
  const changed = root.querySelector('[data-figure="changed"]');
  if (!figures.changed_at || changed.dateTime === figures.changed_at) return;
  changed.dateTime = figures.changed_at;
  changed.dataset.local = "ago";
  localise(changed.parentElement);
}

/** Return a badge with a station's state in a word. */
export function statusBadge(station) {
  const state = stateOf(station);
  const tone = { open: " badge--good", silent: " badge--warn", bad: " badge--warn", unknown: " badge--warn" }[state] ?? "";
  const badge = make("span", `badge${tone}`, say(`status-${state}`));
  if (station.bad) badge.title = badWord(station.bad);
  return badge;
}

export class CityTable {
  constructor(table, { cityName, onCity }) {
    this.body = table.tBodies[0];
    this.cityName = cityName;
    this.rows = new Map([...this.body.rows].map((row) => [row.dataset.contract, row]));
    this.shown = new WeakMap(); // row -> the figures in it
    this.order = new Intl.Collator(document.documentElement.lang, { numeric: true });
    this.body.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onCity(link.closest("tr").dataset.contract);
    });
  }

  /** Show these cities, by contract, and hide all others. A city whose figures are the same object as before is left alone. */
  update(cities) {
    for (const [contract, row] of this.rows) row.hidden = !cities.get(contract)?.listed;
    this.add([...cities.values()].filter(({ contract, listed }) => listed && !this.rows.has(contract)));
    for (const city of cities.values()) {
      const row = this.rows.get(city.contract);
      if (!row || this.shown.get(row) === city) continue;
      this.shown.set(row, city);
      showFigures(row, city);
    }
  }

  /** Add a row for each of these cities, all in the order of names. */
  add(cities) {
    if (!cities.length) return;
    for (const { contract } of cities) this.rows.set(contract, this.row(contract));
    const named = [...this.rows.values()].map((row) => ({ row, name: row.querySelector("a").textContent }));
    this.body.append(...named.sort((one, other) => this.order.compare(one.name, other.name)).map(({ row }) => row));
  }

  row(contract) {
    const row = document.getElementById("city-template").content.firstElementChild.cloneNode(true);
    row.dataset.contract = contract;
    const link = row.querySelector("a");
    link.href = `?contract=${encodeURIComponent(contract)}`;
    link.textContent = this.cityName(contract);
    return row;
  }
}

/** Put a text into an element, if it is another one. */
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

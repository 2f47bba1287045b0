// The tables: the same figures and stations as the map, for readers who do not use it.

import { localise } from "../site/local-time.js";
import { fold, folded, holds } from "./text_folding.js";
import { badWord, make, number, percent, say, timeElement } from "./texts.js";
import { stateOf } from "./station_store.js";

/** Put figures into the elements that name them by data-figure. */
export function showFigures(root, figures) {
  const shown = {
    stations: number(figures.stations),
    bikes: number(figures.bikes),
    stands: number(figures.stands),
    empty: percent(figures.empty, figures.open),
    full: percent(figures.full, figures.open),
  };
  for (const [name, text] of Object.entries(shown)) write(root.querySelector(`[data-figure="${name}"]`), text);
  const changed = root.querySelector('[data-figure="changed"]');
  if (!figures.changed || changed.dateTime === figures.changed) return;
  changed.dateTime = figures.changed;
  changed.dataset.local = "ago";
  localise(changed.parentElement);
}

/** Return a badge with a station's state in a word. */
export function statusBadge(station) {
  const state = stateOf(station);
  const tone = { open: " badge--good", silent: " badge--warn", bad: " badge--warn", closed: "" }[state];
  const badge = make("span", `badge${tone}`, say(`status-${state}`));
  if (station.bad) badge.title = badWord(station.bad);
  return badge;
}

export class CityTable {
  constructor(table, { cityName, onCity }) {
    this.body = table.tBodies[0];
    this.cityName = cityName;
    this.rows = new Map([...this.body.rows].map((row) => [row.dataset.contract, row]));
    this.body.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onCity(link.closest("tr").dataset.contract);
    });
  }

  /** Show these cities, by contract, and hide all others. */
  update(cities) {
    for (const [contract, row] of this.rows) row.hidden = !cities.has(contract);
    for (const city of cities.values()) {
      const row = this.rows.get(city.contract) ?? (city.stations ? this.add(city.contract) : null);
      if (!row) continue;
      row.hidden = city.stations === 0;
      showFigures(row, city);
    }
  }

  add(contract) {
    const row = document.getElementById("city-template").content.firstElementChild.cloneNode(true);
    row.dataset.contract = contract;
    const link = row.querySelector("a");
    link.href = `?contract=${encodeURIComponent(contract)}`;
    link.textContent = this.cityName(contract);
    this.rows.set(contract, row);
    const after = [...this.rows.values()].find(
      (other) => other !== row && other.querySelector("a").textContent.localeCompare(link.textContent) > 0,
    );
    this.body.insertBefore(row, after ?? null);
    return row;
  }
}

export class StationTable {
  constructor(section, { href, onStation }) {
    this.section = section;
    this.body = section.querySelector("tbody");
    this.count = section.querySelector("#stations-count");
    this.find = section.querySelector("#find");
    this.href = href;
    this.onStation = onStation;
    this.rows = new Map(); // id -> {row, cells, text}
    section.querySelector("#find-go").hidden = true;
    section.querySelector("#find-form").addEventListener("submit", (event) => event.preventDefault());
    this.find.addEventListener("input", () => this.filter());
  }

  /** Show these stations, sorted by name; an empty list hides the table. */
  replace(stations, title) {
    this.section.hidden = stations.length === 0;
    this.section.querySelector("#stations-title").textContent = title;
    this.rows.clear();
    const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
    stations.sort((one, other) => order.compare(one.name, other.name));
    this.body.replaceChildren(...stations.map((station) => this.add(station)));
    localise(this.body);
    this.filter();
  }

  add(station) {
    const row = make("tr");
    const name = make("th");
    name.scope = "row";
    const link = make("a", "", station.name);
    link.href = this.href(station);
    const onMap = make("button", "link-button small on-map", "◎");
    onMap.type = "button";
    onMap.title = say("show-on-map");
    onMap.setAttribute("aria-label", `${say("show-on-map")}: ${station.name}`);
    onMap.addEventListener("click", () => this.onStation(station.id));
    name.append(link, " ", onMap);
    const cells = { state: this.cell("state"), bikes: this.cell("bikes", "num"), stands: this.cell("stands", "num"), changed: this.cell("changed") };
    row.append(name, ...Object.values(cells));
    this.rows.set(station.id, { row, cells, text: folded(station) });
    this.fill(cells, station);
    return row;
  }

  cell(name, className = "") {
    const cell = make("td", className);
    cell.dataset.label = this.body.dataset[`label${name[0].toUpperCase()}${name.slice(1)}`];
    return cell;
  }

  fill(cells, station) {
    if (cells.state.dataset.state !== stateOf(station)) {
      cells.state.dataset.state = stateOf(station);
      cells.state.replaceChildren(statusBadge(station));
    }
    write(cells.bikes, number(station.bikes));
    write(cells.stands, number(station.stands));
    cells.changed.replaceChildren(timeElement(station.polled_at, "ago"));
  }

  /** Show changes of shown stations. Return false for a new station: then replace all. */
  update(changes) {
    for (const change of changes) {
      const held = this.rows.get(change.id);
      if (change.removed && held) {
        held.row.remove();
        this.rows.delete(change.id);
      } else if (held) {
        held.text = folded(change);
        this.fill(held.cells, change);
        localise(held.row);
      } else if (!change.removed) return false;
    }
    this.filter();
    return true;
  }

  filter() {
    const wanted = fold(this.find.value);
    let shown = 0;
    for (const { row, text } of this.rows.values()) {
      row.hidden = !holds(text, wanted);
      shown += !row.hidden;
    }
    write(this.count, say("shown", { n: number(shown), all: number(this.rows.size) }));
  }
}

function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

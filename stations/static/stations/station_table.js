// The table of stations, a page at a time: every station of the shown city, or of all, that fits the search.

import { localise } from "../site/local-time.js";
import { stateOf } from "./station_store.js";
import { favouriteButton, mapButton } from "./station_lines.js";
import { statusBadge, write } from "./tables.js";
import { make, number, say, timeElement } from "./texts.js";

const ROWS = 50; // of a page: two screens, and cheap to draw

export class StationTable {
  /** `matches(station, query)` tells if a station fits a typed text. */
  constructor(section, { href, favourites, matches }) {
    Object.assign(this, { section, href, favourites, matches });
    this.body = section.querySelector("tbody");
    this.count = section.querySelector("#stations-count");
    this.pages = section.querySelector("#stations-pages");
    this.rows = new Map(); // id -> {row, cells}, of this page
    this.sorted = [];
    this.query = "";
    this.page = 0;
    this.order = new Intl.Collator(document.documentElement.lang, { numeric: true });
    this.pages.addEventListener("click", ({ target }) => this.turn(target.closest("[data-turn]")));
  }

  /** Show these stations, sorted by name. Another city or search begins at its first page; a new station turns no page. */
  replace(stations, { title, query }) {
    const heading = this.section.querySelector("#stations-title");
    if (heading.textContent !== title || query !== this.query) this.page = 0;
    heading.textContent = title;
    this.sorted = stations.sort((one, other) => this.order.compare(one.name, other.name) || (one.id < other.id ? -1 : 1));
    this.byId = new Map(this.sorted.map((station) => [station.id, station]));
    this.query = query;
    this.filter();
  }

  search(query) {
    if (query === this.query) return;
    this.query = query;
    this.page = 0;
    this.filter();
  }

  filter() {
    this.found = this.query ? this.sorted.filter((station) => this.matches(this.byId.get(station.id), this.query)) : this.sorted;
    this.draw();
  }

  draw() {
    const last = Math.max(0, Math.ceil(this.found.length / ROWS) - 1);
    this.page = Math.min(this.page, last);
    this.rows.clear();
    const shown = this.found.slice(this.page * ROWS, (this.page + 1) * ROWS);
    this.body.replaceChildren(...shown.map(({ id }) => this.add(this.byId.get(id))));
    localise(this.body);
    write(this.count, say("shown", { n: number(this.found.length), all: number(this.sorted.length) }));
    this.showPages(last);
  }

  showPages(last) {
    this.pages.hidden = last === 0;
    const [back, on] = ["back", "on"].map((turn) => this.pages.querySelector(`button[data-turn=${turn}]`) ?? this.turnButton(turn));
    back.setAttribute("aria-disabled", String(this.page === 0));
    on.setAttribute("aria-disabled", String(this.page === last));
    const at = make("span", "muted small", say("page-of", { page: number(this.page + 1), pages: number(last + 1) }));
    at.setAttribute("role", "status");
    const shown = this.pages.querySelector("[role=status]");
    if (!shown) this.pages.replaceChildren(back, at, on);
    else write(shown, at.textContent);
  }

  turnButton(turn) {
    const button = make("button", "button button--small", say(`page-${turn}`));
    button.type = "button";
    button.dataset.turn = turn;
    return button;
  }

  turn(button) {
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    this.page += button.dataset.turn === "on" ? 1 : -1;
    this.draw();
    this.section.querySelector(".table-wrap").scrollTo({ top: 0 });
  }

  add(station) {
    const row = make("tr");
    const name = make("th");
    name.scope = "row";
    const link = make("a", "", station.name);
    link.href = this.href(station);
    name.append(link, " ", mapButton(station), favouriteButton(station, this.favourites));
    const cells = { state: this.cell("state"), bikes: this.cell("bikes", "num"), electrical: this.cell("electrical", "num"), stands: this.cell("stands", "num"), changed: this.cell("changed") };
    row.append(name, ...Object.values(cells));
    this.rows.set(station.id, { row, cells });
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
    write(cells.electrical, station.electrical === null ? "–" : number(station.electrical));
    write(cells.stands, station.stands === null ? "–" : number(station.stands));
    cells.changed.replaceChildren(timeElement(station.polled_at, "ago"));
  }

  /** Show changes of the table's stations. Return false for a new, a lost or a renamed one: then replace all. */
  update(changes) {
    let same = true;
    for (const change of changes) {
      const known = this.byId?.get(change.id);
      same &&= Boolean(known) && !change.removed && known.name === change.name;
      if (!known || change.removed) continue;
      this.byId.set(change.id, change);
      const held = this.rows.get(change.id);
      if (!held) continue;
      this.fill(held.cells, change);
      localise(held.row);
    }
    return same;
  }

  /** Show which stations are favourites. */
  showFavourites() {
    for (const [id, { row }] of this.rows) row.querySelector("[data-favourite]").replaceWith(favouriteButton(this.byId.get(id), this.favourites));
  }
}

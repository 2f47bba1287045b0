// The list of favourites, live, with alternatives nearby where a favourite has nothing to offer.

import { nearest, offers } from "./nearest.js";
import { showLines, stationLine } from "./station_lines.js";
import { make, say } from "./texts.js";

const ALTERNATIVES = 2;
const ALTERNATIVES_REACH_M = 1_000; // straight: a quarter of an hour on foot

export class FavouritesPanel {
  constructor(panel, { world, favourites, href }) {
    Object.assign(this, { panel, world, favourites, href });
    this.list = panel.querySelector("#favourites-list");
    this.kind = "bikes";
    panel.querySelector("#favourites-export").addEventListener("click", () => this.save());
    panel.querySelector("#favourites-clear").addEventListener("click", () => favourites.clear());
    favourites.addEventListener("change", () => this.show());
  }

  show() {
    this.panel.hidden = this.favourites.kept.size === 0;
    if (!this.panel.hidden) showLines(this.list, [...this.favourites.kept.values()].map((kept) => this.line(kept)));
  }

  line(kept) {
    const { href, favourites } = this;
    const station = this.world.stations.get(kept.id);
    if (!station) return this.missing(kept);
    const line = stationLine(station, { href, favourites });
    if (offers(station, this.kind)) return line;
    const others = (one) => offers(one, this.kind) && one.id !== station.id;
    const found = nearest(this.world.stations.values(), station, { suits: others, count: ALTERNATIVES, reach: ALTERNATIVES_REACH_M });
    line.append(make("p", "stand__instead small", say(found.length ? "instead" : "instead-none")));
    if (found.length) {
      const list = make("ol", "stands stand__others");
      list.append(...found.map((one) => stationLine(one.station, { href, metres: one.metres })));
      line.append(list);
    }
    return line;
  }

  /** Return the line of a favourite that no shown feed lists. */
  missing(kept) {
    const line = make("li", "stand");
    const what = make("div", "stand__what");
    what.append(make("span", "", kept.name));
    if (!this.isComing(kept)) what.append(make("span", "small muted", say("favourite-missing")));
    const remove = make("button", "icon-button", "★");
    remove.type = "button";
    remove.setAttribute("aria-pressed", "true");
    remove.setAttribute("aria-label", say("favourite", { name: kept.name }));
    remove.dataset.favourite = kept.id;
    line.append(what, remove);
    return line;
  }

  /** Return true while the stations of its city are on their way. */
  isComing(kept) {
    const contract = this.favourites.cityOf(kept, this.world.cities);
    return this.world.cities.has(contract) && !this.world.holds(contract);
  }

  /** Save the favourites as a file. */
  save() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([this.favourites.export()], { type: "application/json" }));
    link.download = "favourites.json";
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

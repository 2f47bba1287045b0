// The panel of the station that is selected on the map, in the search or in the table.

import { stationLine, showLines } from "./station_lines.js";
import { make, say } from "./texts.js";

export class SelectedPanel {
  constructor(panel, { href, favourites, onFrom, onClose }) {
    Object.assign(this, { panel, href, favourites });
    this.list = make("ul", "stands");
    this.details = make("a", "button button--small button--primary", say("details"));
    const from = this.button("nearest-from-here", () => onFrom(this.station));
    const tools = make("div", "cluster");
    tools.append(this.details, from, this.button("close", onClose));
    panel.append(this.list, tools);
  }

  button(name, onClick) {
    const button = make("button", "button button--small", say(name));
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  }

  /** Show a station; undefined hides the panel. */
  show(station) {
    this.station = station;
    this.panel.hidden = !station;
    if (!station) return;
    showLines(this.list, [stationLine(station, { href: this.href, favourites: this.favourites })]);
    this.details.href = this.href(station);
  }
}

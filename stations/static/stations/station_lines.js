// A station as a line of a list: its name, the way on foot, its bikes and places, and two buttons.

import { walkingMinutes } from "./nearest.js";
import { localise } from "../site/local-time.js";
import { stateOf } from "./station_store.js";
import { statusBadge } from "./tables.js";
import { make, number, say, sayMany } from "./texts.js";

const METRES_SHOWN_BELOW = 950; // from there on in kilometres
const kilometres = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "kilometer", maximumFractionDigits: 1 });
const metresOf = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "meter", maximumFractionDigits: 0 });

/** Return a straight distance in words: "350 m", "1.2 km". */
export function inMetres(metres) {
  return metres < METRES_SHOWN_BELOW ? metresOf.format(Math.round(metres / 10) * 10) : kilometres.format(metres / 1000);
}

/** Return the counts of a station in words: "5 bikes, 2 of them electric, 7 places". */
export function counts(station) {
  const parts = [sayMany("count-bikes", station.bikes)];
  if (station.electrical !== null) parts.push(sayMany("count-ebikes", station.electrical));
  if (station.stands !== null) parts.push(sayMany("count-places", station.stands));
  return parts.join(" · ");
}

/** Return a button that makes a station a favourite, or no favourite. */
export function favouriteButton(station, favourites) {
  const chosen = favourites.has(station.id);
  const button = make("button", "icon-button", chosen ? "★" : "☆");
  button.type = "button";
  button.setAttribute("aria-pressed", String(chosen));
  button.setAttribute("aria-label", say("favourite", { name: station.name }));
  button.title = say("favourite-hint");
  button.dataset.favourite = station.id;
  return button;
}

/** Return a button that shows a station on the map. */
export function mapButton(station) {
  const button = make("button", "icon-button on-map", "◎");
  button.type = "button";
  button.title = say("show-on-map");
  button.setAttribute("aria-label", `${say("show-on-map")}: ${station.name}`);
  button.dataset.show = station.id;
  return button;
}

/** Return a station's line. With `metres` it tells the way on foot. */
export function stationLine(station, { href, metres, favourites, onMap = true }) {
  const line = make("li", "stand");
  line.dataset.station = station.id;
  const what = make("div", "stand__what");
  const link = make("a", "", station.name);
  link.href = href(station);
  what.append(link, make("span", "small muted", counts(station)));
  if (metres !== undefined) {
    const walk = make("span", "stand__walk", sayMany("walk", walkingMinutes(metres)));
    walk.append(make("span", "small muted", inMetres(metres)));
    line.append(walk);
  }
  line.append(what);
  if (stateOf(station) !== "open") what.append(statusBadge(station));
  if (onMap) line.append(mapButton(station));
  if (favourites) line.append(favouriteButton(station, favourites));
  return line;
}

/** Put these lines into a list, only if they differ from those shown: a reader's focus stays where it is. */
export function showLines(list, lines) {
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("[data-station]")?.dataset.station : null;
  const key = lines.map((line) => line.outerHTML).join("");
  if (list.shownKey === key) return;
  const selector = document.activeElement?.className;
  list.shownKey = key;
  list.replaceChildren(...lines);
  localise(list);
  if (focused === null) return;
  const again = lines.find((line) => line.dataset.station === focused);
  [...(again?.querySelectorAll("a, button") ?? [])].find((one) => one.className === selector)?.focus();
}

// The changes, newest first, and a summary now and then for screen readers.

import { localise } from "../site/local-time.js";
import { make, number, say, sayMany, timeElement } from "./texts.js";

const LINES_MAX = 60; // more is history, which each station's page has
const LINES_PER_FRAME_MAX = 20; // of one frame: a first poll changes thousands of stations at once
const SUMMARY_MS = 20_000; // between two summaries for a screen reader

/** Return a station's change in words: "2 bikes taken (1 electrical), closed". */
export function inWords(change) {
  const words = change.kinds.filter((kind) => kind !== "taken" && kind !== "returned").map((kind) => kindInWords(kind, change));
  if (change.returned) words.unshift(moved("returned", change.returned, change.returned_electrical));
  if (change.taken) words.unshift(moved("taken", change.taken, change.taken_electrical));
  return words.join(", ");
}

function moved(kind, count, electrical) {
  const told = sayMany(kind, count);
  return electrical ? `${told} (${sayMany("electrical", electrical)})` : told;
}

function kindInWords(kind, change) {
  if (kind === "capacity") return sayMany("capacity", change.capacity);
  return ["opened", "closed", "appeared", "gone", "silent", "unreadable", "readable", "released"].includes(kind) ? say(kind) : say("other");
}

function lookOf(change) {
  if (change.taken) return " feed__line--taken";
  if (change.returned) return " feed__line--returned";
  return change.kinds.some((kind) => ["closed", "gone", "silent", "unreadable"].includes(kind)) ? " feed__line--closed" : "";
}

/** Return the time of a change in the reader's zone. */
function readersTime(at) {
  const holder = make("span");
  holder.append(timeElement(at, "time"));
  localise(holder);
  return holder.firstElementChild;
}

export class ChangeFeed {
  /** `href(station)` returns the address of a station's page, or null to leave its name out; `time(at)` a <time>. */
  constructor(list, { href, cityName = () => "", time = readersTime }) {
    this.time = time;
    this.list = list;
    this.href = href;
    this.cityName = cityName;
    this.held = false;
    this.none = document.getElementById("ticker-none");
    this.sums = { taken: 0, returned: 0 };
    this.summary = document.getElementById("summary");
    if (this.summary) setInterval(() => this.summarise(), SUMMARY_MS);
  }

  /** Add the changes of one frame, oldest first. */
  add(changes) {
    for (const change of changes) {
      this.sums.taken += change.taken;
      this.sums.returned += change.returned;
    }
    if (this.held || changes.length === 0) return;
    const told = changes.filter((change) => change.kinds.length > 0).slice(-LINES_PER_FRAME_MAX);
    this.list.prepend(...told.map((change) => this.line(change)).reverse());
    while (this.list.children.length > LINES_MAX) this.list.lastElementChild.remove();
    if (this.none && told.length) this.none.hidden = true;
  }

  line(change) {
    const line = make("li", `feed__line${lookOf(change)}`);
    const text = make("span");
    const href = this.href(change);
    if (href) {
      const link = make("a", "", change.name);
      link.href = href;
      text.append(link, make("br"));
    }
    const city = this.cityName(change.contract);
    const left = change.removed || change.bad ? "" : ` · ${sayMany("left", change.bikes)}`;
    text.append(inWords(change), make("span", "muted", left + (city ? ` · ${city}` : "")));
    line.append(text, this.time(change.polled_at));
    return line;
  }

  summarise() {
    const { taken, returned } = this.sums;
    this.sums = { taken: 0, returned: 0 };
    if (this.held || taken + returned === 0 || document.hidden) return;
    this.summary.textContent = say("summary", { seconds: SUMMARY_MS / 1000, taken: number(taken), returned: number(returned) });
  }
}

// The health of the feeds: each one's last answer, and for one that fails or is late, the reason and the state's age.
// Dispatches "change" whenever that may have changed, also by mere passing of time.

import { ago, localise } from "../site/local-time.js";
import { make, ours, say, timeElement } from "./texts.js";

const AGE_REFRESH_MS = 5_000; // an alert shows its age, without seconds

/** Return true if this feed is of that kind, which is the first word of its name: "simulator", "replay". */
export const isOfKind = (feed, kind) => feed.split(":")[0] === kind;

export class Feeds extends EventTarget {
  /** `concerned(feeds)` returns the feeds whose stations this page shows; `ages` may be left out. */
  constructor(socket, { ages = null, concerned = (feeds) => feeds } = {}) {
    super();
    this.socket = socket;
    this.alerts = document.getElementById("feed-alerts");
    this.ages = ages;
    this.concerned = concerned;
    this.feeds = new Map();
    this.anew = false; // a new socket sends all feeds in use: forget the others
    socket.addEventListener("frame", ({ detail }) => (this.anew ||= detail.type === "hello"));
    setInterval(() => this.refresh(), AGE_REFRESH_MS);
  }

  take(feed) {
    if (this.anew) this.feeds.clear();
    this.anew = false;
    this.feeds.set(feed.name, feed);
    this.refresh();
  }

  /** The feeds that this page shows; none before the first frame. */
  get here() {
    return this.concerned([...this.feeds.values()]).filter(Boolean);
  }

  /** The first feed that is not live, with its condition; undefined if all are live. */
  get trouble() {
    return this.here.map((feed) => ({ feed, condition: this.condition(feed) })).find(({ condition }) => condition !== "good");
  }

  /** True if what this page shows is of another day. */
  get recorded() {
    return this.here.some((feed) => feed.recorded);
  }

  condition(feed) {
    if (!feed.at) return "waiting";
    if (!feed.ok) return "failing";
    if (this.socket.msSince(feed.late_at) > 0) return "late";
    return feed.stale_at && this.socket.msSince(feed.stale_at) > 0 ? "stale" : "good";
  }

  refresh() {
    if (this.feeds.size === 0) return; // only the server's own text is known
    this.showAlerts();
    if (this.ages) this.showAges();
    this.dispatchEvent(new Event("change"));
  }

  showAlerts() {
    const texts = this.here.map((feed) => this.inWords(feed)).filter(Boolean);
    if (texts.join("\n") === this.shown) return;
    this.shown = texts.join("\n");
    this.alerts.replaceChildren(...texts.map((text) => this.alert(text)));
  }

  inWords(feed) {
    const condition = this.condition(feed);
    if (condition === "good") return "";
    const values = { feed: feed.name, reason: ours(feed.reason), age: ageOf(feed, condition) };
    if (condition === "failing" && !values.age) return say("feed-never", values);
    return say(`feed-${condition}`, values);
  }

  alert(text) {
    const alert = make("div", "alert alert--warn feed-alert");
    alert.append(make("p", "", text));
    return alert;
  }

  showAges() {
    const told = this.here.filter((feed) => feed.good_at);
    const parts = told.map((feed) => {
      const part = make("span", "feed-age", `${say("feed-answered", { feed: feed.name })} `);
      part.append(timeElement(feed.good_at, "ago"));
      return part;
    });
    this.ages.replaceChildren(...parts);
    localise(this.ages);
  }
}

/** Return the age of what a feed last said, "2 minutes ago"; "" if it never answered. */
export function ageOf(feed, condition) {
  const at = condition === "stale" ? feed.updated_at : feed.good_at;
  return at ? ago(new Date(at)) : "";
}

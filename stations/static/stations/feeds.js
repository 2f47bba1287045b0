// How the feeds are doing: when each last answered, and if one fails or is no longer asked, why and how old the state is.
// Tells "change" whenever that may have changed, also by mere passing of time.

import { ago, localise } from "../site/local-time.js";
import { make, ours, say, timeElement } from "./texts.js";

const AGE_REFRESH_MS = 5_000; // an alert tells its age; nobody needs the second

/** The feed that the stations of this source and contract come from: the one that names the contract, or the one of all. */
export function feedOf(feeds, source, contract) {
  const ofSource = [...feeds].filter((feed) => feed.source === source);
  return ofSource.find((feed) => feed.contract === contract) ?? ofSource.find((feed) => feed.contract === null);
}

export class Feeds extends EventTarget {
  /** `concerned(feeds)` gives those that this page shows stations of; `ages` may be left out. */
  constructor(link, { ages = null, concerned = (feeds) => feeds } = {}) {
    super();
    this.link = link;
    this.alerts = document.getElementById("feed-alerts");
    this.ages = ages;
    this.concerned = concerned;
    this.feeds = new Map();
    this.anew = false; // a new socket tells them all: those it does not tell are no longer in use
    link.addEventListener("frame", ({ detail }) => (this.anew ||= detail.type === "hello"));
    setInterval(() => this.refresh(), AGE_REFRESH_MS);
  }

  take(feed) {
    if (this.anew) this.feeds.clear();
    this.anew = false;
    this.feeds.set(feed.name, feed);
    this.refresh();
  }

  /** Those that this page shows, none before the first was told. */
  get here() {
    return this.concerned([...this.feeds.values()]).filter(Boolean);
  }

  /** The first one that may not be called live, with its condition; undefined when all may. */
  get trouble() {
    return this.here.map((feed) => ({ feed, condition: this.condition(feed) })).find(({ condition }) => condition !== "good");
  }

  condition(feed) {
    if (!feed.at) return "waiting";
    if (!feed.ok) return "failing";
    return this.link.msSince(feed.late_at) > 0 ? "late" : "good";
  }

  refresh() {
    if (this.feeds.size === 0) return; // what the server wrote is all we know
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
    const values = { feed: feed.name, reason: ours(feed.reason), age: ageOf(feed) };
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

/** "2 minutes ago", "" for a feed that never answered. */
export const ageOf = (feed) => (feed.good_at ? ago(new Date(feed.good_at)) : "");

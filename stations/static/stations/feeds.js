// How the feeds are doing: when each last answered, and if one fails, why and how old the state is.

import { ago, localise } from "../site/local-time.js";
import { make, ours, say, timeElement } from "./texts.js";

const AGE_REFRESH_MS = 5_000; // an alert tells its age; nobody needs the second

export class Feeds {
  constructor(alerts, ages) {
    this.alerts = alerts;
    this.ages = ages;
    this.feeds = new Map();
    setInterval(() => this.showFailing(), AGE_REFRESH_MS);
  }

  take(feed) {
    for (const rendered of document.querySelectorAll(".feed-alert[data-feed]")) rendered.remove(); // we know better now
    const before = this.feeds.get(feed.name);
    this.feeds.set(feed.name, feed);
    if (!before || before.ok !== feed.ok) this.showFailing();
    this.showAges();
  }

  showFailing() {
    const failing = [...this.feeds.values()].filter((feed) => !feed.ok);
    this.alerts.hidden = failing.length === 0;
    const texts = failing.map((feed) => this.inWords(feed));
    if (texts.join("\n") === this.shown) return;
    this.shown = texts.join("\n");
    this.alerts.replaceChildren(...texts.map((text) => this.alert(text)));
  }

  inWords(feed) {
    const age = feed.good_at ? ago(new Date(feed.good_at)) : "";
    return say(age ? "feed-failing" : "feed-never", { feed: feed.name, reason: ours(feed.reason), age });
  }

  alert(text) {
    const alert = make("div", "alert alert--warn");
    alert.append(make("p", "", text));
    return alert;
  }

  showAges() {
    const told = [...this.feeds.values()].filter((feed) => feed.good_at);
    const parts = told.map((feed) => {
      const part = make("span", "feed-age", `${say("feed-answered", { feed: feed.name })} `);
      part.append(timeElement(feed.good_at, "ago"));
      return part;
    });
    this.ages.replaceChildren(...parts);
    localise(this.ages);
  }
}

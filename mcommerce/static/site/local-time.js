// Shows every <time datetime="…" data-local> in the browser's own zone and the page's language.
// data-local: "datetime" (default), "date", "time" or "ago" ("2 minutes ago", kept current). Without JavaScript the text
// the server wrote stays: UTC, labelled. Call localise(root) after adding such elements to the page.

const AGO_REFRESH_MS = 15_000; // "ago" is told in minutes after the first one; four looks a minute keep it honest
const STYLES = {
  datetime: { dateStyle: "medium", timeStyle: "short" },
  date: { dateStyle: "medium" },
  time: { timeStyle: "medium" },
};
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const language = document.documentElement.lang || undefined;
const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
const formats = Object.fromEntries(Object.entries(STYLES).map(([style, parts]) => [style, new Intl.DateTimeFormat(language, parts)])); // dear to make
const titled = new WeakMap(); // element -> the time that its title tells
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** "2 minutes ago", in the page's language. */
export function ago(when, now = new Date()) {
  const seconds = Math.round((when - now) / 1000);
  const [unit, size] = UNITS.find(([, unitSeconds]) => Math.abs(seconds) >= unitSeconds) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** Put the browser's own time into every <time data-local> below root. */
export function localise(root = document) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const when = new Date(element.dateTime);
    if (Number.isNaN(when.getTime())) continue; // the server's text says it better than "Invalid Date"
    const style = element.dataset.local || "datetime";
    if (titled.get(element) !== element.dateTime) element.title = whole.format(when);
    titled.set(element, element.dateTime);
    const text = style === "ago" ? ago(when) : formats[style].format(when);
    if (element.textContent !== text) element.textContent = text;
  }
}

localise();
if (document.querySelector('time[data-local="ago"]')) setInterval(localise, AGO_REFRESH_MS);

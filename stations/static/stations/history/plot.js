// Charts of the past, drawn by uPlot in the page's colours and the city's time.

import uPlot from "../vendor/uplot/uPlot.esm.js";

const HEIGHT = 260; // pixels: two thirds of a phone's width
const NARROW = 500; // pixels: below it only every second mark has room
const WHOLE = [1, 2, 5].flatMap((n) => [n, n * 10, n * 100, n * 1000, n * 10_000]).sort((a, b) => a - b); // half a bike is no mark
const language = document.documentElement.lang || "en";
const one = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = [];

/** Return a colour of the page's style, as it is now. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Return a series in one of the page's colours. */
export function series(label, name, options = {}) {
  return { label, stroke: () => colour(name), width: 2, points: { show: false }, value: (_, count) => (count === null ? "–" : one.format(count)), ...options };
}

/** Return a format of times in a zone; `parts` are those of Intl.DateTimeFormat. */
export function times(zone, parts) {
  const format = new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...parts });
  return (seconds) => format.format(seconds * 1000);
}

/** Draw a chart into an element, and again when the window or the colours change. `x` tells a value of the x axis, `mark` a mark on it. */
export function draw(element, { data, lines, bands = [], x, mark = x, range, top = null, label, splits }) {
  if (!element) return;
  const axis = { stroke: () => colour("ink-soft"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { stroke: () => colour("line") } };
  const options = {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false, range }, y: { range: (_, low, high) => [0, Math.max(top ?? 0, high ?? 0, 1)] } },
    series: [{ label, value: (_, at) => (at === null ? "–" : x(at)) }, ...lines],
    bands,
    axes: [
      { ...axis, values: (_, all) => all.map(mark), splits },
      { ...axis, values: (_, all) => all.map((count) => one.format(count)), incrs: WHOLE, size: 56 },
    ],
  };
  const plot = new uPlot(options, data, element);
  new ResizeObserver(() => element.clientWidth && plot.setSize({ width: element.clientWidth, height: HEIGHT })).observe(element);
  drawn.push(plot);
}

dark.addEventListener("change", () => drawn.forEach((plot) => plot.redraw()));

/** Return marks at every so many hours from the first time on, for uPlot's `splits`. */
export const everyHours = (hours) => (plot, axis, low, high) => marks(plot, low, high, hours * 3600);

/** Return marks from `low` to `high`; half as many where there is less room. */
export function marks(plot, low, high, step) {
  const wide = plot.width < NARROW ? 2 * step : step;
  return Array.from({ length: Math.floor((high - low) / wide) + 1 }, (_, number) => low + number * wide);
}

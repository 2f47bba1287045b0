// A station's past: its day, its usual day and its week as charts. The tables have the same figures.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colour, draw, everyHours, marks, series, times } from "./plot.js";

const texts = document.getElementById("past").dataset;
const charts = JSON.parse(document.getElementById("charts").textContent);
const stepped = uPlot.paths.stepped({ align: 1 });
const clock = times(charts.zone, { hour: "2-digit", minute: "2-digit" });
const day = times(charts.zone, { weekday: "short", hour: "2-digit" });
const band = (name) => () => `${colour(name)}33`;

draw(document.getElementById("day-plot"), {
  data: [charts.day.at, charts.day.bikes],
  lines: [series(texts.bikes, "bikes", { paths: stepped, fill: band("bikes") })],
  x: clock,
  range: charts.bounds,
  top: charts.capacity,
  label: texts.time,
  splits: everyHours(3),
});

draw(document.getElementById("usual-plot"), {
  data: [0, 1, 2, 3].map((column) => charts.usual.map((row) => row[column])),
  lines: [series(texts.quarter, "docks", { width: 1 }), series(texts.median, "bikes"), series(texts.threeQuarters, "docks", { width: 1 })],
  bands: [{ series: [3, 1], fill: band("docks") }],
  x: (hour) => `${String(Math.round(hour)).padStart(2, "0")}:00`,
  range: [0, 23],
  top: charts.capacity,
  label: texts.time,
  splits: (plot) => marks(plot, 0, 21, 3),
});

draw(document.getElementById("week-plot"), {
  data: [charts.week.at, charts.week.low, charts.week.mean, charts.week.high],
  lines: [series(texts.lowest, "docks", { width: 1 }), series(texts.mean, "bikes"), series(texts.highest, "docks", { width: 1 })],
  bands: [{ series: [3, 1], fill: band("docks") }],
  x: day,
  mark: times(charts.zone, { weekday: "short" }),
  range: [charts.week.at[0], charts.week.at.at(-1)],
  top: charts.capacity,
  label: texts.time,
  splits: everyHours(24),
});

// The signs on the map, drawn on a canvas: they differ by shape, fill and number, never by colour alone.

import { stateOf } from "./station_store.js";

const TOKENS = ["surface", "ink", "accent", "bikes", "docks", "void", "closed", "map-sea", "map-line", "map-land", "map-label", "serif", "sans"];
const NUMBER_FROM_RADIUS_PX = 9; // below, a number inside cannot be read
const NUMBER_MIN_PX = 11;
const LONG_NUMBER = 3; // characters; a longer one is written smaller
const FULL_CIRCLE = 2 * Math.PI;
const compact = new Intl.NumberFormat(document.documentElement.lang || "en", { notation: "compact", maximumFractionDigits: 1 });
const COLOURS = { bikes: "bikes", ebikes: "bikes", places: "docks" };

/** Return the site's current colours, light or dark. */
export function readInk() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(TOKENS.map((name) => [name.replace("-", "_"), style.getPropertyValue(`--${name}`).trim()]));
}

/** Return a station's look: open, closed, silent (old counts), bad (its row cannot be read), or unknown. */
export const lookOf = (station) => ({ fresh: "open", stale: "silent", frozen: "bad" })[station.state] ?? station.state ?? stateOf(station);

/** Return true if a station's counts count. */
export const contains = (station) => lookOf(station) === "open" || lookOf(station) === "silent";

/** Return what the switch above the map can show. Null is unknown. */
export const valuesOf = ({ bikes, electrical, stands }) => ({ bikes, ebikes: electrical, places: stands });

/** Draw one station: a disc (bikes) or square (places) that fills, or the mark of a state. */
export function drawStation(pen, ink, { x, y, radius, look, value, share, metric }) {
  const colour = ink[COLOURS[metric]];
  const line = Math.max(1.25, radius / 6);
  if (look === "closed") return drawCross(pen, ink, x, y, radius * 0.75);
  if (look === "bad" || look === "unknown") return drawMark(pen, ink, look === "bad" ? "!" : "?", x, y, radius);
  const dashes = look === "silent" ? [3, 2] : [];
  if (value === 0) {
    outline(pen, metric, x, y, radius, ink.surface, ink.void, line, dashes);
    return stroke(pen, ink.void, line, [x - radius * 0.45, y], [x + radius * 0.45, y]);
  }
  drawGlass(pen, ink, { x, y, radius, share, metric, colour, line, dashes });
  drawNumber(pen, ink, value ?? "–", x, y, radius);
}

/** Draw a cluster: as a station, with a second line around it. */
export function drawCluster(pen, ink, { x, y, radius, value, share, metric }) {
  const colour = ink[value === 0 ? "void" : COLOURS[metric]];
  outline(pen, metric, x, y, radius + 3, null, colour, 1, []);
  drawGlass(pen, ink, { x, y, radius, share, metric, colour, line: 2, dashes: [] });
  drawNumber(pen, ink, value, x, y, Math.max(radius * 0.8, NUMBER_FROM_RADIUS_PX));
}

/** Draw the reader's starting point: a dot in a white ring, as on other maps. */
export function drawOrigin(pen, ink, { x, y }) {
  outline(pen, "bikes", x, y, 8, ink.accent, ink.surface, 3, []);
  ring(pen, x, y, 10, ink.ink, 1);
}

export function ring(pen, x, y, radius, colour, width) {
  outline(pen, "bikes", x, y, radius, null, colour, width, []);
}

function trace(pen, metric, x, y, radius) {
  pen.beginPath();
  if (metric === "places") pen.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
  else pen.arc(x, y, radius, 0, FULL_CIRCLE);
}

function outline(pen, metric, x, y, radius, fill, colour, width, dashes) {
  trace(pen, metric, x, y, radius);
  pen.fillStyle = fill ?? "transparent";
  if (fill) pen.fill();
  pen.setLineDash(dashes);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.setLineDash([]);
}

/** Draw a disc or square that is filled from below by `share`. */
function drawGlass(pen, ink, { x, y, radius, share, metric, colour, line, dashes }) {
  trace(pen, metric, x, y, radius);
  pen.fillStyle = ink.surface;
  pen.fill();
  pen.beginPath();
  if (metric === "places") pen.rect(x - radius * 0.9, y + radius * 0.9 * (1 - 2 * share), radius * 1.8, radius * 1.8 * share);
  else {
    const angle = Math.acos(Math.max(-1, Math.min(1, 1 - 2 * share)));
    pen.arc(x, y, radius, Math.PI / 2 - angle, Math.PI / 2 + angle);
  }
  pen.globalAlpha = 0.4;
  pen.fillStyle = colour;
  pen.fill();
  pen.globalAlpha = 1;
  outline(pen, metric, x, y, radius, null, colour, line, dashes);
  if (metric === "ebikes") drawBolt(pen, ink, x + radius * 0.75, y - radius * 0.75, Math.max(5, radius * 0.45));
}

/** Draw a small bolt of lightning at the upper right. */
function drawBolt(pen, ink, x, y, size) {
  pen.beginPath();
  for (const [right, down] of [[0.3, -1], [-0.6, 0.2], [0, 0.2], [-0.3, 1], [0.6, -0.2], [0, -0.2]]) pen.lineTo(x + right * size, y + down * size);
  pen.closePath();
  pen.fillStyle = ink.ink;
  pen.strokeStyle = ink.surface;
  pen.lineWidth = 2;
  pen.stroke();
  pen.fill();
}

function drawCross(pen, ink, x, y, reach) {
  const width = Math.max(1.5, reach / 3);
  stroke(pen, ink.closed, width, [x - reach, y - reach], [x + reach, y + reach]);
  stroke(pen, ink.closed, width, [x - reach, y + reach], [x + reach, y - reach]);
}

/** Draw a diamond with a sign in it, for a state without counts. */
function drawMark(pen, ink, text, x, y, radius) {
  pen.beginPath();
  for (const [right, down] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) pen.lineTo(x + right * radius * 1.1, y + down * radius * 1.1);
  pen.closePath();
  pen.fillStyle = ink.surface;
  pen.fill();
  pen.setLineDash(text === "?" ? [2, 2] : []);
  pen.strokeStyle = ink.closed;
  pen.lineWidth = Math.max(1.25, radius / 6);
  pen.stroke();
  pen.setLineDash([]);
  drawNumber(pen, ink, text, x, y, radius);
}

function drawNumber(pen, ink, value, x, y, radius) {
  if (radius < NUMBER_FROM_RADIUS_PX) return;
  const text = typeof value === "number" && value > 999 ? compact.format(value) : String(value);
  const size = text.length > LONG_NUMBER ? radius * 0.8 : radius;
  pen.font = `600 ${Math.max(NUMBER_MIN_PX, Math.round(size))}px ${ink.sans}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = ink.ink;
  pen.fillText(text, x, y + 0.5);
}

function stroke(pen, colour, width, [fromX, fromY], [toX, toY]) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

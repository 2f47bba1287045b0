// The signs on the map, drawn on a canvas: they differ by shape and fill, not by colour alone.

import { stateOf } from "./station_store.js";

const TOKENS = ["surface", "ink", "accent", "bikes", "docks", "void", "closed", "map-line", "map-land", "map-label", "serif", "sans"];
const NUMBER_FROM_RADIUS = 10; // below, a number inside cannot be read
const FULL_CIRCLE = 2 * Math.PI;

/** Return the site's current colours, light or dark. */
export function readInk() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(TOKENS.map((name) => [name.replace("-", "_"), style.getPropertyValue(`--${name}`).trim()]));
}

/** Draw one station: a glass that fills, an empty ring with a bar, a square without room, or a cross. */
export function drawStation(pen, ink, station, { x, y, radius }) {
  const state = stateOf(station);
  if (state !== "open") return drawCross(pen, ink, x, y, radius * 0.8);
  if (station.bikes === 0) return drawVoid(pen, ink, x, y, radius);
  if (station.stands === 0) return drawFull(pen, ink, station, x, y, radius);
  drawGlass(pen, ink, x, y, radius, station.bikes / (station.bikes + station.stands));
  drawNumber(pen, ink.ink, ink, station.bikes, x, y, radius);
}

/** Draw a circle filled from below by `share`. */
export function drawGlass(pen, ink, x, y, radius, share) {
  disc(pen, x, y, radius, ink.surface);
  const angle = Math.acos(Math.max(-1, Math.min(1, 1 - 2 * share)));
  pen.beginPath();
  pen.arc(x, y, radius, Math.PI / 2 - angle, Math.PI / 2 + angle);
  pen.closePath();
  pen.globalAlpha = 0.55;
  pen.fillStyle = ink.bikes;
  pen.fill();
  pen.globalAlpha = 1;
  ring(pen, x, y, radius, ink.bikes, Math.max(1.25, radius / 6));
}

export function ring(pen, x, y, radius, colour, width) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, FULL_CIRCLE);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

function disc(pen, x, y, radius, colour) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, FULL_CIRCLE);
  pen.fillStyle = colour;
  pen.fill();
}

function drawVoid(pen, ink, x, y, radius) {
  disc(pen, x, y, radius, ink.surface);
  ring(pen, x, y, radius, ink.void, Math.max(1.25, radius / 6));
  line(pen, ink.void, Math.max(1.25, radius / 6), [x - radius * 0.45, y], [x + radius * 0.45, y]);
}

function drawFull(pen, ink, station, x, y, radius) {
  const half = radius * 0.9;
  pen.fillStyle = ink.docks;
  pen.fillRect(x - half, y - half, 2 * half, 2 * half);
  pen.strokeStyle = ink.surface;
  pen.lineWidth = 1;
  pen.strokeRect(x - half, y - half, 2 * half, 2 * half);
  drawNumber(pen, ink.surface, ink, station.bikes, x, y, radius);
}

function drawCross(pen, ink, x, y, reach) {
  const width = Math.max(1.5, reach / 3);
  line(pen, ink.closed, width, [x - reach, y - reach], [x + reach, y + reach]);
  line(pen, ink.closed, width, [x - reach, y + reach], [x + reach, y - reach]);
}

function drawNumber(pen, colour, ink, value, x, y, radius) {
  if (radius < NUMBER_FROM_RADIUS) return;
  pen.font = `600 ${Math.round(radius)}px ${ink.sans}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = colour;
  pen.fillText(String(value), x, y + 0.5);
}

function line(pen, colour, width, [fromX, fromY], [toX, toY]) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

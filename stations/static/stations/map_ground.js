// The ground below the stations: the shipped outline of land, the operator's map file above it, or the operator's tiles.

import { streetsOf } from "./map_file.js";
import { NEAR_ZOOM } from "./station_layer.js";
import { readInk } from "./station_symbols.js";
import { make } from "./texts.js";

const FINE_FROM_ZOOM = 3; // the coarse outline shows its corners from here
const TILE_PX = 256;
const STREETS_BY = "© OpenStreetMap, Protomaps"; // of a map file that does not tell
const OPEN_STREET_MAP = "https://www.openstreetmap.org/copyright"; // its licence asks for this link

const whole = (address) => new URL(address, location.href).href.replaceAll("%7B", "{").replaceAll("%7D", "}");

/** Return the name of the ground for a zoom: another name needs another style. */
export function groundName({ tileUrl }, zoom) {
  if (tileUrl) return "tiles";
  if (zoom >= NEAR_ZOOM) return "near"; // a coast some kilometres off would mislead
  return zoom >= FINE_FROM_ZOOM ? "fine" : "coarse";
}

/** Return MapLibre's style for what the site gives, in the colours of the theme. An outline is loaded when it is needed. */
export function groundOf(given, name, file) {
  if (name === "tiles") return tiles(given);
  const land = outline(given, name);
  if (!file) return land;
  const streets = streetsOf(file, { far: name !== "near" });
  return { ...land, sources: { ...land.sources, ...streets.sources }, layers: [...land.layers, ...streets.layers] };
}

function tiles({ tileUrl }) {
  const scheme = tileUrl.includes("{-y}") ? "tms" : "xyz"; // the former counts rows from the south
  const source = { type: "raster", tiles: [whole(tileUrl.replace("{-y}", "{y}"))], tileSize: TILE_PX, scheme };
  return { version: 8, sources: { tiles: source }, layers: [{ id: "tiles", type: "raster", source: "tiles", paint: { "raster-fade-duration": 0 } }] };
}

function outline({ land, landFine }, name) {
  const ink = readInk();
  const background = { id: "sea", type: "background", paint: { "background-color": name === "near" ? ink.map_land : ink.map_sea } };
  if (name === "near") return { version: 8, sources: {}, layers: [background] };
  const source = { type: "geojson", data: whole(name === "fine" ? landFine : land) };
  const shape = { id: name, type: "fill", source: name, paint: { "fill-color": ink.map_land, "fill-outline-color": ink.map_line } };
  return { version: 8, sources: { [name]: source }, layers: [background, shape] };
}

/** Name the makers of the ground, as plain text, always in sight. */
export function showCredits(element, { tileUrl, tileAttribution, landAttribution }, file) {
  const told = tileUrl ? tileAttribution : file ? tileAttribution || file.credits || STREETS_BY : landAttribution;
  const credits = make("p", "map__credits");
  credits.append(...told.split(/(OpenStreetMap)/).map((part) => (part === "OpenStreetMap" ? linkTo(part) : part)));
  element.append(credits);
}

function linkTo(text) {
  const link = make("a", "", text);
  link.href = OPEN_STREET_MAP;
  return link;
}

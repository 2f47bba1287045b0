// The canvas above the land: cities from afar, stations from near, a grid of kilometres and the city's name below them.

import { drawGlass, drawStation, readInk, ring } from "./station_symbols.js";

export const CITY_ZOOM = 10; // from here on stations are shown one by one, and the outline of land is too coarse to show
const RADIUS_BY_ZOOM = { 10: 3, 11: 3.5, 12: 5, 13: 7.5, 14: 10, 15: 13, 16: 15, 17: 17 };
const PULSE_MS = 1500; // long enough to be seen from the corner of an eye
const GRID_KM_BY_ZOOM = { 10: 5, 11: 2, 12: 1, 13: 1, 14: 0.5, 15: 0.5, 16: 0.2, 17: 0.1 };
const EARTH_M_PER_PX = 156543.034; // Web Mercator at zoom 0 on the equator
const NAME_FROM_EDGE_PX = 34; // of the map, and of the northernmost station
const still = matchMedia("(prefers-reduced-motion: reduce)");

export const StationLayer = L.Layer.extend({
  initialize(world, cityName) {
    this.world = world;
    this.cityName = cityName;
    this.pulses = new Map(); // id -> {at, colour}
    this.selected = null;
    this.ink = readInk();
  },

  onAdd(map) {
    this.map = map;
    this.canvas = L.DomUtil.create("canvas", "map__plate", map.getPane("stations"));
    map.on("move zoomend resize viewreset", this.draw, this);
    map.on("zoomanim", this.hide, this);
    this.draw();
  },

  onRemove(map) {
    map.off("move zoomend resize viewreset", this.draw, this);
    map.off("zoomanim", this.hide, this);
    this.canvas.remove();
  },

  recolour() {
    this.ink = readInk();
    this.draw();
  },

  /** Start a ring around a station that just changed. */
  pulse(change) {
    if (still.matches || this.map.getZoom() < CITY_ZOOM) return; // from afar stations are not shown
    const colour = change.taken ? "void" : change.returned ? "bikes" : "accent";
    this.pulses.set(change.id, { at: performance.now(), colour });
  },

  hide() {
    this.canvas.classList.add("map__plate--moving");
  },

  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.drawNow();
    });
  },

  drawNow() {
    const pen = this.cleared();
    const near = this.map.getZoom() >= CITY_ZOOM;
    this.drawn = [];
    if (near) this.drawGrid(pen);
    if (near) this.drawStations(pen);
    if (near) this.drawNames(pen);
    else this.drawCities(pen);
    this.canvas.dataset.draws = Number(this.canvas.dataset.draws ?? 0) + 1; // for measurements
    if (near && this.anyPulseInSight()) this.draw();
  },

  /** Forget the pulses that are over, in sight or not. Return true if a running one is drawn. */
  anyPulseInSight() {
    const now = performance.now();
    for (const [id, pulse] of this.pulses) if (now - pulse.at >= PULSE_MS) this.pulses.delete(id);
    return this.drawn.some(({ station }) => this.pulses.has(station.id));
  },

  /** Return true if a change shows: its station (from afar its city) is in sight, or was at the last draw. */
  sees(change) {
    const near = this.map.getZoom() >= CITY_ZOOM;
    if ((this.drawn ?? []).some(({ station, city }) => (station ? station.id === change.id : city.contract === change.contract))) return true;
    const city = this.world.cities.get(change.contract);
    const place = near || !city?.stations ? change : { lat: city.lat / city.stations, lng: city.lng / city.stations };
    return this.map.getBounds().contains([place.lat, place.lng]);
  },

  cleared() {
    const size = this.map.getSize();
    const scale = window.devicePixelRatio || 1;
    if (this.canvas.width !== size.x * scale || this.canvas.height !== size.y * scale) {
      this.canvas.width = size.x * scale;
      this.canvas.height = size.y * scale;
      this.canvas.style.width = `${size.x}px`;
      this.canvas.style.height = `${size.y}px`;
    }
    L.DomUtil.setPosition(this.canvas, this.map.containerPointToLayerPoint([0, 0]));
    this.canvas.classList.remove("map__plate--moving");
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    return pen;
  },

  drawGrid(pen) {
    const zoom = this.map.getZoom();
    const { lat } = this.map.getCenter();
    const pxPerKm = (1000 * 2 ** zoom) / (EARTH_M_PER_PX * Math.cos((Math.round(lat) * Math.PI) / 180));
    const step = pxPerKm * (GRID_KM_BY_ZOOM[Math.floor(zoom)] ?? 0.1);
    const origin = this.map.getPixelBounds().min;
    const size = this.map.getSize();
    pen.beginPath();
    for (let x = -(origin.x % step); x < size.x; x += step) pen.rect(Math.round(x), 0, 0, size.y);
    for (let y = -(origin.y % step); y < size.y; y += step) pen.rect(0, Math.round(y), size.x, 0);
    pen.globalAlpha = 0.5;
    pen.strokeStyle = this.ink.map_line;
    pen.lineWidth = 1;
    pen.stroke();
    pen.globalAlpha = 1;
  },

  /** Draw each city's name above its northernmost station, or at the upper edge when that is out of sight. */
  drawNames(pen) {
    pen.font = `600 34px ${this.ink.serif}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 6;
    pen.strokeStyle = this.ink.map_land;
    pen.fillStyle = this.ink.map_label;
    const size = this.map.getSize();
    for (const [contract, { left, right, top, bottom }] of this.extents()) {
      if (right < 0 || left > size.x || bottom < 0 || top > size.y) continue;
      const x = Math.max(150, Math.min(size.x - 150, (left + right) / 2));
      const y = Math.max(NAME_FROM_EDGE_PX, top - NAME_FROM_EDGE_PX);
      pen.strokeText(this.cityName(contract), x, y);
      pen.fillText(this.cityName(contract), x, y);
    }
  },

  /** Return the area of each city's drawn stations on the screen. */
  extents() {
    const extents = new Map();
    for (const { x, y, station } of this.drawn) {
      const extent = extents.get(station.contract) ?? { left: x, right: x, top: y, bottom: y };
      extents.set(station.contract, {
        left: Math.min(extent.left, x), right: Math.max(extent.right, x), top: Math.min(extent.top, y), bottom: Math.max(extent.bottom, y),
      });
    }
    return extents;
  },

  drawStations(pen) {
    const radius = RADIUS_BY_ZOOM[Math.min(17, Math.floor(this.map.getZoom()))];
    const size = this.map.getSize();
    for (const station of this.world.stations.values()) {
      const { x, y } = this.at(station.lat, station.lng);
      if (x < -radius || y < -radius || x > size.x + radius || y > size.y + radius) continue;
      drawStation(pen, this.ink, station, { x, y, radius });
      this.drawn.push({ x, y, radius, station });
      if (station.id === this.selected) ring(pen, x, y, radius + 5, this.ink.accent, 3);
      this.drawPulse(pen, station.id, x, y, radius);
    }
  },

  drawPulse(pen, id, x, y, radius) {
    const pulse = this.pulses.get(id);
    if (!pulse) return;
    const age = (performance.now() - pulse.at) / PULSE_MS;
    if (age >= 1) return;
    pen.globalAlpha = 1 - age;
    ring(pen, x, y, radius + 2 + age * 18, this.ink[pulse.colour], 2.5);
    pen.globalAlpha = 1;
  },

  drawCities(pen) {
    this.pulses.clear(); // of stations, which are not shown from here
    const size = this.map.getSize();
    const cities = [...this.world.cities.values()].filter((city) => city.stations > 0);
    cities.sort((one, other) => other.stations - one.stations);
    for (const city of cities) this.drawCity(pen, city, size);
    const labels = [];
    for (const { x, y, radius, city } of this.drawn) this.drawLabel(pen, labels, city, x, y, radius);
  },

  drawCity(pen, city, size) {
    const { x, y } = this.at(city.lat / city.stations, city.lng / city.stations);
    const radius = 5 + Math.sqrt(city.stations) * 0.45;
    if (x < -radius || y < -radius || x > size.x + radius || y > size.y + radius) return;
    const all = city.bikes + city.stands;
    drawGlass(pen, this.ink, x, y, radius, all ? city.bikes / all : 0);
    this.drawn.push({ x, y, radius, city });
  },

  /** Draw the city's name at the first side of its disc where it fits and covers no other name or disc. */
  drawLabel(pen, placed, city, x, y, radius) {
    const name = this.cityName(city.contract);
    pen.font = `600 13px ${this.ink.sans}`;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    const width = pen.measureText(name).width;
    const sides = [[radius + 4, 0], [-radius - 4 - width, 0], [-width / 2, -radius - 10], [-width / 2, radius + 10]];
    for (const [byX, byY] of sides) {
      const box = { left: x + byX, right: x + byX + width, top: y + byY - 8, bottom: y + byY + 8 };
      if (box.left < 0 || box.right > this.map.getSize().x) continue; // half a name is useless
      const others = this.drawn.filter((other) => other.city !== city).map(boxOf);
      if ([...placed, ...others].some((other) => overlap(box, other))) continue;
      placed.push(box);
      pen.lineWidth = 4;
      pen.lineJoin = "round";
      pen.strokeStyle = this.ink.map_land;
      pen.strokeText(name, box.left, y + byY);
      pen.fillStyle = this.ink.map_label;
      pen.fillText(name, box.left, y + byY);
      return;
    }
  },

  at(lat, lng) {
    return this.map.latLngToContainerPoint([lat, lng]);
  },

  /** Return the nearest sign drawn under this point of the map; undefined if there is none. */
  under(point, reach) {
    let best;
    for (const sign of this.drawn ?? []) {
      const distance = Math.hypot(sign.x - point.x, sign.y - point.y);
      if (distance <= Math.max(sign.radius, reach) && distance < (best?.distance ?? Infinity)) best = { ...sign, distance };
    }
    return best;
  },
});

const boxOf = ({ x, y, radius }) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
const overlap = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

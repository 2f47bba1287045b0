// The canvas above the ground: clusters from afar, stations from near. It is drawn when the map moves or a sign in sight changes.

import { cityOf, Clusters, CLUSTERS_TO_ZOOM } from "./clusters.js";
import { drawCityNames, drawClusterNames, drawGrid } from "./map_labels.js";
import { Projection } from "./projection.js";
import { drawCluster, drawOrigin, drawStation, lookOf, readInk, ring, valuesOf } from "./station_symbols.js";

export const NEAR_ZOOM = 9; // from here on the outline of land is too coarse to show
const RADIUS_BY_ZOOM = [7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 9, 10, 10, 12, 14, 16, 18];
const CLUSTER_RADIUS_PX = { least: 11, most: 24 };
const MARGIN_PX = 60; // signs outside that may reach in
const CHECK_MS = 500; // after one drawing, changes wait this long for the next: the eye wants no more
const RING_MS = 1500; // around a station that just changed: seen from the corner of an eye
const SHARES = 32; // steps of filling that the eye can tell apart

export class StationLayer {
  constructor(map, world, cityName) {
    Object.assign(this, { map, world, cityName, metric: "bikes", selected: null, origin: null, drawn: [], version: 0, checkedAt: 0 });
    this.rings = new Map(); // station id -> when its ring ends
    this.ink = readInk();
    const place = map.getContainer();
    this.hasGrid = "grid" in place.dataset;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map__signs";
    map.getCanvasContainer().append(this.canvas);
    this.clusters = new Clusters(world, place.dataset.clusterWorker, () => this.draw());
    map.on("move", () => this.paint());
    map.on("resize", () => this.paint());
    this.draw();
  }

  recolour() {
    this.ink = readInk();
    this.draw();
  }

  /** Draw at the next frame of the screen. */
  draw() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  /** Look at changes soon, and draw if one shows. Without `happened` everything may have changed. */
  update(happened) {
    this.version += 1;
    this.clusters.refresh(happened);
    const until = performance.now() + RING_MS;
    for (const change of happened ?? []) if (change.taken || change.returned) this.rings.set(change.id, until);
    this.checkIn(Math.max(0, this.checkedAt + CHECK_MS - performance.now()));
  }

  checkIn(ms) {
    const due = performance.now() + ms;
    if (this.timer && this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => this.check(), ms);
  }

  check() {
    this.timer = null;
    this.checkedAt = performance.now();
    for (const [id, until] of this.rings) if (until <= this.checkedAt) this.rings.delete(id);
    if (this.printOf(this.signs(new Projection(this.map, MARGIN_PX))) !== this.print) this.draw();
    else this.awaitRings();
  }

  /** Check again when the next ring in sight ends. */
  awaitRings() {
    const ends = this.drawn.map(({ station }) => station && this.rings.get(station.id)).filter(Boolean);
    if (ends.length) this.checkIn(Math.max(0, Math.min(...ends) - performance.now()) + 1);
  }

  /** Return the signs in sight, each with what it shows. */
  signs(view) {
    const step = Math.floor(this.map.getZoom());
    if (step > CLUSTERS_TO_ZOOM) return this.stationsIn(view, this.world.stations.values(), step);
    const groups = this.clusters.at(step).filter((group) => view.sees(group));
    const isAlone = ({ members }) => members.length === 1 && !cityOf(members[0], this.world);
    const alone = groups.filter(isAlone).map(({ members }) => this.world.stations.get(members[0]));
    return [...groups.filter((group) => !isAlone(group)).map((group) => this.clusterSign(view, group)), ...this.stationsIn(view, alone, step)];
  }

  stationsIn(view, stations, step) {
    const radius = RADIUS_BY_ZOOM[Math.max(0, Math.min(RADIUS_BY_ZOOM.length - 1, step))];
    const signs = [];
    for (const station of stations) {
      if (!station || !view.sees(station)) continue;
      const values = valuesOf(station);
      const [value, metric] = [values[this.metric], this.metric];
      signs.push({ ...view.at(station), radius, station, look: lookOf(station), metric, value, share: shareOf(value, values) });
    }
    return signs;
  }

  clusterSign(view, group) {
    if (group.version !== this.version) {
      this.clusters.sum(group);
      group.version = this.version;
    }
    const { least, most } = CLUSTER_RADIUS_PX;
    const radius = Math.min(most, least + 1.4 * Math.log2(Math.max(1, group.size)));
    const value = group.values[this.metric];
    return { ...view.at(group), radius, ...group, metric: this.metric, value, share: shareOf(value, group.values) };
  }

  /** Return a text that differs if the signs differ to the eye. */
  printOf(signs) {
    return signs.map((sign) => {
      const id = sign.station?.id ?? "";
      return `${id} ${sign.look} ${sign.value} ${Math.round(sign.share * SHARES)} ${this.rings.has(id)} ${Math.round(sign.x)} ${Math.round(sign.y)}`;
    }).join();
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const view = new Projection(this.map, MARGIN_PX);
    this.drawn = this.signs(view);
    this.print = this.printOf(this.drawn);
    const pen = this.cleared(view);
    const near = this.map.getZoom() >= NEAR_ZOOM;
    if (near && this.hasGrid) drawGrid(pen, this.ink, view);
    if (near && this.hasGrid) drawCityNames(pen, this.ink, view, this.drawn, this.cityName); // below the signs, whose numbers matter more
    for (const sign of this.drawn) this.drawSign(pen, sign);
    if (!near) drawClusterNames(pen, this.ink, view, this.drawn, this.cityName);
    if (this.origin) drawOrigin(pen, this.ink, view.at(this.origin));
    this.canvas.dataset.draws = Number(this.canvas.dataset.draws ?? 0) + 1; // for measurements
    this.awaitRings();
  }

  drawSign(pen, sign) {
    const { x, y, radius, station } = sign;
    if (!station) return drawCluster(pen, this.ink, sign);
    drawStation(pen, this.ink, sign);
    if (this.rings.has(station.id)) ring(pen, x, y, radius + 4, this.ink.accent, 2);
    if (station.id === this.selected) ring(pen, x, y, radius + 6, this.ink.accent, 4);
  }

  cleared({ width, height }) {
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      Object.assign(this.canvas, { width: wide, height: high });
      Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  /** Return the nearest sign drawn under this point of the map; undefined if there is none. */
  under(point, reach) {
    let best;
    for (const sign of this.drawn) {
      const distance = Math.hypot(sign.x - point.x, sign.y - point.y);
      if (distance <= Math.max(sign.radius, reach) && distance < (best?.distance ?? Infinity)) best = { ...sign, distance };
    }
    return best;
  }
}

/** Return the share of a sign that is filled: of bikes and places together. */
function shareOf(value, { bikes, places }) {
  const all = bikes + places;
  return all && value ? Math.min(1, value / all) : 0;
}

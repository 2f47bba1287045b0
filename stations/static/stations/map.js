// The map: MapLibre draws the ground, and our own canvas above it the stations. Without WebGL the page says so, and the list stays.

import { cityOf } from "./clusters.js";
import { openMapFile } from "./map_file.js";
import { groundName, groundOf, showCredits } from "./map_ground.js";
import { NEAR_ZOOM, StationLayer } from "./station_layer.js";
import { counts } from "./station_lines.js";
import { make, number, say } from "./texts.js";

const CLICK_REACH_PX = 14; // a thumb is wider than a disc
const ZOOM = { minZoom: 0.5, maxZoom: 18 };
const WORLD = [[-179, -58], [179, 78]];
const NEIGHBOURS_DEGREES = 30; // "all" first shows the cities nearer than this to the middle one
const PADDING_PX = 24;
const CITY_ZOOM_LEAST = 11; // on a small screen a city's middle is of more use than all of it in one sign
const STATION_ZOOM = 14; // streets around one station

export class StationsMap {
  /** `onMoved(camera)` gets the camera that the reader chose, or null for the first view. */
  constructor(element, { world, cityName, onStation, onCity, onMoved }) {
    Object.assign(this, { element, world, cityName, onStation, onCity, onMoved });
    this.given = element.closest("[data-land]").dataset;
    this.metric = "bikes";
    this.selected = this.origin = null;
    this.load().catch(() => this.sayWithout("map-failed"));
  }

  /** Load MapLibre, after the list is shown. What was asked for meanwhile is done then. */
  async load() {
    if (!document.createElement("canvas").getContext("webgl2")) return this.sayWithout("map-no-webgl");
    const library = await loadLibrary(this.given);
    this.file = this.given.mapFile ? await openMapFile(library, this.given) : null;
    this.element.replaceChildren();
    const byFinger = matchMedia("(pointer: coarse)").matches;
    this.library = library;
    this.map = new library.Map({
      container: this.element, attributionControl: false, center: [8, 47], zoom: 3, ...ZOOM,
      cooperativeGestures: byFinger, // one finger scrolls the page, two move and zoom the map
      dragRotate: false, pitchWithRotate: false, touchPitch: false, fadeDuration: 0, locale: words(),
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.addControls(byFinger);
    this.layer = new StationLayer(this.map, this.world, this.cityName);
    this.layer.metric = this.metric;
    this.layer.selected = this.selected;
    this.layer.origin = this.origin;
    this.answerReader();
    this.begin?.();
    this.keepGround();
  }

  sayWithout(text) {
    this.element.replaceChildren(make("p", "map__without muted", say(text)));
    this.element.classList.add("map--without");
  }

  addControls(byFinger) {
    this.map.addControl(new this.library.NavigationControl({ showCompass: false }), "top-left");
    this.map.addControl(homeControl(() => this.show(this.contract)), "top-left");
    this.map.addControl(new this.library.ScaleControl(), "bottom-left");
    if (byFinger) this.element.append(make("p", "map__hint", say("map-touch")));
    showCredits(this.element, this.given, this.file);
  }

  /** Show the ground for the zoom, in the light or dark theme. */
  keepGround() {
    this.map.on("zoom", () => this.layGround());
    this.layGround();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.ground = null;
      this.layGround();
      this.layer.recolour();
    });
    this.map.on("render", () => (this.element.dataset.renders = Number(this.element.dataset.renders ?? 0) + 1)); // for measurements
  }

  layGround() {
    const zoom = this.map.getZoom();
    this.element.classList.toggle("map--near", zoom >= NEAR_ZOOM);
    const name = groundName(this.given, zoom);
    if (name !== this.ground) this.map.setStyle(groundOf(this.given, name, this.file));
    this.ground = name;
  }

  answerReader() {
    for (const kind of ["pointerdown", "wheel", "keydown", "touchstart"]) {
      this.element.addEventListener(kind, ({ target }) => (this.isMoved = !target.closest(".map__home")), { capture: true, passive: true });
    }
    this.map.on("moveend", () => this.onMoved(this.isMoved ? this.camera : null));
    this.map.on("click", ({ point }) => this.choose(this.layer.under(point, CLICK_REACH_PX)));
    this.map.getCanvas().addEventListener("keydown", ({ key }) => {
      const { clientWidth, clientHeight } = this.element;
      if (key === "Enter") this.choose(this.layer.under({ x: clientWidth / 2, y: clientHeight / 2 }, Infinity));
      if (key === "Home") this.show(this.contract);
    });
    this.offerTip();
  }

  offerTip() {
    const tip = make("p", "map__tip");
    tip.hidden = true;
    this.element.append(tip);
    this.map.on("mousemove", ({ point }) => {
      const sign = this.layer.under(point, 4);
      this.map.getCanvas().style.cursor = sign ? "pointer" : "";
      tip.hidden = !sign;
      if (!sign) return;
      tip.textContent = this.inWords(sign);
      tip.style.left = `${Math.max(90, Math.min(this.element.clientWidth - 90, sign.x))}px`;
      tip.style.top = `${sign.y - sign.radius}px`;
    });
    this.map.on("mouseout", () => (tip.hidden = true));
  }

  /** Select the station of a sign; from afar a city; or show what a cluster holds. */
  choose(sign) {
    if (!sign) return;
    if (sign.station) return this.onStation(sign.station);
    if (sign.contracts.size === 1 && this.map.getZoom() < NEAR_ZOOM) return this.onCity([...sign.contracts.keys()][0]);
    const box = new this.library.LngLatBounds();
    for (const id of sign.members) for (const point of this.pointsOf(id)) box.extend(point);
    this.map.fitBounds(box, { padding: 60, maxZoom: STATION_ZOOM, animate: !isStill() });
  }

  inWords({ station, contracts, size, values }) {
    if (station) return `${station.name}: ${counts(station)}`;
    const name = [...contracts.keys()].map(this.cityName).join(", ");
    return say("city", { name, stations: number(size), bikes: number(values.bikes) });
  }

  /** Return the points that a member of a cluster takes: a station's, or the edges of a city. */
  pointsOf(id) {
    const [city, station] = [cityOf(id, this.world), this.world.stations.get(id)];
    return city ? edges(city) : station ? [lngLat(station)] : [];
  }

  /** Return the zoom and the edges of what is in sight; null before the map is there. */
  get sight() {
    const bounds = this.map?.getBounds();
    return bounds ? { zoom: this.map.getZoom(), west: bounds.getWest(), south: bounds.getSouth(), east: bounds.getEast(), north: bounds.getNorth() } : null;
  }

  get camera() {
    const { lat, lng } = this.map.getCenter();
    return { zoom: Math.round(this.map.getZoom() * 100) / 100, lat, lng };
  }

  /** Show one city's stations, or the cities that lie together. */
  show(contract) {
    this.contract = contract;
    this.isMoved = false;
    this.whenLoaded(() => {
      const city = this.world.cities.get(contract);
      const points = city ? edges(city) : this.neighbours();
      const box = points.reduce((all, point) => all.extend(point), new this.library.LngLatBounds());
      this.map.fitBounds(points.length ? box : WORLD, { padding: PADDING_PX, maxZoom: STATION_ZOOM - 1, animate: false });
      if (city && this.map.getZoom() < CITY_ZOOM_LEAST) this.map.jumpTo({ center: lngLat(city), zoom: CITY_ZOOM_LEAST });
    });
  }

  /** Show the camera in the address, which the reader chose. */
  look({ zoom, lat, lng }) {
    this.isMoved = true;
    this.whenLoaded(() => this.map.jumpTo({ center: [lng, Math.max(-85, Math.min(85, lat))], zoom }));
  }

  /** Do this, or if the library is not there yet, do it then; the last one counts. */
  whenLoaded(view) {
    if (this.map) view();
    else this.begin = view;
  }

  /** Return the middles of the cities that are near the middle one. */
  neighbours() {
    const points = [...this.world.cities.values()].map(lngLat);
    const [lng, lat] = [middle(points, 0), middle(points, 1)];
    return points.filter((point) => Math.abs(point[0] - lng) < NEIGHBOURS_DEGREES && Math.abs(point[1] - lat) < NEIGHBOURS_DEGREES);
  }

  select(station, { move = false } = {}) {
    this.selected = station?.id ?? null;
    if (station && move) this.look({ ...station, zoom: Math.max(this.map?.getZoom() ?? 0, STATION_ZOOM) });
    if (!this.layer) return;
    this.layer.selected = this.selected;
    this.layer.draw();
  }

  /** Show the reader's starting point, or none (null). */
  showOrigin(origin) {
    this.origin = origin;
    if (!this.layer) return;
    this.layer.origin = origin;
    this.layer.draw();
  }

  /** Show bikes, electric bikes or places in the signs. */
  showMetric(metric) {
    this.metric = metric;
    if (!this.layer) return;
    this.layer.metric = metric;
    this.layer.draw();
  }

  /** Draw a change of the world, if it shows: everything, or the changes that happened. */
  update(happened) {
    this.layer?.update(happened);
  }
}

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const middle = (points, axis) => points.map((point) => point[axis]).sort((one, other) => one - other)[points.length >> 1];
const lngLat = ({ lng, lat }) => [lng, lat];
const edges = ({ west, south, east, north }) => [[west, south], [east, north]];

const words = () => ({
  "Map.Title": say("map-title"),
  "NavigationControl.ZoomIn": say("map-zoom-in"),
  "NavigationControl.ZoomOut": say("map-zoom-out"),
  "CooperativeGesturesHandler.MobileHelpText": say("map-touch"),
});

/** Return MapLibre, its style sheet loaded and its worker known. */
async function loadLibrary({ mapLibrary, mapWorker, mapSheet }) {
  const sheet = make("link");
  Object.assign(sheet, { rel: "stylesheet", href: mapSheet });
  const ready = new Promise((resolve, reject) => Object.assign(sheet, { onload: resolve, onerror: reject }));
  document.head.prepend(sheet); // ours come after it
  const [library] = await Promise.all([import(mapLibrary), ready]);
  library.setWorkerUrl(new URL(mapWorker, location.href).href);
  library.setWorkerCount(1);
  return library;
}

/** Return the control whose button restores the first view. */
function homeControl(onHome) {
  const bar = make("div", "maplibregl-ctrl maplibregl-ctrl-group");
  const button = make("button", "map__home", "⌂");
  button.type = "button";
  button.title = say("map-home");
  button.setAttribute("aria-label", say("map-home"));
  button.addEventListener("click", onHome);
  bar.append(button);
  return { onAdd: () => bar, onRemove: () => bar.remove() };
}

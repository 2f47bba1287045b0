// The map: land from our own outline (or tiles, if the site has a source), and the layer with cities and stations.

import { CITY_ZOOM, StationLayer } from "./station_layer.js";
import { readInk } from "./station_symbols.js";
import { make, number, say } from "./texts.js";

const FINE_FROM_ZOOM = 4; // the coarse outline shows its corners from here
const CLICK_REACH_PX = 14; // a thumb is wider than a disc
const MAX_ZOOM = 17;
const WORLD = [[-58, -179], [78, 179]];
const CLUSTER_DEGREES = 30; // "all" first shows the cities nearer than this to the middle one

export class StationsMap {
  /** `onMoved(camera)` gets the camera that the reader chose, or null for the first view. */
  constructor(element, { world, cityName, onStation, onCity, onMoved }) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const byFinger = matchMedia("(pointer: coarse)").matches;
    this.element = element;
    this.world = world;
    this.cityName = cityName;
    element.replaceChildren();
    this.map = L.map(element, {
      preferCanvas: true, zoomControl: false, attributionControl: false, minZoom: 1, maxZoom: MAX_ZOOM, maxBounds: [[-85, -200], [85, 200]],
      dragging: !byFinger, // one finger scrolls the page, two move and zoom the map
      zoomAnimation: !still, fadeAnimation: !still, inertia: !still, zoomSnap: 0.5, center: [47, 8], zoom: 4,
    });
    L.control.zoom({ zoomInTitle: say("map-zoom-in"), zoomOutTitle: say("map-zoom-out") }).addTo(this.map);
    this.offerHome(onMoved);
    L.control.scale({ imperial: false }).addTo(this.map);
    if (byFinger) element.append(make("p", "map__hint", say("map-touch")));
    this.map.createPane("stations").classList.add("map__pane");
    this.layer = new StationLayer(world, cityName).addTo(this.map);
    this.layGround(element.closest("[data-land]").dataset);
    this.answerPointer(onStation, onCity);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
  }

  /** Add a button that restores the first view, and report the moves that the reader makes. */
  offerHome(onMoved) {
    const home = L.control({ position: "topleft" });
    home.onAdd = () => {
      const bar = L.DomUtil.create("div", "leaflet-bar leaflet-control");
      const button = make("button", "map__home", "⌂");
      button.type = "button";
      button.title = say("map-home");
      button.setAttribute("aria-label", say("map-home"));
      button.addEventListener("click", () => this.show(this.contract));
      L.DomEvent.disableClickPropagation(bar);
      bar.append(button);
      return bar;
    };
    home.addTo(this.map);
    for (const kind of ["pointerdown", "wheel", "keydown", "touchstart"]) {
      this.element.addEventListener(kind, ({ target }) => (this.isMoved = !target.closest(".map__home")), { capture: true, passive: true });
    }
    this.map.on("moveend", () => onMoved(this.isMoved ? this.camera : null));
  }

  get camera() {
    const { lat, lng } = this.map.getCenter();
    return { zoom: this.map.getZoom(), lat, lng };
  }

  layGround({ land, landFine, tileUrl, tileAttribution }) {
    if (tileUrl) {
      L.tileLayer(tileUrl, { maxZoom: MAX_ZOOM }).addTo(this.map);
      this.nameTiles(tileAttribution);
      return;
    }
    this.outlines = { coarse: { url: land }, fine: { url: landFine } };
    this.map.on("zoomend", () => this.chooseGround());
    this.chooseGround();
  }

  /** Show the attribution of the tiles. Leaflet takes HTML: ours is a text, and stays one. */
  nameTiles(text) {
    L.control.attribution({ prefix: false }).addAttribution(make("span", "", text).innerHTML).addTo(this.map);
  }

  /** Show the outline for the zoom; none near a city, where a coast some kilometres off would mislead. */
  chooseGround() {
    const zoom = this.map.getZoom();
    const wanted = zoom >= CITY_ZOOM ? null : zoom >= FINE_FROM_ZOOM ? "fine" : "coarse";
    this.element.classList.toggle("map--near", wanted === null);
    if (wanted === this.ground) return;
    this.ground = wanted;
    for (const outline of Object.values(this.outlines)) outline.layer?.remove();
    if (wanted) this.showOutline(wanted);
  }

  async showOutline(name) {
    const outline = this.outlines[name];
    outline.shape ??= fetch(outline.url).then((answer) => answer.json());
    const shape = await outline.shape.catch(() => null); // without it the map is bare, not broken
    if (!shape) return;
    outline.layer ??= L.geoJSON(shape, { interactive: false, style: () => this.landStyle() });
    if (this.ground === name) outline.layer.addTo(this.map);
  }

  landStyle() {
    const ink = readInk();
    return { stroke: true, color: ink.map_line, weight: 1, fillColor: ink.map_land, fillOpacity: 1 };
  }

  recolour() {
    for (const outline of Object.values(this.outlines ?? {})) outline.layer?.setStyle(this.landStyle());
    this.layer.recolour();
  }

  answerPointer(onStation, onCity) {
    const tip = L.tooltip({ direction: "top", offset: [0, -8], className: "map__tip" });
    this.map.on("click", ({ containerPoint }) => {
      const sign = this.layer.under(containerPoint, CLICK_REACH_PX);
      if (sign?.station) onStation(sign.station);
      if (sign?.city) onCity(sign.city.contract);
    });
    this.map.on("mousemove", ({ containerPoint }) => {
      const sign = this.layer.under(containerPoint, 4);
      this.element.classList.toggle("map--on-sign", Boolean(sign));
      if (!sign) return void tip.remove();
      tip.setContent(make("span", "", this.inWords(sign)));
      tip.setLatLng(this.map.containerPointToLatLng([sign.x, sign.y])).addTo(this.map);
    });
    this.map.on("mouseout", () => tip.remove());
  }

  inWords({ station, city }) {
    if (station) return `${station.name}: ${say("bikes")} ${number(station.bikes)}, ${say("stands")} ${number(station.stands)}`;
    return say("city", { name: this.cityName(city.contract), stations: number(city.stations), bikes: number(city.bikes) });
  }

  /** Show one city's stations, or the cities that lie together. */
  show(contract) {
    this.contract = contract;
    this.isMoved = false;
    const points = contract ? this.world.of(contract).map(({ lat, lng }) => [lat, lng]) : this.cluster();
    if (points.length) this.map.fitBounds(points, { padding: [24, 24], maxZoom: 14 });
    else this.map.fitBounds(WORLD);
  }

  /** Show the camera in the address, which the reader chose. */
  look({ zoom, lat, lng }) {
    this.isMoved = true;
    this.map.setView([lat, lng], zoom, { animate: false });
  }

  cluster() {
    const cities = [...this.world.cities.values()].filter((city) => city.stations);
    const points = cities.map((city) => [city.lat / city.stations, city.lng / city.stations]);
    const middle = (axis) => points.map((point) => point[axis]).sort((one, other) => one - other)[points.length >> 1];
    const [lat, lng] = [middle(0), middle(1)];
    return points.filter((point) => Math.abs(point[0] - lat) < CLUSTER_DEGREES && Math.abs(point[1] - lng) < CLUSTER_DEGREES);
  }

  select(station, { move = false } = {}) {
    this.layer.selected = station?.id ?? null;
    if (station && move) this.isMoved = true;
    if (station && move) this.map.setView([station.lat, station.lng], Math.max(this.map.getZoom(), 14));
    this.layer.draw();
  }

  /** Draw a change of the world: of everything, or of the stations in `happened` if one of them is in sight. */
  update(happened) {
    if (!happened) return this.layer.draw();
    for (const change of happened) this.layer.pulse(change);
    if (happened.some((change) => this.layer.sees(change))) this.layer.draw();
  }
}

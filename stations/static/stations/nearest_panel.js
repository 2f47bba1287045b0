// The panel of the nearest stations. The starting point is the device's location, the middle of the map, or a station.
// The location stays in this page: it is in no request, no frame, no address and no storage. The site learns the names of the
// cities around it, whose stations the page follows.

import { nearest, offers, REACH_M } from "./nearest.js";
import { inMetres, showLines, stationLine } from "./station_lines.js";
import { say } from "./texts.js";

const SHOWN = 3; // a choice, and two others if somebody is faster
const LOCATE = { enableHighAccuracy: true, timeout: 15_000, maximumAge: 30_000 }; // milliseconds
const DENIED = 1; // the code of GeolocationPositionError
const EVERYWHERE_M = 21_000_000; // further than any point of the globe

export class NearestPanel {
  /** `middle()` returns the middle of the map, if it is there; `onOrigin(origin)` hears of each new starting point, or of null. */
  constructor(panel, { world, favourites, href, middle, onOrigin }) {
    Object.assign(this, { world, favourites, href, middle, onOrigin });
    this.told = panel.querySelector("#nearest-told");
    this.list = panel.querySelector("#nearest-list");
    this.stop = panel.querySelector("#nearest-stop");
    this.kind = "bikes";
    this.origin = null; // {kind: "device" | "map" | "station", lat, lng, station}
    this.problem = "";
    panel.querySelector("#locate").addEventListener("click", () => this.locate());
    panel.querySelector("#from-map").addEventListener("click", () => this.startAtMiddle());
    this.stop.addEventListener("click", () => this.start(null));
    panel.querySelector("[data-live]").hidden = false;
    this.locateIfAllowed();
  }

  /** Return true while the device's location is in use: then nothing of the map goes into the address. */
  get isPrivate() {
    return this.origin?.kind === "device";
  }

  /** Begin at the middle of the map, if there is a map. */
  startAtMiddle() {
    const middle = this.middle();
    if (middle) this.start({ kind: "map", lat: middle.lat, lng: middle.lng });
    else this.fail("map-missing");
  }

  /** Begin at a station. */
  startAt(station) {
    this.start(station && { kind: "station", lat: station.lat, lng: station.lng, station });
  }

  start(origin) {
    this.origin = origin;
    this.problem = "";
    this.onOrigin(origin);
    this.show();
  }

  /** Ask at once where the reader allowed it before: nobody is asked by a dialogue on arrival. */
  async locateIfAllowed() {
    const permission = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
    if (permission?.state === "granted" && !this.origin) this.locate();
  }

  locate() {
    if (!navigator.geolocation) return this.fail("locate-impossible");
    this.told.textContent = say("locating");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => this.start({ kind: "device", lat: coords.latitude, lng: coords.longitude }),
      ({ code }) => this.fail(code === DENIED ? "locate-denied" : "locate-failed"),
      LOCATE,
    );
  }

  fail(problem) {
    this.origin = null;
    this.onOrigin(null);
    this.problem = problem;
    this.show();
  }

  show() {
    const { origin, kind } = this;
    this.stop.hidden = !origin;
    const suits = (station) => offers(station, kind) && station.id !== origin.station?.id;
    const found = origin ? nearest(this.world.stations.values(), origin, { suits, count: SHOWN }) : [];
    showLines(this.list, found.map(({ station, metres }) => stationLine(station, { href: this.href, metres, favourites: this.favourites })));
    this.list.hidden = found.length === 0;
    const words = this.inWords(found, suits);
    if (this.told.textContent !== words) this.told.textContent = words;
  }

  inWords(found, suits) {
    const { origin, kind } = this;
    if (this.problem) return say(this.problem);
    if (!origin) return say("nearest-start");
    const from = origin.kind === "station" ? say("from-station", { name: origin.station.name }) : say(`from-${origin.kind}`);
    if (found.length) return from;
    const [far] = nearest(this.world.stations.values(), origin, { suits, count: 1, reach: EVERYWHERE_M });
    const values = { reach: inMetres(REACH_M), name: far?.station.name, distance: far && inMetres(far.metres) };
    const none = far ? "none-near" : "none";
    return `${from} ${say(none + "-" + kind, values)}`;
  }
}

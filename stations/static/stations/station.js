// A station's page: its figures and changes, live. Times are the city's.

import { localise } from "../site/local-time.js";
import { showConnection } from "./connection_badge.js";
import { Feeds } from "./feeds.js";
import { Favourites } from "./favourites.js";
import { showForecast } from "./forecast.js";
import { LiveSocket } from "./live_socket.js";
import { StationsMap } from "./map.js";
import { nearest } from "./nearest.js";
import { favouriteButton, showLines, stationLine } from "./station_lines.js";
import { StationStore, stateOf } from "./station_store.js";
import { statusBadge } from "./tables.js";
import { badWord, make, number, say } from "./texts.js";
import { ChangeFeed } from "./change_feed.js";

const page = document.getElementById("station");
const { station: id, feed: feedName, contract, zone } = page.dataset;
const socket = new LiveSocket(page.dataset.socket, () => ({ contracts: [contract], station: id }));
const feeds = new Feeds(socket, { concerned: (all) => [all.find((one) => one.name === feedName)] });
const world = new StationStore(); // of the station's city
const favourites = new Favourites();
const NEIGHBOURS = 5;
const ZOOM = 14; // some streets around
let map = null;
let drawing = false;
let shown = null; // the station as last sent
let goodAt = null; // the last good poll of its feed
const showMs = showConnection(socket, feeds);
const feed = new ChangeFeed(document.getElementById("ticker"), { href: () => null, time: cityTime });

const href = (station) => `${page.dataset.stationsUrl}${[station.feed.replace(":", "-"), station.station_id].map(encodeURIComponent).join("/")}/`;

/** Show the city around the station: the map, the neighbours, the star. Once per screen refresh. */
function showAround() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const station = world.stations.get(id);
    if (!station) return;
    map ??= makeMap(station);
    const found = nearest(world.stations.values(), station, { suits: (other) => other.id !== id, count: NEIGHBOURS });
    showLines(document.getElementById("neighbours"), found.map(({ station: other, metres }) => stationLine(other, { href, metres, favourites, onMap: false })));
    document.getElementById("neighbours").closest("section").hidden = found.length === 0;
    showFavourite(station);
  });
}

function makeMap(station) {
  const options = { cityName: () => page.dataset.city, onStation: (other) => location.assign(href(other)), onCity: () => {}, onMoved: () => {} };
  const made = new StationsMap(document.getElementById("map"), { world, ...options });
  made.select(station);
  made.look({ zoom: ZOOM, lat: station.lat, lng: station.lng });
  return made;
}

function showFavourite(station) {
  const place = document.getElementById("favourite");
  if (place.firstChild?.getAttribute("aria-pressed") === String(favourites.has(id))) return;
  const focused = place.contains(document.activeElement);
  place.replaceChildren(favouriteButton(station, favourites));
  if (focused) place.firstChild.focus();
}

document.addEventListener("click", ({ target }) => {
  const { favourite } = target.closest("[data-favourite]")?.dataset ?? {};
  if (favourite) favourites.toggle(world.stations.get(favourite));
});
favourites.addEventListener("change", showAround);

/** Show the time of the feed's last answer: so old is what the page shows. */
feeds.addEventListener("change", () => {
  const [feedHere] = feeds.here;
  if (shown) showForecast(isLive(), serverTime());
  const asOf = document.getElementById("as-of");
  if (!feedHere?.good_at || !asOf || asOf.dateTime === feedHere.good_at) return;
  asOf.dateTime = feedHere.good_at;
  localise(asOf.parentElement);
});

/** Put the city's own time into a <time data-zone>. */
function writeCityTime(element) {
  const dateStyle = element.dataset.zone === "time" ? undefined : "medium";
  const style = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle, timeStyle: "medium", timeZone: zone });
  element.textContent = style.format(new Date(element.dateTime));
}

function cityTime(at) {
  const time = document.createElement("time");
  time.dateTime = at;
  time.dataset.zone = "time";
  writeCityTime(time);
  return time;
}

function show(station) {
  for (const name of ["bikes", "electrical", "stands", "capacity"]) {
    if (station[name] !== null) page.querySelector(`[data-figure="${name}"]`).textContent = number(station[name]);
  }
  document.getElementById("status").replaceChildren(statusBadge(station));
  showUnreadable(station);
  document.getElementById("raw").textContent = JSON.stringify(station, null, 1);
  shown = station;
  showSeen();
  showForecast(isLive(), serverTime());
  const changed = page.querySelector('[data-figure="changed"]');
  changed.dateTime = station.polled_at;
  writeCityTime(changed);
}

/** Return true if the station is open and its feed good. Before its feed is known, the server's page counts. */
const isLive = () => world.stations.has(id) && stateOf(shown) === "open" && !feeds.trouble;

const serverTime = () => new Date(Date.now() + socket.clockAheadMs);

/** Show when the station was last seen good: at the last good poll of its feed, or before its row turned bad. */
function showSeen() {
  const seen = page.querySelector('[data-figure="seen"]');
  const at = shown?.bad ? shown.seen_at : goodAt;
  if (!seen || !at) return;
  seen.dateTime = at;
  writeCityTime(seen);
}

function showUnreadable(station) {
  const alert = document.getElementById("unreadable");
  alert.hidden = !station.bad;
  if (alert.hidden) return;
  alert.querySelector("[data-bad]").textContent = badWord(station.bad);
  alert.querySelector("time").dateTime = station.polled_at;
  writeCityTime(alert.querySelector("time"));
}

/** Show that the station is no longer listed, or that its feed is no longer in use. */
function showGone() {
  document.getElementById("status").replaceChildren(make("span", "badge", say("gone")));
  document.getElementById("unreadable").hidden = true;
  showForecast(false, serverTime());
}

socket.addEventListener("frame", ({ detail: frame }) => {
  if (frame.type === "feed") {
    feeds.take(frame);
    if (frame.name === feedName) goodAt = frame.good_at;
    showSeen();
  }
  if (frame.type === "fragments") document.dispatchEvent(new CustomEvent("fragments", { detail: frame.fragments }));
  if (frame.type === "snapshot") world.replace(frame);
  const happened = frame.type === "delta" ? world.apply(frame) : null;
  if (happened || frame.type === "snapshot") {
    map?.update(happened ?? undefined);
    showAround();
  }
  if (frame.type === "snapshot" && !world.stations.has(id) && page.dataset.apart === undefined) showGone();
  if (frame.type === "snapshot" && world.stations.has(id)) show(world.stations.get(id));
  if (!happened) return;
  const ours = happened.filter((change) => change.id === id);
  for (const change of ours) if (change.removed) showGone();
    else show(world.stations.get(id));
  feed.add(ours);
  if (happened.length) showMs(socket.msSince(happened.at(-1).polled_at));
});
page.querySelectorAll("time[data-zone]").forEach(writeCityTime);
socket.open();

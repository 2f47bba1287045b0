// The dashboard: joins the socket, the store of stations, and everything that shows them.
// #dashboard carries data-state, data-epoch, data-seq (of what is chosen) and data-stations, for a comparison with
// /stations/state.json.

import { keepOverLanguages, readAddress, writeAddress } from "./address.js";
import { showConnection } from "./connection_badge.js";
import { Favourites } from "./favourites.js";
import { FavouritesPanel } from "./favourites_panel.js";
import { Feeds, isOfKind } from "./feeds.js";
import { FollowedCities } from "./followed_cities.js";
import { enhanceForms } from "./forms.js";
import { WORLD } from "./frames.js";
import { keepKind } from "./kind_switch.js";
import { LiveSocket } from "./live_socket.js";
import { StationsMap } from "./map.js";
import { KINDS } from "./nearest.js";
import { NearestPanel } from "./nearest_panel.js";
import { remarkFrames } from "./remarks.js";
import { SearchBox } from "./search_box.js";
import { SelectedPanel } from "./selected_panel.js";
import { counts } from "./station_lines.js";
import { search, SearchTexts } from "./station_search.js";
import { StationTable } from "./station_table.js";
import { CityTable, showFigures } from "./tables.js";
import { Tabs } from "./tabs.js";
import { fold } from "./text_folding.js";
import { say } from "./texts.js";
import { ChangeFeed } from "./change_feed.js";
import { StationStore } from "./station_store.js";

const ORIGIN_ZOOM = 14; // some streets around
const TABS_OF_ALL = ["stations", "changes"]; // they list all stations while no city is chosen

const find = (id) => document.getElementById(id);
const dashboard = find("dashboard");
const city = find("city");
const box = find("find");
const places = new Map(JSON.parse(find("places").textContent).map((place) => [place.contract, place]));

const asksForTiles = Boolean(dashboard.dataset.tileUrl || dashboard.dataset.mapFile); // a request for a tile tells a place
const siteName = document.title.split(" · ").at(-1);
const world = new StationStore();
const cityName = (contract) => places.get(contract)?.name ?? contract.charAt(0).toUpperCase() + contract.slice(1);
const cityLabel = (contract) => [cityName(contract), places.get(contract)?.service].filter(Boolean).join(" · ");
const byName = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
const href = (station) => `${dashboard.dataset.stationsUrl}${[station.feed.replace(":", "-"), station.station_id].map(encodeURIComponent).join("/")}/`;

const socket = new LiveSocket(dashboard.dataset.socket, () => ({ contracts: followed.contracts, world: true }));
const feeds = new Feeds(socket, { ages: find("feed-ages"), concerned });
const showMs = showConnection(socket, feeds);
const feed = new ChangeFeed(find("ticker"), { href, cityName });
const favourites = new Favourites();
const texts = new SearchTexts(cityName);
const cityTable = new CityTable(find("cities"), { cityName, onCity: choose });
const stationTable = new StationTable(find("city-stations"), { href, favourites, matches: (station, query) => texts.matches(station, fold(query)) });
const favouritesPanel = new FavouritesPanel(find("favourites"), { world, favourites, href });
const nearestPanel = new NearestPanel(find("nearest"), { world, favourites, href, middle: () => map?.map && map.camera, onOrigin });
const selectedPanel = new SelectedPanel(find("selected"), { href, favourites, onFrom: (station) => nearestPanel.startAt(station), onClose: () => select("") });
const tabs = new Tabs(find("tabs"), {
  onTab(tab) {
    writeAddress({ tab });
    followed.soon();
  },
});
let map = null;
let chosen = dashboard.dataset.contract;
let searched = location.search; // the source of the search box's last text
let searchesAll = false; // somebody types into the search box
let selectedId = "";
let drawing = false;
let tableIsOld = false;
const followed = new FollowedCities({
  world, favourites, chosen,
  seen: () => map && { chosen, listsAll: searchesAll || (!chosen && TABS_OF_ALL.includes(tabs.shown)), sight: map.sight, origin: nearestPanel.origin, kind: nearestPanel.kind },
  onChange() {
    showAll();
    socket.follow();
  },
});

/** Show the dashboard once there is a station. Make the map then: it can measure itself only where it is visible. */
function showDashboard() {
  find("no-stations").hidden = world.cities.size > 0;
  dashboard.hidden = find("find-form").hidden = world.cities.size === 0;
  if (map || dashboard.hidden) return;
  map = new StationsMap(find("map"), { world, cityName, onStation: ({ id }) => select(id), onCity: choose, onMoved: keepCamera });
  keepKind(map);
  follow();
  if (nearestPanel.origin) showOnMap(nearestPanel.origin); // the device was quicker than the stations
}

/** Return the feeds that supply the shown stations. */
function concerned(all) {
  if (!chosen) return all;
  const { feed: name } = world.figures(chosen);
  return name ? all.filter((feed) => feed.name === name) : all;
}

const takes = {
  snapshot(frame) {
    world.replace(frame);
    showDashboard();
    showArrived(frame.contract);
    showOrigin();
    feeds.refresh();
    showAll();
    followed.soon();
  },
  delta(frame) {
    const before = world.cities.size;
    const happened = world.apply(frame);
    showDashboard();
    const here = chosen ? happened.filter((change) => change.contract === chosen) : happened;
    feed.add(here);
    map?.update(world.cities.size === before ? happened : undefined);
    if (!stationTable.update(here)) tableIsOld = true;
    const polledAt = happened.reduce((latest, change) => (change.polled_at > latest ? change.polled_at : latest), "");
    if (polledAt) showMs(socket.msSince(polledAt));
    render();
  },
  subscribed() {
    if (!world.keepEpoch(socket.epoch)) return;
    showDashboard();
    showAll();
  },
  feed: (frame) => feeds.take(frame),
  ...remarkFrames,
};

socket.addEventListener("state", ({ detail }) => (dashboard.dataset.state = detail.state));
socket.addEventListener("frame", ({ detail }) => {
  takes[detail.type]?.(detail);
  if (!socket.epoch) return;
  dashboard.dataset.epoch = socket.epoch;
  dashboard.dataset.seq = socket.seqs[chosen || WORLD] ?? "";
  dashboard.dataset.stations = world.figures("").listed;
});

/** Draw everything: other stations are held now. */
function showAll() {
  map?.update();
  tableIsOld = true;
  render();
}

/** Draw figures, cities and lists, once per screen refresh however many frames came. */
function render() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (tableIsOld) {
      showCity();
      searchBox.refresh();
    }
    showFigures(find("figures"), world.figures(chosen));
    cityTable.update(world.cities);
    offerCities();
    selectedPanel.show(world.stations.get(selectedId));
    nearestPanel.show();
    favouritesPanel.show();
  });
}

/** Offer every city, in the order of names: the page of a city comes with its own alone. */
function offerCities() {
  for (const option of [...city.options]) if (option.value && !world.cities.has(option.value)) option.remove();
  const offered = new Set([...city.options].map((option) => option.value));
  const missing = [...world.cities.keys()].filter((contract) => !offered.has(contract));
  if (!missing.length) return;
  const options = [...city.options].slice(1).concat(missing.map((contract) => new Option(cityLabel(contract), contract)));
  city.append(...options.sort((one, other) => byName(one.text, other.text)));
  city.value = chosen;
}

/** Choose another city, or all (""). Each choice is an entry of its own in the browser's history. */
function choose(contract) {
  searchesAll = false;
  writeAddress({ contract, q: "", camera: null, station: "" }, { push: true });
  follow();
}

/** Fill the search box from the address. Typed text stays while only the hash changes. */
function fillSearch() {
  if (location.search === searched) return;
  searched = location.search;
  box.value = readAddress().q;
}

/** Show the state in the address: the city, the search, the wish, the station, the tab, the title and the camera. */
function follow() {
  const wanted = readAddress();
  chosen = world.cities.size && !world.cities.has(wanted.contract) ? "" : wanted.contract;
  dashboard.dataset.contract = chosen;
  city.value = chosen;
  fillSearch();
  const { allTitle, pageTitle } = dashboard.dataset;
  document.querySelector("h1").textContent = chosen ? cityName(chosen) : allTitle;
  document.title = [chosen && cityName(chosen), pageTitle, siteName].filter(Boolean).join(" · ");
  showKind(wanted.kind);
  tabs.show(wanted.tab || (chosen || wanted.q ? "stations" : "cities"));
  selectedId = wanted.station;
  startAtStation(wanted.from);
  showCity();
  showOrigin();
  feeds.refresh();
  showCamera(wanted);
  keepOverLanguages();
  render();
  followed.soon();
}

function startAtStation(id) {
  if (id && world.stations.has(id)) nearestPanel.startAt(world.stations.get(id));
}

/** Show what the address names and the map could not show before the stations of this city came. */
function showArrived(contract) {
  const { from, camera } = readAddress();
  if (world.stations.get(from)?.contract === contract && !nearestPanel.origin) startAtStation(from);
  const selected = world.stations.get(selectedId);
  if (selected?.contract === contract && map?.selected !== selectedId) map?.select(selected, { move: !camera });
}

/** Show the camera that the reader chose: "#map=12/45.76/4.83". Without it the map shows the station, the city, or all. */
function showCamera({ camera }) {
  if (!map) return;
  map.show(chosen);
  map.select(world.stations.get(selectedId), { move: Boolean(selectedId) && !camera });
  if (camera) map.look(camera);
}

/** Keep the reader's camera in the address, so that it opens the same view again; null is the first view. */
function keepCamera(camera) {
  writeAddress({ camera: nearestPanel.isPrivate ? null : camera });
  followed.soon();
}

/** Show the origin of the stations, and if they are live: "Live from the feed", "Simulated feed", ... */
function showOrigin() {
  const origin = find("origin");
  const cities = chosen ? [world.figures(chosen)] : [...world.cities.values()];
  const names = [...new Set(cities.map((city) => city.feed).filter(Boolean))];
  const simulated = names.some((name) => isOfKind(name, dashboard.dataset.simulatedSource));
  const all = simulated && names.length === 1;
  const recorded = names.some((name) => isOfKind(name, dashboard.dataset.recordedSource));
  const told = all ? "simulated" : recorded ? "recorded" : feeds.trouble ? "stale" : simulated ? "partly" : "real";
  if (names.length) origin.textContent = origin.dataset[told];
}

function showCity() {
  tableIsOld = false;
  const title = chosen ? say("stations-of", { name: cityName(chosen) }) : say("stations-all");
  stationTable.replace(world.of(chosen), { title, query: box.value });
}

/** Select a station, or none (""). It is an entry of its own in the browser's history. */
function select(id, { move = false } = {}) {
  const station = world.stations.get(id);
  const elsewhere = station && station.contract !== chosen; // the address names its city too, whose stations it needs
  const camera = chosen || move ? { camera: null } : {};
  if (elsewhere) searchesAll = false;
  writeAddress({ station: id, ...(elsewhere ? { contract: station.contract, q: "", ...camera } : {}) }, { push: true });
  if (elsewhere) return follow();
  selectedId = id;
  map?.select(station, { move });
  if (move) find("map").scrollIntoView({ block: "nearest" });
  selectedPanel.show(station);
}

/** Show the nearest stations for what is wanted: bikes, e-bikes or free places. */
function showKind(wanted) {
  nearestPanel.kind = favouritesPanel.kind = wanted in KINDS ? wanted : "bikes";
  render();
  followed.soon();
}

/** Show another starting point. A station's stays in the address; the device's location stays in this page. */
function onOrigin(origin) {
  writeAddress({ from: origin?.station?.id ?? "", ...(origin?.kind === "device" ? { camera: null } : {}) });
  if (map) showOnMap(origin);
  followed.soon();
}

/** Show a starting point on the map. Where the map asks a server for tiles, it does not go there: that would tell the place. */
function showOnMap(origin) {
  map.showOrigin?.(origin);
  if (origin?.kind === "device" && !asksForTiles) map.look({ zoom: ORIGIN_ZOOM, lat: origin.lat, lng: origin.lng });
}

const searchBox = new SearchBox(box, {
  find: (typed, limits) => search(typed, { stations: world.stations.values(), cities: world.cities.values(), texts, cityName, here: chosen, ...limits }),
  describe: (station) => `${cityName(station.contract)} · ${counts(station)}`,
  cityName,
  onCity: choose,
  onStation: (station) => select(station.id, { move: true }),
  onTyped(q) {
    writeAddress({ q });
    searched = location.search;
  },
  onSubmit: () => tabs.open("stations"),
});
box.addEventListener("input", () => {
  searchesAll = box.value.trim() !== "";
  stationTable.search(box.value);
  followed.soon();
});
find("kind").addEventListener("change", ({ target }) => showKind(target.value));
document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-show], [data-favourite], a[href^='#']");
  if (!target) return;
  if (target.dataset.show) select(target.dataset.show, { move: true });
  const { favourite } = target.dataset;
  if (favourite) favourites.toggle(world.stations.get(favourite) ?? { id: favourite, name: favourite });
  if (!target.hash) return;
  event.preventDefault(); // a place on the page would take the place of the parts in the address
  find(target.hash.slice(1))?.focus();
});
favourites.addEventListener("change", () => {
  followed.soon();
  stationTable.showFavourites();
  render();
});
const pause = find("pause");
pause.hidden = false;
pause.addEventListener("click", () => {
  feed.held = !feed.held;
  pause.setAttribute("aria-pressed", String(feed.held));
});
find("find-go").hidden = true;
city.addEventListener("change", () => choose(city.value));
addEventListener("popstate", follow);
feeds.addEventListener("change", showOrigin);
enhanceForms();

socket.open();

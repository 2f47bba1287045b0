// The dashboard: joins the socket, the store of stations, and everything that shows them.
// #dashboard carries data-state, data-epoch, data-seq and data-stations, for a comparison with /stations/state.json.

import { keepOverLanguages, readAddress, writeAddress } from "./address.js";
import { showConnection } from "./connection_badge.js";
import { Feeds, isSimulated } from "./feeds.js";
import { keepKind } from "./kind_switch.js";
import { LiveSocket } from "./live_socket.js";
import { StationsMap } from "./map.js";
import { remarkFrames } from "./remarks.js";
import { CityTable, showFigures, StationTable, statusBadge } from "./tables.js";
import { make, number, say } from "./texts.js";
import { ChangeFeed } from "./change_feed.js";
import { StationStore } from "./station_store.js";

const dashboard = document.getElementById("dashboard");
const city = document.getElementById("city");
const places = new Map(JSON.parse(document.getElementById("places").textContent).map((place) => [place.contract, place]));

const siteName = document.title.split(" · ").at(-1);
const world = new StationStore();
const cityName = (contract) => places.get(contract)?.name ?? contract.charAt(0).toUpperCase() + contract.slice(1);
const href = (station) => `${dashboard.dataset.stationsUrl}${[station.feed.replace(":", "-"), station.station_id].map(encodeURIComponent).join("/")}/`;

const socket = new LiveSocket(dashboard.dataset.socket, () => ({ contracts: "*" }));
const feeds = new Feeds(socket, { ages: document.getElementById("feed-ages"), concerned });
const showMs = showConnection(socket, feeds);
const feed = new ChangeFeed(document.getElementById("ticker"), { href, cityName });
const cityTable = new CityTable(document.getElementById("cities"), { cityName, onCity: choose });
const stationTable = new StationTable(document.getElementById("city-stations"), { href, onStation: (id) => select(id, { move: true }) });
let map = null;
let chosen = dashboard.dataset.contract;
let followed = location.search; // the source of the search box's last text
let selectedId = null;
let drawing = false;

/** Show the dashboard once there is a station. Make the map then: it can measure itself only where it is visible. */
function showDashboard() {
  document.getElementById("no-stations").hidden = world.stations.size > 0;
  dashboard.hidden = document.getElementById("filter").hidden = world.stations.size === 0;
  if (map || dashboard.hidden) return;
  map = new StationsMap(document.getElementById("map"), { world, cityName, onStation: ({ id }) => select(id), onCity: choose, onMoved: keepCamera });
  keepKind(map);
  showCamera();
}

/** Return the feeds that supply the shown stations. */
function concerned(all) {
  if (!chosen) return all;
  const names = new Set(world.of(chosen).map((station) => station.feed));
  return names.size ? all.filter((feed) => names.has(feed.name)) : all;
}

const takes = {
  snapshot(frame) {
    world.replace(frame.stations);
    showDashboard();
    showCity();
    showOrigin();
    feeds.refresh();
    map?.update();
    render();
  },
  delta(frame) {
    const happened = world.apply(frame);
    showDashboard();
    const here = chosen ? happened.filter((change) => change.contract === chosen) : happened;
    feed.add(here);
    map?.update(happened);
    if (chosen && !stationTable.update(here)) showCity();
    if (happened.some((change) => change.id === selectedId)) showSelected();
    const polledAt = happened.reduce((latest, change) => (change.polled_at > latest ? change.polled_at : latest), "");
    if (polledAt) showMs(socket.msSince(polledAt));
    render();
  },
  feed: (frame) => feeds.take(frame),
  ...remarkFrames,
};

socket.addEventListener("state", ({ detail }) => (dashboard.dataset.state = detail.state));
socket.addEventListener("frame", ({ detail }) => {
  takes[detail.type]?.(detail);
  if (!socket.position) return;
  dashboard.dataset.epoch = socket.position.epoch;
  dashboard.dataset.seq = socket.position.seq;
  dashboard.dataset.stations = world.stations.size;
});

/** Draw figures and cities, once per screen refresh however many frames came. */
function render() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showFigures(document.getElementById("figures"), world.figures(chosen));
    cityTable.update(world.cities);
    offerCities();
  });
}

function offerCities() {
  for (const option of [...city.options]) if (option.value && !world.cities.has(option.value)) option.remove();
  const offered = new Set([...city.options].map((option) => option.value));
  for (const contract of world.cities.keys()) {
    if (!offered.has(contract)) city.add(new Option(cityName(contract), contract));
  }
}

/** Choose another city, or all (""). Each choice is an entry of its own in the browser's history. */
function choose(contract) {
  writeAddress({ contract, q: "", camera: null, station: "" }, { push: true });
  follow();
}

/** Fill the search box from the address. Typed text stays while only the camera or the place on the page changes. */
function fillSearch() {
  if (location.search === followed) return;
  followed = location.search;
  document.getElementById("find").value = readAddress().q;
}

/** Show the state in the address: the city, the search, the page's title and the camera. */
function follow() {
  const wanted = readAddress().contract;
  chosen = world.stations.size && !world.cities.has(wanted) ? "" : wanted;
  dashboard.dataset.contract = chosen;
  city.value = chosen;
  fillSearch();
  document.getElementById("find-form").elements.contract.value = chosen;
  const { allTitle, pageTitle } = dashboard.dataset;
  document.querySelector("h1").textContent = chosen ? cityName(chosen) : allTitle;
  document.title = `${chosen ? `${cityName(chosen)} · ` : ""}${pageTitle} · ${siteName}`;
  showCity();
  showOrigin();
  feeds.refresh();
  showCamera();
  keepOverLanguages();
  render();
}

/** Show the camera that the reader chose: "#map=12/45.76/4.83". Without it the map shows the city, or all. */
function showCamera() {
  const { camera } = readAddress();
  if (!map) return;
  map.show(chosen);
  if (camera) map.look(camera);
}

/** Keep the reader's camera in the address, so that it opens the same view again; null is the first view. */
function keepCamera(camera) {
  writeAddress({ camera });
}

/** Show the origin of the stations, and if they are live: "Live from the feed", "Simulated feed", ... */
function showOrigin() {
  const origin = document.getElementById("origin");
  const names = [...new Set(world.of(chosen).map((station) => station.feed))];
  const simulated = names.some((name) => isSimulated(name, dashboard.dataset.simulatedSource));
  const all = simulated && names.length === 1;
  const told = all ? "simulated" : feeds.trouble ? "stale" : simulated ? "partly" : "real";
  if (names.length) origin.textContent = origin.dataset[told];
}

function showCity() {
  const title = say("stations-of", { name: cityName(chosen) });
  stationTable.replace(chosen ? world.of(chosen) : [], title);
}

function select(id, options) {
  selectedId = id;
  map?.select(world.stations.get(id), options);
  if (options?.move) document.getElementById("map").scrollIntoView({ block: "nearest" });
  showSelected();
}

function showSelected() {
  const panel = document.getElementById("selected");
  const station = world.stations.get(selectedId);
  panel.hidden = !station;
  if (!station) return;
  const title = make("h2", "panel__title", station.name);
  const facts = make("dl", "facts");
  facts.append(fact(say("bikes"), number(station.bikes)), fact(say("stands"), number(station.stands)));
  const details = make("a", "", say("details"));
  details.href = href(station);
  panel.replaceChildren(title, statusBadge(station), facts, details);
}

function fact(name, value) {
  const row = make("div");
  row.append(make("dt", "", name), make("dd", "", value));
  return row;
}

const pause = document.getElementById("pause");
pause.hidden = false;
pause.addEventListener("click", () => {
  feed.held = !feed.held;
  pause.setAttribute("aria-pressed", String(feed.held));
});
document.getElementById("show-city").hidden = true;
city.addEventListener("change", () => choose(city.value));
addEventListener("popstate", follow);
feeds.addEventListener("change", showOrigin);
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());

socket.open();

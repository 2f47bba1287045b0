// The dashboard: joins the socket, the world it tells of, and everything that shows it.
// #dashboard carries data-state, data-epoch, data-seq and data-stations, for whoever compares it with /stations/state.json.

import { showConnection } from "./connection.js";
import { Feeds } from "./feeds.js";
import { Link } from "./link.js";
import { StationsMap } from "./map.js";
import { showRemark } from "./remarks.js";
import { CityTable, showFigures, StationTable, statusBadge } from "./tables.js";
import { make, number, say } from "./texts.js";
import { Ticker } from "./ticker.js";
import { World } from "./world.js";

const dashboard = document.getElementById("dashboard");
const city = document.getElementById("city");
const places = new Map(JSON.parse(document.getElementById("places").textContent).map((place) => [place.contract, place]));

const world = new World();
const cityName = (contract) => places.get(contract)?.name ?? contract.charAt(0).toUpperCase() + contract.slice(1);
const href = (station) => dashboard.dataset.stationUrl.replace("CONTRACT", encodeURIComponent(station.contract)).replace("/0/", `/${station.number}/`);

const link = new Link(dashboard.dataset.socket, () => ({ contracts: "*" }));
const showMs = showConnection(link);
const feeds = new Feeds(document.getElementById("feed-alerts"), document.getElementById("feed-ages"));
const ticker = new Ticker(document.getElementById("ticker"), { href, cityName });
const cityTable = new CityTable(document.getElementById("cities"), { cityName, onCity: choose });
const stationTable = new StationTable(document.getElementById("city-stations"), { href, onStation: (id) => select(id, { move: true }) });
let map = null;
let chosen = dashboard.dataset.contract;
let selectedId = null;
let drawing = false;

/** The map can only measure itself where it is seen: not before there is a station. */
function showDashboard() {
  document.getElementById("no-stations").hidden = world.stations.size > 0;
  dashboard.hidden = document.getElementById("filter").hidden = world.stations.size === 0;
  if (map || dashboard.hidden) return;
  map = new StationsMap(document.getElementById("map"), { world, cityName, onStation: ({ id }) => select(id), onCity: choose });
  map.show(chosen);
}

const takes = {
  snapshot(frame) {
    world.replace(frame.stations);
    showDashboard();
    showCity();
    render();
  },
  delta(frame) {
    const happened = world.apply(frame);
    showDashboard();
    const here = chosen ? happened.filter((change) => change.contract === chosen) : happened;
    ticker.add(here);
    map?.update(happened);
    if (chosen && !stationTable.update(here)) showCity();
    if (happened.some((change) => change.id === selectedId)) showSelected();
    const polledAt = happened.reduce((latest, change) => (change.polled_at > latest ? change.polled_at : latest), "");
    if (polledAt) showMs(link.msSince(polledAt));
    render();
  },
  feed: (frame) => feeds.take(frame),
  remark: (frame) => showRemark(frame),
};

link.addEventListener("state", ({ detail }) => (dashboard.dataset.state = detail.state));
link.addEventListener("frame", ({ detail }) => {
  takes[detail.type]?.(detail);
  if (!link.position) return;
  dashboard.dataset.epoch = link.position.epoch;
  dashboard.dataset.seq = link.position.seq;
  dashboard.dataset.stations = world.stations.size;
});

/** Figures and cities, once per screen however many frames came. */
function render() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showFigures(document.getElementById("figures"), world.figures(chosen));
    cityTable.update(world.cities.values());
    offerCities();
    map?.update();
  });
}

function offerCities() {
  const offered = new Set([...city.options].map((option) => option.value));
  for (const contract of world.cities.keys()) {
    if (!offered.has(contract)) city.add(new Option(cityName(contract), contract));
  }
}

/** Another city, or all ("" for all). */
function choose(contract) {
  chosen = contract;
  city.value = contract;
  const address = new URL(location.href);
  if (contract) address.searchParams.set("contract", contract);
  else address.searchParams.delete("contract");
  history.replaceState(null, "", address);
  document.querySelector("h1").textContent = contract ? cityName(contract) : dashboard.dataset.allTitle;
  showCity();
  map?.show(contract);
  render();
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
  ticker.held = !ticker.held;
  pause.setAttribute("aria-pressed", String(ticker.held));
});
document.getElementById("show-city").hidden = true;
city.addEventListener("change", () => choose(city.value));
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());

link.open();

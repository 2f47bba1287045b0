// The clusters of stations, and of cities whose stations are not held, at each zoom. A worker finds them, by place alone;
// the sums follow every change here.

import { contains, valuesOf } from "./station_symbols.js";

const CITY = "/"; // begins the id of a city among the members; no station's id begins so
const RADIUS_PX = 40; // two signs nearer than this become one
export const CLUSTERS_TO_ZOOM = 11; // from 12 on, each station has its own sign

export class Clusters {
  /** `worker` is the address of its script; `onReady()` is called when clusters that were asked for are there. */
  constructor(world, worker, onReady) {
    this.world = world;
    this.generation = 0;
    this.places = null; // station id -> its place, once the worker has them
    this.ids = [];
    this.groups = new Map(); // zoom -> clusters
    this.asked = new Set(); // zooms
    this.worker = new Worker(worker, { type: "module" });
    this.worker.addEventListener("message", ({ data }) => {
      if (data.generation !== this.generation) return;
      this.groups.set(data.zoom, this.grouped(data));
      onReady();
    });
  }

  /** Forget the clusters if a station came, went or moved. */
  refresh(happened) {
    const known = this.places;
    if (known && happened?.every((change) => !change.removed && known.get(change.id) === place(change))) return;
    this.generation += 1;
    this.places = null;
    this.groups.clear();
    this.asked.clear();
  }

  /** Return the clusters at a zoom, or of the last zoom until they are found; each with fresh sums if `changed`. */
  at(zoom) {
    if (!this.groups.has(zoom) && !this.asked.has(zoom)) this.ask(zoom);
    this.last = this.groups.get(zoom) ?? this.last;
    return this.last ?? [];
  }

  ask(zoom) {
    this.asked.add(zoom);
    const order = { generation: this.generation, zoom };
    if (this.places) return this.worker.postMessage({ ...order, count: this.ids.length });
    const stations = [...this.world.stations.values()];
    const cities = this.world.farCities.map(({ contract, lng, lat }) => ({ id: CITY + contract, lng, lat }));
    const all = [...stations, ...cities];
    this.ids = all.map(({ id }) => id);
    this.places = new Map(stations.map((station) => [station.id, place(station)]));
    const [lng, lat] = ["lng", "lat"].map((axis) => Float64Array.from(all, (one) => one[axis]));
    this.worker.postMessage({ ...order, count: all.length, lng, lat, radius: RADIUS_PX, maxZoom: CLUSTERS_TO_ZOOM }, [lng.buffer, lat.buffer]);
  }

  grouped({ of, middles }) {
    const groups = Array.from({ length: middles.length / 2 }, (_, at) => ({ lng: middles[2 * at], lat: middles[2 * at + 1], members: [] }));
    of.forEach((number, at) => groups[number]?.members.push(this.ids[at]));
    for (const group of groups) this.sum(group);
    return groups;
  }

  /** Add up what the cluster's stations have. Stations that cannot be believed or used count nothing. */
  sum(group) {
    group.values = { bikes: 0, ebikes: 0, places: 0 };
    group.contracts = new Map(); // contract -> stations
    for (const id of group.members) {
      const city = cityOf(id, this.world);
      if (city) {
        addTo(group.contracts, city.contract, city.listed);
        add(group.values, { bikes: city.bikes, ebikes: city.electrical, places: city.stands });
      }
      const station = this.world.stations.get(id);
      if (!station) continue;
      addTo(group.contracts, station.contract, 1);
      if (contains(station)) add(group.values, valuesOf(station));
    }
    group.size = [...group.contracts.values()].reduce((all, stations) => all + stations, 0);
  }
}

/** Return the city that a member of a cluster stands for, if it stands for one. */
export const cityOf = (id, world) => (id.startsWith(CITY) ? world.cities.get(id.slice(CITY.length)) : undefined);

function addTo(counts, name, count) {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function add(sums, values) {
  for (const [name, value] of Object.entries(values)) sums[name] += value ?? 0;
}

const place = ({ lng, lat }) => `${lng} ${lat}`;

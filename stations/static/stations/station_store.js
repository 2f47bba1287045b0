// The stations that this browser holds, and their figures.

export const isReadable = (station) => !station.bad;
export const isOpen = (station) => station.status === "OPEN" && isReadable(station);
export const isSilent = (station) => station.connected === false;

const WORDS = { fresh: "open", stale: "silent", frozen: "bad" }; // our words for the server's

/** Return a station's state for the lists: open, silent, bad, closed, unknown or held. */
export function stateOf(station) {
  if (station.state) return WORDS[station.state] ?? station.state;
  if (!isReadable(station)) return "bad";
  if (!isOpen(station)) return "closed";
  return isSilent(station) ? "silent" : "open";
}

export class StationStore {
  constructor() {
    this.stations = new Map(); // id -> station
    this.cities = new Map(); // contract -> figures
  }

  /** Replace all stations. */
  replace(stations) {
    this.stations = new Map(stations.map((station) => [station.id, station]));
    this.cities = new Map();
    for (const station of stations) this.count(station, 1);
  }

  /** Apply a delta. Return its changes, with the removed stations as kind "gone". */
  apply(delta) {
    const happened = [];
    for (const change of delta.changes) {
      this.put(change);
      happened.push(change);
    }
    for (const id of delta.removed) {
      const station = this.stations.get(id);
      if (!station) continue;
      this.stations.delete(id);
      this.count(station, -1);
      happened.push({ ...station, kinds: ["gone"], taken: 0, returned: 0, removed: true, polled_at: delta.at });
    }
    return happened;
  }

  put(station) {
    const before = this.stations.get(station.id);
    if (before) this.count(before, -1);
    this.stations.set(station.id, station);
    this.count(station, 1);
  }

  count(station, sign) {
    const city = this.city(station.contract);
    city.listed += sign;
    city.lat += sign * station.lat;
    city.lng += sign * station.lng;
    if (isOpen(station)) {
      city.stations += sign;
      city.bikes += sign * station.bikes;
      city.stands += sign * station.stands;
      city.open += sign;
      city.empty += sign * (station.bikes === 0);
      city.full += sign * (station.stands === 0);
    }
    if (sign > 0 && station.polled_at > city.changed) city.changed = station.polled_at;
  }

  city(contract) {
    let city = this.cities.get(contract);
    if (!city) {
      city = { contract, listed: 0, stations: 0, bikes: 0, stands: 0, open: 0, empty: 0, full: 0, lat: 0, lng: 0, changed: "" };
      this.cities.set(contract, city);
    }
    return city;
  }

  /** Return the stations of one city, or all. */
  of(contract) {
    const all = [...this.stations.values()];
    return contract ? all.filter((station) => station.contract === contract) : all;
  }

  /** Return the figures of one city, or of all together. */
  figures(contract) {
    if (contract) return this.city(contract);
    const sum = { stations: 0, bikes: 0, stands: 0, open: 0, empty: 0, full: 0, changed: "" };
    for (const city of this.cities.values()) {
      for (const name of ["stations", "bikes", "stands", "open", "empty", "full"]) sum[name] += city[name];
      if (city.changed > sum.changed) sum.changed = city.changed;
    }
    return sum;
  }
}

// The rows that this browser holds: the stations of the cities that it follows, and the sums of all others.

import { changesOf, rowsOf, WORLD } from "./frames.js";

export const isReadable = (station) => !station.bad;
export const isOpen = (station) => station.status === "OPEN" && isReadable(station);
export const isSilent = (station) => station.connected === false;

const WORDS = { fresh: "open", stale: "silent", frozen: "bad" }; // our words for the server's
const FIGURES = ["listed", "stations", "bikes", "electrical", "stands", "empty", "full"];

/** Return a station's state for the lists: open, silent, bad, closed, unknown or held. */
export function stateOf(station) {
  if (station.state) return WORDS[station.state] ?? station.state;
  if (!isReadable(station)) return "bad";
  if (!isOpen(station)) return "closed";
  return isSilent(station) ? "silent" : "open";
}

const nothing = () => Object.fromEntries([...FIGURES.map((name) => [name, 0]), ["changed_at", ""]]);

export class StationStore {
  constructor() {
    this.stations = new Map(); // id -> station
    this.cities = new Map(); // contract -> figures: of its stations where they are held, else the server's sums
    this.sums = new Map(); // contract -> the server's sums
    this.counts = new Map(); // contract -> figures of the stations held
    this.channels = new Map(); // contract -> {epoch, fields, rows: number -> row}
  }

  /** Return true if the stations of a city are held. */
  holds(contract) {
    return this.counts.has(contract);
  }

  /** Take a snapshot: all stations of a city, or all cities' sums. */
  replace(frame) {
    const { contract, epoch, fields } = frame;
    const rows = rowsOf(frame);
    if (contract === WORLD) {
      this.channels.set(WORLD, { epoch, fields, rows });
      this.sums = new Map([...rows.values()].map((row) => [row.contract, row]));
      this.cities.clear();
      for (const name of new Set([...this.sums.keys(), ...this.counts.keys()])) this.refreshCity(name);
      return;
    }
    this.drop(contract);
    this.channels.set(contract, { epoch, fields, rows });
    this.counts.set(contract, nothing());
    for (const row of rows.values()) this.put(Object.assign(row, named(row, contract)));
    this.refreshCity(contract);
  }

  /** Apply a delta. Return what happened at stations, with the removed ones as kind "gone". */
  apply(frame) {
    const { contract } = frame;
    const channel = this.channels.get(contract);
    const changes = changesOf(frame, channel.fields);
    if (contract === WORLD) {
      for (const { number, told } of changes) this.changeCity(channel, number, told);
      return [];
    }
    const happened = changes.map(({ number, told }) => (told ? this.change(channel, contract, number, told) : this.remove(channel, number, frame.at)));
    this.refreshCity(contract);
    return happened.filter(Boolean);
  }

  /** Forget the stations of all cities but these. */
  keepOnly(contracts) {
    for (const contract of [...this.counts.keys()]) {
      if (!contracts.includes(contract)) this.forget(contract);
    }
  }

  /** Forget the cities of another epoch: this server has none of them, as it has sent all that it has. Return true if there was one. */
  keepEpoch(epoch) {
    const old = [...this.counts.keys()].filter((contract) => this.channels.get(contract).epoch !== epoch);
    for (const contract of old) this.forget(contract);
    return old.length > 0;
  }

  forget(contract) {
    this.drop(contract);
    this.counts.delete(contract);
    this.channels.delete(contract);
    this.refreshCity(contract);
  }

  change(channel, contract, number, told) {
    const { kinds = [], taken = 0, returned = 0, taken_electrical = null, returned_electrical = null, ...fields } = told;
    const before = channel.rows.get(number);
    const station = { ...before, ...fields };
    if (!before) Object.assign(station, named(station, contract));
    channel.rows.set(number, station);
    this.put(station);
    const implied = [taken && "taken", returned && "returned"].filter(Boolean);
    return { ...station, kinds: [...implied, ...kinds], taken, returned, taken_electrical, returned_electrical };
  }

  remove(channel, number, at) {
    const station = channel.rows.get(number);
    if (!station) return null;
    channel.rows.delete(number);
    if (this.stations.get(station.id)?.contract === station.contract) {
      this.stations.delete(station.id); // else it has moved to another city already
      this.count(station, -1);
    }
    return { ...station, kinds: ["gone"], taken: 0, returned: 0, removed: true, polled_at: new Date(at).toISOString() };
  }

  changeCity(channel, number, told) {
    const before = channel.rows.get(number);
    const row = told && { ...before, ...told };
    if (row) channel.rows.set(number, row);
    else channel.rows.delete(number);
    const { contract } = row ?? before ?? {};
    if (row) this.sums.set(contract, row);
    else this.sums.delete(contract);
    this.refreshCity(contract);
  }

  put(station) {
    const before = this.stations.get(station.id);
    if (before) this.count(before, -1);
    this.stations.set(station.id, station);
    this.count(station, 1);
  }

  drop(contract) {
    for (const station of this.of(contract)) this.stations.delete(station.id);
  }

  count(station, sign) {
    const city = this.counts.get(station.contract);
    city.listed += sign;
    if (isOpen(station)) {
      city.stations += sign;
      city.bikes += sign * station.bikes;
      city.electrical += sign * station.electrical;
      city.stands += sign * station.stands;
      city.empty += sign * (station.bikes === 0);
      city.full += sign * (station.stands === 0);
    }
    if (sign > 0 && station.polled_at > city.changed_at) city.changed_at = station.polled_at;
  }

  refreshCity(contract) {
    const [sums, counts] = [this.sums.get(contract), this.counts.get(contract)];
    if (counts ? counts.listed : sums) this.cities.set(contract, { contract, ...sums, ...counts });
    else this.cities.delete(contract);
  }

  /** Return the held stations of one city, or all. */
  of(contract) {
    const all = [...this.stations.values()];
    return contract ? all.filter((station) => station.contract === contract) : all;
  }

  /** Return the cities whose stations are not held. */
  get farCities() {
    return [...this.cities.values()].filter(({ contract }) => !this.holds(contract));
  }

  /** Return the figures of one city, or of all together. */
  figures(contract) {
    if (contract) return this.cities.get(contract) ?? nothing();
    const sum = nothing();
    for (const city of this.cities.values()) {
      for (const name of FIGURES) sum[name] += city[name];
      if (city.changed_at > sum.changed_at) sum.changed_at = city.changed_at;
    }
    return sum;
  }
}

const named = (row, contract) => ({ id: `${row.feed}/${row.station_id}`, contract });

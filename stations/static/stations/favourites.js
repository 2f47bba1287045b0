// The favourite stations, kept by this browser alone (localStorage), and only after somebody has chosen one.

const KEY = "stations.favourites";
const KEPT_MAX = 100; // a list that a person reads

export class Favourites extends EventTarget {
  constructor() {
    super();
    this.read();
    addEventListener("storage", ({ key }) => {
      if (key !== KEY && key !== null) return;
      this.read(); // another tab changed it
      this.dispatchEvent(new Event("change"));
    });
  }

  read() {
    this.kept = new Map(); // id -> {id, name, contract}
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      for (const { id, name, contract } of kept) if (typeof id === "string") this.kept.set(id, { id, name: String(name ?? id), contract: String(contract ?? "").toLowerCase() });
    } catch {
      // no storage here, or something else under our key: no favourites
    }
  }

  has(id) {
    return this.kept.has(id);
  }

  /** Return the city of a kept favourite, or "". Older pages kept none: then its id tells the feed, and maybe the city. */
  cityOf({ id, contract }, cities) {
    if (contract) return contract;
    const [feed] = id.split("/", 1);
    const ofFeed = [...cities.values()].filter((city) => city.feed === feed).map((city) => city.contract);
    if (ofFeed.length === 1) return ofFeed[0];
    const fitting = ofFeed.filter((name) => id.startsWith(`${feed}/${name}-`));
    return fitting.sort((one, other) => other.length - one.length)[0] ?? "";
  }

  /** Add a station, or take it out again. */
  toggle({ id, name, contract }) {
    if (!this.kept.delete(id) && this.kept.size < KEPT_MAX) this.kept.set(id, { id, name, contract });
    this.write();
  }

  clear() {
    this.kept.clear();
    this.write();
  }

  write() {
    try {
      if (this.kept.size) localStorage.setItem(KEY, this.export());
      else localStorage.removeItem(KEY);
    } catch {
      // a browser that keeps nothing: they last as long as the page
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Return the favourites as JSON. */
  export() {
    return JSON.stringify([...this.kept.values()], null, 1);
  }
}

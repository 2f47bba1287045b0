// The search box: a combobox whose list holds cities and stations. Arrow keys choose, Enter goes, Escape closes.

import { make, number, say, sayMany } from "./texts.js";

const STATIONS_MAX = 8; // in the list; the table of stations holds every find
const CITIES_MAX = 3;
const WRITE_AFTER_MS = 300; // of rest: browsers refuse to change an address at each letter

export class SearchBox {
  /** `find(typed, limits)` returns {cities, stations, all}; `onTyped(text)` hears of the text once the typing rests. */
  constructor(input, { find, describe, cityName, onStation, onCity, onTyped, onSubmit }) {
    Object.assign(this, { input, find, describe, cityName, onStation, onCity, onTyped });
    this.list = document.getElementById(input.getAttribute("aria-controls"));
    this.told = document.getElementById("find-told");
    this.active = -1;
    this.isTyping = false;
    input.addEventListener("input", () => this.typed());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("focus", () => input.value && this.open());
    input.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus
    this.list.addEventListener("click", ({ target }) => this.choose(this.options.indexOf(target.closest("[role=option]"))));
    input.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.close();
      onSubmit();
    });
  }

  get options() {
    return [...this.list.children];
  }

  typed() {
    this.isTyping = true;
    this.open();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.onTyped(this.input.value.trim()), WRITE_AFTER_MS);
  }

  open() {
    const { cities, stations, all } = this.find(this.input.value, { stationsMax: STATIONS_MAX, citiesMax: CITIES_MAX });
    this.found = [...cities.map((city) => ({ city })), ...stations.map((station) => ({ station }))];
    this.list.replaceChildren(...this.found.map((one, index) => this.option(one, index)));
    this.mark(-1);
    const typed = this.input.value.trim() !== "";
    this.show(this.found.length > 0);
    this.told.textContent = !typed ? "" : this.found.length ? sayMany("found", all + cities.length) : say("found-nothing");
  }

  /** Search again for what is being typed: other stations are held now. A choice that was made in the list stays. */
  refresh() {
    if (this.isTyping && this.active < 0) this.open();
  }

  option({ city, station }, index) {
    const option = make("li", "find__option");
    option.id = `find-option-${index}`;
    option.setAttribute("role", "option");
    const name = city ? this.cityName(city.contract) : station.name;
    const more = city ? sayMany("city-stations", city.stations) : this.describe(station);
    option.append(make("span", "find__name", name), make("span", "muted small", more));
    return option;
  }

  show(shown) {
    this.list.hidden = !shown;
    this.input.setAttribute("aria-expanded", String(shown));
  }

  close() {
    this.isTyping = false;
    this.show(false);
    this.mark(-1);
  }

  mark(index) {
    this.active = index;
    this.options.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const option = this.options[index];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const count = this.options.length;
    if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault(); // it would empty the box too
      this.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.open();
      else if (count) this.mark((this.active + (event.key === "ArrowDown" ? 1 : this.active < 0 ? count : count - 1)) % count);
    } else if (event.key === "Enter" && this.active >= 0 && !this.list.hidden) {
      event.preventDefault();
      this.choose(this.active);
    }
  }

  choose(index) {
    const one = this.found?.[index];
    if (!one) return;
    clearTimeout(this.resting);
    this.close();
    if (one.city) this.onCity(one.city.contract);
    else this.onStation(one.station);
  }
}

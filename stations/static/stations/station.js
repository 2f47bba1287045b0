// A station's page: its figures and changes, live. Times are the city's.

import { showConnection } from "./connection_badge.js";
import { Feeds } from "./feeds.js";
import { LiveSocket } from "./live_socket.js";
import { statusBadge } from "./tables.js";
import { badWord, make, number, say } from "./texts.js";
import { ChangeFeed } from "./change_feed.js";

const page = document.getElementById("station");
const { station: id, feed: feedName, contract, zone } = page.dataset;
const socket = new LiveSocket(page.dataset.socket, () => ({ contracts: [contract], station: id }));
const feeds = new Feeds(socket, { concerned: (all) => [all.find((one) => one.name === feedName)] });
const showMs = showConnection(socket, feeds);
const feed = new ChangeFeed(document.getElementById("ticker"), { href: () => null, time: cityTime });

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
  const changed = page.querySelector('[data-figure="changed"]');
  changed.dateTime = station.polled_at;
  writeCityTime(changed);
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
}

socket.addEventListener("frame", ({ detail: frame }) => {
  if (frame.type === "feed") feeds.take(frame);
  if (frame.type === "fragments") document.dispatchEvent(new CustomEvent("fragments", { detail: frame.fragments }));
  const ours = (frame.stations ?? frame.changes ?? []).filter((station) => station.id === id);
  ours.forEach(show);
  if (frame.removed?.includes(id) || (frame.type === "snapshot" && ours.length === 0 && !page.dataset.held)) showGone();
  if (frame.type !== "delta") return;
  feed.add(ours);
  if (frame.changes.length) showMs(socket.msSince(frame.changes.at(-1).polled_at));
});
page.querySelectorAll("time[data-zone]").forEach(writeCityTime);
socket.open();

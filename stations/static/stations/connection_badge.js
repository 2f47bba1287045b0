// The text of #connection. The page is live only when its socket and its feeds are.

import { ageOf } from "./feeds.js";
import { say, sayMany } from "./texts.js";

const LOOKS = { connecting: "connecting", loading: "connecting", live: "live", waiting: "offline", refused: "offline", rejected: "offline" };
const MS_SHOWN_EVERY = 1000; // a figure that changes more often cannot be read

/** Show the state of the socket and the feeds. Return a function that shows the measured milliseconds. */
export function showConnection(socket, feeds) {
  const element = document.getElementById("connection");
  const text = element.querySelector("[data-live-text]");
  let shownAt = 0;
  let last = null;

  function write(look, words) {
    element.dataset.state = look;
    if (text.textContent !== words) text.textContent = words;
  }

  function show(detail) {
    last = detail;
    const { trouble } = feeds;
    if (detail.state === "live" && trouble) {
      delete element.dataset.ms;
      const look = trouble.condition === "waiting" ? "connecting" : "stale";
      return write(look, say(`state-${trouble.condition}-feed`, { age: ageOf(trouble.feed, trouble.condition) }).trim());
    }
    if (detail.state === "live" && feeds.recorded) {
      delete element.dataset.ms;
      return write("recorded", say("state-recorded"));
    }
    const words = detail.state === "waiting" ? sayMany("state-waiting", detail.seconds) : say(`state-${detail.state}`, detail);
    if (detail.state !== "live" || element.dataset.state !== "live") write(LOOKS[detail.state], words);
  }

  socket.addEventListener("state", ({ detail }) => show(detail));
  feeds.addEventListener("change", () => last && show(last));
  return (ms) => {
    if (element.dataset.state !== "live" || performance.now() - shownAt < MS_SHOWN_EVERY) return;
    shownAt = performance.now();
    element.dataset.ms = ms;
    text.textContent = say("state-live-ms", { ms });
  };
}

// The connection's state in words, on #connection.

import { say, sayMany } from "./texts.js";

const LOOKS = { connecting: "connecting", loading: "connecting", live: "live", waiting: "offline", refused: "offline" };
const MS_SHOWN_EVERY = 1000; // a figure that changes more often cannot be read

/** Show the link's state; returns a function that shows the milliseconds measured. */
export function showConnection(link) {
  const element = document.getElementById("connection");
  const text = element.querySelector("[data-live-text]");
  let shownAt = 0;
  link.addEventListener("state", ({ detail }) => {
    element.dataset.state = LOOKS[detail.state];
    text.textContent =
      detail.state === "waiting" ? sayMany("state-waiting", detail.seconds) : say(`state-${detail.state}`, detail);
  });
  return (ms) => {
    if (link.state !== "live" || performance.now() - shownAt < MS_SHOWN_EVERY) return;
    shownAt = performance.now();
    element.dataset.ms = ms;
    text.textContent = say("state-live-ms", { ms });
  };
}

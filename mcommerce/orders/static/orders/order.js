// Keeps an order's page true: the socket says which version the order has, and a newer one has the page's changing part
// fetched and swapped in. Focus and scroll stay where they were; what is new is said aloud. Counts down to the deadline.

import { localise } from "../site/local-time.js";

const RETRY_FIRST_MS = 1_000; // a server that restarts is back within seconds
const RETRY_MOST_MS = 30_000; // one that is down is not helped by more knocking
const NOT_FOUND = 4404; // this visitor may not see the order (any more): asking again changes nothing
const URGENT_SECONDS = 120; // the countdown raises its voice
const root = document.getElementById("order-live");
const said = document.getElementById("order-said");
const state = document.getElementById("order-state");

const shown = () => document.getElementById("order-now");
const shownVersion = () => Number(shown().dataset.version);

// --- the changing part ---------------------------------------------------------------------------------------------

let wanted = 0; // the newest version the socket spoke of
let fetching = false;

/** Fetch until what is shown is as new as what the socket spoke of; one request at a time. */
async function catchUp() {
  if (fetching) return;
  fetching = true;
  try {
    while (shownVersion() < wanted) {
      const before = shownVersion();
      swap(await fetchNow());
      if (shownVersion() === before) break; // an answer from a moment earlier: the next word or retry brings the rest
    }
  } catch (error) {
    console.warn("The order could not be fetched; the next connection tries again.", error);
    socket?.close();
  } finally {
    fetching = false;
  }
}

async function fetchNow() {
  const answer = await fetch(`${root.dataset.page}?fragment=1`, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("order-now");
  if (!page) throw new Error("No order in the answer");
  return document.importNode(page, true);
}

function swap(fresh) {
  const old = shown();
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const [x, y] = [scrollX, scrollY];
  old.replaceWith(fresh);
  localise(fresh);
  startCountdown();
  if (focused) keepFocus(fresh, focused.id);
  scrollTo(x, y);
  if (fresh.dataset.said !== old.dataset.said) said.textContent = fresh.dataset.said.replace(/\s+/g, " ").trim();
}

/** The same button, if it is still there; else the order's name, so that the keyboard is not thrown to the top. */
function keepFocus(fresh, id) {
  const same = id && document.getElementById(id);
  const target = same || fresh.querySelector("h1");
  if (!same) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

// --- the deadline --------------------------------------------------------------------------------------------------

let ticking;

/** Counts from the server's remaining seconds, not from this computer's clock, which may be wrong. */
function startCountdown() {
  clearInterval(ticking);
  const box = document.getElementById("countdown");
  if (!box) return;
  const time = box.querySelector(".countdown__time");
  box.querySelector(".countdown__words").textContent = root.dataset.within;
  const end = performance.now() + Number(box.dataset.seconds) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    box.classList.toggle("is-urgent", left > 0 && left <= URGENT_SECONDS);
    if (left === 0) {
      clearInterval(ticking);
      box.classList.add("is-over");
      box.textContent = root.dataset.over;
    }
  };
  ticking = setInterval(tick, 1000);
  tick();
}

// --- the socket ----------------------------------------------------------------------------------------------------

let socket;
let tries = 0;
let retry;

function show(name) {
  state.hidden = false;
  state.dataset.state = name;
  state.querySelector("[data-live-text]").textContent = root.dataset[name];
}

function connect() {
  clearTimeout(retry);
  const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${root.dataset.socket}`);
  socket = opened;
  opened.onmessage = (message) => {
    tries = 0;
    show("live");
    wanted = Math.max(wanted, JSON.parse(message.data).version);
    catchUp();
  };
  opened.onclose = (event) => {
    if (event.code === NOT_FOUND) {
      state.hidden = true;
      return;
    }
    show("offline");
    const most = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** tries++);
    retry = setTimeout(connect, most * (0.5 + Math.random() / 2)); // jitter: a restarted server is not stormed
  };
}

// A laptop that wakes up should not wait for a backoff that was meant for a server that is down.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && socket.readyState === WebSocket.CLOSED && state.dataset.state === "offline") connect();
});
addEventListener("online", () => socket.readyState === WebSocket.CLOSED && connect());

startCountdown();
show("connecting");
connect();

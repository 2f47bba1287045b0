// Keeps an order's page true: the socket says which version the order has, and a newer one has the page's changing part
// fetched and swapped in. While the socket is away, the page asks for that part again by itself. Focus and scroll stay
// where they were; what is new is said aloud. Counts down to the deadline. The fragments of other apps come on the
// socket, and without it with the answer; "fragments" hands them to slots.js.

import { localise } from "../site/local-time.js";

const RETRY_FIRST_MS = 1_000; // a server that restarts is back within seconds
const RETRY_MOST_MS = 30_000; // one that is down is not helped by more knocking
const NOT_FOUND = 4404; // this visitor may not see the order (any more): asking again changes nothing
const GRACE_MS = 3_000; // a socket that has said nothing for so long is taken to be away
const CONNECT_TIMEOUT_MS = 10_000; // a proxy that accepts and never answers
const HEARTBEATS_MISSED_MAX = 2; // of silence, then the socket counts as lost
const ANSWER_MS = 10_000; // a page takes a fraction of a second: what takes longer never comes
const ASK_FIRST_MS = 2_000; // between two questions: stock is set aside within a second or two
const ASK_MOST_MS = 30_000; // an order that does not change is not asked about more often
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
      swap((await fetchPage("?fragment=1")).order);
      if (shownVersion() === before) break; // an answer from a moment earlier: the next word or retry brings the rest
    }
  } catch (error) {
    console.warn("The order could not be fetched; the next connection tries again.", error);
    lose();
  } finally {
    fetching = false;
  }
}

/** The changing part of the order, and the fragments if the query asks for them. */
async function fetchPage(query) {
  if (gone) throw new Error("This order is not to be seen here any more");
  const answer = await fetch(root.dataset.page + query, {
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (answer.status === 404) stop();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const order = page.getElementById("order-now");
  if (!order) throw new Error("No order in the answer");
  return { order: document.importNode(order, true), fragments: fragmentsIn(page) };
}

function fragmentsIn(page) {
  const boxes = [...page.querySelectorAll("[data-fragment]")];
  return Object.fromEntries(boxes.map((box) => [box.dataset.fragment, { html: box.innerHTML, digest: box.dataset.digest }]));
}

function tellFragments(fragments) {
  if (fragments) document.dispatchEvent(new CustomEvent("fragments", { detail: fragments }));
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
  document.dispatchEvent(new Event("cart-changed")); // what ends unpaid gives its things back
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
      endPaying();
    }
  };
  ticking = setInterval(tick, 1000);
  tick();
}

/** Nothing leads to the payment provider any more, whether or not the server has closed the order yet. */
function endPaying() {
  const pay = document.getElementById("pay");
  if (!pay) return;
  const focused = pay === document.activeElement;
  pay.form.remove();
  said.textContent = root.dataset.over;
  if (focused) keepFocus(shown());
}

// --- without the socket --------------------------------------------------------------------------------------------

let asking; // the timer of the next question; none while the socket speaks, nobody looks, or all is over
let pause = ASK_FIRST_MS;

function askAfter(delay) {
  clearTimeout(asking);
  const over = live || gone || document.hidden || "final" in shown().dataset;
  asking = over ? undefined : setTimeout(ask, delay);
  if (!live && "final" in shown().dataset) state.hidden = true; // nothing more will come, so nothing is missed
}

async function ask() {
  try {
    const { order: fresh, fragments } = await fetchPage("?fragment=1&slots=1");
    const newer = Number(fresh.dataset.version) > shownVersion();
    if (newer || paysNoMore(fresh)) swap(fresh);
    pause = newer ? ASK_FIRST_MS : Math.min(ASK_MOST_MS, pause * 2);
    if (!live) tellFragments(fragments); // the socket's are newer
    if (!live) show("asking");
  } catch {
    pause = Math.min(ASK_MOST_MS, pause * 2);
    if (!live && !gone) show("offline");
  }
  askAfter(jittered(pause));
}

/** The clock alone ends paying: the order's version grows only once the deadline was seen to. */
function paysNoMore(fresh) {
  return document.getElementById("pay") && !fresh.querySelector("#pay");
}

/** The order cannot be seen here any more. */
function stop() {
  gone = true;
  state.hidden = true;
  clearTimeout(asking);
  clearTimeout(retry);
  letGo();
}

// --- the socket ----------------------------------------------------------------------------------------------------

let socket;
let live = false; // it has spoken lately
let silence; // the timer of the next word
let gone = false;
let tries = 0;
let retry;

const jittered = (most) => most * (0.5 + Math.random() / 2); // a restarted server is not stormed

function show(name) {
  state.hidden = false;
  state.dataset.state = name;
  state.querySelector("[data-live-text]").textContent = root.dataset[name];
}

function connect() {
  clearTimeout(retry);
  try {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${root.dataset.socket}`);
  } catch {
    lose(); // some browsers have it switched off
    return;
  }
  expectWord(CONNECT_TIMEOUT_MS);
  const ours = socket;
  ours.onmessage = (message) => ours === socket && hear(JSON.parse(message.data));
  ours.onclose = (event) => ours === socket && (event.code === NOT_FOUND ? stop() : lose());
}

function hear(word) {
  expectWord(word.heartbeat_s * 1000 * HEARTBEATS_MISSED_MAX);
  tries = 0;
  live = true;
  askAfter(0); // no more: the socket speaks
  show("live");
  tellFragments(word.fragments);
  wanted = Math.max(wanted, word.version);
  catchUp();
}

/** A line that broke without a word still looks open: silence alone tells. */
function expectWord(ms) {
  clearTimeout(silence);
  silence = setTimeout(lose, ms);
}

/** The socket is away: open it again after a while, and ask until then. */
function lose() {
  live = false;
  letGo();
  if (gone) return;
  if (asking === undefined) {
    show("offline");
    pause = ASK_FIRST_MS;
    askAfter(pause);
  }
  clearTimeout(retry);
  retry = setTimeout(connect, jittered(Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** tries++)));
}

/** Of a dead line the browser says much later that it is closed: nobody waits for that. */
function letGo() {
  clearTimeout(silence);
  const old = socket;
  socket = undefined;
  old?.close();
}

// A laptop that wakes up should not wait for a backoff that was meant for a server that is down.
function lookAgain() {
  if (live || gone) return;
  pause = ASK_FIRST_MS;
  askAfter(0);
  if (!socket) connect();
}

document.addEventListener("visibilitychange", () => (document.hidden ? askAfter(0) : lookAgain()));
addEventListener("online", lookAgain);

startCountdown();
show("connecting");
connect();
askAfter(GRACE_MS);

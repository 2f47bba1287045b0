// The socket: connects, resumes where it left off, notices silence and gaps, and reconnects with growing backoff.
// It dispatches two events: "state" (detail {state, ...}) and "frame" (detail: the frame).

import { decoded, WORLD } from "./frames.js";

const PROTOCOL = 2; // of docs/stations-socket.md
const BACKOFF_FIRST_MS = 500; // before the first retry; then twice as long each time
const BACKOFF_MAX_MS = 30_000; // each browser tries a site that is down for long twice a minute
const HEARTBEATS_MISSED_MAX = 2; // of silence, then the connection counts as lost
const CONNECT_TIMEOUT_MS = 10_000; // a proxy that accepts and never answers
const TOO_MANY_CODE = 4429; // this address asks too much
const TRIES_AFTER_TOO_MANY = 5; // so 8 to 16 s: the server counts the messages of 10 s
const FINAL_CODES = new Set([4400, 4403]); // the same request would be refused again

export class LiveSocket extends EventTarget {
  /** `path` is the socket's; `request()` returns the subscription, or null if this socket needs none. */
  constructor(path, request = () => null) {
    super();
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.request = request;
    this.tries = 0;
    this.epoch = ""; // of the held state
    this.seqs = {}; // contract -> seq of the last frame taken
    this.asking = this.missed = false; // a request is not answered yet; a gap was found meanwhile
    this.messages = Promise.resolve(); // taken one after the other: compressed ones need a moment
    this.clockAheadMs = 0; // the server's clock minus ours
    this.heartbeatMs = CONNECT_TIMEOUT_MS;
    this.refusal = "";
    addEventListener("online", () => this.hurry());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    this.close();
    this.tell("connecting");
    const socket = (this.socket = new WebSocket(this.url));
    socket.binaryType = "arraybuffer";
    this.asking = this.missed = false;
    this.expect(CONNECT_TIMEOUT_MS);
    socket.onmessage = ({ data }) => (this.messages = this.messages.then(() => this.take(socket, data)).catch(reportError));
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
  }

  /** Close the socket, without an event and without a retry. */
  close() {
    clearTimeout(this.retry);
    clearInterval(this.countdown);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Follow what `request()` returns now. The sums come anew: they left out the cities that were followed so far. */
  follow() {
    for (const contract of Object.keys(this.seqs)) if (contract === WORLD || !this.wants(contract)) delete this.seqs[contract];
    this.subscribe();
  }

  subscribe() {
    const wanted = this.request();
    if (!wanted || this.socket?.readyState !== WebSocket.OPEN) return;
    const since = this.epoch ? { since: { epoch: this.epoch, seqs: this.seqs } } : {};
    this.askedAt = performance.now();
    this.asking = true;
    this.missed = false;
    this.socket.send(JSON.stringify({ type: "subscribe", ...wanted, ...since }));
  }

  /** Return true if the frames of a contract are wanted: some of others may still be on their way. */
  wants(contract) {
    const { contracts = [], world = false } = this.request() ?? {};
    return contract === WORLD ? world : contracts === "*" || contracts.includes(contract);
  }

  async take(socket, data) {
    const frame = await decoded(data);
    if (socket === this.socket) this.receive(frame);
  }

  receive(frame) {
    this.expect(this.heartbeatMs * HEARTBEATS_MISSED_MAX);
    const take = { hello: this.hello, snapshot: this.snapshot, subscribed: this.subscribed, delta: this.delta, tick: this.tick, error: this.error }[frame.type];
    if (take && take.call(this, frame) === false) return;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  hello(frame) {
    if (frame.protocol !== PROTOCOL) {
      this.lost(); // a server of another release, during a change of releases: the next one may be ours
      return false;
    }
    this.clockAheadMs = Date.parse(frame.server_time) - Date.now();
    this.heartbeatMs = frame.heartbeat_s * 1000;
    this.tell(this.request() ? "loading" : "live");
    if (!this.request()) this.tries = 0;
    this.subscribe();
    return true;
  }

  snapshot({ epoch, contract, seq }) {
    if (!this.wants(contract)) return false;
    if (epoch !== this.epoch) this.seqs = {};
    this.epoch = epoch;
    this.seqs[contract] = seq;
    return true;
  }

  subscribed() {
    this.asking = false;
    if (this.missed) this.subscribe();
    else this.caughtUp();
  }

  /** Compare what the server sent with what came. */
  tick({ seqs }) {
    const isWhole = Object.entries(seqs).every(([contract, seq]) => !this.wants(contract) || this.seqs[contract] === seq);
    if (!isWhole) this.resume();
  }

  /** Report "live" and measure half a round trip: the best guess at how late the hello, and its clock, reached us. */
  caughtUp() {
    this.tries = 0;
    if (this.askedAt) this.halfTripMs = (performance.now() - this.askedAt) / 2;
    this.tell("live");
  }

  /** Take a delta. Return false if it brings nothing new, or does not fit the held state; then resume. */
  delta({ epoch, contract, prev, seq }) {
    if (!this.wants(contract)) return false;
    const held = this.seqs[contract];
    if (epoch !== this.epoch || held === undefined || prev > held) {
      this.resume();
      return false;
    }
    this.seqs[contract] = Math.max(held, seq);
    return seq > held;
  }

  /** Subscribe again from the held state, once a request that is on its way is answered. */
  resume() {
    if (this.asking) this.missed = true;
    else this.subscribe();
  }

  /** Keep the reason of a refusal. A request that is refused while the socket stays open gets no other answer. */
  error(frame) {
    this.refusal = frame.message;
    if (!this.asking) return;
    this.asking = this.missed = false;
    this.tell("rejected", { reason: this.refusal });
  }

  /** Return the milliseconds from `at`, by the server's clock, until now; 0 if `at` is yet to come. */
  msSince(at) {
    return Math.max(0, Math.round(Date.now() + this.clockAheadMs + (this.halfTripMs ?? 0) - Date.parse(at)));
  }

  expect(ms) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(), ms);
  }

  lost(code) {
    this.close();
    if (FINAL_CODES.has(code)) {
      this.tell("refused", { reason: this.refusal });
      return;
    }
    if (code === TOO_MANY_CODE) this.tries = Math.max(this.tries, TRIES_AFTER_TOO_MANY);
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.tries);
    this.tries += 1;
    this.comeAgainIn(longest / 2 + (Math.random() * longest) / 2); // jitter: many browsers must not reconnect at once
  }

  comeAgainIn(ms) {
    const at = performance.now() + ms;
    const tell = () => this.tell("waiting", { seconds: Math.max(1, Math.ceil((at - performance.now()) / 1000)) });
    tell();
    this.countdown = setInterval(tell, 1000);
    this.retry = setTimeout(() => this.open(), ms);
  }

  /** Retry at once: the network or the reader is back. */
  hurry() {
    if (this.state === "waiting") this.open();
  }

  tell(state, more = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...more } }));
  }
}

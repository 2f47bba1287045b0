// The socket: connects, resumes where it left off, notices silence and gaps, and comes again with growing patience.
// It tells its owner by events: "state" (detail {state, ...}), "frame" (detail: the frame), nothing else.

const BACKOFF_FIRST_MS = 500; // the first new try; then twice as long each time
const BACKOFF_MAX_MS = 30_000; // a site that is down for long is asked twice a minute by each browser
const HEARTBEATS_MISSED_MAX = 2; // of silence, then the connection counts as lost
const CONNECT_TIMEOUT_MS = 10_000; // a proxy that accepts and never answers
const FINAL_CODES = new Set([4400, 4403]); // asking again the same way would be refused again

export class Link extends EventTarget {
  /** `path` is the socket's; `request()` gives the subscription, or null when this socket needs none. */
  constructor(path, request = () => null) {
    super();
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.request = request;
    this.tries = 0;
    this.position = null; // {epoch, seq}: what we hold
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
    this.expect(CONNECT_TIMEOUT_MS);
    socket.onmessage = (event) => socket === this.socket && this.receive(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
  }

  /** End it, without a word and without coming again. */
  close() {
    clearTimeout(this.retry);
    clearInterval(this.countdown);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Ask for other contracts: from the beginning, for what we hold is of other ones. */
  subscribeAnew() {
    this.position = null;
    this.subscribe();
  }

  subscribe() {
    const wanted = this.request();
    if (!wanted || this.socket?.readyState !== WebSocket.OPEN) return;
    const since = this.position ? { since: this.position } : {};
    this.askedAt = performance.now();
    this.socket.send(JSON.stringify({ type: "subscribe", ...wanted, ...since }));
  }

  receive(frame) {
    this.expect(this.heartbeatMs * HEARTBEATS_MISSED_MAX);
    const take = { hello: this.hello, snapshot: this.snapshot, resumed: this.resumed, delta: this.delta, error: this.error }[frame.type];
    if (take && take.call(this, frame) === false) return;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  hello(frame) {
    this.clockAheadMs = Date.parse(frame.server_time) - Date.now();
    this.heartbeatMs = frame.heartbeat_s * 1000;
    this.tell(this.request() ? "loading" : "live");
    if (!this.request()) this.tries = 0;
    this.subscribe();
  }

  snapshot(frame) {
    this.position = { epoch: frame.epoch, seq: frame.seq };
    this.caughtUp();
  }

  resumed() {
    this.caughtUp();
  }

  /** Half a round trip is how much later than the server's the hello reached us: our best guess at its clock. */
  caughtUp() {
    this.tries = 0;
    if (this.askedAt) this.halfTripMs = (performance.now() - this.askedAt) / 2;
    this.tell("live");
  }

  /** False when it does not fit on what we hold: then we resume. */
  delta(frame) {
    if (frame.epoch !== this.position?.epoch || frame.prev !== this.position.seq) {
      this.subscribe();
      return false;
    }
    this.position = { epoch: frame.epoch, seq: frame.seq };
    return true;
  }

  error(frame) {
    this.refusal = frame.message;
  }

  /** Milliseconds from `at`, by the server's clock, until now; 0 when `at` is yet to come. */
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
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.tries);
    this.tries += 1;
    this.comeAgainIn(longest / 2 + (Math.random() * longest) / 2); // jitter: a thousand browsers do not come at once
  }

  comeAgainIn(ms) {
    const at = performance.now() + ms;
    const tell = () => this.tell("waiting", { seconds: Math.max(1, Math.ceil((at - performance.now()) / 1000)) });
    tell();
    this.countdown = setInterval(tell, 1000);
    this.retry = setTimeout(() => this.open(), ms);
  }

  /** The network or the reader is back: do not wait for the next try. */
  hurry() {
    if (this.state === "waiting") this.open();
  }

  tell(state, more = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...more } }));
  }
}

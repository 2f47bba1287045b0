// The socket: connects, resumes where it left off, notices silence and gaps, and reconnects with growing backoff.
// It dispatches two events: "state" (detail {state, ...}) and "frame" (detail: the frame).

const BACKOFF_FIRST_MS = 500; // before the first retry; then twice as long each time
const BACKOFF_MAX_MS = 30_000; // each browser tries a site that is down for long twice a minute
const HEARTBEATS_MISSED_MAX = 2; // of silence, then the connection counts as lost
const CONNECT_TIMEOUT_MS = 10_000; // a proxy that accepts and never answers
const FINAL_CODES = new Set([4400, 4403]); // the same request would be refused again

export class LiveSocket extends EventTarget {
  /** `path` is the socket's; `request()` returns the subscription, or null if this socket needs none. */
  constructor(path, request = () => null) {
    super();
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.request = request;
    this.tries = 0;
    this.position = null; // {epoch, seq} of the held state
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

  /** Close the socket, without an event and without a retry. */
  close() {
    clearTimeout(this.retry);
    clearInterval(this.countdown);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Subscribe to other contracts from the beginning: the held state is of the earlier ones. */
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

  /** Report "live" and measure half a round trip: the best guess at how late the hello, and its clock, reached us. */
  caughtUp() {
    this.tries = 0;
    if (this.askedAt) this.halfTripMs = (performance.now() - this.askedAt) / 2;
    this.tell("live");
  }

  /** Take a delta. Return false if it does not fit the held state, and resume. */
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

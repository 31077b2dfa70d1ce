/* The socket: when to come back, when to stay away, when silence means it is dead. */

const PING = 15_000;
const SILENCE = 20_000;
const TICK = 5_000;
const LIVED = 1_000;
const ANSWER = 10_000; // from connecting to the answer to resume

/** How long to wait before the next try: random in [0, min(60, 0.5 * 2^n)] seconds. */
export class Backoff {
  n = 0;
  after = 0; // the server's own wish, once

  /** Only a socket that was answered and lived a second counts as a success: a server may accept and then close. */
  ended({ answered, lived }) {
    this.n = answered && lived >= LIVED ? 0 : this.n + 1;
  }

  /** Milliseconds to wait. `n` counts the failures in a row. */
  delay(random = Math.random) {
    const wish = this.after;
    this.after = 0;
    return wish || random() * Math.min(60_000, 500 * 2 ** this.n);
  }
}

/** Judges silence by when the timer really ran: hidden tabs and sleeping machines run it late. */
export class Heartbeat {
  constructor(now) {
    this.heard = this.pinged = this.ran = now;
  }

  /** To be asked every TICK: "ping", "dead" or "". */
  tick(now) {
    const late = now - this.ran > 2 * TICK;
    this.ran = now;
    // Asleep, we heard nothing: that is not the server's silence, unless it owes an answer already.
    if (late && this.heard >= this.pinged) this.heard = Math.max(this.heard, now - PING);
    if (now - this.heard >= SILENCE) return "dead";
    if (!late && now - this.pinged < PING) return "";
    this.pinged = now;
    return "ping";
  }
}

/** What a close code asks of us: "again", or the state to stay in until somebody acts. */
export function afterClose(code) {
  return { 4400: "stopped", 4401: "signed-out", 4403: "stopped", 4409: "replaced", 4429: "full" }[code] ?? "again";
}

/** One socket at a time, opened again until told otherwise. `on`: {opened(), message(data), state()}: it has changed. */
export class Socket {
  backoff = new Backoff();
  state = "asleep"; // asleep, connecting, live, down, or what afterClose says
  tries = 0;

  constructor(url, on) {
    this.url = url;
    this.on = on;
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.open) this.socket.send(JSON.stringify(message));
    return this.open;
  }

  /** Connect now, whatever we were waiting for; nothing when a socket is there. */
  start() {
    if (this.socket) return;
    clearTimeout(this.timer);
    this.#become(this.tries ? "down" : "connecting");
    const socket = (this.socket = new WebSocket(this.url));
    this.answered = false;
    this.opened = Infinity;
    const mine = (act) => (event) => this.socket === socket && act(event);
    this.timer = setTimeout(mine(() => this.#ended(1006)), ANSWER);
    socket.onopen = mine(() => {
      this.opened = performance.now();
      this.heartbeat = new Heartbeat(this.opened);
      this.ticking = setInterval(() => this.#tick(), TICK);
      this.on.opened();
    });
    socket.onmessage = mine((event) => {
      this.heartbeat.heard = performance.now();
      this.on.message(event.data);
    });
    socket.onclose = mine((event) => this.#ended(event.code));
  }

  /** The server has answered the resume. */
  live() {
    clearTimeout(this.timer);
    this.answered = true;
    this.tries = 0;
    this.#become("live");
  }

  /** End it without a word to the user: hidden, or leaving the page. */
  sleep() {
    clearTimeout(this.timer);
    this.#drop();
    this.tries = 0;
    this.#become("asleep");
  }

  /** The browser thinks something changed: ask the server at once. */
  hint() {
    if (!this.open) return;
    this.heartbeat.heard = Math.min(this.heartbeat.heard, performance.now() - PING);
    this.heartbeat.pinged = performance.now();
    this.send({ do: "ping" });
  }

  #tick() {
    const verdict = this.heartbeat.tick(performance.now());
    if (verdict === "ping") this.send({ do: "ping" });
    if (verdict === "dead") this.#ended(1006);
  }

  #ended(code) {
    this.backoff.ended({ answered: this.answered, lived: performance.now() - this.opened });
    this.#drop();
    const verdict = afterClose(code);
    if (verdict !== "again") return this.#become(verdict);
    this.tries += 1;
    this.#become("down");
    this.timer = setTimeout(() => this.start(), this.backoff.delay());
  }

  #drop() {
    const socket = this.socket;
    this.socket = null; // its later events are nobody's
    clearTimeout(this.timer);
    clearInterval(this.ticking);
    socket?.close();
  }

  #become(state) {
    this.state = state;
    this.on.state();
  }
}

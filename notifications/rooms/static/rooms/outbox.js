/* Messages on their way: shown at once, sent in the order in which they were written, kept and sent again until the server has answered for each.
   The client id makes a message one, however often it is sent. Pure: what it needs of a browser is given. */

const LONGEST = 30_000;
// Browsers take their timers only from those who do not call them as methods.
const wait = (work, ms) => setTimeout(work, ms);
const unwait = (timer) => clearTimeout(timer);

/** An entry's `state`: waiting, sending, stored, failed. `why` says what keeps it. */
export class Outbox {
  #entries = [];
  #busy = false;
  #tries = 0;
  #timer;

  /** `post(entry)` answers {stored}, {why, lasting: true}, or {why, after: seconds}; `changed(entry)` draws; `store` keeps what has no answer yet. */
  constructor({ post, changed, store, id, later = wait, cancel = unwait, random = Math.random }) {
    Object.assign(this, { post, changed, store, id, later, cancel, random });
    for (const { id: known, text, at } of store.read()) this.#entries.push({ id: known, text, at, state: "waiting", why: "" });
    for (const entry of this.#entries) changed(entry);
  }

  get entries() {
    return [...this.#entries];
  }

  /** Send a text as soon as it can be sent. Returns its entry. */
  put(text, at) {
    const entry = { id: this.id(), text, at, state: "waiting", why: "" };
    this.#entries.push(entry);
    this.#save();
    this.changed(entry);
    this.send();
    return entry;
  }

  /** The way is free again: send now what waits. */
  wake() {
    this.#tries = 0;
    this.send();
  }

  /** The message stands on the page as everybody sees it. */
  arrived(id) {
    this.#remove(id);
  }

  /** Give a message up. Returns its text. */
  drop(id) {
    return this.#remove(id)?.text;
  }

  /** Send a refused message once more. */
  retry(id) {
    const entry = this.#entries.find((one) => one.id === id && one.state === "failed");
    if (entry) this.#become(entry, "waiting");
    this.wake();
  }

  async send() {
    this.cancel(this.#timer);
    const entry = this.#entries.find(({ state }) => state === "waiting");
    if (this.#busy || !entry) return;
    this.#busy = true;
    this.#become(entry, "sending");
    const answer = await this.post(entry);
    this.#busy = false;
    this.#answered(entry, answer);
  }

  #answered(entry, { stored, why = "", lasting, after = 0 }) {
    if (stored || lasting) {
      this.#tries = 0;
      this.#become(entry, stored ? "stored" : "failed", why);
      this.send();
      return;
    }
    this.#become(entry, "waiting", why);
    const most = Math.min(LONGEST, 500 * 2 ** this.#tries++);
    this.#timer = this.later(() => this.send(), Math.max(after * 1000, (most * (1 + this.random())) / 2));
  }

  #become(entry, state, why = "") {
    if (!this.#entries.includes(entry)) return; // it came, or was given up, meanwhile
    Object.assign(entry, { state, why });
    this.#save();
    this.changed(entry);
  }

  #remove(id) {
    const entry = this.#entries.find((one) => one.id === id);
    if (!entry) return undefined;
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#save();
    this.changed({ ...entry, state: "gone" });
    return entry;
  }

  #save() {
    this.store.write(this.#entries.filter(({ state }) => state !== "stored").map(({ id, text, at }) => ({ id, text, at })));
  }
}

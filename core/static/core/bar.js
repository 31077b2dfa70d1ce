/* #connection-bar: says what the connection does, in words, only when somebody needs to know. Kinds (data-state): reconnecting, online, paused, ended. */

const QUIET = 1_000; // a short break is nobody's business
const FIRST = 5_000; // nor is a slow start of the page
const PRAISE = 4_000;

const ENDS = {
  replaced: ["paused", "Paused in this tab.", "Resume"],
  full: ["reconnecting", "Too many connections are open.", "Retry now"],
  stopped: ["ended", "Live updates have stopped for this page.", "Reload"],
  "signed-out": ["ended", "You are signed out.", "Sign in again"],
};

export class Bar {
  applied = 0;
  held = null; // how many updates wait, while paused

  /** `act(label)` is called when the bar's button is pressed. */
  constructor(act) {
    this.act = act;
  }

  /** Follow the socket's state. */
  connection(state, tries) {
    const before = this.state;
    this.state = state;
    this.tries = tries;
    if (state === "down" || state === "connecting") {
      if (!this.broken) this.timer ??= setTimeout(() => this.#breakNow(), tries ? QUIET : FIRST);
    } else {
      clearTimeout(this.timer);
      this.timer = null;
      if (state === "live" && this.broken && before !== "live") this.#praise();
      this.broken = false;
    }
    this.#show();
  }

  /** `count` updates wait; null: not paused. */
  paused(count) {
    this.held = count;
    this.#show();
  }

  /** So many missed updates have just been applied. */
  caughtUp(count) {
    this.applied += count;
    if (this.back) this.#show();
  }

  #breakNow() {
    this.broken = true;
    this.applied = 0;
    this.#show();
  }

  #praise() {
    clearTimeout(this.back);
    this.back = setTimeout(() => {
      this.back = null;
      this.#show();
    }, PRAISE);
  }

  #show() {
    if (this.state in ENDS) return this.#write(...ENDS[this.state]);
    if (this.broken) return this.#write("reconnecting", this.tries ? `Reconnecting (try ${this.tries}).` : "Connecting.", "Retry now");
    if (this.held !== null) return this.#write("paused", `Paused, ${this.held} waiting.`, "Resume");
    if (this.back) return this.#write("online", `Back online${this.applied ? `, ${this.applied} update${this.applied > 1 ? "s" : ""} applied` : ""}`);
    return this.#write();
  }

  #write(kind, text, label) {
    const bar = document.getElementById("connection-bar");
    if (!bar) return;
    if (!kind) {
      bar.replaceChildren();
      delete bar.dataset.state;
      return;
    }
    bar.dataset.state = kind;
    // The text alone changes while the words around it stay: the button keeps its focus.
    if (bar.lastElementChild?.textContent !== (label ?? "") || !bar.firstElementChild) bar.replaceChildren(document.createElement("span"), this.#button(label));
    if (bar.firstElementChild.textContent !== text) bar.firstElementChild.textContent = text;
  }

  #button(label) {
    const button = document.createElement(label ? "button" : "i");
    if (!label) return button;
    button.type = "button";
    button.className = "btn";
    button.textContent = label;
    button.addEventListener("click", () => this.act(label));
    return button;
  }
}

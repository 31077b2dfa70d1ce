/* Toasts: at most three and "+N more", each for six seconds, held while somebody points at them or has the focus there; critical ones stay.
     <div class="toast" id="t-12" data-at="<ISO>" data-priority="normal|high|critical"> ... <button data-dismiss> ... </div>   arrives in #toasts.
   A toast with an id and without data-at (an undo) answers what she has just done: it is new by nature and stands beside the three;
   data-stay="10" keeps it so many seconds, which an element in it with data-left counts down.
   toasts:shown tells of those that have just been let in, the ones that gave way to "+N more" too. */

import { now } from "./times.js";
import { STAYS, admit, arrange } from "./toast_policy.js";

const known = new Set();
const timers = new Map(); // toast -> {left, since, timer}
let more = 0;
let missed = 0;
let held = false;

const box = () => document.getElementById("toasts");
const shown = () => [...(box()?.querySelectorAll(".toast") ?? [])];
const fact = (element) => ({
  element,
  id: element.id,
  at: Date.parse(element.dataset.at) || now(),
  critical: element.dataset.priority === "critical",
  answer: Boolean(element.id) && !element.dataset.at,
});

function arrived(catchUp) {
  const elements = shown().filter((element) => !timers.has(element) && !element.matches(".grouped:not([id])"));
  if (elements.length) take(elements.map(fact), catchUp);
  for (const element of timers.keys()) if (!element.isConnected) timers.delete(element);
  layOut();
}

function take(facts, catchUp) {
  const { show, grouped } = admit(facts, { now: now(), known, catchUp });
  for (const toast of facts) {
    if (toast.id && toast.element.dataset.at) known.add(`${toast.id}@${toast.at}`);
    if (!show.includes(toast)) toast.element.remove();
  }
  for (const toast of show) replaceTwin(toast);
  missed += grouped;
  const { over } = arrange(shown().map(fact));
  for (const toast of over) toast.element.remove();
  more += over.length;
  for (const toast of show) if (toast.element.isConnected) start(toast);
  if (show.length) document.dispatchEvent(new CustomEvent("toasts:shown", { detail: show.map(({ element }) => element) }));
}

/** The same notification again takes the place of what is shown of it. */
function replaceTwin({ id, element }) {
  const twin = id && shown().find((other) => other.id === id && other !== element);
  twin?.replaceWith(element);
}

function start({ element, critical }) {
  const left = critical ? Infinity : 1000 * Number(element.dataset.stay ?? 0) || STAYS;
  timers.set(element, { left });
  if (!held) run(element);
  countDown();
}

function run(element) {
  const state = timers.get(element);
  if (state.left === Infinity) return;
  state.since = performance.now();
  clearTimeout(state.timer);
  state.timer = setTimeout(() => dismiss(element), state.left);
}

function dismiss(element) {
  clearTimeout(timers.get(element)?.timer);
  timers.delete(element);
  const focused = element.querySelector(":focus-visible");
  element.remove();
  if (element.matches(".grouped")) missed = 0;
  layOut();
  attend();
  if (focused) shown()[0]?.querySelector("a, button")?.focus();
}

const left = ({ left: ms, since }) => (held || !since ? ms : ms - (performance.now() - since));
let counting;

/** Where a toast says how long it stays, it counts down; while it is held, it waits. */
function countDown() {
  const counted = [...timers].map(([element, state]) => [element.querySelector("[data-left]"), state]).filter(([place]) => place);
  for (const [place, state] of counted) place.textContent = Math.max(0, Math.ceil(left(state) / 1_000));
  if (!counted.length) counting = clearInterval(counting);
  else counting ??= setInterval(countDown, 250);
}

/** Nobody has six seconds for what she cannot see, or is reading, or has the focus in. */
function attend() {
  const value = document.hidden || box()?.matches(":hover") || box()?.contains(document.activeElement) || false;
  if (value === held) return;
  held = value;
  for (const [element, state] of timers) {
    clearTimeout(state.timer);
    if (!held) run(element);
    else if (state.since) Object.assign(state, { left: Math.max(2_000, state.left - (performance.now() - state.since)), since: 0 });
  }
}

/** The line that says how many are not shown, and the one for what came while the connection was down. */
function layOut() {
  line("more-toasts", more && shown().length ? `+${more} more` : "");
  if (!shown().length) more = 0;
  if (missed) grouped(`${missed} notification${missed > 1 ? "s" : ""} while you were away`);
}

function line(kind, text) {
  const old = box()?.querySelector(`.${kind}`);
  if (!text) return old?.remove();
  const link = old ?? Object.assign(document.createElement("a"), { className: kind, href: "/inbox/" });
  link.textContent = text;
  box().append(link);
}

function grouped(text) {
  let toast = box().querySelector(".grouped:not([id])");
  if (!toast) {
    toast = document.createElement("div");
    toast.className = "toast grouped";
    toast.setAttribute("role", "status");
    toast.append(document.createElement("span"), Object.assign(document.createElement("a"), { className: "btn small", href: "/inbox/", textContent: "See inbox" }));
    box().prepend(toast);
    start({ element: toast });
  }
  toast.firstChild.textContent = text;
}

document.addEventListener("htmx:after:swap", ({ detail }) => arrived(detail.ctx.catchUp));
document.addEventListener("click", (event) => {
  const toast = event.target.closest?.("#toasts [data-dismiss]")?.closest(".toast");
  if (toast) dismiss(toast);
});
document.addEventListener("keydown", (event) => {
  const toast = event.key === "Escape" && document.activeElement?.closest("#toasts .toast");
  if (toast) dismiss(toast);
});
for (const name of ["pointerover", "focusin", "visibilitychange"]) document.addEventListener(name, attend);
document.addEventListener("focusout", () => setTimeout(attend));
arrived(false);

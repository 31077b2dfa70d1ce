// Offers names while `@...` is typed in the composer: arrows choose, Enter or Tab takes, Escape leaves. Said to screen readers by aria-activedescendant.
import { completed, stepped, typed } from "./completion.js";

const field = document.getElementById("say");
const list = document.getElementById("mention-list");
const room = document.getElementById("room");
const WAIT = 120;
let chosen = 0;
let asked = 0;
let timer = 0;
let dismissed = null; // what was typed when she pressed Escape

const options = () => [...list.children];
const isOpen = () => !list.hidden;

function close() {
  list.hidden = true;
  list.replaceChildren();
  field.removeAttribute("aria-activedescendant");
}

function show(names) {
  if (!names.length) return close();
  list.replaceChildren(...names.map(option));
  list.hidden = false;
  choose(0);
}

function option(name, index) {
  const item = Object.assign(document.createElement("li"), { id: `mention-${index}`, role: "option" });
  item.dataset.name = name;
  const shown = Object.assign(document.createElement("bdi"), { textContent: `@${name}` });
  item.append(shown);
  if (name === "here") item.append(Object.assign(document.createElement("span"), { className: "tiny faint", textContent: "everybody who is here now" }));
  return item;
}

function choose(place) {
  chosen = place;
  options().forEach((item, index) => item.setAttribute("aria-selected", index === place));
  field.setAttribute("aria-activedescendant", `mention-${place}`);
  options()[place].scrollIntoView({ block: "nearest" });
}

function take(name) {
  const { text, caret } = completed(field.value, field.selectionStart, name);
  field.value = text;
  field.setSelectionRange(caret, caret);
  close();
  field.focus();
}

async function ask() {
  const prefix = typed(field.value, field.selectionStart);
  if (prefix === null || prefix === dismissed) return close();
  const mine = ++asked;
  const answer = await fetch(`${room.dataset.names}?q=${encodeURIComponent(prefix)}`, { headers: { Accept: "application/json" } }).catch(() => null);
  const names = answer?.ok ? (await answer.json()).names : [];
  if (mine === asked && document.activeElement === field && typed(field.value, field.selectionStart) === prefix) show(names);
}

function soon() {
  clearTimeout(timer);
  if (typed(field.value, field.selectionStart) !== dismissed) dismissed = null;
  if (typed(field.value, field.selectionStart) === null) return close();
  timer = setTimeout(ask, WAIT);
}

const KEYS = {
  ArrowDown: () => choose(stepped(chosen, 1, options().length)),
  ArrowUp: () => choose(stepped(chosen, -1, options().length)),
  Enter: () => take(options()[chosen].dataset.name),
  Tab: () => take(options()[chosen].dataset.name),
  Escape: () => {
    dismissed = typed(field.value, field.selectionStart);
    close();
  },
};

field.addEventListener("keydown", (event) => {
  if (!isOpen() || event.isComposing || event.shiftKey || !(event.key in KEYS)) return;
  event.preventDefault();
  event.stopPropagation(); // Enter takes the name here, and sends nothing
  KEYS[event.key]();
});
field.addEventListener("input", soon);
field.addEventListener("click", soon);
field.addEventListener("blur", close);
list.addEventListener("pointerdown", (event) => {
  event.preventDefault(); // the field keeps the focus
  const item = event.target.closest("[data-name]");
  if (item) take(item.dataset.name);
});

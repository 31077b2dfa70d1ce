/* The inbox by keyboard: j k move the focus from row to row; e, Shift+I, Shift+U press the row's own buttons; b asks until when;
   z takes back, / leads to the filter, ? tells all.
     <button data-snooze="12">             opens #snooze-dialog for that item
     <button data-opens="snooze-all">      opens #snooze-all-dialog
     <button data-close>                   closes the dialog it stands in */

const rows = () => [...document.querySelectorAll("main .rows > .row")].filter((row) => row.checkVisibility());
const link = (row) => row?.querySelector(".title-link");
const press = (row, verb) => row?.querySelector(`[hx-post$="/${verb}/"]`)?.click();
const dialog = (name) => document.getElementById(`${name}-dialog`);

let current = { id: "", index: -1 }; // the row that the focus was in last, and where it stood

/** That row, while it is shown: on the unread tab one that is read stands there and is not. */
function here() {
  const row = document.getElementById(current.id);
  return row?.checkVisibility() ? row : null;
}

function go(row, all = rows()) {
  if (!row) return;
  current = { id: row.id, index: all.indexOf(row) };
  link(row)?.focus();
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  const row = here();
  const at = row ? all.indexOf(row) : current.index - (step > 0 ? 1 : 0);
  go(all[Math.max(0, Math.min(all.length - 1, at + step))], all);
}

function snooze(id) {
  const field = dialog("snooze")?.querySelector("[name=id]");
  if (!field || !id) return;
  field.value = id;
  ask("snooze");
}

const twoDigits = (number) => String(number).padStart(2, "0");

/** A moment as <input type="datetime-local"> writes it. */
function typed(moment) {
  const [year, ...rest] = [moment.getFullYear(), moment.getMonth() + 1, moment.getDate(), moment.getHours(), moment.getMinutes()];
  const [month, day, hour, minute] = rest.map(twoDigits);
  return `${year}-${month}-${day}T${hour}:${minute}`;
}

// What is typed, and the morning that a snooze ends in, is the time of this browser's zone.
for (const field of document.querySelectorAll("input[name=zone]")) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

/** Open a dialog that asks until when. */
function ask(name) {
  const asked = dialog(name);
  if (!asked) return;
  asked.querySelector("[name=at]").min = typed(new Date(Date.now() + 60_000));
  asked.querySelector(".error").textContent = "";
  asked.showModal();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  e: () => press(here(), "archive"),
  b: () => snooze(here()?.id.slice(2)),
  I: () => press(here(), "read"),
  U: () => press(here(), "unread"),
  z: () => document.querySelector("#undo button")?.click(),
  "/": () => document.querySelector("input.search")?.focus(),
  "?": () => dialog("keys")?.showModal(),
};

const typing = (element) => element?.closest("input, textarea, select, [contenteditable], dialog");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || document.querySelector("dialog[open]")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("focusin", ({ target }) => {
  const row = target.closest?.("main .rows > .row");
  if (row) current = { id: row.id, index: rows().indexOf(row) };
});

// A row that a button changed or took away leaves the focus nowhere: it stays with the row, else goes to the one that moved up.
document.addEventListener("htmx:after:swap", () => {
  if (!current.id || document.activeElement !== document.body) return;
  const all = rows();
  go(here() ?? all[Math.min(current.index, all.length - 1)], all);
});

document.addEventListener("click", (event) => {
  const wanted = event.target.closest?.("[data-snooze]");
  if (wanted) snooze(wanted.dataset.snooze);
  const opens = event.target.closest?.("[data-opens]");
  if (opens) ask(opens.dataset.opens);
  event.target.closest?.("[data-close]")?.closest("dialog").close();
});
// A time of her own that cannot be leaves the dialog open, with the reason in it.
document.addEventListener("submit", ({ target, submitter }) => {
  if (submitter?.name === "for" && submitter.value !== "own") setTimeout(() => target.closest("dialog")?.close());
});
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.response.status < 400) ctx.sourceElement?.closest?.("dialog")?.close();
});

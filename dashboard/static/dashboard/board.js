/* A board's own buttons and clocks: `[data-full-screen]` puts the page on the whole screen and back; `[data-sort]` in the head of a
   `table.sortable` sorts its rows, and they stay sorted while they change; `[data-clock]` shows the time of a zone;
   `[data-most="20"]` keeps its last 20 elements; `[data-watching]` says how many watch. */

import "./kiosk.js";

async function toggle() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-full-screen]")) toggle().catch((error) => console.warn("full screen:", error.message));
});

// --- sorted tables ---

const chosen = new Map(); // widget id -> column, "-" before it: the highest first

function key(row, column) {
  const cell = row.cells[column];
  return cell?.dataset.value === undefined ? (cell?.textContent ?? "") : Number(cell.dataset.value);
}

function compare(one, other) {
  if (typeof one === typeof other) return typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
  return typeof one === "number" ? -1 : 1;
}

function sort(table) {
  const first = table.tBodies[0].rows[0];
  for (const [place, head] of [...table.tHead.rows[0].cells].entries()) head.classList.toggle("r", first?.cells[place]?.matches(".r") ?? false);
  const wanted = chosen.get(table.closest(".w").id) ?? table.dataset.sorted;
  if (!wanted) return;
  const column = Math.abs(Number(wanted.replace("-", "")));
  const direction = wanted.startsWith("-") ? -1 : 1;
  for (const [place, head] of [...table.tHead.rows[0].cells].entries()) {
    if (place === column) head.setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((one, other) => direction * compare(key(one, column), key(other, column)));
  if (rows.some((row, place) => row !== body.rows[place])) body.append(...rows);
}

const sortAll = () => document.querySelectorAll("table.sortable").forEach(sort);

document.addEventListener("click", (event) => {
  const column = event.target.closest?.("table.sortable [data-sort]")?.dataset.sort;
  if (column === undefined) return;
  const table = event.target.closest("table");
  const { id } = table.closest(".w");
  chosen.set(id, (chosen.get(id) ?? table.dataset.sorted) === column ? `-${column}` : column);
  sort(table);
});
document.addEventListener("htmx:after:swap", sortAll);
document.addEventListener("live:applied", sortAll);
sortAll();

// --- clocks ---

function tick() {
  for (const clock of document.querySelectorAll("[data-clock]")) {
    const second = "seconds" in clock.dataset ? "2-digit" : undefined;
    const style = { hour: "2-digit", minute: "2-digit", second, timeZone: clock.dataset.clock || undefined };
    const text = new Date().toLocaleTimeString(undefined, style);
    if (clock.textContent !== text) clock.textContent = text;
  }
  setTimeout(tick, 1000 - (Date.now() % 1000));
}
tick();

// --- lists that keep their newest ---

function shorten() {
  for (const list of document.querySelectorAll("[data-most]")) {
    while (list.children.length > Number(list.dataset.most)) list.firstElementChild.remove();
  }
}
document.addEventListener("live:applied", shorten);

// --- who watches ---

function count() {
  for (const words of document.querySelectorAll("[data-watching]")) {
    const number = document.getElementById("presence")?.children.length ?? 0;
    words.textContent = number ? `${number} watching` : "";
  }
}
document.addEventListener("live:applied", count);
count();

/* Times in the browser's zone and the freshness of tiles: on the first page, in everything that is swapped in, and as time passes.

     <time datetime="2026-11-21T07:10:00Z" data-style="age|time|clock|date|datetime">text</time>       age: "2 min" (the default) · time: 08:10 ·
                         clock: 08:10:00 · date: 21 Nov · datetime: 21 Nov, 08:10. The exact time is its title. Where the age is over a week: date.
     <section class="w" data-interval="2" data-grace="4" data-at="2026-11-21T07:10:00Z" data-state="live"> ... <span class="age"></span>
                         live becomes late, then stale (words.js); error, paused and nodata stay what the server said. In `.age`: chip and words.
                         A newer `i[data-at]` inside (a chart's news) counts instead, with its data-state.
     <body data-now="1763709000.5">    the server's clock when it rendered the page (unix seconds), so that a wrong clock here does no harm. */

import { age, freshness, saying } from "./words.js";

const WEEK = 7 * 86_400_000;
/** Writes times so. What it takes to know how costs a browser milliseconds: made when it is first needed. */
export function written(options) {
  let made;
  return { format: (at) => (made ??= new Intl.DateTimeFormat(undefined, options)).format(at) };
}

const hm = { hour: "numeric", minute: "2-digit" };
const day = { day: "numeric", month: "short" };
const STYLES = { time: written(hm), clock: written({ ...hm, second: "2-digit" }), date: written(day), datetime: written({ ...day, ...hm }) };
const exact = written({ dateStyle: "full", timeStyle: "medium" });
const clock = (ms) => STYLES.time.format(ms);

/** How far this machine's clock is ahead of the server's; 0 when that is not known. */
function skew() {
  const [page] = performance.getEntriesByType("navigation");
  const server = 1000 * Number(document.body.dataset.now ?? 0);
  if (!server || !page?.transferSize) return 0; // from the cache: an old time
  const ahead = performance.timeOrigin + page.responseStart - server;
  return Math.abs(ahead) > 2_000 ? ahead : 0;
}

const ahead = skew();

/** The server's time now, in milliseconds. */
export const now = () => Date.now() - ahead;

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tell(time, at) {
  const style = time.dataset.style ?? "age";
  const old = now() - at;
  put(time, style === "age" && old < WEEK ? age(old) : (STYLES[style] ?? STYLES.date).format(at));
}

function write(time) {
  const at = Date.parse(time.dateTime);
  if (Number.isNaN(at)) return;
  tell(time, at);
  time.title = exact.format(at);
}

const moment = (element) => Date.parse(element.dataset.at);

function freshen(tile) {
  const news = [...tile.querySelectorAll("i[data-at]"), tile].filter((element) => moment(element));
  const newest = news.reduce((best, element) => (best && moment(best) >= moment(element) ? best : element), null);
  const { interval, grace } = tile.dataset;
  const said = newest && newest !== tile ? (newest.dataset.state ?? "live") : tile.dataset.state;
  const at = newest ? moment(newest) : 0;
  const reckoned = ["live", "late", "stale"].includes(said) && at;
  const state = reckoned ? freshness(now() - at, { interval: Number(interval), grace: Number(grace ?? 0) }) : said;
  if (tile.dataset.state !== state) tile.dataset.state = state;
  const box = tile.querySelector("header .age");
  if (box) show(box, state, saying(state, { now: now(), at, clock }));
  if (box && at) date(box, Math.floor(at / 1000));
}

const dated = new WeakMap(); // element -> the second that its title says

function date(box, second) {
  if (dated.get(box) === second) return;
  dated.set(box, second);
  box.title = exact.format(1000 * second);
}

function show(box, state, { chip, text }) {
  const words = chip ? ` ${text}` : text;
  const last = box.lastChild;
  if ((box.querySelector(".chip")?.textContent ?? "") !== chip || !(last instanceof Text)) {
    const made = Object.assign(document.createElement("span"), { className: `chip ${state}`, textContent: chip });
    box.replaceChildren(...(chip ? [made] : []), words);
  } else if (last.data !== words) last.data = words;
}

const TILES = ".w[data-interval]";

/** Write the times and ages in this part of the page, or in a fragment on its way there. */
export function bring(root) {
  for (const time of root.querySelectorAll("time[datetime]")) write(time);
  for (const tile of root.querySelectorAll(TILES)) freshen(tile);
}

const SLICE = 8; // milliseconds

/** As `bring` for the whole page, a little at a time: it has been painted, and no task is to be long after that. */
function bringAll() {
  const rest = [...document.querySelectorAll(`time[datetime], ${TILES}`)].reverse();
  (function some() {
    const end = performance.now() + SLICE;
    while (rest.length && performance.now() < end) bringOne(rest.pop());
    if (rest.length) setTimeout(some);
  })();
}

const bringOne = (element) => (element.matches("time") ? write(element) : freshen(element));

function pass() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[datetime]:not([data-style]), time[data-style=age]")) {
    const at = Date.parse(time.dateTime);
    if (at) tell(time, at);
  }
  for (const tile of document.querySelectorAll(TILES)) freshen(tile);
}

// Before the swap, so that a morph finds equal text and touches nothing.
document.addEventListener("htmx:before:swap", ({ detail }) => detail.tasks.forEach((task) => bring(task.fragment)));
// A tile whose chart had news, or that was morphed around them.
document.addEventListener("live:applied", ({ detail }) => {
  const tiles = new Set(detail.ids.map((id) => document.getElementById(id)?.closest(TILES)).filter(Boolean));
  tiles.forEach(freshen);
});
document.addEventListener("visibilitychange", pass);
addEventListener("pageshow", pass);
setInterval(pass, 1_000);
bringAll();

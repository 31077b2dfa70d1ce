/* What the desktop is shown of what arrives on a page, and what is taken from it. Pure. */

const GONE = /hx-target="#t-(\d+)" hx-swap="delete"/g;
const TOAST = /<div class="toast" id="t-(\d+)"/g;
const found = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

export const tagOf = (id) => `n-${id}`;
export const idOf = (tag) => (/^n-\d+$/.test(tag) ? tag.slice(2) : "");

/** The notifications that a pushed fragment takes away: read, archived, withdrawn on some device. What it brings anew stays. */
export function taken(text) {
  const anew = found(text, TOAST);
  return [...new Set(found(text, GONE))].filter((id) => !anew.includes(id));
}

/** Whether a toast goes to the desktop too. */
export const isLoud = ({ priority }, quiet = false) => priority === "critical" || (priority === "high" && !quiet);

/** Whether it is quiet at that moment: `hours` as the bell carries them, "22:00 07:00 Europe/Berlin", by the clock on the wall there. */
export function isQuiet(hours, at) {
  const [start, end, zone] = (hours ?? "").split(" ");
  if (!zone) return false;
  const wall = timeIn(zone, at);
  return start < end ? start <= wall && wall < end : wall >= start || wall < end;
}

function timeIn(timeZone, at) {
  const written = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...written, timeZone }).format(at);
  } catch {
    return new Intl.DateTimeFormat("en-GB", written).format(at); // a zone younger than this browser: its own is hers, most likely
  }
}

/** A toast as the service worker takes it. */
export function payload({ key, at, priority, url }, { title, body, buttons }) {
  const actions = buttons.slice(0, 2).map((words, index) => ({ action: String(index + 1), title: words }));
  return { tag: tagOf(key), title, body, url, at: Date.parse(at), stays: priority === "critical", actions };
}

/** A key as web push writes it (base64url), as bytes. */
export function keyBytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

export const sameBytes = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);

/** What can be done about desktop notifications here: "unable", "blocked", "off" or "on". */
export function standing({ able, permission, chosen }) {
  if (!able) return "unable";
  if (permission === "denied") return "blocked";
  return permission === "granted" && chosen ? "on" : "off";
}

/* Desktop notifications of this browser, for who has turned them on here (device.js): one tab shows them, chosen by a Web Lock; they are closed when
   read on any device. In her quiet hours (<button id="bell" data-quiet="22:00 07:00 Europe/Berlin">) only critical ones come. <html data-desktop="on"> keeps the socket of a hidden tab (live.js). */

import { now } from "../core/times.js";
import { idOf, isLoud, isQuiet, payload, standing, tagOf, taken } from "./desktop_policy.js";

const user = document.body.dataset.user;
const CHOICE = `desktop:${user}`;
const able = "Notification" in window && "serviceWorker" in navigator && "locks" in navigator;
let leading = null; // ends the lead

export const state = () => standing({ able, permission: able ? Notification.permission : "", chosen: localStorage.getItem(CHOICE) === "on" });
let registered;
export const registration = () => (registered ??= navigator.serviceWorker.register("/sw.js").then(() => navigator.serviceWorker.ready));

/** Turn them on or off in this browser. The permission is asked for here and nowhere else: the caller is a click. */
export async function choose(on) {
  if (on && (await Notification.requestPermission()) !== "granted") return apply();
  localStorage.setItem(CHOICE, on ? "on" : "off");
  if (!on) await tell({ close: (await registration().then((worker) => worker.getNotifications())).map(({ tag }) => tag) });
  return apply();
}

async function tell(message) {
  (await registration()).active.postMessage(message);
}

function apply() {
  const on = state() === "on";
  document.documentElement.dataset.desktop = on ? "on" : "off";
  if (on) lead();
  else resign();
  return on;
}

/** Wait for the lead; only the tab that has it shows anything. */
function lead() {
  if (leading) return;
  const waiting = new AbortController();
  leading = { end: () => waiting.abort(), has: false };
  const mine = leading;
  const held = () => new Promise((done) => {
    Object.assign(mine, { has: true, end: done });
    tidy();
  });
  navigator.locks.request(CHOICE, { signal: waiting.signal }, held).catch((error) => error.name === "AbortError" || console.error("desktop:", error));
}

function resign() {
  leading?.end();
  leading = null;
}

const words = (element) => element?.textContent.trim() ?? "";

function shown({ detail }) {
  if (!leading?.has) return;
  const quiet = isQuiet(document.getElementById("bell")?.dataset.quiet, now());
  for (const toast of detail.filter((element) => element.dataset.key && isLoud(element.dataset, quiet))) {
    const buttons = [...toast.querySelectorAll(".acts > *")].map(words);
    tell({ show: payload(toast.dataset, { title: words(toast.querySelector("strong")), body: words(toast.querySelector("p")), buttons }) });
  }
}

function swapped({ detail }) {
  const gone = leading?.has ? taken(detail.ctx.text ?? "") : [];
  if (gone.length) tell({ close: gone.map(tagOf) });
}

/** What was read while nobody here listened is closed. */
async function tidy() {
  const open = (await (await registration()).getNotifications()).map(({ tag }) => idOf(tag)).filter(Boolean);
  if (!open.length) return;
  const answer = await fetch(`/inbox/waiting/?${new URLSearchParams(open.map((id) => ["id", id]))}`).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const { waiting } = await answer.json();
  const gone = open.filter((id) => !waiting.includes(Number(id)));
  if (gone.length) tell({ close: gone.map(tagOf) });
}

if (able && user) {
  apply();
  document.addEventListener("toasts:shown", shown);
  document.addEventListener("htmx:before:swap", swapped);
  document.addEventListener("live:applied", ({ detail }) => detail.refetched && leading?.has && tidy());
  // A tab without a connection hears of nothing: another one may lead.
  document.addEventListener("live:state", ({ detail }) => (["connecting", "live", "down"].includes(detail.state) ? apply() : resign()));
  addEventListener("storage", ({ key }) => key === CHOICE && apply());
}

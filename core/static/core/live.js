/* The page's live connection, an htmx 4 extension: owns the socket, positions and holds, hands HTML to htmx.swap. Contract: docs/live.md. */

import { Channel } from "./channel.js";
import { judge, parse, ranged, smallest, write } from "./position.js";
import * as regions from "./regions.js";
import { Socket } from "./socket.js";

const LINGER = 5_000;
const SLOW_REQUEST = 10_000;
const UNSEEN = 30_000;
const UNANSWERED = 10_000;

const channels = new Map(); // by name: what the regions on the page show
const placed = new WeakMap(); // region -> the data-position we know it by
const leaving = new Set();
let socket = null;
let number = 0;
let paused = false;
let returned = false; // this page has been live before
let inbound = Promise.resolve();

/** One thing after the other: a swap has ended before the next frame is judged. */
function serial(work) {
  inbound = inbound.then(work).catch((error) => console.error("live:", error));
  return inbound;
}

const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

// --- regions come and go ---

/** Bring the channels in line with the regions on the page. */
function scan() {
  const shown = new Map();
  for (const region of regions.all()) shown.set(region.dataset.channel, [...(shown.get(region.dataset.channel) ?? []), region]);
  for (const name of channels.keys()) if (!shown.has(name)) forget(name);
  const fresh = [...shown].map(([name, elements]) => place(name, elements)).filter(Boolean);
  connect();
  if (fresh.length && socket?.state === "live") ask(fresh);
}

/** Note regions; returns their channel when it is new. What is older than its channel is fetched again. */
function place(name, elements) {
  const news = elements.filter((element) => placed.get(element) !== element.dataset.position);
  for (const element of news) placed.set(element, element.dataset.position);
  const known = channels.get(name);
  if (known) {
    const older = (region) => judge(regions.positionOf(region), { ...known.position, to: known.position.offset }) !== "drop";
    if (!known.holds.has("refetch") && news.some(older)) refetch(known);
    return null;
  }
  const positions = elements.map(regions.positionOf);
  const channel = new Channel(name, smallest(positions) ?? positions[0]);
  channels.set(name, channel);
  if (paused && pausable(channel)) channel.hold("paused");
  if (!smallest(positions)) refetch(channel);
  return channel;
}

function forget(name) {
  channels.delete(name);
  leaving.add(name);
  setTimeout(() => {
    if (leaving.delete(name) && !channels.has(name)) socket?.send({ id: ++number, do: "unsubscribe", channels: [name] });
  }, LINGER);
}

// --- what the server says ---

function connect() {
  const url = document.body.dataset.live;
  if (!url || !channels.size || socket) return;
  const address = new URL(url, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new Socket(address, {
    opened: () => serial(opened),
    message: (text) => serial(() => receive(JSON.parse(text))),
    state: tell,
  });
  if (!document.hidden || stays()) socket.start();
}

/** What the last socket said has been applied; the rest will be said again. */
async function opened() {
  const { socket: mine } = socket;
  const share = await regions.ticket();
  if (socket.socket !== mine) return;
  leaving.clear();
  for (const channel of channels.values()) {
    clearTimeout(channel.asking);
    channel.restart();
  }
  socket.send({ do: "resume", at: standing(channels.values()), ...(share && { share }) });
}

const standing = (some) => Object.fromEntries([...some].map((channel) => [channel.name, write(channel.position)]));

/** Ask to hear on from where these channels stand; what comes before the answer waits. */
function ask(some) {
  for (const channel of some) {
    channel.hold("asked");
    leaving.delete(channel.name);
    clearTimeout(channel.asking);
    channel.asking = setTimeout(() => channel.holds.has("asked") && current(channel) && ask([channel]), UNANSWERED);
  }
  socket?.send({ id: ++number, do: "subscribe", at: standing(some) });
}

const current = (channel) => channels.get(channel.name) === channel;

function receive(said) {
  if ("reply" in said) return answered(said);
  if (said.signal === "closing") socket.backoff.after = said.retry_ms;
  if (said.signal === "resync") said.channels.forEach((name) => channels.has(name) && refetch(channels.get(name)));
  return channels.has(said.channel) ? pushed(channels.get(said.channel), said) : undefined;
}

async function answered({ reply, ok, at = {}, refused = {}, error }) {
  if (!ok) return console.error("live:", error); // the question is asked again when its time is up
  const waiting = Object.entries(at).filter(([name]) => channels.get(name)?.holds.has("asked"));
  for (const [name, { position, recovered }] of waiting) await resumed(channels.get(name), parse(position), recovered);
  for (const name of Object.keys(refused)) refuse(name, refused[name]);
  if (reply !== 0) return;
  socket.live();
  returned = true;
  const unasked = [...channels.values()].filter(({ name }) => !(name in at));
  if (unasked.length) ask(unasked);
}

async function resumed(channel, position, recovered) {
  clearTimeout(channel.asking);
  channel.target = returned && recovered ? position.offset : 0;
  if (recovered) return judgeAgain(channel, "asked");
  channel.reach = position.offset;
  refetch(channel, position);
  channel.release("asked");
}

function refuse(name, why) {
  channels.delete(name);
  for (const region of regions.of(name)) region.dataset.refused = why;
  emit("live:refused", name);
}

async function pushed(channel, frame) {
  const verdict = channel.take(frame);
  if (verdict === "apply") return apply(channel, frame);
  if (verdict === "resync") refetch(channel, { epoch: frame.epoch, offset: frame.from });
  if (verdict === "gap") ask([channel]);
  if (verdict === "gap" || verdict === "resync") channel.keep(frame);
  if (paused) tell();
}

/** Swap a frame in, then move its channel. Where an element is missing or the swap fails, the regions are fetched anew. */
async function apply(channel, frame) {
  const { ids, missing } = regions.survey(frame.html);
  if (missing && ranged(frame) && !frame.tried && regions.fetchable(channel.name).length) {
    frame.tried = true;
    refetch(channel);
    return channel.keep(frame);
  }
  const catchUp = ranged(frame) && frame.to <= channel.target;
  emit("live:applying", { ids, catchUp });
  try {
    if (frame.html) await htmx.swap({ sourceElement: document.body, target: document.body, swap: "none", text: frame.html, catchUp });
  } catch (error) {
    console.error("live: swap of", channel.name, error);
    if (regions.fetchable(channel.name).length) return refetch(channel);
  }
  const passed = ranged(frame) ? frame.to - channel.position.offset : 0;
  channel.applied(frame);
  emit("live:applied", { channel: channel.name, ids, passed, catchUp });
  if (ids.length > 8) await globalThis.scheduler?.yield?.(); // what waits behind a long frame is a task of its own
}

// --- hold and refetch ---

/** Replace a channel's regions by what the server shows now; frames wait. `otherwise`: where to stand when it has none. */
function refetch(channel, otherwise) {
  channel.otherwise = otherwise ?? channel.otherwise;
  if (channel.holds.has("paused")) return (channel.stale = true); // on resume
  channel.hold("refetch");
  channel.again = true;
  channel.fetching ??= renew(channel).finally(() => (channel.fetching = null));
}

async function renew(channel) {
  while (channel.again && current(channel)) {
    channel.again = false;
    const mine = regions.fetchable(channel.name);
    const held = hold(mine, channel);
    const answers = await Promise.all(mine.map(regions.fetched));
    await serial(async () => {
      if (current(channel) && !channel.again) await replace(channel, answers);
      await unhold(held);
    });
  }
}

async function replace(channel, answers) {
  const usable = answers.filter((answer) => answer.text);
  const dark = answers.filter((answer) => answer.refused);
  for (const { region } of dark) region.replaceChildren(); // what may not be seen any more is not left standing
  if (dark.length) return refuse(channel.name, "not_found");
  for (const { region, text } of usable) {
    try {
      await htmx.swap({ sourceElement: region, target: region, swap: "outerMorph", text });
    } catch (error) {
      console.error("live: refetch of", channel.name, error); // asking again would fail again
    }
  }
  channel.stale = false;
  channel.position = smallest(usable.map((answer) => answer.position)) ?? channel.otherwise ?? channel.position;
  channel.otherwise = null;
  emit("live:applied", { channel: channel.name, ids: [], refetched: true });
  await judgeAgain(channel, "refetch");
}

/** End a hold and judge what waited. What then is still missing is asked for. */
async function judgeAgain(channel, why) {
  const frames = channel.release(why);
  if (channel.holds.size) return;
  if (channel.stale) return refetch(channel);
  for (const frame of frames) {
    // After an answer everything comes again from where we stand; a fetched region is of the newest epoch.
    if (judge(channel.position, frame) !== { asked: "gap", refetch: "resync" }[why]) await pushed(channel, frame);
  }
  if (!channel.holds.size && channel.position.offset < channel.reach && socket?.state === "live") ask([channel]);
  channel.reach = 0;
}

/** Hold the channels that these elements show, while they are being replaced. */
function hold(elements, except) {
  const why = Symbol("replacing");
  const names = new Set(elements.flatMap(regions.touching));
  const some = [...names].map((name) => channels.get(name)).filter((channel) => channel && channel !== except);
  for (const channel of some) channel.hold(why);
  return { why, some };
}

async function unhold({ why, some }) {
  for (const channel of some) if (channel.holds.has(why)) await judgeAgain(channel, why);
}

// --- htmx ---

htmx.registerExtension("live", {
  // An answer that replaces part of a region was rendered before what arrives meanwhile: that waits.
  htmx_before_request: (_, { ctx }) => {
    if (ctx.swap === "none" || !(ctx.target instanceof Element)) return;
    ctx.live = hold([ctx.target]);
    ctx.slow = setTimeout(() => {
      serial(() => unhold(ctx.live));
      ctx.late = true;
    }, SLOW_REQUEST);
  },
  htmx_finally_request: (_, { ctx }) => {
    if (!ctx.live) return;
    clearTimeout(ctx.slow);
    if (ctx.late) ctx.live.some.filter(current).forEach((channel) => refetch(channel));
    else serial(() => unhold(ctx.live));
  },
  htmx_after_swap: scan,
  // What somebody opened stays open.
  htmx_before_morph_attr: (element, { attrName }) => attrName !== "open" || !element.matches("details, dialog"),
});

// --- pause, visibility, the browser's hints ---

const pausable = (channel) => !channel.name.startsWith("user:");
const waiting = () => [...channels.values()].reduce((sum, channel) => sum + (channel.holds.has("paused") ? channel.waiting : 0), 0);

function pause(value) {
  paused = value;
  const some = [...channels.values()].filter(pausable);
  if (paused) some.forEach((channel) => channel.hold("paused"));
  else serial(() => unhold({ why: "paused", some }));
  for (const button of document.querySelectorAll("[data-live-pause]")) button.setAttribute("aria-pressed", paused);
  tell();
}

/** Tell the page how it stands. */
function tell() {
  const { state, tries } = socket;
  document.documentElement.dataset.liveState = paused && state === "live" ? "paused" : state;
  emit("live:state", { state, tries, waiting: paused ? waiting() : null });
}

/** Whether this page keeps its socket though nobody sees it. */
const stays = () => document.body.matches(".kiosk") || document.documentElement.dataset.desktop === "on";

let unseen;
function visibility() {
  clearTimeout(unseen);
  if (document.hidden) unseen = setTimeout(() => stays() || socket?.sleep(), UNSEEN);
  else wake();
}

function wake() {
  if (["asleep", "down", "replaced"].includes(socket?.state)) socket.start();
  else socket?.hint();
}

document.addEventListener("visibilitychange", visibility);
addEventListener("pagehide", () => socket?.sleep());
addEventListener("pageshow", (event) => event.persisted && wake());
addEventListener("online", wake);
addEventListener("offline", () => socket?.hint());
document.addEventListener("live:send", (event) => socket?.send(event.detail));
document.addEventListener("live:retry", () => socket?.start());
document.addEventListener("live:pause", (event) => pause(event.detail));
document.addEventListener("click", (event) => event.target.closest?.("[data-live-pause]") && pause(!paused));
scan();

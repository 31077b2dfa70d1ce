/* Live regions: elements with data-channel, data-position and data-refetch. */

import { parse } from "./position.js";
import { Backoff } from "./socket.js";

export const all = (root = document) => [...root.querySelectorAll("[data-channel]:not([data-refused])")];
export const of = (channel) => all().filter((region) => region.dataset.channel === channel);
export const fetchable = (channel) => of(channel).filter((region) => region.dataset.refetch);
export const positionOf = (region) => parse(region.dataset.position) ?? { epoch: "0", offset: 0 };

/** The channels whose regions are inside this element, or around it. */
export function touching(element) {
  return [...new Set(all().filter((region) => region.contains(element) || element.contains(region)).map((region) => region.dataset.channel))];
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** The region as the server shows it now: {region, text, position}; no text when refused or gone. Asks until answered. */
export async function fetched(region) {
  const backoff = new Backoff();
  // All who watch were told at the same moment.
  await wait(Math.random() * 250);
  while (region.isConnected) {
    const answer = await ask(region);
    if (answer.text || answer.refused) return { region, ...answer };
    backoff.n += 1;
    await wait(Math.max(250, answer.after, backoff.delay()));
  }
  return { region };
}

async function ask({ dataset }) {
  try {
    const response = await fetch(dataset.refetch, { headers: { "Live-Refetch": "1", Accept: "text/html" }, cache: "no-store" });
    if (response.ok && !response.redirected) return read(await response.text(), dataset.channel);
    return { refused: [401, 403, 404, 410].includes(response.status), after: 1000 * Number(response.headers.get("Retry-After") || 0) };
  } catch (error) {
    console.warn("live: refetch of", dataset.channel, error);
    return { after: 0 };
  }
}

/** What a page that was opened by a share link hands in with its resume; undefined where there is none to ask for. */
export async function ticket() {
  const { dataset } = document.body;
  if (!dataset.ticket) return undefined;
  const headers = JSON.parse(document.body.getAttribute("hx-headers:inherited"));
  const answer = await fetch(dataset.ticket, { method: "POST", headers }).catch(() => null);
  return answer?.ok ? (await answer.json()).ticket : undefined;
}

function read(text, channel) {
  const region = all(inert(text)).find((candidate) => candidate.dataset.channel === channel);
  if (!region) throw new TypeError("data-refetch answered without the region");
  return { text, position: positionOf(region) };
}

/** HTML as a tree that does nothing. */
export function inert(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** What a pushed fragment touches: {ids, missing}. `missing`: it replaces an element that is not on the page. */
export function survey(html) {
  const found = { ids: [], missing: false };
  for (const element of inert(html).querySelectorAll("[hx-swap-oob], hx-upsert > [id], hx-partial > [id]")) {
    if (element.id) found.ids.push(element.id);
    const how = element.getAttribute("hx-swap-oob");
    const optional = how === null || how === "delete" || /^\S+:/.test(how) || element.closest("hx-upsert, hx-partial");
    found.missing ||= !optional && !document.getElementById(element.id);
  }
  return found;
}

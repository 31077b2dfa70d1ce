/* What every page has besides its live connection: times, toasts, the count in the title, copy buttons, the chip that says "Live".
     #badge[data-count]                       "(3) Title"
     <button data-copy="text"> or "#id"       copies the text, or the text of that element; says "Copied" for two seconds
     <span class="chip" data-live-chip>       Live, Offline, Paused: what the page's connection does */

import "./bar.js";
import "./failed.js";
import "./flash.js";
import "./pieces.js";
import "./times.js";
import "./toasts.js";
import { title } from "./words.js";

function countInTitle() {
  const wanted = title(document.title, Number(document.getElementById("badge")?.dataset.count ?? 0));
  if (document.title !== wanted) document.title = wanted;
}

const CHIPS = { live: ["live", "Live"], paused: ["paused", "Paused"] };
let settling;

// A break of less than a second is nobody's business.
function chipsSoon() {
  clearTimeout(settling);
  settling = setTimeout(chips, document.documentElement.dataset.liveState in CHIPS ? 0 : 1_000);
}

function chips() {
  const state = document.documentElement.dataset.liveState;
  const closed = document.querySelector("main [data-refused]") && ["stale", "Closed"]; // what was open to somebody no longer is
  const [kind, text] = closed || (CHIPS[state] ?? ["late", "Offline"]);
  for (const chip of document.querySelectorAll("[data-live-chip]")) {
    chip.className = `chip ${kind}`;
    if (chip.textContent !== text) chip.textContent = text;
  }
}

/** Say something once to those who listen. */
export function say(text) {
  const polite = document.getElementById("live-polite");
  if (polite) polite.textContent = text;
}

async function copy(button) {
  const { copy: wanted } = button.dataset;
  const text = wanted.startsWith("#") ? document.querySelector(wanted)?.textContent.trim() : wanted;
  await (navigator.clipboard ? navigator.clipboard.writeText(text) : copyOldWay(text));
  const label = button.querySelector("span") ?? button.lastChild;
  const before = label.textContent;
  if (before === "Copied") return;
  label.textContent = "Copied";
  say("Copied");
  setTimeout(() => (label.textContent = before), 2_000);
}

// navigator.clipboard exists on https and localhost only.
function copyOldWay(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, className: "sr" });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("htmx:after:swap", () => {
  countInTitle();
  if (document.querySelector("[data-live-chip]")) chipsSoon();
});
document.addEventListener("live:state", chipsSoon);
document.addEventListener("live:refused", chipsSoon);
countInTitle();

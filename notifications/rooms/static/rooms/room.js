// A room's page: groups messages by author and day, keeps the newest in sight, sends on Enter (sending.js). What arrives, arrives by live.js.
const GROUP_MS = 5 * 60 * 1000;
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const below = document.getElementById("below");
const root = document.documentElement;
let atBottom = true;
let unseen = 0;
let newest = 0;

const list = () => document.querySelector("#log .messages");
const offsetOf = (message) => Number(message.dataset.offset);

function dayRule(label) {
  const rule = document.createElement("li");
  rule.className = "day";
  rule.textContent = label;
  return rule;
}

// Follow the order on the page, whatever came in: a rule where the day changes, one head for what an author says within five minutes.
function group() {
  let before = null;
  let rule = null;
  for (const item of [...(list()?.children ?? [])]) {
    if (item.classList.contains("day")) {
      rule?.remove();
      rule = item;
      continue;
    }
    if (!item.classList.contains("msg")) continue;
    const at = new Date(item.dataset.at);
    const label = day.format(at);
    const newDay = label !== before?.label;
    item.classList.toggle("follows", !newDay && item.dataset.author === before.author && at - before.at < GROUP_MS);
    if (newDay && rule) rule.textContent = label;
    else if (newDay) item.before(dayRule(label));
    else rule?.remove();
    rule = null;
    before = { label, at, author: item.dataset.author };
  }
  rule?.remove();
}

function toBottom() {
  scrollTo({ top: root.scrollHeight });
  unseen = 0;
  below.hidden = true;
}

function countNew() {
  const messages = [...(list()?.querySelectorAll(".msg") ?? [])];
  const fresh = messages.filter((message) => offsetOf(message) > newest);
  newest = Math.max(newest, ...fresh.map(offsetOf), 0);
  return fresh.length;
}

function settle() {
  const fresh = countNew();
  group();
  if (atBottom) toBottom();
  else countUnseen(fresh);
  observer.takeRecords(); // what we changed ourselves is no news: it would go round for ever
}

function countUnseen(fresh) {
  unseen += fresh;
  below.hidden = unseen === 0;
  below.lastElementChild.textContent = `${unseen} new below`;
}

const observer = new MutationObserver(settle);
// The talk and not the list: a resync replaces the list.
observer.observe(document.querySelector(".talk"), { childList: true, subtree: true });

addEventListener("scroll", () => {
  atBottom = innerHeight + scrollY >= root.scrollHeight - 48;
  if (atBottom) toBottom();
}, { passive: true });
below.addEventListener("click", toBottom);

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "say" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

document.addEventListener("rooms:said", toBottom);

// --- who is typing ---

const TYPING_FOR = 4_000;
const typing = () => document.getElementById("typing");
let toldAt = 0;

document.addEventListener("input", ({ target }) => {
  if (target.id !== "say" || !target.value || Date.now() - toldAt < 2_500) return;
  toldAt = Date.now();
  document.dispatchEvent(new CustomEvent("live:send", { detail: { do: "typing", channel: document.getElementById("log").dataset.channel } }));
});
// What the page said of itself comes back as it does to everybody.
const me = document.getElementById("room").dataset.typist;
document.addEventListener("live:applied", () => {
  for (const typist of typing()?.children ?? []) {
    if (typist.id === me) typist.remove();
    else typist.until ??= setTimeout(() => typist.remove(), TYPING_FOR);
  }
});

// --- who is here, on narrow screens ---

const people = document.getElementById("people");
const showPeople = document.getElementById("show-people");
showPeople.addEventListener("click", () => {
  people.popover = "auto"; // light dismiss, Escape, and the focus comes back
  people.showPopover();
});
// The bar is outside of what the panel's width is measured by: it shows the button wherever the panel does not fit.
const fit = () => (showPeople.hidden = !people.popover && getComputedStyle(people).display !== "none");
addEventListener("resize", fit);
fit();
people.addEventListener("toggle", ({ newState }) => {
  showPeople.setAttribute("aria-expanded", newState === "open");
  if (newState === "closed") people.popover = null;
});

countNew();
group();
observer.takeRecords();
if (document.getElementById("messages")) toBottom();

// How far this member has read: tells the server, and marks where the new messages begin. What she reads elsewhere counts here too.
const room = document.getElementById("room");
const jump = document.getElementById("jump");
const CHANNEL = document.getElementById("log").dataset.channel;
const SETTLED = 1_000;
const AGAIN = 3_000;

let told = Number(room.dataset.read); // how far we have said that she has read
let away = told; // what is after this came while nobody looked
let timer = 0;

const stored = () => Number(document.querySelector("#reading data")?.value ?? told);
const messages = () => [...document.querySelectorAll("#messages .msg")];
const offsetOf = (message) => Number(message.dataset.offset);
const rule = () => document.querySelector("#messages .new-rule");
const atBottom = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 48;
const attends = () => !document.hidden && document.hasFocus() && atBottom();

/** Whether the first unread message is on this page, and not further up than it reaches. */
const reaches = () => !document.querySelector("#older a") || messages().some((message) => offsetOf(message) <= Number(room.dataset.read));

function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}

/** Draw the line above the first message of others after an offset; none where there is none. */
function mark(after) {
  rule()?.remove();
  const first = messages().find((message) => offsetOf(message) > after && message.dataset.author !== room.dataset.me);
  if (!first) return;
  const line = Object.assign(document.createElement("li"), { className: "new-rule", textContent: "New" });
  first.before(line);
}

function look() {
  if (rule() && reaches() && inView(rule())) jump.hidden = true;
  const newest = Math.max(0, ...messages().map(offsetOf));
  if (attends()) {
    away = Math.max(away, newest);
    if (newest > stored()) soon(newest > told ? SETTLED : AGAIN);
  } else if (newest > away && !rule()) mark(away);
}

function soon(ms) {
  if (!timer) timer = setTimeout(tell, ms);
}

/** Said again until the server has it: what is sent while the connection is down is lost. */
function tell() {
  timer = 0;
  const newest = Math.max(0, ...messages().map(offsetOf));
  if (!attends() || newest <= stored()) return;
  told = newest;
  document.dispatchEvent(new CustomEvent("live:send", { detail: { do: "seen", channel: CHANNEL, items: [String(newest)] } }));
  soon(AGAIN);
}

// Read on another device: the line goes, or moves to where the new ones begin now.
document.addEventListener("live:applied", ({ detail }) => {
  if (!detail.channel.startsWith("reading:") || stored() <= told) return;
  told = stored();
  away = Math.max(away, told);
  mark(told);
  jump.hidden = !rule();
});

jump.addEventListener("click", (event) => {
  jump.hidden = true;
  if (!rule() || !reaches()) return; // the link leads there
  event.preventDefault();
  rule().scrollIntoView({ block: "center" });
  rule().nextElementSibling.querySelector("[data-menu]")?.focus({ preventScroll: true });
});

new MutationObserver(look).observe(document.querySelector(".talk"), { childList: true, subtree: true });
for (const name of ["focus", "scroll", "pointerdown"]) addEventListener(name, look, { passive: true });
document.addEventListener("visibilitychange", look);
document.addEventListener("live:state", ({ detail }) => detail.state === "live" && look());
mark(told);
look();

/* #connection-bar: the connection in words, when somebody needs to know. data-state: reconnecting, online, paused, ended. */

const QUIET = 1_000; // a short break is nobody's business
const FIRST = 5_000; // nor is a slow start of the page
const PRAISE = 4_000;

const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const retry = () => emit("live:retry");
const signIn = () => location.assign(`${document.body.dataset.signIn ?? "/accounts/login/"}?next=${encodeURIComponent(location.pathname + location.search)}`);

const REFUSED = { kind: "ended", text: "Part of this page is no longer open to you.", label: "Reload", act: () => location.reload() };
const ENDS = {
  replaced: { kind: "paused", text: "Paused in this tab.", label: "Resume", act: retry },
  full: { kind: "reconnecting", text: "Too many connections are open.", label: "Retry now", act: retry },
  stopped: { kind: "ended", text: "Live updates have stopped for this page.", label: "Reload", act: () => location.reload() },
  "signed-out": { kind: "ended", text: "You are signed out.", label: "Sign in again", act: signIn },
};

let now = { state: "asleep", tries: 0, waiting: null };
let broken = false; // long enough to be told
let breaking = null;
let back = null; // the timer of "Back online"
let applied = 0;
let refused = false; // something that can be seen on this page

/** What the bar says now; null: nothing. */
function saying() {
  if (now.state in ENDS) return ENDS[now.state];
  if (refused) return REFUSED;
  if (broken) return { kind: "reconnecting", text: now.tries ? `Reconnecting (try ${now.tries}).` : "Connecting.", label: "Retry now", act: retry };
  if (now.waiting !== null) return { kind: "paused", text: `Paused, ${now.waiting} waiting.`, label: "Resume", act: () => emit("live:pause", false) };
  return back && { kind: "online", text: `Back online${applied ? `, ${applied} update${applied > 1 ? "s" : ""} applied` : ""}` };
}

function show() {
  const bar = document.getElementById("connection-bar");
  const said = saying();
  if (!bar) return;
  if (!said) {
    bar.replaceChildren();
    delete bar.dataset.state;
    return;
  }
  bar.dataset.state = said.kind;
  // The button stays where only the words change: it keeps its focus.
  if (!bar.firstChild || bar.querySelector("button")?.textContent !== said.label) bar.replaceChildren(make("span"), ...button(said));
  if (bar.firstChild.textContent !== said.text) bar.firstChild.textContent = said.text;
}

const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const button = ({ label, act }) => (label ? [make("button", { type: "button", className: "btn", textContent: label, onclick: act })] : []);

function breaks() {
  broken = true;
  applied = 0;
  show();
}

function comesBack() {
  clearTimeout(back);
  back = setTimeout(() => {
    back = null;
    show();
  }, PRAISE);
}

document.addEventListener("live:state", ({ detail }) => {
  now = detail;
  if (now.state === "down" || now.state === "connecting") {
    breaking ??= setTimeout(breaks, now.tries ? QUIET : FIRST);
  } else {
    clearTimeout(breaking);
    if (broken && now.state === "live") comesBack();
    breaking = null;
    broken = false;
  }
  show();
});
document.addEventListener("live:refused", () => {
  refused ||= [...document.querySelectorAll("[data-refused]:not([hidden])")].some((region) => region.parentElement.checkVisibility());
  show();
});
document.addEventListener("live:applied", ({ detail }) => {
  if (!detail.catchUp) return;
  applied += detail.passed;
  if (back) show();
});

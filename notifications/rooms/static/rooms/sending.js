// Sends what is written in the composer: shows it at once below the talk, until it stands in the talk as everybody sees it. How: outbox.js.
import { Outbox } from "./outbox.js";

const room = document.getElementById("room");
const form = document.getElementById("composer");
const list = document.getElementById("outbox");
const PLACE = `outbox ${room.dataset.messages} ${room.dataset.me}`;
const PATIENCE = 15_000;
const NOTES = { waiting: "Not sent yet", sending: "Sending…", stored: "Sent", failed: "Not sent" };

const token = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"))["X-CSRFToken"];
const firstShown = () => Number(document.querySelector("#messages .msg")?.dataset.offset ?? 0);
const shown = (id) => document.querySelector(`#messages .msg[data-author="${CSS.escape(room.dataset.me)}"][data-client="${CSS.escape(id)}"]`);

// crypto.randomUUID exists on https and localhost only.
const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// A browser may refuse to store; then a reload forgets what had no answer yet, and nothing else is lost.
const store = {
  read() {
    try {
      return JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    } catch (error) {
      console.warn("rooms: what was not sent cannot be read", error);
      return [];
    }
  },
  write(entries) {
    try {
      if (entries.length) sessionStorage.setItem(PLACE, JSON.stringify(entries));
      else sessionStorage.removeItem(PLACE);
    } catch (error) {
      console.warn("rooms: what is not sent cannot be kept", error);
    }
  },
};

async function post({ id, text }) {
  const headers = { Accept: "application/json", "X-CSRFToken": token() };
  const body = new URLSearchParams({ text, client_id: id });
  const answer = await fetch(form.action, { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) }).catch(() => null);
  if (answer === null || answer.status >= 500) return { why: "The server does not answer." };
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 429) return { why: said.error ?? "", after: Number(answer.headers.get("Retry-After")) || 1 };
  if (!answer.ok || answer.redirected) return { lasting: true, why: said.error ?? REFUSED[answer.status] ?? "Reload the page, then send again." };
  // Stored long ago, and no longer among what is shown: it will not arrive a second time.
  if (said.deleted || (said.offset && said.offset < firstShown())) queueMicrotask(() => outbox.arrived(id));
  return { stored: true };
}

const REFUSED = { 404: "This room is not there for you any more." };

function draw(entry) {
  let item = document.getElementById(`o-${entry.id}`);
  if (entry.state === "gone") return item?.remove();
  if (!item) {
    item = document.getElementById("pending").content.firstElementChild.cloneNode(true);
    item.id = `o-${entry.id}`;
    item.querySelector(".text").textContent = entry.text;
    const time = item.querySelector("time");
    time.dateTime = new Date(entry.at).toISOString();
    time.textContent = new Date(entry.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    list.append(item);
  }
  item.className = `msg ${entry.state === "failed" ? "failed" : "pending"}`;
  item.dataset.state = entry.state;
  item.querySelector(".note span").textContent = [NOTES[entry.state], entry.why].filter(Boolean).join(": ");
  for (const button of item.querySelectorAll(".note button")) button.hidden = !button.dataset.when.split(" ").includes(entry.state);
  if (entry.state === "failed") document.getElementById("live-polite").textContent = `Not sent: ${entry.why}`;
}

const outbox = new Outbox({ post, changed: draw, store, id: newId });

// What has arrived is taken away before anything is painted: it is never on the page twice.
function settle() {
  for (const { id } of outbox.entries) if (shown(id)) outbox.arrived(id);
}
new MutationObserver(settle).observe(document.querySelector(".talk"), { childList: true, subtree: true });

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = form.elements.text;
  if (!field.value.trim()) return;
  outbox.put(field.value, Date.now());
  field.value = "";
  field.focus();
  document.getElementById("say-error")?.remove();
  document.dispatchEvent(new CustomEvent("rooms:said"));
});

list.addEventListener("click", ({ target }) => {
  const id = target.closest(".msg")?.id.slice(2);
  if (target.closest("[data-again]")) outbox.retry(id);
  if (!target.closest("[data-back]")) return;
  const field = form.elements.text;
  field.value = [field.value, outbox.drop(id)].filter(Boolean).join("\n");
  field.focus();
});

document.addEventListener("live:state", ({ detail }) => detail.state === "live" && outbox.wake());
addEventListener("online", () => outbox.wake());
settle();
outbox.wake();

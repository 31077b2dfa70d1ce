// What one may do with a message: react, edit, delete. The menu is one for all messages, so that their HTML is the same for everybody.
const room = document.getElementById("room");
const menu = document.getElementById("message-menu");
const token = () => JSON.parse(document.body.getAttribute("hx-headers:inherited") ?? "{}")["X-CSRFToken"] ?? "";
let message = null;

const address = () => `${room.dataset.messages}${message.id.slice(2)}/`;

async function send(fields) {
  const target = message;
  const headers = { Accept: "application/json", "X-CSRFToken": token() };
  const answer = await fetch(address(), { method: "POST", headers, body: new URLSearchParams(fields) }).catch(() => null);
  target.querySelector(".refused")?.remove();
  if (answer?.ok) return;
  const words = answer === null || answer.status >= 500 ? "That did not reach the server. Try again." : answer.status === 404 ? "This message is gone." : await answer.text();
  refuse(target, words);
}

/** Said where it happened, for eyes and ears; it goes with the next thing done there. */
function refuse(target, words) {
  target.querySelector(".refused")?.remove();
  target.append(Object.assign(document.createElement("p"), { className: "note refused", role: "alert", textContent: words }));
}

function open(button) {
  message = button.closest(".msg");
  const own = message.dataset.author === room.dataset.me;
  menu.querySelector("[data-edit]").hidden = !own;
  menu.querySelector("[data-edit]").href = address();
  menu.querySelector("[data-delete]").hidden = !own && !("moderates" in room.dataset);
  const moderation = menu.querySelector("[data-moderate]");
  if (moderation) {
    moderation.hidden = own;
    moderation.elements.message.value = message.id.slice(2);
    moderation.querySelector("[data-guests]").hidden = !message.dataset.author.startsWith("guest:");
  }
  menu.showPopover();
  const { bottom, right } = button.getBoundingClientRect();
  menu.style.top = `${Math.max(8, Math.min(bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
  menu.style.left = `${Math.max(8, right - menu.offsetWidth)}px`;
  menu.querySelector("button").focus();
}

menu && document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches("[data-menu]")) return open(button);
  if (!button?.closest("#message-menu, .signs")) return;
  if (button.closest(".signs")) message = button.closest(".msg");
  if (button.dataset.sign) send({ do: "react", emoji: button.dataset.sign });
  else if (button.matches("[data-delete]")) send({ do: "delete" });
  if (menu.matches(":popover-open")) menu.hidePopover();
});

// Which signs are one's own.
function mark() {
  for (const sign of document.querySelectorAll(".signs [data-by]")) sign.setAttribute("aria-pressed", sign.dataset.by.split(" ").includes(room.dataset.me));
}
document.addEventListener("live:applied", mark);
document.addEventListener("htmx:after:swap", mark);
mark();

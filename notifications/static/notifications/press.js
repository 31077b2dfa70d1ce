/* A notification's button that was pressed (data-press): says what became of it. What it did comes by itself, as everything does. */

import { say } from "../core/page.js";

const FAILED = `<hx-partial hx-target="#toasts" hx-swap="beforeend"><div class="toast grouped" id="not-pressed" role="alert">
<div><strong>That did not work.</strong><p>Try it again, or open the notification.</p></div><button class="btn small" type="button" data-dismiss>Dismiss</button></div></hx-partial>`;

const pressed = (ctx) => (ctx.sourceElement?.matches?.("[data-press]") ? ctx.sourceElement.textContent.trim() : "");
const failed = () => htmx.swap({ sourceElement: document.body, target: document.body, swap: "none", text: FAILED });

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const words = pressed(ctx);
  if (!words) return;
  const { raw, status } = ctx.response;
  // Signed out meanwhile: the request was led to the sign-in page.
  if (status < 400 && !(raw.redirected && new URL(raw.url).pathname.startsWith("/accounts/"))) say(`${words}: done`);
  else failed();
});
document.addEventListener("htmx:error", ({ detail: { ctx } }) => pressed(ctx ?? {}) && failed());

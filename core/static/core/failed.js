/* Says so when what somebody pressed did not reach the server or was refused. No page of an error, nor of signing in, is put into a region:
   <meta name="htmx-config"> in base.html names what is not swapped; 409 and 422 bring their own words. [data-press] says it itself. */

const FAILED = `<hx-partial hx-target="#toasts" hx-swap="beforeend"><div class="toast grouped" id="not-done" role="alert">
<div><strong>That did not work.</strong><p>Try it again, or reload the page.</p></div><button class="btn small" type="button" data-dismiss>Dismiss</button></div></hx-partial>`;
const SAID = [409, 422];

/** On a page of another project only the bell and the toasts are ours. */
const ours = (ctx) => ctx?.sourceElement?.closest?.("body[data-live], #bell-panel, #toasts");
/** What nobody pressed, as a preview that follows or the rows below, is not spoken of. */
const pressed = (ctx) => ours(ctx) && ctx.sourceElement.matches("button, form, input") && !ctx.sourceElement.matches("[data-press]");
/** Led to a whole page where a part was asked for: signed out meanwhile. */
const misled = (ctx) => ctx.response.raw.redirected && !ctx.select && /^\s*<!doctype/i.test(ctx.text);
const say = () => htmx.swap({ sourceElement: document.body, target: document.body, swap: "none", text: FAILED });

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const elsewhere = ours(ctx) && misled(ctx);
  if (elsewhere) ctx.swap = "none";
  if (pressed(ctx) && (elsewhere || (ctx.response.status >= 400 && !SAID.includes(ctx.response.status)))) say();
});
document.addEventListener("htmx:error", ({ detail: { ctx } }) => pressed(ctx) && say());

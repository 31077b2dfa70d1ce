/* The section "On this device" (_device.html): says how desktop notifications and web push stand in this browser, and turns them on and off.
     <section data-device> <p data-device-says></p> <button data-device-choose="on|off"> <form data-device-test>
       <div data-push> <p data-push-says></p> <button data-push-choose="on|off"> </div> </section> */

import { choose, state } from "./desktop.js";
import { current, serverKey, subscribe, unsubscribe } from "./push.js";

const SAYS = {
  unable: "This browser cannot show desktop notifications here. They need https, and a browser that knows service workers.",
  blocked: "This site is blocked in the browser’s own settings. Allow its notifications there, then reload this page.",
  off: "Off in this browser. Nothing is shown outside its pages.",
  on: "On in this browser: what is urgent is shown on the desktop too, also while its tab is hidden.",
};
const PUSH = {
  on: "Told by web push too, while no page of this site is open.",
  off: "While no page of this site is open, nothing is shown.",
};

const one = (selector) => document.querySelector(`[data-device] ${selector}`);
const all = (selector) => document.querySelectorAll(`[data-device] ${selector}`);
const other = (chosen) => (chosen === "on" ? "off" : "on");

async function write({ problem = "" } = {}) {
  const now = state();
  one("[data-device-says]").textContent = SAYS[now];
  for (const button of all("[data-device-choose]")) button.hidden = button.dataset.deviceChoose !== other(now) || now === "blocked" || now === "unable";
  one("[data-device-test]").hidden = now !== "on";
  await writePush(now === "on", problem);
  document.querySelector("[data-device]").dataset.device = now;
}

async function writePush(on, problem) {
  const key = on && "PushManager" in window ? await serverKey() : "";
  const now = key && (await current(key)) ? "on" : "off";
  one("[data-push]").hidden = !key;
  one("[data-push-says]").textContent = problem || PUSH[now];
  one("[data-push-says]").classList.toggle("error", Boolean(problem));
  for (const button of all("[data-push-choose]")) button.hidden = button.dataset.pushChoose !== other(now);
}

async function chosen(on) {
  if (!on && "PushManager" in window) await unsubscribe();
  await choose(on);
}

const pushChosen = async (on) => (on ? subscribe(await serverKey()) : unsubscribe());

/** Press a button: the focus goes to its other half, and what went wrong is said. */
async function press(button, name, act) {
  button.disabled = true;
  const problem = await act(button.dataset[name] === "on").then(() => "", (error) => error.message);
  button.disabled = false;
  await write({ problem });
  [...all("button")].find((next) => name in next.dataset && !next.hidden)?.focus();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-device] button");
  if (button && "deviceChoose" in button.dataset) press(button, "deviceChoose", chosen);
  if (button && "pushChoose" in button.dataset) press(button, "pushChoose", pushChosen);
});
write();

/* The section "On this device" (_device.html): says how desktop notifications stand in this browser, and turns them on and off.
     <section data-device> <p data-device-says></p> <button data-device-choose="on|off"> <form data-device-test> </section> */

import { choose, state } from "./desktop.js";

const SAYS = {
  unable: "This browser cannot show desktop notifications here. They need https, and a browser that knows service workers.",
  blocked: "This site is blocked in the browser’s own settings. Allow its notifications there, then reload this page.",
  off: "Off in this browser. Nothing is shown outside its pages.",
  on: "On in this browser: what is urgent is shown on the desktop too, also while its tab is hidden.",
};

function write() {
  const now = state();
  for (const section of document.querySelectorAll("[data-device]")) {
    section.dataset.device = now;
    section.querySelector("[data-device-says]").textContent = SAYS[now];
    for (const button of section.querySelectorAll("[data-device-choose]")) button.hidden = now !== (button.dataset.deviceChoose === "on" ? "off" : "on");
    section.querySelector("[data-device-test]").hidden = now !== "on";
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-device-choose]");
  if (!button) return;
  button.disabled = true;
  await choose(button.dataset.deviceChoose === "on").catch((error) => console.error("desktop:", error));
  button.disabled = false;
  write();
  // The button that was pressed is hidden now: the focus goes to its other half.
  document.querySelector("[data-device-choose]:not([hidden])")?.focus();
});
write();

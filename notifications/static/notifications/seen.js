/* Tells the server which notifications were seen on screen: a toast that was up for two seconds while the tab was visible and had the focus, by somebody
   who had touched something within a minute. The count is then right on all her devices, and what waits for a mail need not be sent. */

const UP = 2_000;
const TOUCHED = 60_000;
const STEP = 500;

/** Begin, with the browser's own things; tests hand in others. */
export function start({ document, window, performance, setInterval, clearInterval }) {
  const up = new Map(); // id of a notification -> how long its toast was before her eyes
  const told = new Set();
  let touched = -Infinity;
  let timer = 0;

  const attends = () => !document.hidden && document.hasFocus() && performance.now() - touched < TOUCHED;
  const shown = () => [...document.querySelectorAll("#toasts .toast[data-key]")].map((toast) => toast.dataset.key + "@" + toast.dataset.at);

  function step() {
    const here = shown();
    for (const toast of up.keys()) if (!here.includes(toast)) up.delete(toast);
    if (attends()) for (const toast of here) up.set(toast, (up.get(toast) ?? 0) + STEP);
    const seen = here.filter((toast) => up.get(toast) >= UP && !told.has(toast));
    for (const toast of seen) told.add(toast);
    if (seen.length) tell(seen.map((toast) => toast.split("@")[0]));
    if (!here.length) timer = clearInterval(timer) ?? 0;
  }

  function tell(items) {
    const channel = `user:${document.body.dataset.user}`;
    document.dispatchEvent(new CustomEvent("live:send", { detail: { do: "seen", channel, items } }));
  }

  const touch = () => (touched = performance.now());
  for (const name of ["pointerdown", "pointermove", "keydown", "wheel"]) window.addEventListener(name, touch, { passive: true });
  document.addEventListener("htmx:after:swap", () => {
    if (!timer && document.querySelector("#toasts .toast[data-key]")) timer = setInterval(step, STEP);
  });
}

if (globalThis.document) start(globalThis);

/* A kiosk (`<body data-kiosk data-build="...">`) keeps its screen awake, and loads itself anew after a deploy: softly, that is when the
   connection is back and the server's pages are others than this one; what it shows stays until then. */

/** Begin, with the browser's own things; tests hand in others. */
export function start({ document, navigator, location, fetch }) {
  async function keepAwake() {
    if (document.hidden) return; // a hidden page gets none; it asks when it is shown
    try {
      await navigator.wakeLock?.request("screen");
    } catch (error) {
      console.info("kiosk: no wake lock,", error.message);
    }
  }

  async function loadAnew() {
    const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    const text = answer?.ok ? await answer.text() : "";
    const build = /data-build="([^"]+)"/.exec(text)?.[1];
    if (build && build !== document.body.dataset.build) location.reload();
  }

  let before = "";
  document.addEventListener("visibilitychange", keepAwake);
  document.addEventListener("live:state", ({ detail: { state } }) => {
    if (state === "live" && before === "down") loadAnew();
    before = state;
  });
  return keepAwake();
}

if (globalThis.document?.body && "kiosk" in document.body.dataset) start({ document, navigator, location, fetch: fetch.bind(globalThis) });

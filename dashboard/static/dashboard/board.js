/* A board's own buttons: `[data-full-screen]` puts the page on the whole screen and back. */

async function toggle() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-full-screen]")) toggle().catch((error) => console.warn("full screen:", error.message));
});

/* What changes while somebody looks lights up for a moment; what changes all the time does not. */

const CALM = 1_500; // milliseconds without a change
const still = matchMedia("(prefers-reduced-motion: reduce)");
const changed = new WeakMap(); // element -> when it last said something else

/** What of an element lights up: of a tile its value. */
function part(id) {
  const element = document.getElementById(id);
  return element?.matches(".w") ? element.querySelector(".value") : element;
}

let before = []; // [id, text] of what is about to be swapped

document.addEventListener("live:applying", ({ detail: { ids, catchUp } }) => {
  before = catchUp || still.matches ? [] : ids.map((id) => [id, part(id)?.textContent]);
});

document.addEventListener("live:applied", () => {
  const now = performance.now();
  for (const [id, text] of before) {
    const element = part(id);
    if (!element || element.textContent === text) continue;
    const calm = now - (changed.get(element) ?? -CALM) >= CALM;
    changed.set(element, now);
    if (!calm) continue;
    element.classList.add("just");
    setTimeout(() => element.classList.remove("just"), 240);
  }
  before = [];
});

/* What changes while somebody looks lights up for a moment; what changes all the time does not. */

const CALM = 1_500; // milliseconds without a change
const still = matchMedia("(prefers-reduced-motion: reduce)");
const changed = new WeakMap(); // element -> when it last said something else

/** What of an element lights up: of a tile its value. */
function part(id) {
  const element = document.getElementById(id);
  return element?.matches(".w") ? element.querySelector(".value") : element;
}

/** What these elements say, to be handed to `flash` after the swap. */
export const said = (ids) => (still.matches ? [] : ids.map((id) => [id, part(id)?.textContent]));

/** Light up those that say something else now. */
export function flash(before) {
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
}

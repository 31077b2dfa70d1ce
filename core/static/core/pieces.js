/* A long frame goes into the page in pieces, between which it may paint and answer: no task grows with the number of fragments. */

const AT_ONCE = 8; // fragments

document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
  // Timers of a hidden page come once a second, and nobody waits for it to paint.
  if (!("catchUp" in ctx) || document.hidden) return;
  // htmx waits so many milliseconds before such a swap, and for all of them before it is done. Reading a long frame is a piece too.
  if (tasks.length > AT_ONCE) for (const [place, task] of tasks.entries()) task.swapSpec.swap ||= 1 + Math.floor(place / AT_ONCE);
});

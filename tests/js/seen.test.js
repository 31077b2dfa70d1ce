import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../../notifications/static/notifications/seen.js";

/** A page that is looked at and was just touched, with a clock that the test moves and what it has said was seen. */
function page({ hidden = false, focused = true, touch = "pointermove" } = {}) {
  const toasts = [];
  const said = [];
  const timers = new Map(); // id -> what is called every so many milliseconds, and when next
  let now = 5_000;
  let last = 0;
  const setInterval = (call, every) => timers.set(++last, { call, every, next: now + every }) && last;
  const clearInterval = (id) => void timers.delete(id);
  const window = new EventTarget();
  const document = new EventTarget();
  Object.assign(document, { hidden, focused, hasFocus: () => document.focused, body: { dataset: { user: "7" } } });
  Object.assign(document, { querySelectorAll: () => toasts, querySelector: () => toasts[0] ?? null });
  document.addEventListener("live:send", ({ detail }) => said.push(detail));
  start({ document, window, performance: { now: () => now }, setInterval, clearInterval });
  const made = {
    document,
    said,
    get items() {
      return said.flatMap(({ items }) => items);
    },
    touch: (how) => window.dispatchEvent(new Event(how)),
    toast: (key, at = "2026-11-22T01:00:00.000Z") => {
      toasts.push({ dataset: { key, at } });
      document.dispatchEvent(new Event("htmx:after:swap"));
    },
    dismiss: () => toasts.splice(0),
    pass: (ms) => {
      for (const end = now + ms; now < end; ) {
        now += 100;
        for (const timer of timers.values()) {
          if (now < timer.next) continue;
          timer.next += timer.every;
          timer.call();
        }
      }
    },
  };
  if (touch) made.touch(touch);
  return made;
}

test("a toast that was up for two seconds before her eyes is seen: said once, on her own channel", () => {
  const shown = page();
  shown.toast("12");
  shown.pass(1_900);
  assert.deepEqual(shown.said, [], "two seconds, and not less");
  shown.pass(100);
  assert.deepEqual(shown.said, [{ do: "seen", channel: "user:7", items: ["12"] }]);
  shown.pass(10_000);
  assert.equal(shown.said.length, 1);
});

for (const [what, kept] of [
  ["hidden", { hidden: true }],
  ["without the focus", { focused: false }],
  ["that nobody has touched", { touch: "" }],
]) {
  test(`on a page ${what} nothing is seen, however long it is up`, () => {
    const shown = page(kept);
    shown.toast("12");
    shown.pass(30_000);
    assert.deepEqual(shown.items, []);
  });
}

for (const how of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  test(`${how} touches the page, for a minute`, () => {
    const shown = page({ touch: how });
    shown.pass(57_000);
    shown.toast("1");
    shown.pass(2_500);
    assert.deepEqual(shown.items, ["1"]);
    shown.dismiss();
    shown.pass(1_000);
    shown.toast("2");
    shown.pass(30_000);
    assert.deepEqual(shown.items, ["1"], "she may have left");
    shown.touch(how);
    shown.pass(2_000);
    assert.deepEqual(shown.items, ["1", "2"]);
  });
}

test("only the time that she attends counts", () => {
  const shown = page();
  shown.toast("12");
  shown.pass(1_000);
  shown.document.hidden = true;
  shown.pass(20_000);
  shown.document.hidden = false;
  shown.document.focused = false;
  shown.pass(20_000);
  shown.document.focused = true;
  shown.pass(900);
  assert.deepEqual(shown.items, []);
  shown.pass(100);
  assert.deepEqual(shown.items, ["12"]);
});

test("a toast that went sooner was not seen, and its time is not kept for the next one", () => {
  const shown = page();
  for (const at of ["2026-11-22T01:00:00.000Z", "2026-11-22T01:00:09.000Z", "2026-11-22T01:00:09.000Z"]) {
    shown.toast("12", at);
    shown.pass(1_500);
    shown.dismiss();
    shown.pass(1_000);
  }
  assert.deepEqual(shown.items, []);
});

test("what is said anew is seen anew, and each toast has its own two seconds", () => {
  const shown = page();
  shown.toast("1");
  shown.pass(1_000);
  shown.toast("2");
  shown.pass(1_000);
  assert.deepEqual(shown.items, ["1"]);
  shown.pass(1_000);
  assert.deepEqual(shown.items, ["1", "2"]);
  shown.dismiss();
  shown.toast("1", "2026-11-22T01:00:09.000Z");
  shown.pass(2_500);
  assert.deepEqual(shown.items, ["1", "2", "1"]);
});

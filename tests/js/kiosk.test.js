import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../../dashboard/static/dashboard/kiosk.js";

/** A page with build "one", and what happened to it. */
function page({ answer = () => ({ ok: true, text: async () => '<body data-build="two">' }), wakeLock } = {}) {
  const document = new EventTarget();
  Object.assign(document, { hidden: false, body: { dataset: { kiosk: "", build: "one" } } });
  const done = { locks: 0, reloads: 0, asked: [] };
  const request = async (what) => {
    assert.equal(what, "screen");
    done.locks += 1;
    return wakeLock?.();
  };
  const fetch = async (address, options) => {
    done.asked.push([address, options.cache]);
    return answer();
  };
  const location = { href: "http://x/dashboards/ops/?kiosk=1", reload: () => (done.reloads += 1) };
  const navigator = { wakeLock: { request } };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const state = async (...states) => {
    for (const one of states) document.dispatchEvent(Object.assign(new Event("live:state"), { detail: { state: one } }));
    await settle();
  };
  return { document, navigator, location, fetch, done, state, settle };
}

test("the screen is kept awake, and again when the page is shown again", async () => {
  const kiosk = page();
  await start(kiosk);
  assert.equal(kiosk.done.locks, 1);
  kiosk.document.hidden = true;
  kiosk.document.dispatchEvent(new Event("visibilitychange"));
  await kiosk.settle();
  assert.equal(kiosk.done.locks, 1, "a hidden page gets none");
  kiosk.document.hidden = false;
  kiosk.document.dispatchEvent(new Event("visibilitychange"));
  await kiosk.settle();
  assert.equal(kiosk.done.locks, 2);
});

test("a browser that refuses, or has no such thing, does not stop the kiosk", async () => {
  const refused = page({
    wakeLock: () => {
      throw new Error("the battery is low");
    },
  });
  await start(refused);
  assert.equal(refused.done.locks, 1);
  const old = page();
  old.navigator = {};
  await start(old);
  await old.state("live", "down", "live");
  assert.equal(old.done.reloads, 1);
});

test("after a deploy it loads itself anew, when the connection is back", async () => {
  const kiosk = page();
  await start(kiosk);
  await kiosk.state("live");
  assert.deepEqual(kiosk.done.asked, [], "the first connection is no deploy");
  await kiosk.state("down");
  assert.equal(kiosk.done.reloads, 0, "what it shows stays while nobody answers");
  await kiosk.state("live");
  assert.deepEqual(kiosk.done.asked, [["http://x/dashboards/ops/?kiosk=1", "no-store"]]);
  assert.equal(kiosk.done.reloads, 1);
});

for (const [what, answer] of [
  ["the same build answers", () => ({ ok: true, text: async () => '<body data-build="one">' })],
  ["another page answers, such as the sign-in", () => ({ ok: true, text: async () => "<body>" })],
  ["an error answers", () => ({ ok: false, text: async () => '<body data-build="two">' })],
  ["nobody answers", () => Promise.reject(new Error("offline"))],
]) {
  test(`it stays as it is when ${what}`, async () => {
    const kiosk = page({ answer });
    await start(kiosk);
    await kiosk.state("live", "down", "live");
    assert.equal(kiosk.done.asked.length, 1);
    assert.equal(kiosk.done.reloads, 0);
  });
}

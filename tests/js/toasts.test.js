import assert from "node:assert/strict";
import { test } from "node:test";
import { admit, arrange } from "../../core/static/core/toast_policy.js";

const now = 1_000_000;
const toast = (id, { old = 0, critical = false } = {}) => ({ id, at: now - old, critical });
const ids = (toasts) => toasts.map(({ id }) => id).join();
const nobody = new Set();

test("what is older than thirty seconds is not shown", () => {
  assert.equal(ids(admit([toast("a"), toast("b", { old: 31_000 })], { now, known: nobody, catchUp: false }).show), "a");
});

test("the same arrival is shown once; the same notification anew is shown again", () => {
  const known = new Set([`a@${now}`]);
  assert.equal(ids(admit([toast("a"), toast("a", { old: 5 })], { now, known, catchUp: false }).show), "a");
});

test("after a reconnect there is one line and no volley, except for what is critical and fresh", () => {
  const came = [toast("a"), toast("b", { old: 90_000 }), toast("c", { critical: true }), toast("d", { critical: true, old: 90_000 })];
  const { show, grouped } = admit(came, { now, known: nobody, catchUp: true });
  assert.equal(ids(show), "c");
  assert.equal(grouped, 3);
});

test("three are shown, those that stood here first", () => {
  const { keep, over } = arrange([toast("a"), toast("b"), toast("c"), toast("d"), toast("e")]);
  assert.equal(ids(keep), "a,b,c");
  assert.equal(ids(over), "d,e");
});

test("what answers her own doing stands beside the three: Undo was not to be had while three were up", () => {
  const critical = ["a", "b", "c"].map((id) => toast(id, { critical: true }));
  const { keep, over } = arrange([...critical, toast("d"), { ...toast("undo"), answer: true }]);
  assert.equal(ids(keep), "a,b,c,undo");
  assert.equal(ids(over), "d");
});

test("a critical one takes the place of the newest plain one", () => {
  const { keep, over } = arrange([toast("a"), toast("b"), toast("c"), toast("d", { critical: true })]);
  assert.equal(ids(keep), "a,b,d");
  assert.equal(ids(over), "c");
});

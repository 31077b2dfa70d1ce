import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, KEEP } from "../../core/static/core/channel.js";

const channel = () => new Channel("dashboard:7", { epoch: "a", offset: 41 });
const frame = (from, to, html = "<p></p>") => ({ epoch: "a", from, to, html });

test("the channel moves when a frame was applied, and not before", () => {
  const seven = channel();
  assert.equal(seven.take(frame(41, 42)), "apply");
  assert.equal(seven.position.offset, 41);
  seven.applied(frame(41, 42));
  assert.equal(seven.position.offset, 42);
});

test("what has no range moves nothing", () => {
  const seven = channel();
  seven.applied({ html: "" });
  assert.equal(seven.position.offset, 41);
});

test("while it is held everything waits, and comes out in the order it came", () => {
  const seven = channel();
  seven.hold("refetch");
  const frames = [frame(41, 42), { html: "3" }, frame(42, 43)];
  for (const one of frames) assert.equal(seven.take(one), "kept");
  assert.deepEqual(seven.release("refetch"), frames);
  assert.deepEqual(seven.release("refetch"), []);
});

test("only the last hold lets them go", () => {
  const seven = channel();
  seven.hold("paused");
  seven.hold("asked");
  seven.take(frame(41, 42));
  assert.deepEqual(seven.release("asked"), []);
  assert.equal(seven.release("paused").length, 1);
});

test("it counts the updates that wait, not what has no range", () => {
  const seven = channel();
  seven.hold("paused");
  seven.take(frame(41, 42));
  seven.take({ html: "1" });
  seven.take(frame(42, 43));
  assert.equal(seven.waiting, 2);
  seven.release("paused");
  assert.equal(seven.waiting, 0);
});

test("more than it may keep is thrown away, counted, and known to be missing", () => {
  const seven = channel();
  seven.hold("paused");
  seven.take(frame(41, 42, "x".repeat(KEEP)));
  assert.equal(seven.stale, false);
  seven.take(frame(42, 43));
  assert.equal(seven.stale, true);
  seven.take(frame(43, 44));
  assert.equal(seven.waiting, 3);
  assert.equal(seven.reach, 44);
  assert.deepEqual(seven.release("paused"), []);
});

test("a new socket empties what waits and waits for its answer", () => {
  const seven = channel();
  seven.hold("paused");
  seven.take(frame(41, 42));
  seven.restart();
  assert.equal(seven.waiting, 0);
  assert.equal(seven.take(frame(42, 43)), "kept");
  assert.deepEqual([...seven.holds], ["paused", "asked"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, parse, smallest, write } from "../../core/static/core/position.js";

const here = { epoch: "e3f1", offset: 41 };
const frame = (from, to, epoch = "e3f1") => ({ epoch, from, to, html: "" });

test("a position is read as it is written, and nothing else is one", () => {
  assert.deepEqual(parse("e3f1:41"), here);
  assert.equal(write(here), "e3f1:41");
  for (const wrong of ["", undefined, null, "41", "e3f1:", "e3f1:-1", "e3f1:041", "e3f1:1.5", "E3F1:41", "e3f1:41 ", "x:1", "e3f1:١"]) assert.equal(parse(wrong), null);
});

test("a frame is applied when it begins at or before us and ends behind us", () => {
  assert.equal(judge(here, frame(41, 42)), "apply");
  assert.equal(judge(here, frame(10, 42)), "apply");
});

test("a frame that ends at or before us is dropped", () => {
  assert.equal(judge(here, frame(40, 41)), "drop");
  assert.equal(judge(here, frame(3, 9)), "drop");
});

test("a frame that begins beyond us is a gap", () => assert.equal(judge(here, frame(42, 43)), "gap"));

test("another life of the database is a resync, whatever the numbers", () => assert.equal(judge(here, frame(41, 42, "beef")), "resync"));

test("a frame without a range is always applied", () => assert.equal(judge(here, { html: "" }), "apply"));

test("several regions stand at the smallest position, and nowhere when they are of different lives", () => {
  assert.deepEqual(smallest([{ epoch: "a", offset: 9 }, { epoch: "a", offset: 4 }, { epoch: "a", offset: 7 }]), { epoch: "a", offset: 4 });
  assert.equal(smallest([{ epoch: "a", offset: 9 }, { epoch: "b", offset: 4 }]), null);
  assert.equal(smallest([]), null);
});

test("any delivery of any cut of a log shows every event exactly once and in order", () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 300; round += 1) {
    let position = { epoch: "a", offset: 0 };
    const shown = [];
    // Frames overlap, come twice and come again; after a gap the server starts over from where we stand.
    while (position.offset < 20) {
      const from = Math.max(0, position.offset + random(7) - 4);
      const to = Math.min(20, from + random(5));
      if (judge(position, { epoch: "a", from, to }) !== "apply") continue;
      for (let event = position.offset + 1; event <= to; event += 1) shown.push(event);
      position = { epoch: "a", offset: to };
    }
    assert.deepEqual(shown, Array.from({ length: 20 }, (_, index) => index + 1));
  }
});

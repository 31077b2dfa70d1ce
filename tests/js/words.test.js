import assert from "node:assert/strict";
import { test } from "node:test";
import { age, freshness, saying, title } from "../../core/static/core/words.js";

test("ages change at ten seconds, at one minute, then each minute", () => {
  const seconds = [-5, 0, 9, 10, 59, 60, 119, 120, 3599, 3600, 7200, 86_399, 86_400, 200_000];
  const words = ["now", "now", "now", "10 s", "10 s", "1 min", "1 min", "2 min", "59 min", "1 h", "2 h", "23 h", "1 d", "2 d"];
  assert.deepEqual(seconds.map((second) => age(second * 1000)), words);
});

test("a tile is late after interval and grace, stale after three graces", () => {
  const expected = { interval: 2, grace: 4 };
  assert.deepEqual([0, 6_000, 6_001, 14_000, 14_001].map((ms) => freshness(ms, expected)), ["live", "live", "late", "late", "stale"]);
});

test("a tile that expects nothing is never late", () => assert.equal(freshness(1e9, { interval: 0, grace: 0 }), "live"));

test("a tile says its state only when it is not live, and a stale one since when", () => {
  const at = 1_000_000;
  const say = (state, ms) => saying(state, { now: at + ms, at, clock: () => "14:02" });
  assert.deepEqual(say("live", 2_000), { chip: "", text: "now" });
  assert.deepEqual(say("late", 41_000), { chip: "Late", text: "10 s" });
  assert.deepEqual(say("stale", 900_000), { chip: "Stale", text: "since 14:02" });
  assert.deepEqual(saying("nodata", { now: 5, at: 0, clock: String }), { chip: "No data", text: "" });
});

test("the title carries the count, at most 99+, and only one", () => {
  assert.equal(title("Inbox", 3), "(3) Inbox");
  assert.equal(title("(3) Inbox", 4), "(4) Inbox");
  assert.equal(title("(99+) Inbox", 0), "Inbox");
  assert.equal(title("Inbox", 120), "(99+) Inbox");
});

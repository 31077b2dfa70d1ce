import assert from "node:assert/strict";
import { test } from "node:test";
import { merge, missing, replaceSpan, since, stacked, table, thin, union, valueAt } from "../../core/static/core/points.js";

test("fresh points go where they belong, late ones too, and the same time replaces", () => {
  assert.deepEqual(merge([[1, 10], [2, 20]], [[3, 30]]), [[1, 10], [2, 20], [3, 30]]);
  assert.deepEqual(merge([[1, 10], [3, 30]], [[2, 20], [3, 33]]), [[1, 10], [2, 20], [3, 33]]);
  assert.deepEqual(merge([], [[1, 10]]), [[1, 10]]);
  assert.deepEqual(merge([[1, 10]], []), [[1, 10]]);
});

test("a span is replaced as a whole", () => {
  assert.deepEqual(replaceSpan([[1, 1], [2, 2], [3, 3], [4, 4]], { from: 2, to: 3 }, [[2.5, 9]]), [[1, 1], [2.5, 9], [4, 4]]);
});

test("what left the window goes, but one point stays for the line to come from", () => {
  assert.deepEqual(since([[1, 1], [2, 2], [3, 3], [4, 4]], 3), [[2, 2], [3, 3], [4, 4]]);
  assert.deepEqual(since([[1, 1], [2, 2]], 9), [[2, 2]]);
  assert.deepEqual(since([[5, 5]], 3), [[5, 5]]);
});

test("news that follow on something newer than ours have a hole before them", () => {
  const ours = [[1, 1], [2, 2]];
  assert.equal(missing(ours, { prev: 2, points: [[3, 3]] }), null);
  assert.deepEqual(missing(ours, { prev: 5, points: [[6, 6]] }), { from: 2, to: 6 });
  assert.equal(missing(ours, { prev: null, points: [[6, 6]] }), null);
  assert.equal(missing(ours, { prev: 5, points: [[6, 6]] }, 10), null, "inside one bucket");
  assert.equal(missing(ours, { prev: 5, points: [] }), null);
});

test("of each bucket the lowest and the highest are left, in their order, and the newest point of all", () => {
  const points = [[10, 3], [11, 9], [12, 1], [13, 5], [20, 4], [21, 4], [30, 7], [31, 8], [32, 7.5]];
  assert.deepEqual(thin(points, 10), [[11, 9], [12, 1], [20, 4], [21, 4], [30, 7], [31, 8], [32, 7.5]]);
  assert.deepEqual(thin([[10, 1], [11, null], [12, 2]], 10), [[10, 1], [11, null], [12, 2]], "a break stays");
  assert.deepEqual([thin([], 10), thin([[1, 1]], 10)], [[], [[1, 1]]]);
  const many = Array.from({ length: 5000 }, (_, index) => [index / 10, Math.sin(index)]);
  const few = thin(thin(many, 5), 5);
  assert.ok(few.length <= 201 && few.length >= 199);
  assert.equal(Math.max(...few.map(([, value]) => value)), Math.max(...many.map(([, value]) => value)));
});

test("two spans become one", () => {
  assert.deepEqual(union(null, { from: 2, to: 3 }), { from: 2, to: 3 });
  assert.deepEqual(union({ from: 1, to: 2 }, { from: 2, to: 3 }), { from: 1, to: 3 });
});

test("the table has every time once; a missing point is no gap, a null is", () => {
  assert.deepEqual(table([[[1, 10], [3, null]], [[2, 20], [3, 30]]]), [[1, 2, 3], [10, undefined, null], [undefined, 20, 30]]);
});

test("lines that have a point at the same times keep them as they are", () => {
  assert.deepEqual(table([]), [[]]);
  assert.deepEqual(table([[]]), [[], []]);
  assert.deepEqual(table([[[1, 10], [2, null]]]), [[1, 2], [10, null]]);
  assert.deepEqual(table([[[1, 10], [2, null]], [[1, 5], [2, 6]]]), [[1, 2], [10, null], [5, 6]]);
  assert.deepEqual(table([[[1, 10], [2, 11]], [[1, 5], [3, 6]]]), [[1, 2, 3], [10, 11, undefined], [5, undefined, 6]], "as many, but others");
});

test("under the cursor stands the newest value up to there", () => {
  assert.equal(valueAt([10, undefined, undefined, 40], 2), 10);
  assert.equal(valueAt([undefined, 20], 0), null);
});

test("stacked lines stand on those before them that are shown, also where one has no point", () => {
  const lines = table([[[1, 10], [3, 30]], [[1, 1], [2, 2], [3, 3]], [[2, 5]]]);
  assert.deepEqual(stacked(lines, [true, true, true]), [[1, 2, 3], [10, 10, 30], [11, 12, 33], [null, 17, 38]]);
  assert.deepEqual(stacked(lines, [false, true, true])[3], [null, 7, 8]);
});

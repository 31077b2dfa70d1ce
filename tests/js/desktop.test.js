import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, isLoud, isQuiet, keyBytes, payload, sameBytes, standing, tagOf, taken } from "../../notifications/static/notifications/desktop_policy.js";

const gone = (id) => `<hx-partial hx-target="#t-${id}" hx-swap="delete"></hx-partial>`;
const toast = (id) => `<hx-partial hx-target="#toasts" hx-swap="beforeend"><div class="toast" id="t-${id}" data-key="${id}"></div></hx-partial>`;

test("what a push takes away is closed, once", () => {
  assert.deepEqual(taken(gone(7) + gone(7) + gone(12)), ["7", "12"]);
});

test("what a push brings anew stays, and what it replaces goes", () => {
  assert.deepEqual(taken(gone(3) + gone(7) + toast(7)), ["3"]);
});

test("rows and words take nothing away", () => {
  assert.deepEqual(taken('<hx-partial hx-target="#n-7" hx-swap="delete"></hx-partial>'), []);
  assert.deepEqual(taken("&lt;hx-partial hx-target=&quot;#t-7&quot; hx-swap=&quot;delete&quot;&gt;"), []);
  assert.deepEqual(taken(""), []);
});

test("high and critical go to the desktop, the rest stays on the page", () => {
  assert.deepEqual(["low", "normal", "high", "critical", undefined].filter((priority) => isLoud({ priority })), ["high", "critical"]);
});

test("in quiet hours only critical ones go to the desktop", () => {
  assert.deepEqual(["low", "normal", "high", "critical"].filter((priority) => isLoud({ priority }, true)), ["critical"]);
});

test("quiet hours go by the clock on the wall of her zone, over midnight and for days", () => {
  const night = "22:00 07:00 Europe/Berlin";
  const quiet = (hours, at) => isQuiet(hours, Date.parse(at));
  for (const [at, expected] of [
    ["2026-11-21T20:59:59Z", false], ["2026-11-21T21:00:00Z", true], ["2026-11-21T23:00:00Z", true], ["2026-11-22T05:59:59Z", true],
    ["2026-11-22T06:00:00Z", false], ["2026-11-29T21:00:00Z", true],
    // In summer the same wall is an hour earlier by UTC.
    ["2026-07-01T20:00:00Z", true], ["2026-07-02T04:59:59Z", true], ["2026-07-02T05:00:00Z", false],
  ]) assert.equal(quiet(night, at), expected, at);
  for (const [at, expected] of [["11:59:59", false], ["12:00:00", true], ["12:59:59", true], ["13:00:00", false]])
    assert.equal(quiet("12:00 13:00 UTC", `2026-11-21T${at}Z`), expected, at);
});

test("where nobody set quiet hours it is never quiet, and a zone that a browser does not know breaks nothing", () => {
  for (const none of [undefined, "", "22:00"]) assert.equal(isQuiet(none, 0), false);
  assert.equal(isQuiet("00:00 23:59 Mars/Olympus", new Date(2026, 10, 21, 12, 0)), true);
});

test("the desktop shows what the toast shows, and critical ones stay", () => {
  const facts = { key: "7", at: "2026-11-21T07:10:00Z", priority: "critical", url: "/inbox/7/open/" };
  assert.deepEqual(payload(facts, { title: "Down", body: "No answer", buttons: ["Acknowledge", "Log", "More"] }), {
    tag: "n-7", title: "Down", body: "No answer", url: "/inbox/7/open/", at: 1795245000000, stays: true,
    actions: [{ action: "1", title: "Acknowledge" }, { action: "2", title: "Log" }],
  });
  assert.equal(payload({ ...facts, priority: "high" }, { title: "x", body: "", buttons: [] }).stays, false);
});

test("a tag names its notification; a foreign one names none", () => {
  assert.equal(idOf(tagOf("12")), "12");
  for (const tag of ["", "12", "n-", "n-x", "n-1 2", "other-3"]) assert.equal(idOf(tag), "");
});

test("a key is read from base64url, padded or not", () => {
  assert.deepEqual([...keyBytes("-_8")], [251, 255]);
  assert.deepEqual([...keyBytes("-_8=")], [251, 255]);
  assert.equal(keyBytes("").length, 0);
  assert.ok(sameBytes(keyBytes("-_8"), Uint8Array.of(251, 255)));
  assert.ok(!sameBytes(keyBytes("-_8"), Uint8Array.of(251)));
  assert.ok(!sameBytes(keyBytes("-_8"), Uint8Array.of(251, 254)));
});

test("it is on only where it can be, may be and was wanted", () => {
  assert.equal(standing({ able: false, permission: "granted", chosen: true }), "unable");
  assert.equal(standing({ able: true, permission: "denied", chosen: true }), "blocked");
  assert.equal(standing({ able: true, permission: "default", chosen: true }), "off");
  assert.equal(standing({ able: true, permission: "granted", chosen: false }), "off");
  assert.equal(standing({ able: true, permission: "granted", chosen: true }), "on");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Heartbeat, afterClose } from "../../core/static/core/socket.js";

test("the delay is random below half a second, doubled by each failure, and never above a minute", () => {
  const backoff = new Backoff();
  assert.equal(backoff.delay(() => 0.5), 250);
  backoff.n = 3;
  assert.equal(backoff.delay(() => 1), 4_000);
  backoff.n = 30;
  assert.equal(backoff.delay(() => 1), 60_000);
  assert.equal(backoff.delay(() => 0), 0);
});

test("only a socket that was answered and lived a second counts as a success", () => {
  const backoff = new Backoff();
  backoff.ended({ answered: false, lived: 60_000 });
  backoff.ended({ answered: true, lived: 999 });
  assert.equal(backoff.n, 2);
  backoff.ended({ answered: true, lived: 1_000 });
  assert.equal(backoff.n, 0);
});

test("a server that accepts and closes at once is left alone more and more", () => {
  const backoff = new Backoff();
  for (let round = 0; round < 20; round += 1) backoff.ended({ answered: true, lived: 10 });
  assert.equal(backoff.delay(() => 1), 60_000);
});

test("the server's own wish counts, once", () => {
  const backoff = new Backoff();
  backoff.after = 4_200;
  assert.equal(backoff.delay(() => 1), 4_200);
  assert.equal(backoff.delay(() => 1), 500);
});

/** Run a heartbeat by a timer of 5 s; `hears(now)` says whether something came since the last time. */
function run(heartbeat, from, until, hears = () => false, every = 5_000) {
  const said = [];
  for (let now = from + every; now <= until; now += every) {
    if (hears(now)) heartbeat.heard = now - 1;
    const verdict = heartbeat.tick(now);
    if (verdict) said.push([now, verdict]);
    if (verdict === "dead") break;
  }
  return said;
}

test("it pings every 15 s, and 20 s of silence end it", () => {
  assert.deepEqual(run(new Heartbeat(0), 0, 60_000), [[15_000, "ping"], [20_000, "dead"]]);
});

test("a server that speaks is pinged and never ended", () => {
  assert.deepEqual(run(new Heartbeat(0), 0, 60_000, () => true).map(([, verdict]) => verdict), ["ping", "ping", "ping", "ping"]);
});

test("after a long sleep the server gets five seconds to answer", () => {
  const heartbeat = new Heartbeat(0);
  assert.equal(heartbeat.tick(5_000), "");
  assert.equal(heartbeat.tick(3_600_000), "ping");
  assert.equal(heartbeat.tick(3_605_000), "dead");
});

test("a server that answers after the sleep is kept", () => {
  const heartbeat = new Heartbeat(0);
  heartbeat.tick(5_000);
  heartbeat.tick(3_600_000);
  heartbeat.heard = 3_600_050;
  assert.equal(heartbeat.tick(3_605_000), "");
});

test("a hidden tab whose timer runs once a minute keeps its socket while pings are answered, and no longer", () => {
  const answered = new Heartbeat(0);
  assert.deepEqual(run(answered, 0, 600_000, () => true, 60_000).map(([, verdict]) => verdict), Array(10).fill("ping"));
  assert.deepEqual(run(new Heartbeat(0), 0, 600_000, () => false, 60_000).map(([, verdict]) => verdict), ["ping", "dead"]);
});

test("restarts and overload bring us back; abuse, refusal and the user's own matters do not", () => {
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4999]) assert.equal(afterClose(code), "again");
  assert.equal(afterClose(4400), "stopped");
  assert.equal(afterClose(4403), "stopped");
  assert.equal(afterClose(4401), "signed-out");
  assert.equal(afterClose(4409), "replaced");
  assert.equal(afterClose(4429), "full");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../notifications/rooms/static/rooms/outbox.js";

/** An outbox whose server answers as told, one answer for each time it is asked; a missing one is awaited for ever. */
function made({ answers = [], kept = [] } = {}) {
  const world = { posts: [], drawn: [], timers: [], kept, answers };
  let number = 0;
  world.outbox = new Outbox({
    post: ({ id, text }) => {
      world.posts.push(`${id} ${text}`);
      return Promise.resolve(world.answers.shift() ?? new Promise(() => {}));
    },
    changed: ({ id, state }) => world.drawn.push(`${id} ${state}`),
    store: { read: () => kept, write: (entries) => (world.kept = entries) },
    id: () => `c${++number}`,
    later: (work, ms) => world.timers.push({ work, ms }),
    cancel: () => {},
    random: () => 1,
  });
  world.settle = () => new Promise((done) => setImmediate(done));
  world.ring = async () => {
    world.timers.pop().work();
    await world.settle();
  };
  return world;
}

const STORED = { stored: true };
const LOST = { why: "offline" };

test("a message is drawn before the server is asked, and marked when it is stored", async () => {
  const world = made({ answers: [STORED] });
  world.outbox.put("hello", 0);
  assert.deepEqual(world.drawn.slice(0, 2), ["c1 waiting", "c1 sending"]);
  await world.settle();
  assert.equal(world.drawn.at(-1), "c1 stored");
  assert.deepEqual(world.kept, []);
});

test("what got no answer is kept and sent again under the same id", async () => {
  const world = made({ answers: [LOST, LOST, STORED] });
  world.outbox.put("hello", 0);
  await world.settle();
  assert.equal(world.kept.length, 1);
  await world.ring();
  await world.ring();
  assert.deepEqual(world.posts, ["c1 hello", "c1 hello", "c1 hello"]);
  assert.equal(world.drawn.at(-1), "c1 stored");
});

test("messages are sent one after the other in the order they were written", async () => {
  const world = made({ answers: [LOST, STORED, STORED, STORED] });
  for (const text of ["one", "two", "three"]) world.outbox.put(text, 0);
  await world.settle();
  assert.deepEqual(world.posts, ["c1 one"]);
  await world.ring();
  assert.deepEqual(world.posts, ["c1 one", "c1 one", "c2 two", "c3 three"]);
});

test("the waits grow to half a minute, and a connection that is back ends them", async () => {
  const world = made({ answers: Array(9).fill(LOST) });
  world.outbox.put("hello", 0);
  await world.settle();
  const waits = [];
  for (let turn = 0; turn < 8; turn += 1) {
    waits.push(world.timers.at(-1).ms);
    await world.ring();
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  world.answers.push(STORED);
  world.outbox.wake();
  await world.settle();
  assert.equal(world.outbox.entries[0].state, "stored");
});

test("a server that says when is asked then and not before", async () => {
  const world = made({ answers: [{ why: "slow mode", after: 42 }] });
  world.outbox.put("hello", 0);
  await world.settle();
  assert.equal(world.timers[0].ms, 42_000);
});

test("a refused message stays with its reason, lets the next one pass, and can be sent again or given up", async () => {
  const world = made({ answers: [{ why: "too long", lasting: true }, STORED, STORED] });
  world.outbox.put("bad", 0);
  world.outbox.put("good", 0);
  await world.settle();
  assert.deepEqual(world.outbox.entries.map(({ state, why }) => state + why), ["failedtoo long", "stored"]);
  world.outbox.retry("c1");
  await world.settle();
  assert.equal(world.outbox.entries[0].state, "stored");
  assert.equal(world.outbox.drop("c1"), "bad");
  assert.equal(world.drawn.at(-1), "c1 gone");
});

test("a message that arrives before its answer is gone from here, and the late answer draws nothing", async () => {
  const world = made();
  let answer;
  world.answers.push(new Promise((resolve) => (answer = resolve)));
  world.outbox.put("hello", 0);
  await world.settle();
  world.outbox.arrived("c1");
  const drawn = world.drawn.length;
  answer(STORED);
  await world.settle();
  assert.equal(world.drawn.length, drawn);
  assert.deepEqual(world.outbox.entries, []);
});

test("an answer that never came for a message that arrived does not send it again", async () => {
  const world = made();
  let answer;
  world.answers.push(new Promise((resolve) => (answer = resolve)), STORED);
  world.outbox.put("one", 0);
  world.outbox.put("two", 0);
  await world.settle();
  world.outbox.arrived("c1");
  answer(LOST);
  await world.settle();
  await world.ring();
  assert.deepEqual(world.posts, ["c1 one", "c2 two"]);
});

test("what a page left behind is sent by the next one", async () => {
  const world = made({ kept: [{ id: "old", text: "from before", at: 5 }], answers: [STORED] });
  assert.deepEqual(world.drawn, ["old waiting"]);
  world.outbox.wake();
  await world.settle();
  assert.deepEqual(world.posts, ["old from before"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { completed, stepped, typed } from "../../notifications/rooms/static/rooms/completion.js";

const at = (marked) => [marked.replace("|", ""), marked.indexOf("|")];

test("a name is being typed after an @ that begins a word", () => {
  for (const [marked, wanted] of [["@|", ""], ["@al|", "al"], ["hello @al|", "al"], ["(@al|", "al"], ["one\n@al|", "al"], ["@al|ice", "al"], ["@a.b+c-d|", "a.b+c-d"]]) {
    assert.equal(typed(...at(marked)), wanted, marked);
  }
});

test("an address is no name, nor is what has ended", () => {
  for (const marked of ["mail@al|", "http://x/@al|", "@al |", "al|", "|@al", "a@@|"]) assert.equal(typed(...at(marked)), null, marked);
});

test("the name takes the place of what was typed, with one blank behind it", () => {
  assert.deepEqual(completed(...at("hi @al|"), "alice"), { text: "hi @alice ", caret: 10 });
  assert.deepEqual(completed(...at("@al| and you"), "alice"), { text: "@alice and you", caret: 7 });
  assert.deepEqual(completed(...at("@|"), "here"), { text: "@here ", caret: 6 });
});

test("the list begins again at its ends", () => {
  assert.deepEqual([stepped(0, -1, 3), stepped(2, 1, 3), stepped(0, 1, 3)], [2, 0, 1]);
});

/* Completing a name while it is typed: what is being typed, which of the offered names is chosen, and the text with it put in. Pure. */

const TYPED = /(?:^|[^\w@/.&;+-])@([\w+.-]*)$/u;

/** What is typed of a name right before the caret, without its @; null when no name is being typed. */
export function typed(text, caret) {
  return TYPED.exec(text.slice(0, caret))?.[1] ?? null;
}

/** The text with the name put in the place of what was typed, and where the caret then stands. */
export function completed(text, caret, name) {
  const start = caret - typed(text, caret).length;
  const rest = text.slice(caret);
  const gap = /^\s/.test(rest) ? "" : " ";
  return { text: text.slice(0, start) + name + gap + rest, caret: start + name.length + 1 };
}

/** The place after `step` more in a list that begins again at its ends. */
export function stepped(place, step, length) {
  return (place + step + length) % length;
}

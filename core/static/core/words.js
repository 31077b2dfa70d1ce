/* Words for times and for the freshness of tiles. Pure: times come in, in milliseconds. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How old, in words that change at 10 s, 1 min, then each minute, hour and day. */
export function age(ms) {
  if (ms < 10_000) return "now";
  if (ms < MINUTE) return "10 s";
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  return ms < DAY ? `${Math.floor(ms / HOUR)} h` : `${Math.floor(ms / DAY)} d`;
}

/** "live", "late" or "stale", by what the tile expects (seconds). Late: nothing after interval + grace. Stale: nor after interval + 3 graces. */
export function freshness(ms, { interval, grace }) {
  if (!interval || ms <= (interval + grace) * 1000) return "live";
  return ms <= (interval + 3 * grace) * 1000 ? "late" : "stale";
}

const CHIPS = { late: "Late", stale: "Stale", error: "Error", paused: "Paused", nodata: "No data" };

/** What a tile says about its age: {chip, text}; live needs no chip. `clock(ms)` writes a time of day. */
export function saying(state, { now, at, clock }) {
  const chip = CHIPS[state] ?? "";
  if (!at) return { chip, text: "" };
  return { chip, text: state === "stale" ? `since ${clock(at)}` : age(now - at) };
}

/** The title with the number of what is unseen before it. */
export function title(text, count) {
  const bare = text.replace(/^\(\d+\+?\) /, "");
  return count > 0 ? `(${count > 99 ? "99+" : count}) ${bare}` : bare;
}

/* One channel as this page follows it. Pure: live.js does what it answers. */

import { judge, ranged } from "./position.js";

/** More waiting characters than this are not kept: the regions are fetched anew. */
export const KEEP = 256 * 1024;

export class Channel {
  holds = new Set(); // why frames wait: "asked", "refetch", "paused", or a symbol per replacement under way
  kept = [];
  size = 0;
  waiting = 0; // updates that wait, those no longer kept included
  stale = false; // frames were thrown away: only a refetch makes the regions right
  reach = 0; // what the server takes for shown, though it never came: a refetch must get at least here
  target = 0; // the end of what was missed; frames up to here are catch-up

  constructor(name, position) {
    this.name = name;
    this.position = position;
  }

  /** Say what to do with a frame: "apply", "drop", "gap", "resync", or "kept" when it waits. */
  take(frame) {
    return this.holds.size ? this.keep(frame) : judge(this.position, frame);
  }

  keep(frame) {
    if (ranged(frame)) this.waiting += 1;
    this.size += frame.html.length;
    this.kept.push(frame);
    if (this.size > KEEP || this.stale) this.#giveUp();
    return "kept";
  }

  /** A frame has been shown: only now the channel moves. */
  applied(frame) {
    if (ranged(frame) && frame.to > this.position.offset) this.position = { ...this.position, offset: frame.to };
  }

  hold(why) {
    this.holds.add(why);
  }

  /** End a hold. Returns the frames to judge now, in the order they came; none while another hold stands. */
  release(why) {
    this.holds.delete(why);
    if (this.holds.size) return [];
    const frames = this.kept;
    this.#empty();
    this.waiting = 0;
    return frames;
  }

  /** A new socket: what waits will be sent again, and nothing is judged before the server has answered. */
  restart() {
    this.#empty();
    this.waiting = 0;
    this.hold("asked");
  }

  #giveUp() {
    this.reach = Math.max(this.reach, ...this.kept.map((frame) => frame.to ?? 0));
    this.stale = true;
    this.#empty();
  }

  #empty() {
    this.kept = [];
    this.size = 0;
  }
}

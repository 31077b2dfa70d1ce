/* Positions and what a frame means to a page that stands at one. Pure; the twin of core/delivery/position.py. */

/** Read "<epoch>:<offset>"; null when it is not a position. */
export function parse(text) {
  const match = /^([0-9a-f]{1,32}):(0|[1-9]\d{0,18})$/.exec(text ?? "");
  return match && { epoch: match[1], offset: Number(match[2]) };
}

export const write = ({ epoch, offset }) => `${epoch}:${offset}`;

/** Whether a frame moves its channel; counts and what is ephemeral do not. */
export const ranged = (frame) => frame.to !== undefined;

/** Say what a frame covering (from, to] is to a page standing here: "apply", "drop", "gap" or "resync". */
export function judge(position, frame) {
  if (!ranged(frame)) return "apply";
  if (frame.epoch !== position.epoch) return "resync";
  if (frame.to <= position.offset) return "drop";
  return frame.from <= position.offset ? "apply" : "gap";
}

/** Where a channel stands that regions with these positions show; null when they are of several lives of the database, or none. */
export function smallest(positions) {
  if (positions.some((position) => position.epoch !== positions[0].epoch)) return null;
  return positions.reduce((least, position) => (least && least.offset <= position.offset ? least : position), null);
}

/* Points of a series: [[time, value], ...], ascending by time, one per time. Pure. */

/** Put fresh points among the old ones; the same time replaces. */
export function merge(old, fresh) {
  if (!fresh.length) return old;
  if (!old.length || old.at(-1)[0] < fresh[0][0]) return old.concat(fresh);
  const byTime = new Map([...old, ...fresh]);
  return [...byTime].sort(([a], [b]) => a - b);
}

/** What was between `from` and `to` (both included) is now these. */
export function replaceSpan(old, { from, to }, fresh) {
  return [...old.filter(([at]) => at < from), ...fresh, ...old.filter(([at]) => at > to)];
}

/** Drop what is older than `from`, but keep one point before it: the line enters from the left. */
export function since(points, from) {
  const first = points.findIndex(([at]) => at >= from);
  if (first === -1) return points.slice(-1);
  return first > 1 ? points.slice(first - 1) : points;
}

/** As few points as the eye can tell: of each bucket (seconds) its lowest and its highest, and the newest. A null stays where it is. */
export function thin(points, bucket) {
  const kept = [];
  let low = null;
  let high = null;
  const flush = () => {
    if (low) kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
    low = high = null;
  };
  for (const point of points) {
    const [at, value] = point;
    if (value === null || (low && Math.floor(at / bucket) !== Math.floor(low[0] / bucket))) flush();
    if (value === null) kept.push(point);
    else if (!low) low = high = point;
    else if (value < low[1]) low = point;
    else if (value >= high[1]) high = point;
  }
  flush();
  return points.length && kept.at(-1) !== points.at(-1) ? [...kept, points.at(-1)] : kept;
}

/** The span that is missing between the newest point and news that follow on `prev`; null when nothing is. */
export function missing(points, { prev, points: news }, step = 0) {
  if (prev == null || !news?.length) return null;
  const last = points.at(-1)?.[0] ?? -Infinity;
  return prev > last + step ? { from: last, to: news[0][0] } : null;
}

/** One span that covers both. */
export function union(a, b) {
  return a ? { from: Math.min(a.from, b.from), to: Math.max(a.to, b.to) } : b;
}

/** uPlot's table: times, then the values of each series; undefined where a series has no point at a time (no gap), null where it has none to show. */
export function table(list) {
  const [first = []] = list;
  if (list.every((points) => together(points, first))) return [first.map(([at]) => at), ...list.map((points) => points.map(([, value]) => value))];
  const times = [...new Set(list.flatMap((points) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const place = new Map(times.map((at, index) => [at, index]));
  return [times, ...list.map((points) => column(points, place, times.length))];
}

/** Whether these have a point at the same times. */
function together(some, others) {
  return some === others || (some.length === others.length && some.every(([at], index) => at === others[index][0]));
}

function column(points, place, length) {
  const values = new Array(length).fill();
  for (const [at, value] of points) values[place.get(at)] = value;
  return values;
}

/** The value shown under a cursor at this index: the newest at or before it. */
export function valueAt(values, index) {
  for (let i = index; i >= 0; i -= 1) if (values[i] !== undefined) return values[i];
  return null;
}

/** uPlot's table with each column standing on those before it that are shown; a line without a point at a time stands there with its last. */
export function stacked([times, ...columns], shown) {
  const below = new Array(times.length).fill(0);
  return [times, ...columns.map((values, place) => pile(values, below, shown[place]))];
}

function pile(values, below, isShown) {
  let last = null;
  return values.map((value, index) => {
    if (value !== undefined) last = value;
    if (last === null) return null;
    const top = below[index] + last;
    if (isShown) below[index] = top;
    return top;
  });
}

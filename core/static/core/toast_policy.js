/* Which toasts are shown. Pure. A toast is {id, at, critical, answer}; times in milliseconds. `answer`: to what she has just done. */

export const MOST = 3;
export const OLD = 30_000;
export const STAYS = 6_000;

/** What to do with toasts that have just arrived: show them, or tell of all of them in one grouped line (after a reconnect: never a volley). */
export function admit(arrived, { now, known, catchUp }) {
  const fresh = arrived.filter((toast) => !known.has(`${toast.id}@${toast.at}`));
  const critical = fresh.filter((toast) => toast.critical && now - toast.at <= OLD);
  const plain = fresh.filter((toast) => !critical.includes(toast));
  if (catchUp) return { show: critical, grouped: plain.length };
  return { show: fresh.filter((toast) => now - toast.at <= OLD), grouped: 0 };
}

/** Keep at most three of these (oldest first): the critical ones before all, then those that stood here first. Answers stand beside them. */
export function arrange(toasts) {
  const answers = toasts.filter((toast) => toast.answer);
  const news = toasts.filter((toast) => !toast.answer).sort((a, b) => Number(b.critical) - Number(a.critical)).slice(0, MOST);
  const wanted = [...answers, ...news];
  return { keep: toasts.filter((toast) => wanted.includes(toast)), over: toasts.filter((toast) => !wanted.includes(toast)) };
}

// The directory follows its rooms: when one has something new, somebody comes or goes, or she reads elsewhere, the list is asked for anew.
const AT_MOST = 2_000;
let asked = 0;
let timer = 0;

function soon() {
  if (timer || document.hidden) return;
  timer = setTimeout(ask, Math.max(0, asked + AT_MOST - performance.now()) + Math.random() * 250);
}

function ask() {
  timer = 0;
  asked = performance.now();
  htmx.trigger("#directory", "rooms:news");
}

document.addEventListener("live:applied", ({ detail }) => /^(news|presence|reading):/.test(detail.channel) && soon());
document.addEventListener("visibilitychange", soon);

/* A page of another project ({% live_head %}): gives its body what base.html has, before live.js looks for it. Contract: docs/live.md.
   Elements that the page brings itself (#toasts, #connection-bar, #live-polite) are taken where they stand. */

const { live, user, csrf, signIn } = document.querySelector("meta[name=signalbox]").dataset;
const { body } = document;

body.dataset.live ??= live;
body.dataset.signIn ??= signIn;
body.dataset.now ??= document.querySelector("meta[name=signalbox]").content;
if (user) body.dataset.user ??= user;
if (!body.hasAttribute("hx-headers:inherited")) body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": csrf }));

const PARTS = {
  "connection-bar": { role: "status" },
  toasts: { role: "region", "aria-label": "Notifications just arrived" },
  "live-polite": { class: "sr", "aria-live": "polite" },
};
for (const [id, attributes] of Object.entries(PARTS)) {
  if (document.getElementById(id)) continue;
  const part = document.createElement("div");
  part.id = id;
  for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
  part.classList.add("embedded");
  body.append(part);
}

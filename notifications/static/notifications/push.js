/* Web push to this browser, so that it is told while no tab of the site is open: the second half of _device.html.
     <div data-push> <p data-push-says></p> <button data-push-choose="on|off"> </div>   The server's side: /push/key/, /push/subscribe/, /push/unsubscribe/. */

import { registration } from "./desktop.js";
import { keyBytes, sameBytes } from "./desktop_policy.js";

const headers = () => ({ ...JSON.parse(document.body.getAttribute("hx-headers:inherited")), "Content-Type": "application/json" });
const post = (address, body) => fetch(address, { method: "POST", headers: headers(), body: JSON.stringify(body) });
const manager = async () => (await registration()).pushManager;

/** The site's public key; empty where web push is not set up. */
export async function serverKey() {
  const answer = await fetch("/push/key/");
  return answer.ok && !answer.redirected ? (await answer.json()).key : "";
}

/** How this browser is subscribed; null where it is not, or to a key that is no longer the site's. */
export async function current(key) {
  const subscription = await (await manager()).getSubscription();
  return subscription && sameBytes(new Uint8Array(subscription.options.applicationServerKey ?? []), keyBytes(key)) ? subscription : null;
}

/** Subscribe and tell the server; throws what the browser or the server says against it. */
export async function subscribe(key) {
  const push = await manager();
  if (!(await current(key))) await (await push.getSubscription())?.unsubscribe();
  const subscription = await push.subscribe({ userVisibleOnly: true, applicationServerKey: keyBytes(key) });
  const answer = await post("/push/subscribe/", subscription.toJSON());
  if (answer.ok && !answer.redirected) return;
  await subscription.unsubscribe();
  throw new Error(answer.status === 422 ? (await answer.json()).detail : "This site did not take it. Try it again.");
}

export async function unsubscribe() {
  const subscription = await (await manager()).getSubscription();
  if (!subscription) return;
  await post("/push/unsubscribe/", { endpoint: subscription.endpoint });
  await subscription.unsubscribe();
}

/* The service worker: shows what a page hands over (desktop.js) and what web push brings; the same payload, under the same tag, so that neither
   doubles the other: {tag, title, body, url, at, stays, actions: [{action, title}]}. See "Desktop and push" in docs/notifications.md. */

let last = Promise.resolve();

/** One after the other: what is closed has been shown before. */
function serial(work) {
  last = last.then(work, work);
  return last;
}

async function show({ tag, title, body = "", url, at, stays = false, actions = [] }) {
  const [shown] = await registration.getNotifications({ tag });
  const again = shown?.data?.at === at; // came the other way already: no second sound
  return registration.showNotification(title, { tag, body, timestamp: at, renotify: !again, silent: again, requireInteraction: stays, actions, data: { url, at } });
}

async function close(tags) {
  for (const shown of await registration.getNotifications()) if (tags.includes(shown.tag)) shown.close();
}

function clicked({ notification, action }) {
  notification.close();
  // In a tab of its own: what somebody is doing in another one stays.
  return clients.openWindow(action ? `${notification.data.url}${action}/` : notification.data.url);
}

/** The push service, or the browser, has ended the subscription: make the next one, or she would hear nothing until she comes by.
    `oldSubscription` and `newSubscription` may be missing: browsers differ. Without a session nothing can be told: the old address is then pruned. */
async function resubscribe({ oldSubscription, newSubscription }) {
  const answer = await fetch("/push/key/");
  if (!answer.ok || answer.redirected) return;
  const { key, token } = await answer.json();
  if (!key) return;
  const made = newSubscription ?? (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  const post = (address, body) => fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  await post("/push/subscribe/", made);
  if (oldSubscription) await post("/push/unsubscribe/", { endpoint: oldSubscription.endpoint });
}

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("push", (event) => event.waitUntil(serial(() => show(event.data.json()))));
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(resubscribe(event)));
addEventListener("notificationclick", (event) => event.waitUntil(clicked(event)));
addEventListener("message", (event) => {
  const { show: payload, close: tags } = event.data;
  event.waitUntil(serial(() => (payload ? show(payload) : close(tags))));
});

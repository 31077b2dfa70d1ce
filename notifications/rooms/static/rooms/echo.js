// The echo page: a plain WebSocket, with nothing of ours in between.
const page = document.getElementById("echo");
const log = document.getElementById("echo-log");
const state = document.getElementById("echo-state");
const again = document.getElementById("echo-again");
let socket;

function write(sign, text, kind) {
  const line = document.createElement("li");
  line.className = kind;
  line.append(Object.assign(document.createElement("span"), { textContent: sign }), Object.assign(document.createElement("span"), { textContent: text }));
  log.append(line);
  while (log.children.length > 200) log.firstChild.remove();
  line.scrollIntoView({ block: "nearest" });
}

function show(words, chip) {
  state.textContent = words;
  state.className = `chip ${chip}`;
  again.hidden = chip !== "err";
}

function connect() {
  show("Connecting", "late");
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${page.dataset.socket}`);
  socket.onopen = () => show("Connected", "live");
  socket.onmessage = (event) => write("←", event.data, "in");
  socket.onclose = (event) => {
    show(`Closed (${event.code})`, "err");
    write("·", `closed with ${event.code}${event.reason ? `: ${event.reason}` : ""}`, "note");
  };
}

document.getElementById("echo-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = document.getElementById("echo-text").value;
  if (socket.readyState !== WebSocket.OPEN) return write("·", "not connected", "note");
  const frame = event.submitter?.value === "text" ? text : JSON.stringify({ message: text });
  socket.send(frame);
  write("→", frame, "out");
});
again.addEventListener("click", connect);
addEventListener("pagehide", () => socket.close());
addEventListener("pageshow", (event) => event.persisted && connect());
connect();

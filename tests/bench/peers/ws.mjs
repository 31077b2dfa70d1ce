// node's ws: POST /pub sends the body to every socket.
import {createServer} from "node:http";
import {WebSocketServer} from "ws";

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const text = Buffer.concat(parts);
    for (const client of sockets.clients) client.send(text, {binary: false});
    response.end();
  });
});
const sockets = new WebSocketServer({server, perMessageDeflate: false});
server.listen(Number(process.argv[2]), "127.0.0.1", 2048);

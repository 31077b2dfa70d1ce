"""What `make run` tells whoever comes to its folder with a shell: the addresses that only its own processes know.

They stand in the lock of DATA_DIR, and count for as long as it is held.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import IO

NAME = "lock"
TOLD = ("HOST", "PORT", "BASE_URL", "REDIS_URL")


def hold(folder: Path) -> IO[str] | None:
    """Hold the folder for as long as this file is open; None where somebody else does."""
    file = os.fdopen(os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    tell(file, {})
    return file


def tell(file: IO[str], environment: dict[str, str]) -> None:
    """Write into a lock that we hold with which variables our processes run."""
    file.seek(0)
    file.truncate()
    json.dump({name: environment[name] for name in TOLD if environment.get(name)}, file)
    file.flush()


def told(folder: Path) -> dict[str, str]:
    """The variables of the processes that run on this folder, where `make run` keeps them; else nothing."""
    try:
        with (folder / NAME).open() as file:
            if _is_free(file):
                return {}
            said = json.load(file)
    except (OSError, ValueError):
        return {}
    return {name: str(said[name]) for name in TOLD if said.get(name)} if isinstance(said, dict) else {}


def _is_free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""The plain chat sockets' addresses, collected by core/asgi.py."""

from typing import Any

routes: list[Any] = []

"""The plain chat sockets: `/ws/chat/`, `/ws/socker-server/` (echo) and `/ws/chat/<room_name>/`. Their words: plain.py."""

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from django.conf import settings
from django.db import DatabaseError
from django.http import parse_cookie

from core.delivery.arrivals import arrivals
from core.delivery.connection import BAD_FRAMES, Connection, Join
from core.delivery.consumer import SocketConsumer
from core.delivery.executor import on_executor
from core.delivery.fanout import SLOW
from core.delivery.forms import Form
from core.delivery.hub import hub
from core.delivery.identity import Credential, credential
from core.delivery.origins import header
from core.delivery.position import BadPosition, Position
from notifications.rooms import door, plain
from notifications.rooms.actions import ClientIdTaken
from notifications.rooms.door import Inside, NotMadeYet, SessionEnded, Visitor
from notifications.rooms.lines import LineForm, LineOutlet
from notifications.rooms.pace import TooFast
from notifications.rooms.plain import BadFrame, Said
from notifications.rooms.policy import Muted, NoSuchRoom, ReadOnly
from notifications.rooms.text import BadText, is_slug

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between two looks for rooms that somebody waits for
CREDIT_LOOK = 0.05


class PlainSocket(SocketConsumer):
    """What the plain sockets share: the greeting, reading frames, refusing what is none."""

    connection: Connection | None = None
    outlet: LineOutlet

    def make_connection(self, form: Form) -> Connection:
        connection = super().make_connection(form)
        connection.outlet = self.outlet = LineOutlet(self.base_send, credit=settings.CREDIT)
        return connection

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        if not await self.accept():
            return
        self.connection = self.make_connection(LineForm(""))
        logger.info("plain socket opened")
        self.outlet.send_line(plain.greeting())
        await self.entered(self.connection)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        connection = self.connection
        if connection is None or connection.closing:
            return
        try:
            if not connection.rate.takes(time.monotonic()):
                raise BadFrame("too_many", f"Slow down: {settings.COMMANDS_PER_SECOND} frames a second.")
            said = plain.heard(message.get("text"), limit=connection.max_frame)
        except BadFrame as error:
            self._refuse_frame(connection, error)
            return
        connection.bad_frames = 0
        await self.heard(connection, said)

    def _refuse_frame(self, connection: Connection, error: BadFrame) -> None:
        """Bad frames in a row end the socket; a person who mistypes now and then keeps it."""
        connection.bad_frames += 1
        self.say(connection, plain.refusal(error.code, str(error)))
        if connection.bad_frames >= BAD_FRAMES:
            hub.close(connection, 4400)

    def say(self, connection: Connection, line: str) -> None:
        """Answer with one line; who does not read what she asked for is let go."""
        if connection.outlet.has_credit:
            self.outlet.send_line(line)
        else:
            hub.close(connection, 1013)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.connection is not None:
            await self.left(self.connection)
            hub.dismiss(self.connection)
            logger.info("plain socket closed", extra={"code": int(message.get("code") or 1006)})
        raise StopConsumer

    async def entered(self, connection: Connection) -> None:
        """Somebody came."""
        raise NotImplementedError

    async def heard(self, connection: Connection, said: Said) -> None:
        """Somebody said something."""
        raise NotImplementedError

    async def left(self, connection: Connection) -> None:
        """Somebody went."""


class EchoSocket(PlainSocket):
    """Answers whatever it hears. Asks no database, no Redis, and not who you are."""

    async def entered(self, connection: Connection) -> None:
        connection.credential = Credential()
        if hub.is_crowded(connection.address):
            hub.close(connection, 4429)
        else:
            hub.admit(connection)

    async def heard(self, connection: Connection, said: Said) -> None:
        self.say(connection, plain.echoed(said))


class RoomSocket(PlainSocket):
    """A room: what was said, then what is being said; what it hears it posts."""

    visitor: Visitor | None = None
    inside: Inside | None = None
    going_in: asyncio.Lock

    @property
    def slug(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["room_name"]).lower()

    async def entered(self, connection: Connection) -> None:
        self.going_in = asyncio.Lock()
        if not is_slug(self.slug):
            hub.close(connection, 4403)
            return
        # A resume of nothing: who this is, and whether there is room, is found out in one question for all who come now.
        await arrivals.serve(connection, Join(0, {}, {}), self._credential())
        if connection.closing or not connection.admitted:
            return
        cookies = parse_cookie(header(self.scope, b"cookie") or "")
        try:
            who = connection.credential, connection.reader, cookies
            self.visitor = await on_executor(door.visitor, *who, address=connection.address)
            await self.go_in(connection)
        except DatabaseError as error:
            logger.warning("plain socket refused, database unreachable: %s", str(error).strip())
            hub.close(connection, 1013)

    def _credential(self) -> Credential:
        """The session of this handshake. Tokens are not taken here: they may read, and people talk."""
        found = credential(self.scope)
        return Credential() if found.token_digest else found

    async def go_in(self, connection: Connection) -> None:
        """Enter the room, tell what was said, and go live from there; wait for a room that may be made yet."""
        async with self.going_in:
            if self.inside is not None or connection.closing or self.visitor is None:
                return
            try:
                inside = await on_executor(door.enter, self.slug, self.visitor)
            except NotMadeYet:
                self._stay_outside(connection)
                return
            except NoSuchRoom:
                hub.close(connection, 4403)
                return
            self.inside = inside
            waiting.discard(self)
            connection.form = LineForm(inside.room.slug)
            if await self._tell_history(connection, inside):
                await self._go_live(connection, inside)

    def _stay_outside(self, connection: Connection) -> None:
        """A room that nobody made can be made by its first message, where that is allowed."""
        if settings.ROOMS_OPEN:
            waiting.add(self)
        else:
            hub.close(connection, 4403)

    async def _tell_history(self, connection: Connection, inside: Inside) -> bool:
        since = self._since(connection, inside)
        if since is None:
            return await self._tell(connection, door.lines(inside, await on_executor(door.newest, inside)))
        while since < inside.at.offset:
            messages = await on_executor(door.following, inside, since)
            if not messages:
                break
            if not await self._tell(connection, door.lines(inside, messages)):
                return False
            since = messages[-1].offset or inside.at.offset
        return True

    def _since(self, connection: Connection, inside: Inside) -> int | None:
        """Where the client stands, by its `?since=`; None: nowhere in this history, so it gets the newest."""
        given = parse_qs(self.scope.get("query_string", b"").decode("latin-1")).get("since")
        if not given:
            return None
        try:
            position = Position.parse(given[-1])
        except BadPosition as error:
            self.say(connection, plain.refusal("bad_position", str(error)))
            return None
        return position.offset if position.epoch == inside.at.epoch and position.offset <= inside.at.offset else None

    async def _tell(self, connection: Connection, lines: Any) -> bool:
        """Send lines as fast as the client takes them; False when it went, or takes nothing."""
        patience = time.monotonic() + SLOW
        for line in lines:
            while not connection.outlet.has_credit:
                if connection.outlet.failed or connection.closing or time.monotonic() > patience:
                    hub.close(connection, 1013)
                    return False
                await asyncio.sleep(CREDIT_LOOK)
            self.outlet.send_line(line)
        return not connection.closing

    async def _go_live(self, connection: Connection, inside: Inside) -> None:
        # From where the history ended: the hub replays what came since, and asks the kind again who may read.
        await arrivals.serve(connection, Join(0, {inside.channel: inside.at}, {}))
        if not connection.closing and str(inside.channel) not in connection.subscriptions:
            hub.close(connection, 4403)

    async def heard(self, connection: Connection, said: Said) -> None:
        if said.raw:
            self.say(connection, plain.refusal("bad_frame", 'Send {"message": "..."}.'))
            return
        assert self.visitor is not None
        try:
            await on_executor(door.say, self.slug, self.visitor, said, may_open=self.inside is None and settings.ROOMS_OPEN)
        except BadText as error:
            self.say(connection, plain.refusal(error.code, str(error)))
        except ClientIdTaken:
            self.say(connection, plain.refusal("client_id_taken", "You sent another message under this client_id."))
        except ReadOnly:
            self.say(connection, plain.refusal("read_only", "This room is archived."))
        except Muted:
            self.say(connection, plain.refusal("muted", "You may read here, and not write for now."))
        except TooFast as error:
            self.say(connection, plain.refusal("too_many", str(error)))
        except SessionEnded:
            hub.close(connection, 4401)
        except NoSuchRoom:
            hub.close(connection, 4403)
        except DatabaseError as error:
            logger.warning("a message could not be stored: %s", str(error).strip())
            self.say(connection, plain.refusal("unavailable", "It was not stored; send it again."))
        else:
            if said.client_id:
                self.say(connection, plain.stored(said.client_id))
            if self.inside is None:
                waiting.look()

    async def left(self, connection: Connection) -> None:
        waiting.discard(self)


class Waiting:
    """Sockets at rooms that nobody has made yet: one query a second for all of them, and at once when one is made here."""

    def __init__(self) -> None:
        self._sockets: dict[str, set[RoomSocket]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: RoomSocket) -> None:
        self._sockets.setdefault(socket.slug, set()).add(socket)
        if self._task is None or self._task.done():
            self._news = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._work())

    def discard(self, socket: RoomSocket) -> None:
        there = self._sockets.get(socket.slug, set())
        there.discard(socket)
        if not there:
            self._sockets.pop(socket.slug, None)

    def look(self) -> None:
        """A room may have been made just now."""
        self._news.set()

    async def _work(self) -> None:
        while self._sockets:
            try:
                made = await on_executor(door.existing, list(self._sockets))
                await asyncio.gather(*(self._let_in(socket) for slug in made for socket in list(self._sockets.get(slug, ()))))
            except DatabaseError as error:
                logger.warning("rooms waited for cannot be looked up: %s", str(error).strip())
            try:
                await asyncio.wait_for(self._news.wait(), LOOK_EVERY)
            except TimeoutError:
                continue
            finally:
                self._news.clear()

    async def _let_in(self, socket: RoomSocket) -> None:
        if socket.connection is not None and not socket.connection.closing:
            await socket.go_in(socket.connection)


waiting = Waiting()

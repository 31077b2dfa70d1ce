"""A real SMTP server on loopback that keeps what it accepts.

with mail_server() as server, override_settings(**server.settings): ...
"""

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.servers import free_port


class MailServer:
    """What came, and what is answered: to RCPT TO and to the end of the data, first come first served; then 250."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.at_recipient: list[str] = []
        self.at_end: list[str] = []
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), ready_timeout=30)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.at_recipient.pop(0) if self.at_recipient else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.at_end.pop(0) if self.at_end else "250 OK"
        if answer.startswith("250"):
            content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
        return answer

    @property
    def settings(self) -> dict[str, Any]:
        """Django's settings that send here."""
        return {
            "EMAIL_URL": "smtp://127.0.0.1",
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": self.controller.port,
            "DEFAULT_FROM_EMAIL": "Signalbox <signalbox@example.org>",
        }


@contextmanager
def mail_server() -> Iterator[MailServer]:
    made = MailServer()
    made.controller.start()
    try:
        yield made
    finally:
        made.controller.stop(no_assert=True)

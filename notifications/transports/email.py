"""E-mail, as text and HTML, with one-click unsubscribing (RFC 8058)."""

import smtplib
from collections.abc import Collection, Mapping
from email.utils import parseaddr
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse

from notifications.transports.base import Accepted, NotSent, Parcel, Transport

# RFC 5321: 4yz is for now, 5yz for good. These are the server's trouble with us, not with this message: somebody will put them right.
_FOR_NOW = {530, 534, 535, 538}


class Email(Transport[str]):
    name: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    icon: ClassVar[str] = "mail"
    grace: ClassVar[float] = 60.0
    lacking: ClassVar[str] = "no e-mail address"

    def is_set_up(self) -> bool:
        return bool(settings.EMAIL_URL)

    def reachable(self) -> QuerySet[Any]:
        return get_user_model()._default_manager.exclude(**{self._field(): ""}).filter(**{f"{self._field()}__isnull": False}).values("pk")

    def addresses(self, users: Collection[Any]) -> Mapping[Any, str]:
        found = get_user_model()._default_manager.filter(pk__in=users).values_list("pk", self._field())
        return {key: address for key, address in found if address}

    def send(self, parcel: Parcel[str]) -> Accepted:
        try:
            message(parcel).send()
        except ValueError:  # BadHeaderError among them
            raise NotSent("The message cannot be put into a mail.", permanent=True) from None
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise NotSent(f"The mail server refused the address ({code}).", permanent=_for_good(code)) from None
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"The mail server refused it ({error.smtp_code}).", permanent=_for_good(error.smtp_code)) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSent("The mail server cannot do what EMAIL_URL asks of it.") from None
        except (smtplib.SMTPException, OSError):
            raise NotSent("The mail server did not answer.") from None
        return Accepted()

    def _field(self) -> str:
        return str(get_user_model().get_email_field_name())


def _for_good(code: int) -> bool:
    return code >= 500 and code not in _FOR_NOW


def message(parcel: Parcel[str]) -> EmailMultiAlternatives:
    """The mail for a parcel. Raises NotSent where its address is none: one address, and nothing that a header could end with."""
    try:
        validate_email(parcel.address)
    except ValidationError:
        raise NotSent("Her address is not an e-mail address.", permanent=True) from None
    said, host = parcel.notification, parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    context = {
        "said": said,
        "prose": said.prose_for(settings.BASE_URL),
        "link": parcel.link,
        "buttons": parcel.buttons,
        "unsubscribe": parcel.unsubscribe,
        "preferences": settings.BASE_URL + reverse("preferences"),
    }
    made = EmailMultiAlternatives(
        subject=" ".join(said.title.split()),
        body=render_to_string("notifications/mail.txt", context),
        to=[parcel.address],
        headers={
            "Message-ID": f"<{parcel.id}.delivery@{host}>",
            # What is sent again under one key stands in one thread.
            "References": f"<{said.pk}.notification@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    if parcel.unsubscribe:
        made.extra_headers |= {"List-Unsubscribe": f"<{parcel.unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    made.attach_alternative(render_to_string("notifications/mail.html", context), "text/html")
    return made

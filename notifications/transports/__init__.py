"""The ways out besides the page: docs/how-to/add-a-transport.md."""

from notifications.transports.base import Accepted, NotSent, Parcel, Transport, all_known, of, register

__all__ = ["Accepted", "NotSent", "Parcel", "Transport", "all_known", "of", "register"]

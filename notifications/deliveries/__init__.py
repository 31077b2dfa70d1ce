"""The duty to bring what people were told to them outside the page too: docs/notifications.md, "Ways out"."""

from notifications.deliveries.writing import cancel_for, muted_by, rewrite, start_grace, write_again, write_for

__all__ = ["cancel_for", "muted_by", "rewrite", "start_grace", "write_again", "write_for"]

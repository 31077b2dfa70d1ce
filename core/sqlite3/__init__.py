"""SQLite as Signalbox uses it: Django's own backend with one mend; see base.py."""

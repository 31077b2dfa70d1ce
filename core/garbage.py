"""Python's search for garbage in cycles, for processes that live long: what they imported is left out, and the rest is looked at seldom."""

import gc

YOUNG = 50_000  # objects between two looks; Python's 700 cost a fifth of a connect among thousands of sockets


def collect_seldom() -> None:
    """Call this once everything is imported, before a fork too: what stands now stays for good and is not looked through again.

    Measured on a board of 100 widgets: two fifths of the CPU of storing and announcing their values were looks through Django.
    """
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)

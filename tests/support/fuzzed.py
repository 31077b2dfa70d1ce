"""What the fuzz run and its hooks agree on."""

EXAMPLE = 12  # the document's own number of a broadcast
BROADCASTS = {"pause": 12, "resume": 11, "cancel": 10}  # the one to call instead

"""What delivery counts about itself, for /metrics."""

from core.metrics import Counter, Gauge, Histogram
from core.tallies import SharedCounter

publishes = SharedCounter("signalbox_publishes_total", "Events that were published and committed, in all web processes and workers.")
sequenced = SharedCounter("signalbox_sequenced_total", "Events that got their offset, in all web processes and workers.")
sequencer_yielded = Counter("signalbox_sequencer_yielded_total", "Numbering passes left to the relay because a lock was taken.")
relay_rescues = Counter("signalbox_relay_rescues_total", "Events that the relay numbered because their publisher did not.")
broadcasts = Counter("signalbox_broadcasts_total", "Messages handed to the channel layer.")
broadcasts_lost = Counter("signalbox_broadcasts_lost_total", "Messages that the channel layer did not take; the position poll repairs.")
breaker_open = Gauge("signalbox_breaker_open", "1 while the channel layer is given a rest.")
layer_strange = Counter("signalbox_layer_strange_total", "Layer messages of unknown type or shape.")
connections = Gauge("signalbox_connections", "Live connections of this process.")
deliveries = Counter("signalbox_deliveries_total", "Frames written to connections.")
gaps = Counter("signalbox_gaps_total", "Ranges that did not reach this process and were read from the table.")
polls = Counter("signalbox_polls_total", "Position polls: every local channel compared with the table.")
poll_cpu = Counter("signalbox_poll_cpu_seconds_total", "CPU that the position polls cost this process.")
resyncs = Counter("signalbox_resyncs_total", "Subscriptions told to start again from a snapshot.")
slow_closes = Counter("signalbox_slow_closes_total", "Connections closed because they read too slowly.")
lag = Histogram("signalbox_publish_to_send_seconds", "From an event's creation to its fan-out in this process.")

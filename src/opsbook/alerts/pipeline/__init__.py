"""From an alert to who is told: named stages with Alertmanager's semantics.

Belongs here: working in what came in (``receiving``), which routes and groups it belongs to
(``routing``, ``grouping``), what keeps it quiet (``muting``), whether it was told already
(``deduplicating``), and telling (``telling``); `stages` is the whole way on one screen. Does not
belong here: noticing (``alerts.rules``, ``alerts.intake``), and what an incident is: a receiver
that is an incident gets an event.

The decisions are pure, over what `Memory` holds; the loop reads, decides and writes in one
transaction, and only then changes its memory. The rows alone are enough to go on from.
"""

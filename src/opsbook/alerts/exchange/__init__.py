"""Carrying a team's configuration over from Prometheus and Alertmanager, and back.

Belongs here: reading an alertmanager.yml or a rule file into the sections of a book, and writing a
book's routing, rules and dashboards in the forms of Prometheus, Alertmanager and Grafana. Texts go
in and texts come out; nothing here reads a file, looks a secret up or asks a server. Does not
belong here: what the words do while alerts come in (``alerts.pipeline``).

A text of theirs has no place for some of what a book says (the name of an inhibition, a title in
two languages, who a receiver is here). That stands in a comment above the element, and only that:
what Alertmanager has a word for is read from its word, so that a file edited in between means what
it says.
"""

from opsbook.alerts.exchange.findings import Finding, Setting
from opsbook.alerts.exchange.known import Known

__all__ = ["Finding", "Known", "Setting"]

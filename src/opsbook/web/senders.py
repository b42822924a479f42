"""How each kind of sender is pointed here: what to write where, with this server's own address.

The token itself is nowhere in it: a page does not know it, and says where it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from opsbook.book.sections.intakes import Intake
from opsbook.web.i18n import N_, Speech

TOKEN: Final = "TOKEN"
"""What stands for the token in an address or a header."""


@dataclass(frozen=True)
class How:
    """What to do, in a sentence, and what to write; with a token, and without one."""

    what: str
    write: str
    bare: str = ""


PROMETHEUS: Final = """\
alerting:
  alertmanagers:
    - scheme: {scheme}
      path_prefix: {path}
      authorization: {{credentials_file: /etc/prometheus/opsbook.token}}
      static_configs: [{{targets: ["{host}"]}}]
"""
RECEIVER: Final = """\
receivers:
  - name: opsbook
    webhook_configs:
      - url: {address}
        send_resolved: true
        http_config: {{authorization: {{credentials_file: /etc/alertmanager/opsbook.token}}}}
"""
CURL: Final = """\
curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  --data @alerts.json {address}
"""
HOWS: Final[Mapping[str, How]] = {
    "alertmanager": How(
        N_("In prometheus.yml; the server is then one of its Alertmanagers:"),
        PROMETHEUS,
        PROMETHEUS.replace(
            "      authorization: {{credentials_file: /etc/prometheus/opsbook.token}}\n", ""
        ),
    ),
    "webhook": How(
        N_("In alertmanager.yml, as a receiver:"),
        RECEIVER,
        RECEIVER.replace(
            "        http_config: {{authorization: {{credentials_file: "
            "/etc/alertmanager/opsbook.token}}}}\n",
            "",
        ),
    ),
    "grafana": How(
        N_("In Grafana, a contact point of the type Webhook with the method POST:"),
        "URL: {address}\nAuthorization Header - Scheme: Bearer\n"
        "Authorization Header - Credentials: TOKEN\n",
        "URL: {address}\n",
    ),
    "sentry": How(
        N_(
            "In Sentry, an internal integration with Alert Rule Action; the token is its client "
            "secret:"
        ),
        "Webhook URL: {address}\n",
    ),
    "cloudwatch": How(
        N_("In AWS, a subscription of the SNS topic; it is confirmed by itself:"),
        "Protocol: HTTPS\nEndpoint: {named}\n",
        "Protocol: HTTPS\nEndpoint: {address}\n",
    ),
    "newrelic": How(
        N_("In New Relic, a webhook destination for the workflow, with the default payload:"),
        "Endpoint URL: {address}\nAuthorization: Bearer token TOKEN\n",
        "Endpoint URL: {address}\n",
    ),
    "pagerduty": How(
        N_("In whoever speaks PagerDuty's Events API v2; the routing key is the token:"),
        "Events API: {address}/v2/enqueue\nRouting key: TOKEN\n",
    ),
    "json": How(
        N_("Any program sends its alerts as the intake's fields say:"),
        CURL,
        CURL.replace('-H "Authorization: Bearer $TOKEN" ', ""),
    ),
}


def how(speech: Speech, base: str, book: str, intake: Intake) -> dict[str, str]:
    """Return how a sender is pointed at an intake; `base` is this server's address."""
    found = HOWS[intake.kind]
    path = f"/in/{book}/{intake.id}"
    parts = urlsplit(base)
    text = found.bare if found.bare and intake.token is None else found.write
    written = text.format(
        address=base + path, path=path, scheme=parts.scheme, host=parts.netloc,
        named=f"{parts.scheme}://opsbook:{TOKEN}@{parts.netloc}{path}",
    )  # fmt: skip
    return {"what": speech.say(found.what), "write": written}

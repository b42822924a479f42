"""One module for each sender's form, and one line here.

``alertmanager`` is not among them: that is no form but an interface, with addresses of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opsbook.alerts.intake.kind import Kind
from opsbook.alerts.intake.kinds import (
    cloudwatch,
    grafana,
    json,
    newrelic,
    pagerduty,
    sentry,
    webhook,
)

KINDS: Final[Mapping[str, Kind]] = {
    "webhook": webhook.KIND,
    "grafana": grafana.KIND,
    "sentry": sentry.KIND,
    "cloudwatch": cloudwatch.KIND,
    "newrelic": newrelic.KIND,
    "pagerduty": pagerduty.KIND,
    "json": json.KIND,
}

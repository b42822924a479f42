"""Opsbook as an Alertmanager: the API v2 that Prometheus, amtool and Grafana speak.

Belongs here: the addresses, forms and answers of that interface, as plain ASGI since a batch of
alerts is not to wait for a framework. Does not belong here: what becomes of an alert
(``alerts.pipeline``), and who may hand in (``alerts.intake.doors``).

Under ``/api/v2`` answers the intake that says ``default: true``, or the only book there is. Under
``/in/<book>/<intake>/api/v2`` each intake answers for itself, which is what ``path_prefix`` of
Prometheus and the address of amtool are for. Source of the forms: Alertmanager's OpenAPI document
of version 0.25.
"""

from opsbook.web.alertmanager.front import Front

__all__ = ["Front"]

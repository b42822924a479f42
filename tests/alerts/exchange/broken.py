"""Configurations that Alertmanager refuses, each with a piece of what is said of it here."""


def routed(inner: str) -> str:
    """A configuration whose outermost route has one thing more."""
    return f"route: {{receiver: a, {inner}}}\nreceivers: [{{name: a}}]\n"


def inner(route: str) -> str:
    """A configuration with one route inside of the outermost."""
    return routed(f"routes: [{{{route}}}]")


def told(integration: str) -> str:
    """A configuration whose receiver has an integration."""
    return f"route: {{receiver: a}}\nreceivers: [{{name: a, {integration}}}]\n"


def timed(interval: str) -> str:
    """A configuration with one time interval."""
    named = f"{{name: t, time_intervals: [{{{interval}}}]}}"
    return f"route: {{receiver: a}}\nreceivers: [{{name: a}}]\ntime_intervals: [{named}]\n"


BROKEN = {
    "": "this file holds no configuration",
    "- a\n": "this file holds no configuration",
    "route: [": "",
    "a: &x [*x]\n": "",
    "rout: {}\nroute: {receiver: a}\nreceivers: [{name: a}]\n": "did you mean 'route'?",
    "route: {}\n": "the outermost route names no receiver",
    "receivers: [{name: a}]\n": "there is no route",
    "route: {receiver: b}\nreceivers: [{name: a}]\n": "there is no receiver 'b'",
    "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]\n": "already",
    "route: {receiver: a}\nreceivers: [{}]\n": "has no name",
    routed("matchers: [a=b]"): "takes every alert",
    routed("group_interval: 0s"): "cannot be zero",
    routed("group_wait: soon"): "'soon' is no duration",
    routed("group_by: ['...', b]"): "every label already",
    routed("group_by: [b, b]"): "a label twice",
    routed("group_by: {b: c}"): "should be a list",
    routed("routes: [b]"): "should be a map",
    inner("matchers: ['a~b']"): "is no matcher",
    inner("matchers: ['a=~\"[\"']"): "RE2",
    inner("match: {a-b: c}"): "no label's name",
    inner("continue: maybe"): "neither true nor false",
    inner("mute_time_intervals: [x]"): "no time interval 'x'",
    told("slak_configs: []"): "did you mean 'slack_configs'?",
    told("slack_configs: [{channel: x}]"): "api_url is missing",
    told("email_configs: [{to: x}]"): "smarthost is missing",
    told("email_configs: [{to: x, from: y, smarthost: z}]"): "says no port",
    told("slack_configs: [{api_url: x}]"): "no address of the web",
    told("webhook_configs: [{url: 'ftp://x'}]"): "no address of the web",
    told("telegram_configs: [{bot_token: x}]"): "chat_id is missing",
    told("sns_configs: [{sigv4: {region: a}}]"): "should have one of topic_arn",
    timed("weekdays: [someday]"): "is not a weekday",
    timed("days_of_month: ['5:1']"): "is not a day of the month",
    timed("times: [{start_time: '9', end_time: '8'}]"): "no time range",
    timed("location: Mars"): "not a time zone",
}

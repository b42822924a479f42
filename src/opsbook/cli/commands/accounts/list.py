"""``opsbook accounts list``."""

from __future__ import annotations

from typing import Any

import click

from opsbook.cli import options, output, server, words


@click.command()
@options.talks
def command(data: str | None, form: str) -> None:
    """List accounts, and the persons of the books who have none."""
    answer = server.find(data).get("/accounts")
    if form == "json":
        output.as_json(answer)
        return
    heads = ["", "ACCOUNT", "STATE", "SEEN", "NAME", "ROLES"]
    output.table(heads, [*map(_account, answer["accounts"]), *map(_person, answer["without"])])
    if answer["without"]:
        output.say()
        output.say(words.WITHOUT_ACCOUNT.format(login=answer["without"][0]["login"]))


def _account(one: dict[str, Any]) -> list[str]:
    state = words.ACCOUNT_STATES[one["state"]]
    if one["link_expires_at"]:
        state = f"{state}, {output.left(one['link_expires_at'])}"
    name, roles = _named(one["persons"])
    if one["first_admin"]:
        roles = ", ".join(filter(None, (words.FIRST_ADMIN, roles)))
    glyph = output.glyph(words.ACCOUNT_GLYPHS[one["state"]])
    return [glyph, one["login"], state, output.age(one["seen_at"]), name, roles or words.NO_ROLE]


def _person(one: dict[str, Any]) -> list[str]:
    name, roles = _named(one["persons"])
    return [output.glyph("new"), one["login"], words.NO_ACCOUNT, output.age(None), name, roles]


def _named(persons: list[dict[str, Any]]) -> tuple[str, str]:
    """Return what somebody is called, and their roles in each book."""
    several = len(persons) > 1
    roles = [(f"{one['book']}: " if several else "") + ", ".join(one["roles"]) for one in persons]
    return (persons[0]["name"] if persons else ""), " · ".join(filter(None, roles))

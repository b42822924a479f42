"""What the commands about one account share: finding it by its name, and showing a link once."""

from __future__ import annotations

from typing import Any

from opsbook.base.errors import OpsbookError
from opsbook.cli import output, server, words


def change(data: str | None, login: str, wish: str) -> Any:
    """Ask for something to be done with the account of that name; return the answer."""
    asked = server.find(data)
    known = asked.get("/accounts")["accounts"]
    number = next((one["id"] for one in known if one["login"] == login), None)
    if number is None:
        raise OpsbookError(
            words.NO_SUCH_ACCOUNT.format(login=login), remedy=words.NO_SUCH_ACCOUNT_REMEDY
        )
    return asked.post(f"/accounts/{number}/{wish}", {})


def show_link(answer: dict[str, Any], form: str) -> None:
    """Write a link for whoever hands it over."""
    if form == "json":
        output.as_json(answer)
        return
    output.say(words.LINK_FOR.format(login=answer["login"]))
    output.say(f"  {answer['url']}")
    output.say(words.LINK_HOW.format(left=output.left(answer["expires_at"])))

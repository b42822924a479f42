"""A person at the front door: opens pages, fills in the forms that are on them, nothing else."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx2 as httpx


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = True
            self.forms.append(Form(values.get("action", "")))
        elif tag == "button" and self.inside and "formaction" in values:
            self.forms.insert(-1, Form(values["formaction"], self.forms[-1].fields))
        elif tag == "input" and self.inside and "name" in values:
            if values.get("type") in {"checkbox", "radio", "submit"}:
                return
            self.forms[-1].fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False


class Visitor:
    """Somebody with a browser that runs no JavaScript."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.client = httpx.AsyncClient(
            base_url=url,
            follow_redirects=True,
            headers={"Accept-Language": language},
            timeout=30,
        )

    async def see(self, path: str) -> str:
        """Open a page and return its HTML."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        return answer.text

    async def send(self, page: str, action: str, **fields: str) -> str:
        """Send the form on ``page`` whose action ends in ``action``; return what follows."""
        reader = _Forms()
        reader.feed(await self.see(page))
        matching = [form for form in reader.forms if form.action.split("?")[0].endswith(action)]
        assert matching, (action, [form.action for form in reader.forms])
        form = matching[0]
        answer = await self.client.post(form.action or page, data={**form.fields, **fields})
        assert answer.status_code == 200, (form.action, answer.status_code, answer.text[:2000])
        return answer.text

    async def sign_in(self, link: str) -> None:
        """Use a one-time sign-in link."""
        path = "/" + link.split("/", 3)[3]
        await self.send(path, path)

    async def close(self) -> None:
        await self.client.aclose()

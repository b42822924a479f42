"""A runbook as HTML: prose as prose, steps as steps, and nothing that could run."""

from markupsafe import Markup

from opsbook.book import Runbook, Step, load
from opsbook.web import prose
from tests.web import cast
from tests.web.rig import vocabulary

NASTY = """---
title: Nasty
---
# Nasty
<script>alert(1)</script> <img src=x onerror=alert(1)>
[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org/?a=1&b=2)
![remote](https://example.org/pixel.png)

## Do it {.finally}
```bash {#go effect=read}
echo "</code><script>alert(1)</script>"
```
```text
just <b>text</b>
```
- [ ] look <i>closely</i> {by=admin}
"""


def page(source: str) -> str:
    book = load({**cast.FILES, "runbooks/nasty.md": source}, vocabulary())
    return str(prose.html(book.runbooks["nasty"], shown))


def shown(step: Step, body: Markup) -> Markup:
    return Markup("[{}:{}]{}").format(step.key, step.kind, body)


def test_html_in_a_runbook_is_shown_as_the_text_it_is() -> None:
    told = page(NASTY)
    for tag in ("<script", "<img", "<b>", "<i>", "onerror=alert(1)>"):
        assert tag not in told.replace("&lt;img src=x onerror=alert(1)&gt;", "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in told


def test_links_lead_to_the_web_or_nowhere_and_pictures_become_links() -> None:
    told = page(NASTY)
    assert 'href="javascript:' not in told
    assert 'href="data:' not in told
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">c</a>' in told
    assert '<a href="https://example.org/pixel.png" rel="noreferrer">remote</a>' in told


def test_steps_are_found_where_the_book_found_them() -> None:
    told = page(NASTY)
    assert '[go:bash]<pre tabindex="0"><code>echo &#34;&lt;/code&gt;' in told
    assert '<pre tabindex="0"><code>just &lt;b&gt;text' in told
    assert ":manual]look" in told


def test_what_is_for_the_machine_is_left_out_of_the_prose() -> None:
    told = page(NASTY)
    assert "<h2>Do it</h2>" in told
    assert "by=admin" not in told
    assert "<h1>" not in told


def test_every_runbook_of_the_shop_reads_as_a_page() -> None:
    book = load(cast.FILES, vocabulary())
    for runbook in book.runbooks.values():
        assert isinstance(runbook, Runbook)
        told = prose.html(runbook, shown)
        assert all(f"[{step.key}:" in told for step in runbook.steps)


def test_braces_over_line_breaks_and_with_marks_in_them_are_left_out_as_a_whole() -> None:
    told = page(
        "# T\n## Undo {#undo note='*a* `b`'}\n"
        '- [ ] Look *closely*\n  {#look by=admin\n   note="_c_ **d**"}\n'
        "- [x] [a](https://example.org/) {#second}\n\n[b] stays {a=1}\n"
    )
    assert "<h2>Undo</h2>" in told
    assert "[look:manual]Look <em>closely</em>" in told
    assert "[second:manual]<a" in told
    assert "note=" not in told
    assert "[b] stays {a=1}" in told

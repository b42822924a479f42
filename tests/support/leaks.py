"""Looking for a secret in a text as somebody would who wants it."""

import base64
import html
import json
from urllib.parse import quote, quote_plus


def shows(text: str, value: str) -> bool:
    """Whether a text still has the value in it for somebody who looks for it."""
    joined = text.replace("\r", "").replace("\n", "")
    found = {
        value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1],
        html.escape(value), value.encode().hex(), value.encode().hex().upper(),
        *(
            encode(b"\0" * before + value.encode() + b"\0\0").decode()[
                -(-8 * before // 6) : 8 * (before + len(value.encode())) // 6
            ]
            for encode in (base64.b64encode, base64.urlsafe_b64encode)
            for before in range(3)
        ),
    }  # fmt: skip
    return any(one in text or one in joined for one in found)

"""Numbers in addresses: as large as a database id can be, and no larger."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Query

LARGEST: Final = 2**63 - 1

Number = Annotated[int, Path(ge=1, le=LARGEST)]
"""The id of something, in a path."""

Before = Annotated[int | None, Query(ge=0, le=LARGEST)]
"""Where the page before went on, in a query."""

After = Annotated[int, Query(ge=0, le=LARGEST)]
"""From where on a stream goes, in a query."""

"""What the API needs of the running application, and how a request finds it."""

from __future__ import annotations

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from opsbook.base.clock import Clock
from opsbook.base.database import Database
from opsbook.base.hub import Hub
from opsbook.base.places import Places
from opsbook.book.library import Library
from opsbook.revisions import Revisions
from opsbook.web.knowing import Knower

KEY = "opsbook.app"


class Wired(Knower, Protocol):
    """The parts of an application that requests touch."""

    @property
    def database(self) -> Database:
        """Reads and writes."""

    @property
    def library(self) -> Library:
        """The running books."""

    @property
    def clock(self) -> Clock:
        """What time it is."""

    @property
    def hub(self) -> Hub:
        """Who is told of changes."""

    @property
    def places(self) -> Places:
        """Where the audit keys lie."""

    @property
    def revisions(self) -> Revisions:
        """Where the books come from."""


def wired(request: Request) -> Wired:
    """Return the application that this request was sent to."""
    return cast("Wired", request.scope[KEY])


App = Annotated[Wired, Depends(wired)]

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from tests.checks.making import Looking


@pytest.fixture
async def looking(now: datetime) -> AsyncIterator[Looking]:
    """Looks at single checks."""
    looking = Looking(now)
    yield looking
    await looking.looker.close()

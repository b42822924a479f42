"""``/-/healthy`` and ``/-/ready``: for whatever watches the watcher; no sign-in.

Healthy means the process answers and its database does. Ready means it also does its work: every
loop ticks. Both say in words what is wrong, but no more than its kind: an error's text may name
anything, and anybody may ask here. The whole of it is on the Today page and in the log.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from opsbook.base.loops import Loop
from opsbook.web.served import Served

router = APIRouter(include_in_schema=False)


def failing(app: Served) -> list[Loop]:
    """Return the loops whose last tick failed."""
    return [loop for loop in app.loops.loops.values() if loop.failures]


@router.api_route("/-/healthy", methods=["GET", "HEAD"])
async def healthy(request: Request) -> Response:
    """Say whether the process and its database answer."""
    trouble = await _database_trouble(request.app.state.kept.app)
    return _answer(request, [trouble] if trouble else [], "healthy")


@router.api_route("/-/ready", methods=["GET", "HEAD"])
async def ready(request: Request) -> Response:
    """Say whether the work is being done, and if not, which loop fails and why."""
    app: Served = request.app.state.kept.app
    troubles = [
        f"the loop {loop.name} has failed {loop.failures} times ({loop.error.partition(':')[0]})"
        for loop in failing(app)
    ]
    if trouble := await _database_trouble(app):
        troubles.append(trouble)
    return _answer(request, troubles, "ready")


async def _database_trouble(app: Served) -> str:
    try:
        await app.database.read(lambda tx: tx.connection.exec_driver_sql("SELECT 1").scalar())
    except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
        return f"the database does not answer: {type(error).__name__}"
    return ""


def _answer(request: Request, troubles: list[str], word: str) -> Response:
    status = 503 if troubles else 200
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse(
            {"state": f"not {word}" if troubles else word, "troubles": troubles}, status
        )
    return PlainTextResponse(
        "\n".join([f"not {word}", *troubles] if troubles else [word]) + "\n", status
    )

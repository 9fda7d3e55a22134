"""The sessions of Google's Agent Development Kit: their state, their events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.adk.events import Event, EventActions
from google.adk.sessions import DatabaseSessionService
from google.genai.types import Content, Part

_LOOP = asyncio.new_event_loop()


@cache
def _service(url: str) -> DatabaseSessionService:
    """One for all rounds, as a server has it: it makes its indexes when it starts."""
    return DatabaseSessionService(url)


def make(url: str) -> None:
    """The schema by the service itself, and sessions in it."""

    async def run() -> None:
        service = _service(url)
        for number in range(40):
            session = await service.create_session(
                app_name="seed", user_id=f"user{number % 5}", state={"n": number}
            )
            await service.append_event(session, _event("hello", {"user:seen": number}))

    _LOOP.run_until_complete(run())


def use(url: str, name: str) -> Iterator[object]:
    """One round of what an agent does, in sessions of its own; what it saw."""
    yield from _LOOP.run_until_complete(_round(url, name))


async def _round(url: str, name: str) -> list[Any]:
    service = _service(url)
    own = {"app_name": name, "user_id": "ann"}
    session = await service.create_session(**own, state={"step": 1, "user:lang": "en"})
    seen: list[Any] = [dict(session.state)]
    for word in ("one", "two"):
        await service.append_event(session, _event(word, {"step": word}))
    found = await service.get_session(**own, session_id=session.id)
    seen.append([e.content.parts[0].text for e in found.events])
    seen.append(dict(found.state))
    seen.append(len((await service.list_sessions(**own)).sessions))
    seen.append(len((await service.list_sessions(app_name="seed", user_id="user1")).sessions))
    await service.delete_session(**own, session_id=session.id)
    seen.append(await service.get_session(**own, session_id=session.id))
    return seen


def _event(text: str, delta: dict[str, Any]) -> Event:
    return Event(
        author="agent",
        invocation_id="i",
        content=Content(role="model", parts=[Part(text=text)]),
        actions=EventActions(state_delta=delta),
    )

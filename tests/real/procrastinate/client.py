"""Procrastinate's queue: jobs that are deferred, worked off, retried and cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import procrastinate

logging.disable()  # of the job that fails


def _app(dsn: str) -> procrastinate.App:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    app.task(_work, name="work")
    return app


async def _work(number: int) -> None:
    if number < 0:
        raise ValueError(number)


def make(dsn: str) -> None:
    """The schema by the queue itself, and jobs in it."""

    async def run() -> None:
        async with _app(dsn).open_async() as app:
            await app.schema_manager.apply_schema_async()
            for number in range(40):
                queue = f"seed{number % 3}"
                await app.configure_task("work", queue=queue, lock=f"l{number}").defer_async(
                    number=number
                )
            await app.run_worker_async(queues=["seed0"], wait=False, install_signal_handlers=False)

    asyncio.run(run())


def use(dsn: str, name: str) -> Iterator[object]:
    """One round of what a service does, on a queue of its own; what it saw."""
    yield from asyncio.run(_round(dsn, name))


async def _round(dsn: str, name: str) -> list[Any]:
    seen: list[Any] = []
    async with _app(dsn).open_async() as app:
        jobs = app.job_manager
        good = await app.configure_task("work", queue=name).defer_async(number=1)
        bad = await app.configure_task("work", queue=name).defer_async(number=-1)
        seen.append([j.status for j in await jobs.list_jobs_async(queue=name)])
        await app.run_worker_async(queues=[name], wait=False, install_signal_handlers=False)
        seen.append([(await jobs.get_job_status_async(j)).value for j in (good, bad)])
        late = await app.configure_task("work", queue=name, priority=5).defer_async(number=2)
        seen.append(await jobs.cancel_job_by_id_async(late))
        seen.append((await jobs.get_job_status_async(late)).value)
        (counts,) = await jobs.list_queues_async(queue=name)
        seen.append({k: v for k, v in counts.items() if k != "name"})
        seen.append(
            sum(
                q["jobs_count"]
                for q in await jobs.list_queues_async()
                if q["name"].startswith("seed")
            )
        )
        await jobs.delete_old_jobs(
            0, queue=name, include_failed=True, include_cancelled=True, include_aborted=True
        )
        seen.append(len(await jobs.list_jobs_async(queue=name)))
    return seen

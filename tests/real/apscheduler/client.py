"""APScheduler's data store: tasks, schedules, jobs and their results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from apscheduler import CoalescePolicy, ConflictPolicy, Scheduler
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import create_engine

_FAR = datetime(2099, 1, 1, tzinfo=UTC)


def double(number: int) -> int:
    """What jobs do."""
    return 2 * number


def make(url: str) -> None:
    """The schema by the store itself, and schedules in it."""
    engine = create_engine(url)
    with Scheduler(SQLAlchemyDataStore(engine)) as scheduler:
        for number in range(40):
            scheduler.add_schedule(
                double,
                IntervalTrigger(hours=1, start_time=_FAR),
                id=f"schedule{number}",
                args=[number],
                coalesce=[*CoalescePolicy][number % 3],
            )
    engine.dispose()


def use(url: str, name: str) -> Iterator[object]:
    """One round of what a service does, on schedules of its own; what it saw."""
    engine = create_engine(url)
    with Scheduler(SQLAlchemyDataStore(engine)) as scheduler:
        scheduler.add_schedule(
            double, DateTrigger(_FAR), id=name, args=[1], coalesce=CoalescePolicy.earliest
        )
        found = scheduler.get_schedule(name)
        yield found.args, found.coalesce.name, found.next_fire_time, found.paused
        scheduler.pause_schedule(name)
        yield scheduler.get_schedule(name).paused
        scheduler.add_schedule(
            double,
            DateTrigger(_FAR + timedelta(days=1)),
            id=name,
            args=[2],
            coalesce=CoalescePolicy.all,
            conflict_policy=ConflictPolicy.replace,
        )
        found = scheduler.get_schedule(name)
        yield found.args, found.coalesce.name, found.paused
        yield sum(s.id.startswith("schedule") for s in scheduler.get_schedules())
        yield scheduler.get_schedule("schedule7").coalesce.name
        scheduler.start_in_background()
        yield scheduler.run_job(double, args=[21])
        job = scheduler.add_job(double, args=[4], result_expiration_time=timedelta(hours=1))
        result = scheduler.get_job_result(job)
        yield result.outcome.name, result.return_value
        scheduler.stop()
        scheduler.wait_until_stopped()
        scheduler.remove_schedule(name)
        yield [s.id for s in scheduler.get_schedules() if s.id == name]
    engine.dispose()

"""The verbs that write to a database or tell of its ledger."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from runner import config
from runner.cli.fleet import on_fleet
from runner.cli.review import rehearsed
from runner.cli.root import cli, options, print_json, resolve
from runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from psycopg import Connection

    from runner.execute.dry_run import Trial
    from runner.execute.engine import Outcome
    from runner.ledger.files import Migration
    from runner.ledger.repair import Repair
    from runner.ledger.status import MigrationStatus


@cli.command()
@on_fleet
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration to apply.")
@click.option(
    "--waiting-period",
    metavar="INTERVAL",
    help="How long the old contract must be unused before contract removes it, such as 24h.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Try it, and undo it in any case.")
@click.option(
    "--require-rehearsal",
    "rehearsal",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Refuse unless the files passed a rehearsal on this schema: the certificate in FILE, or"
    " the one that `trueup rehearse --record` left in the database.",
)
@click.option(
    "--force",
    multiple=True,
    metavar="NAME",
    help="Let contract remove this old name although it may be in use; several times for several.",
)
@click.option(
    "--cancel-blockers",
    metavar="WAIT",
    help="Cancel queries that hold a table which a file needs, after waiting for so long: 30s.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    help="How many sessions walk a backfill's pages side by side.",
)
@click.option(
    "--max-lag",
    default="10s",
    show_default=True,
    help="A backfill waits while a standby is further behind than this.",
)
@click.option(
    "--pause",
    metavar="TIME",
    help="How long a backfill rests after each stretch of about half a second; without it, while"
    " clients are active, as long as they need not to feel it.",
)
@options("unit", "sign_key")
@options("dsn", "config", "service", "sources", "strategy", "accept", "deadline", "json", "log")
def apply(
    to: str | None,
    unit: str | None,
    waiting_period: str | None,
    dry: bool,
    rehearsal: str | None,
    sign_key: Path | None,
    force: tuple[str, ...],
    cancel_blockers: str | None,
    jobs: int,
    max_lag: str,
    pause: str | None,
    accept: tuple[str, ...],
    deadline: str,
    as_json: bool,
    log_format: str,
    **where: Any,
) -> None:
    """Apply the migrations that are not applied yet.

    Files that were edited, deleted, renamed or come out of order since they were recorded stop
    the run. A folder named `contract` is left out unless --to names it or a migration in it. A
    run that was stopped goes on where it was when the same command is given again.

    \b
    Example:
      trueup apply --service model_orchestration --to enforce --jobs 2 --max-lag 5s
      trueup apply --service model_orchestration --to contract --waiting-period 24h
      trueup apply --service model_orchestration --to enforce --unit provider_quota
      trueup apply --service model_orchestration --to enforce --fleet fleet.toml -j 8
    """
    from runner.execute import engine, listeners

    dsn, migrations = resolve(**where)
    settings = engine.Settings(
        deadline=config.parse_seconds(deadline),
        waiting_period="0" if force else waiting_period,
        schema=config.ledger_schema(dsn),
        accept=frozenset(accept),
        cancel_blockers=None if cancel_blockers is None else config.parse_seconds(cancel_blockers),
        jobs=jobs,
        max_lag=config.parse_seconds(max_lag),
        pause=None if pause is None else config.parse_seconds(pause),
        approve=_approval(rehearsal, sign_key, force, waiting_period, migrations),
    )
    if dry:
        from runner.execute.dry_run import dry_run

        _show_trials(dry_run(dsn, migrations, to=to, unit=unit, settings=settings), as_json=as_json)
        return
    listener = listeners.default_listener(log_format)
    outcome = engine.apply(dsn, migrations, to=to, unit=unit, settings=settings, listener=listener)
    _show_outcome(outcome, "applied", as_json=as_json)


@cli.command()
@on_fleet
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration that stays applied.")
@click.option("--all", "everything", is_flag=True, help="All but the baseline.")
@options("unit")
@options("dsn", "config", "service", "sources", "strategy", "accept", "deadline", "json", "log")
def rollback(
    to: str | None,
    unit: str | None,
    everything: bool,
    accept: tuple[str, ...],
    deadline: str,
    as_json: bool,
    log_format: str,
    **where: Any,
) -> None:
    """Roll back the newest applied migration, or all after --to.

    The baseline holds the service's own tables and data. It is rolled back only when it is the
    newest applied migration and neither --to nor --all is given.

    \b
    Example:
      trueup rollback --service model_orchestration
      trueup rollback --service model_orchestration --to baseline
      trueup rollback --service model_orchestration --to enforce --fleet fleet.toml
    """
    from runner.execute import engine, listeners

    if to and everything:
        raise click.UsageError("--to and --all exclude each other")
    dsn, migrations = resolve(**where)
    outcome = engine.rollback(
        dsn,
        migrations,
        to=to,
        everything=everything,
        unit=unit,
        settings=engine.Settings(
            deadline=config.parse_seconds(deadline),
            schema=config.ledger_schema(dsn),
            accept=frozenset(accept),
        ),
        listener=listeners.default_listener(log_format),
    )
    _show_outcome(outcome, "rolled back", as_json=as_json)


@cli.command()
@on_fleet
@click.option("--scratch", metavar="DSN", help="Another server for the scratch database.")
@options("dsn", "config", "service", "sources", "strategy", "deadline", "json")
def baseline(scratch: str | None, deadline: str, as_json: bool, **where: Any) -> None:
    """Record an existing database as standing at the legacy schema.

    The baseline files are run on a scratch database, which is dropped afterwards. Only when the
    live catalog matches are they recorded as applied; else every difference is listed. Nothing
    is run on the live database.

    \b
    Example:
      trueup baseline --service model_orchestration
      trueup baseline --service model_orchestration --fleet fleet.toml
    """
    from runner.execute.engine import Settings
    from runner.execute.record import baseline as record_baseline

    dsn, migrations = resolve(**where)
    settings = Settings(deadline=config.parse_seconds(deadline), schema=config.ledger_schema(dsn))
    recorded = record_baseline(dsn, migrations, server=scratch, settings=settings)
    if as_json:
        print_json({"recorded": recorded})
    else:
        click.echo(f"recorded: {', '.join(recorded)}" if recorded else "nothing to do")


@cli.command()
@click.option("--role", required=True, help="The role that is to run the migrations.")
@options("dsn", "config", "service", "sources", "strategy", "json")
def grants(role: str, as_json: bool, **where: Any) -> None:
    """Print the SQL that gives a migration role what it needs, and nothing more.

    What the role has already is printed as a comment. Reads only; an administrator runs the SQL.

    \b
    Example:
      trueup grants --role deploy --service model_orchestration > grants.sql
    """
    from runner.execute.grants import role_needs

    dsn, migrations = resolve(**where)
    found = role_needs(dsn, migrations, role, schema=config.ledger_schema(dsn))
    if as_json:
        from dataclasses import asdict

        print_json([asdict(need) for need in found])
        return
    for need in found:
        mark = "-- has already: " if need.held else ""
        click.echo(f"{mark}{need.statement}  -- {need.why}")


@cli.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Record without asking; for scripts.")
@options("dsn", "config", "service", "sources", "strategy", "deadline")
def repair(ids: tuple[str, ...], yes: bool, deadline: str, **where: Any) -> None:
    """Record named migrations as their files are now, after showing what changed.

    For files that were edited, renamed or deleted on purpose, and for those that plain yoyo
    applied. It changes records only; no file is run and nothing is undone.

    \b
    Example:
      trueup repair 0105_expand_model --service model_orchestration
    """
    from runner.execute.engine import Settings
    from runner.execute.record import repair as record_repairs

    dsn, migrations = resolve(**where)
    settings = Settings(deadline=config.parse_seconds(deadline), schema=config.ledger_schema(dsn))

    def confirmed(plan: list[Repair]) -> bool:
        for item in plan:
            click.echo(f"{item.finding.message}\n{item.diff}{item.effect}")
        if not yes and not sys.stdin.isatty():
            raise UsageError("nothing was recorded: nobody is there to ask", hint="give --yes")
        return yes or click.confirm("record this?", default=False)

    done = record_repairs(dsn, migrations, ids, settings=settings, confirmed=confirmed)
    click.echo(f"recorded: {len(done)}")


@cli.command()
@click.option("--watch", is_flag=True, help="Look again every second, until interrupted.")
@click.option(
    "--waiting-period",
    default="24h",
    show_default=True,
    help="How long an old name must be unused before contract.",
)
@options("unit")
@options("dsn", "config", "service", "sources", "strategy", "json")
def status(watch: bool, waiting_period: str, unit: str | None, as_json: bool, **where: Any) -> None:
    """Tell what is applied, how far backfills are, and who uses the old names.

    Reads only, takes no lock.

    \b
    Example:
      trueup status --service model_orchestration
      trueup status --service model_orchestration --watch
    """
    import time
    from dataclasses import asdict
    from datetime import timedelta

    from runner.execute import underway
    from runner.ledger.records import read_ledger
    from runner.ledger.status import read_status
    from runner.ledger.units import is_of, tables_of, unit_of
    from runner.postgres.connect import connect

    dsn, migrations = resolve(**where)
    within = unit_of(migrations, unit) if unit else None
    tables = tables_of(migrations, within) if within else frozenset()
    period = timedelta(seconds=config.parse_seconds(waiting_period))
    with connect(dsn, application_name="trueup status") as connection:
        while True:
            ledger = read_ledger(connection, schema=config.ledger_schema(dsn))
            lines = read_status(connection, migrations, ledger)
            backfills = underway.read_backfills(connection)
            old_names = underway.read_old_names(connection, period)
            if within is not None:
                lines = [x for x in lines if x.migration in within.files | within.shared]
                backfills = [x for x in backfills if x.file in within.files]
                old_names = [x for x in old_names if is_of(tables, x.name)]
            if as_json:
                print_json(
                    {
                        "migrations": [asdict(line) for line in lines],
                        "backfills": [asdict(backfill) for backfill in backfills],
                        "old_names": [asdict(name) for name in old_names],
                    }
                )
            else:
                if watch:
                    click.clear()
                _show_status(lines)
                for backfill in backfills:
                    click.echo(underway.describe_backfill(backfill))
                for name in old_names:
                    click.echo("\n".join(underway.describe_old_name(name)))
            if not watch:
                return
            time.sleep(1)


def _show_status(lines: list[MigrationStatus]) -> None:
    width = max(len(line.migration) for line in lines)
    for line in lines:
        when = f"  {line.applied_at} UTC" if line.applied_at else ""
        # Who rolled a file back did not apply it.
        by = f"  {line.by}" if line.by and line.standing not in ("PENDING", "ON_REQUEST") else ""
        click.echo(f"{line.standing.lower():<10}  {line.migration:<{width}}{when}{by}".rstrip())
        for note in line.notes:
            click.echo(f"            {note}")


def _approval(
    rehearsal: str | None,
    sign_key: Path | None,
    force: tuple[str, ...],
    waiting_period: str | None,
    migrations: tuple[Migration, ...],
) -> Callable[[Connection, Sequence[Migration]], None] | None:
    """What must agree, under the lock, to what is about to run."""
    if sign_key is not None and rehearsal is None:
        raise UsageError(
            "--sign-key checks the certificate of a rehearsal, and none is asked for",
            hint="add --require-rehearsal FILE",
        )
    asked = []
    if rehearsal is not None:
        asked.append(rehearsed(rehearsal, migrations, sign_key))
    if force:
        from runner.execute.gate import forced

        asked.append(forced(force, waiting_period))

    def approve(connection: Connection, chosen: Sequence[Migration]) -> None:
        for ask in asked:
            ask(connection, chosen)

    return approve if asked else None


def _show_outcome(outcome: Outcome, done: str, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print_json(asdict(outcome))
    elif not outcome.migrations:
        click.echo("nothing to do")
    else:
        count = len(outcome.migrations)
        click.echo(f"{done}: {count} {'file' if count == 1 else 'files'}")


def _show_trials(trials: list[Trial], *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print_json([asdict(trial) for trial in trials])
        return
    for trial in trials:
        result = f"tried in {trial.seconds:.3f} s" if trial.tried else f"not tried: {trial.reason}"
        click.echo(f"{trial.migration}  {result}")
    tried = sum(trial.tried for trial in trials)
    click.echo(f"dry run: {tried} of {len(trials)} pending tried and undone; nothing was changed")

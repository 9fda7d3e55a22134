"""The verbs that write to a database or tell of its ledger."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner import config, places, screen
from runner.cli.root import cli, on_fleet, options, print_json
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.ledger.repair import Repair


@cli.command()
@on_fleet
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration to apply.")
@click.option(
    "--waiting-period",
    metavar="INTERVAL",
    help="How long old names must be unused; before contract, by default 24h.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Try the files, then undo everything.")
@click.option(
    "--require-rehearsal",
    "rehearsal",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Run only files that were rehearsed; on this schema, as the certificate in FILE says, or"
    " the one that `trueup rehearse --record` left in the database.",
)
@click.option(
    "--force",
    multiple=True,
    metavar="NAME",
    help="Let contract remove NAME even if in use; repeat it for several.",
)
@click.option(
    "--cancel-blockers",
    type=config.parse_seconds,
    metavar="WAIT",
    help="Cancel queries that hold a table for longer: 30s. It never ends a session.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 32),
    metavar="N",
    default=1,
    show_default=True,
    help="How many sessions work on a backfill; 32 at most.",
)
@click.option(
    "--max-lag",
    type=config.parse_seconds,
    metavar="TIME",
    default="10s",
    show_default=True,
    help="Pause a backfill while a standby lags more.",
)
@click.option(
    "--pause",
    type=config.parse_seconds,
    metavar="TIME",
    help="How long a backfill rests every half second; by default, while clients are active, long"
    " enough for them not to notice.",
)
@options("unit", "standby", "sign_key")
@options("dsn", "config", "service", "sources", "strategy", "accept", "deadline")
@options("json", "log", "quiet", "metrics")
def apply(
    to: str | None,
    unit: str | None,
    waiting_period: str | None,
    dry: bool,
    rehearsal: str | None,
    sign_key: Path | None,
    force: tuple[str, ...],
    standbys: tuple[str, ...],
    cancel_blockers: float | None,
    jobs: int,
    max_lag: float,
    pause: float | None,
    accept: tuple[str, ...],
    deadline: float,
    as_json: bool,
    log_format: str,
    quiet: bool,
    metrics: Path | None,
    **where: Any,
) -> None:
    """Apply the migrations that are not applied yet.

    Switch and contract only run when --to names them, or a migration in their folders: the old
    release keeps its tables until the switch, and the old names until contract. A run that was
    stopped continues where it was when you give the same command again.

    It refuses to run when files were edited, deleted, renamed or put out of order since they were
    recorded. Tables that the other strategy is already converting are left to it. If some tables
    can only be converted by the other strategy, it names them and exits with 1.

    \b
    Example:
      trueup apply --service model_orchestration --to enforce --jobs 2 --max-lag 5s
      trueup apply --service model_orchestration --to switch
      trueup apply --service model_orchestration --to contract --waiting-period 24h
      trueup apply --service model_orchestration --to enforce --unit provider_quota
      trueup apply --service model_orchestration --fleet fleet.toml --shard 3/16
    """
    from runner.execute import engine
    from runner.execute.listening import listening

    dsn, migrations = places.locate(**where)
    approve = None
    if sign_key is not None and rehearsal is None:
        raise UsageError(
            "--sign-key checks the certificate of a rehearsal, and none is asked for",
            hint="add --require-rehearsal FILE",
        )
    if rehearsal is not None:
        from runner.review.approval import approval

        approve = approval(
            Path(rehearsal) if rehearsal else None,
            migrations,
            sign_key,
            tell=partial(screen.echo, err=True),
        )
    settings = engine.Settings(
        deadline=deadline,
        waiting_period=waiting_period,
        schema=config.ledger_schema(dsn),
        accept=frozenset(accept),
        cancel_blockers=cancel_blockers,
        jobs=jobs,
        max_lag=max_lag,
        pause=pause,
        force=force,
        standbys=standbys,
        approve=approve,
    )
    if dry:
        from runner.execute.dry_run import describe_trials, dry_run

        trials = dry_run(dsn, migrations, to=to, unit=unit, settings=settings)
        if as_json:
            print_json({"trials": [asdict(trial) for trial in trials]})
        else:
            screen.echo(describe_trials(trials))
        return
    with listening(log_format, quiet=quiet, metrics=metrics) as listener:
        outcome = engine.apply(
            dsn, migrations, to=to, unit=unit, settings=settings, listener=listener
        )
    if as_json:
        print_json(asdict(outcome))
    else:
        screen.echo(outcome)
    if outcome.left:
        sys.exit(1)


@cli.command()
@on_fleet
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration to keep.")
@click.option("--all", "everything", is_flag=True, help="Roll back all but the baseline.")
@options("unit")
@options("dsn", "config", "service", "sources", "strategy", "accept", "deadline")
@options("json", "log", "quiet", "metrics")
def rollback(
    to: str | None,
    unit: str | None,
    everything: bool,
    accept: tuple[str, ...],
    deadline: float,
    as_json: bool,
    log_format: str,
    quiet: bool,
    metrics: Path | None,
    **where: Any,
) -> None:
    """Roll back the newest applied migration, or all after --to.

    The baseline holds the service's own tables and data. It is only rolled back if it is the
    newest applied migration and you give neither --to nor --all.

    \b
    Example:
      trueup rollback --service model_orchestration
      trueup rollback --service model_orchestration --to baseline
      trueup rollback --service model_orchestration --to enforce --fleet fleet.toml
    """
    from runner.execute import engine
    from runner.execute.listening import listening

    if to and everything:
        raise click.UsageError("--to and --all exclude each other")
    dsn, migrations = places.locate(**where)
    settings = engine.Settings(
        deadline=deadline, schema=config.ledger_schema(dsn), accept=frozenset(accept)
    )
    with listening(log_format, quiet=quiet, metrics=metrics) as listener:
        outcome = engine.rollback(
            dsn,
            migrations,
            to=to,
            everything=everything,
            unit=unit,
            settings=settings,
            listener=listener,
        )
    if as_json:
        print_json(asdict(outcome))
    else:
        screen.echo(outcome)


@cli.command()
@on_fleet
@click.option("--scratch", metavar="DSN", help="Another server for the scratch database.")
@options("dsn", "config", "service", "sources", "strategy", "deadline", "json")
def baseline(scratch: str | None, deadline: float, as_json: bool, **where: Any) -> None:
    """Record that an existing database has the old tables.

    It runs the baseline files on a scratch database, which it drops afterwards. If the live catalog
    matches, it records the files as applied; otherwise it lists every difference. It runs nothing
    on the live database.

    \b
    Example:
      trueup baseline --service model_orchestration
      trueup baseline --service model_orchestration --fleet fleet.toml
    """
    from runner.execute.engine import Settings
    from runner.execute.record import baseline as record_baseline
    from runner.execute.record import describe_baseline

    dsn, migrations = places.locate(**where)
    settings = Settings(deadline=deadline, schema=config.ledger_schema(dsn))
    recorded = record_baseline(dsn, migrations, server=scratch, settings=settings)
    if as_json:
        print_json({"recorded": recorded})
    else:
        screen.echo(describe_baseline(migrations, recorded))


@cli.command()
@click.option("--role", required=True, help="The role that will run the migrations.")
@options("dsn", "config", "service", "sources", "strategy", "json")
def grants(role: str, as_json: bool, **where: Any) -> None:
    """Print the SQL that gives a migration role the privileges it needs, and no more.

    Privileges that the role has already are printed as comments. It only reads; an administrator
    runs the SQL.

    \b
    Example:
      trueup grants --role deploy --service model_orchestration > grants.sql
    """
    from runner.execute.grants import role_needs

    dsn, migrations = places.locate(**where)
    found = role_needs(dsn, migrations, role, schema=config.ledger_schema(dsn))
    if as_json:
        print_json({"needs": [asdict(need) for need in found]})
    else:
        for need in found:
            screen.echo(need)


@cli.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Record without asking; for scripts.")
@options("dsn", "config", "service", "sources", "strategy", "deadline", "json")
def repair(ids: tuple[str, ...], yes: bool, deadline: float, as_json: bool, **where: Any) -> None:
    """Record migrations as their files are now, after showing what changed.

    Use it for files that were edited, renamed or deleted on purpose, and for those that plain yoyo
    applied. It only changes records: it runs no file and undoes nothing.

    \b
    Example:
      trueup repair 0101_expand_model --service model_orchestration
    """
    from runner.execute.engine import Settings
    from runner.execute.record import repair as record_repairs

    dsn, migrations = places.locate(**where)
    settings = Settings(deadline=deadline, schema=config.ledger_schema(dsn))

    def confirmed(plan: list[Repair]) -> bool:
        for item in plan:
            screen.echo(f"{item.finding.message}\n{item.diff}{item.effect}", err=as_json)
        if not yes and not sys.stdin.isatty():
            raise UsageError("nothing was recorded: there is nobody to ask", hint="give --yes")
        return yes or click.confirm("record this?", default=False, err=as_json)

    done = record_repairs(dsn, migrations, ids, settings=settings, confirmed=confirmed)
    if as_json:
        print_json({"recorded": [item.finding.migration for item in done]})
    else:
        screen.echo(f"recorded: {len(done)}")


@cli.command()
@on_fleet
@click.option("--watch", is_flag=True, help="Look again every second, until interrupted.")
@click.option(
    "--waiting-period",
    type=config.parse_seconds,
    metavar="TIME",
    default="24h",
    show_default=True,
    help="How long old names must be unused.",
)
@options("unit", "all", "standby", "metrics")
@options("dsn", "config", "service", "sources", "strategy", "json")
def status(
    watch: bool,
    waiting_period: float,
    unit: str | None,
    everything: bool,
    standbys: tuple[str, ...],
    metrics: Path | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Show what is applied, how far backfills are, and who uses the old names.

    It only reads, and takes no lock. --watch shows how a run goes: on a terminal a picture, and
    elsewhere lines when something changed.

    \b
    Example:
      trueup status --service model_orchestration
      trueup status --service model_orchestration --watch
      trueup status --service model_orchestration --metrics trueup.prom
    """
    from runner.execute import underway
    from runner.execute.metrics import written

    dsn, migrations = places.locate(**where)
    looks = underway.look(
        dsn,
        migrations,
        waiting_period=timedelta(seconds=waiting_period),
        unit=unit,
        schema=config.ledger_schema(dsn),
        every=1.0 if watch else None,
        standbys=standbys,
    )
    seen = written(metrics, looks) if metrics else looks
    if as_json:
        for found in seen:
            print_json(asdict(found))
    elif watch:
        from runner.execute.watch import show

        show(seen, sys.stdout, everything=everything)
    else:
        screen.echo(underway.describe(next(seen), everything=everything))

"""The `trueup` command: one function a verb; what a verb does lives elsewhere."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runner import config
from runner.errors import TrueupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from psycopg import Connection

    from runner.execute.dry_run import Trial
    from runner.execute.engine import Outcome
    from runner.ledger.files import Migration
    from runner.ledger.repair import Repair
    from runner.ledger.status import MigrationStatus

EXIT_CODES = """\b
Exit codes:
  0    done, or nothing to do
  1    refused: the database or the files are not ready for it
  2    the command line, a file or the configuration is wrong
  3    the database cannot be reached or written
  4    a lock was not to be had within the deadline
  5    PostgreSQL refused a statement of a migration
  130  stopped by ^C or SIGTERM
"""


class _Group(click.Group):
    def get_help_option_names(self, _ctx: click.Context) -> list[str]:
        return ["--help", "-h"]


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(package_name="trueup", prog_name="trueup")
def cli() -> None:
    """Bring a live PostgreSQL service to a house standard with plain SQL migrations.

    The database is the first that is named by: --dsn, TRUEUP_DSN, DATABASE_URL, `database` in
    yoyo.ini, PGHOST / PGDATABASE / PGSERVICE.

    \b
    Example:
      export TRUEUP_DSN=postgresql://deploy@db.example/orders
      trueup status --service model_orchestration
      trueup apply  --service model_orchestration --to enforce
    """


_STANDARD = "The standard; else standard.toml beside the migrations."


def _options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a verb with shared options."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            function = _SHARED[name](function)
        return function

    return decorate


_SHARED: dict[str, Callable[[Callable[..., None]], Callable[..., None]]] = {
    "dsn": click.option("--dsn", help="The database: a libpq URI, key=value pairs or a yoyo URL."),
    "config": click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="yoyo.ini to use; else the closest one in this folder or above.",
    ),
    "service": click.option("--service", help="A service in sql/, or the path of its folder."),
    "sources": click.option(
        "--sources", multiple=True, help="A folder with migrations; may be given several times."
    ),
    "strategy": click.option(
        "--strategy",
        type=click.Choice(config.STRATEGIES),
        default="online",
        show_default=True,
        help="online: no failed query, both contracts live; window: one rewrite under a lock.",
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    "log": click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How the run is reported on standard error.",
    ),
    "accept": click.option(
        "--accept",
        multiple=True,
        type=click.Choice(["edited", "deleted", "out-of-order"]),
        help="Go on although files were edited, deleted or come out of order since.",
    ),
    "rehearsal": click.option(
        "--rehearsal",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A certificate; else trueup-rehearsal.json here, else the one in the database.",
    ),
    "deadline": click.option(
        "--deadline",
        default="10m",
        show_default=True,
        help="How long to go on trying for a lock: 30s, 10m, 2h.",
    ),
}


@cli.command()
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
    "--fleet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Do so on every database that a TOML file names, canaries first.",
)
@click.option(
    "-j",
    "parallel",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many databases of a fleet at a time.",
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
    default="0s",
    show_default=True,
    help="How long a backfill rests after each stretch of about half a second.",
)
@_options("dsn", "config", "service", "sources", "strategy", "accept", "deadline", "json", "log")
def apply(
    to: str | None,
    waiting_period: str | None,
    dry: bool,
    rehearsal: str | None,
    force: tuple[str, ...],
    fleet: Path | None,
    parallel: int,
    cancel_blockers: str | None,
    jobs: int,
    max_lag: str,
    pause: str,
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
      trueup apply --service model_orchestration --to enforce --fleet fleet.toml -j 8
    """
    if fleet is not None:
        _apply_to_fleet(fleet, parallel, as_json=as_json)
        return
    from runner.execute import engine, listeners

    dsn, migrations = _resolve(**where)
    settings = engine.Settings(
        deadline=config.parse_seconds(deadline),
        waiting_period="0" if force else waiting_period,
        schema=config.ledger_schema(dsn),
        accept=frozenset(accept),
        cancel_blockers=None if cancel_blockers is None else config.parse_seconds(cancel_blockers),
        jobs=jobs,
        max_lag=config.parse_seconds(max_lag),
        pause=config.parse_seconds(pause),
        approve=_approval(rehearsal, force, waiting_period, migrations),
    )
    if dry:
        from runner.execute.dry_run import dry_run

        _show_trials(dry_run(dsn, migrations, to=to, settings=settings), as_json=as_json)
        return
    listener = listeners.default_listener(log_format)
    outcome = engine.apply(dsn, migrations, to=to, settings=settings, listener=listener)
    _show_outcome(outcome, "applied", as_json=as_json)


@cli.command()
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration that stays applied.")
@click.option("--all", "everything", is_flag=True, help="All but the baseline.")
@_options("dsn", "config", "service", "sources", "strategy", "accept", "deadline", "json", "log")
def rollback(
    to: str | None,
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
    """
    from runner.execute import engine, listeners

    if to and everything:
        raise click.UsageError("--to and --all exclude each other")
    dsn, migrations = _resolve(**where)
    outcome = engine.rollback(
        dsn,
        migrations,
        to=to,
        everything=everything,
        settings=engine.Settings(
            deadline=config.parse_seconds(deadline),
            schema=config.ledger_schema(dsn),
            accept=frozenset(accept),
        ),
        listener=listeners.default_listener(log_format),
    )
    _show_outcome(outcome, "rolled back", as_json=as_json)


@cli.command()
@click.option("--scratch", metavar="DSN", help="Another server for the scratch database.")
@_options("dsn", "config", "service", "sources", "strategy", "deadline", "json")
def baseline(scratch: str | None, deadline: str, as_json: bool, **where: Any) -> None:
    """Record an existing database as standing at the legacy schema.

    The baseline files are run on a scratch database, which is dropped afterwards. Only when the
    live catalog matches are they recorded as applied; else every difference is listed. Nothing
    is run on the live database.

    \b
    Example:
      trueup baseline --service model_orchestration
    """
    from runner.execute.engine import Settings
    from runner.execute.record import baseline as record_baseline

    dsn, migrations = _resolve(**where)
    settings = Settings(deadline=config.parse_seconds(deadline), schema=config.ledger_schema(dsn))
    recorded = record_baseline(dsn, migrations, server=scratch, settings=settings)
    if as_json:
        _print_json({"recorded": recorded})
    else:
        click.echo(f"recorded: {', '.join(recorded)}" if recorded else "nothing to do")


@cli.command()
@click.option("--role", required=True, help="The role that is to run the migrations.")
@_options("dsn", "config", "service", "sources", "strategy", "json")
def grants(role: str, as_json: bool, **where: Any) -> None:
    """Print the SQL that gives a migration role what it needs, and nothing more.

    What the role has already is printed as a comment. Reads only; an administrator runs the SQL.

    \b
    Example:
      trueup grants --role deploy --service model_orchestration > grants.sql
    """
    from runner.execute.grants import role_needs

    dsn, migrations = _resolve(**where)
    found = role_needs(dsn, migrations, role, schema=config.ledger_schema(dsn))
    if as_json:
        from dataclasses import asdict

        _print_json([asdict(need) for need in found])
        return
    for need in found:
        mark = "-- has already: " if need.held else ""
        click.echo(f"{mark}{need.statement}  -- {need.why}")


@cli.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Record without asking; for scripts.")
@_options("dsn", "config", "service", "sources", "strategy", "deadline")
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

    dsn, migrations = _resolve(**where)
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
@_options("dsn", "config", "service", "sources", "strategy", "json")
def status(watch: bool, waiting_period: str, as_json: bool, **where: Any) -> None:
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
    from runner.postgres.connect import connect

    dsn, migrations = _resolve(**where)
    period = timedelta(seconds=config.parse_seconds(waiting_period))
    with connect(dsn, application_name="trueup status") as connection:
        while True:
            ledger = read_ledger(connection, schema=config.ledger_schema(dsn))
            lines = read_status(connection, migrations, ledger)
            backfills = underway.read_backfills(connection)
            old_names = underway.read_old_names(connection, period)
            if as_json:
                _print_json(
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
        by = f"  {line.by}" if line.by else ""
        click.echo(f"{line.standing.lower():<10}  {line.migration:<{width}}{when}{by}".rstrip())
        for note in line.notes:
            click.echo(f"            {note}")


@cli.command()
@click.option("--standard", "standard_path", type=click.Path(path_type=Path), help=_STANDARD)
@_options("dsn", "config", "service", "sources", "json")
def check(standard_path: Path | None, as_json: bool, **where: Any) -> None:
    """Find everything that would stop the conversion, before anything is changed.

    Reads each table once, in one read-only transaction: unknown values, ids that are no uuid or
    become the same, orphans; then what depends on the tables, and what the role may not do.
    Each finding comes with its rows, samples and the query that shows them. Exits with 1 when
    anything stops the conversion. Run it as the role that will migrate.

    \b
    Example:
      trueup check --service model_orchestration
      trueup check --service model_orchestration --json | jq '.findings[].sql'
    """
    from rich.console import Console

    from runner.postgres.connect import connect
    from runner.preflight import check
    from runner.preflight.render import as_json as report_as_json
    from runner.preflight.render import print_report
    from runner.standard import load_standard

    dsn, standard = _resolve_standard(standard_path, **where)
    with (
        connect(dsn, application_name="trueup check") as connection,
        Console(stderr=True).status("reading the catalog") as status,
    ):
        report = check(
            connection,
            load_standard(standard),
            on_table=lambda name: status.update(f"reading {name}"),
        )
    if as_json:
        _print_json(report_as_json(report))
    else:
        print_report(report, Console())
    if not report.ready:
        sys.exit(1)


@cli.command()
@click.option("--standard", "standard_path", type=click.Path(path_type=Path), help=_STANDARD)
@click.option("--drift", is_flag=True, help="Compare with the applied files instead.")
@click.option("--scratch", metavar="DSN", help="Another server for --drift's scratch database.")
@_options("dsn", "config", "service", "sources", "strategy", "json")
def verify(
    standard_path: Path | None,
    drift: bool,
    scratch: str | None,
    strategy: str,
    as_json: bool,
    **where: Any,
) -> None:
    """Tell whether the database is at the standard, and list each distance to it.

    Reads the catalog only, and does not care who brought the database there: names, types,
    CHECKs against their enums, defaults, keys, indexes, grants, leftovers. While both contracts
    live it tells which phase still has to do what. Exits with 1 unless the distance is 0.

    With --drift the applied files are run on a scratch database, and what was changed past them
    is listed object by object.

    \b
    Example:
      trueup verify --service model_orchestration
      trueup verify --service model_orchestration --drift
    """
    if drift:
        _verify_drift(scratch, as_json=as_json, strategy=strategy, **where)
        return
    from rich.console import Console

    from runner.postgres.connect import connect
    from runner.standard import load_standard
    from runner.verify import verify
    from runner.verify.render import as_json as verification_as_json
    from runner.verify.render import print_verification

    dsn, standard = _resolve_standard(standard_path, **where)
    with connect(dsn, application_name="trueup verify") as connection:
        verification = verify(connection, load_standard(standard))
    if as_json:
        _print_json(verification_as_json(verification))
    else:
        print_verification(verification, Console())
    if not verification.at_standard:
        sys.exit(1)


@cli.command()
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration to plan.")
@_options("rehearsal", "dsn", "config", "service", "sources", "strategy")
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="markdown: for a pull request.",
)
def plan(to: str | None, rehearsal: Path | None, form: str, **where: Any) -> None:
    """Tell what apply will do, in order: files, locks, times, the way back, who is in the way.

    Locks and times come from the rehearsal of these very files; where there was none, the headers
    speak. Reads only. Without a database, every file that the baseline does not hold is planned.

    \b
    Example:
      trueup plan --service model_orchestration
      trueup plan --service model_orchestration --format markdown > plan.md
    """
    from rich.console import Console

    from runner.review import plan_show
    from runner.review.plan import make_plan

    dsn, migrations, _ = _resolve_for_review(where)
    found = make_plan(dsn, migrations, to=to, rehearsal=rehearsal)
    if form == "json":
        _print_json(plan_show.as_json(found))
    elif form == "markdown":
        click.echo(plan_show.as_markdown(found), nl=False)
    else:
        plan_show.print_plan(found, Console())


@cli.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trueup-report.html"),
    show_default=True,
    help="The file to write.",
)
@click.option("--no-check", is_flag=True, help="Do not read the data as `trueup check` does.")
@_options("rehearsal", "dsn", "config", "service", "sources", "strategy")
def report(output: Path, no_check: bool, rehearsal: Path | None, **where: Any) -> None:
    """Write one HTML file that shows the whole migration to those who approve it.

    The old and the new contract, the locks and what clients saw during the rehearsal, the state of
    the data, every file beside its rollback with its costs and lint findings, the certificate. It
    needs no network. Reads only.

    \b
    Example:
      trueup report --service model_orchestration --output review.html
    """
    from runner.review.report.command import write_report

    dsn, migrations, standard = _resolve_for_review(where)
    write_report(
        dsn, migrations, standard, rehearsal=rehearsal, with_check=not no_check, output=output
    )
    click.echo(f"wrote {output}")


@cli.command()
@click.option("--rows", default=20_000, show_default=True, help="Rows of each table to sample.")
@click.option("--made-up-rows", is_flag=True, help="Read no rows: make them up from statistics.")
@click.option("--scratch", metavar="DSN", help="A server for the copies; else the embedded one.")
@click.option(
    "--base",
    default="baseline",
    show_default=True,
    metavar="PHASE|ID",
    help="Without a database: the last phase or migration that makes the schema.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the files; else this one.",
)
@_options("dsn", "config", "service", "sources", "strategy")
def review(
    rows: int, made_up_rows: bool, scratch: str | None, base: str, output: Path, **where: Any
) -> None:
    """Lint, rehearse, plan and report in one go: what a pull request needs.

    Writes trueup-review.md to post, trueup-report.html to keep, and the certificate
    trueup-rehearsal.json for `apply --require-rehearsal`. Needs no database. Exits with 1 when
    lint finds an error or the rehearsal fails.

    \b
    Example:
      trueup review --service model_orchestration
    """
    from rich.console import Console

    from runner.review import pull_request
    from runner.review.rehearse import Options

    dsn, migrations, standard = _resolve_for_review(where)
    options = Options(rows=rows, made_up=made_up_rows, scratch=scratch, base=base)
    with Console(stderr=True).status("reviewing") as status:
        passed = pull_request.review(
            dsn, migrations, standard, folder=output, options=options, listener=status.update
        )
    click.echo((output / pull_request.MARKDOWN).read_text(encoding="utf-8"), nl=False)
    if not passed:
        sys.exit(1)


@cli.command()
@click.option("--to", metavar="PHASE|ID", help="The last phase or migration; else all of them.")
@click.option("--rows", default=20_000, show_default=True, help="Rows of each table to sample.")
@click.option("--made-up-rows", is_flag=True, help="Read no rows: make them up from statistics.")
@click.option("--scratch", metavar="DSN", help="A server for the copies; else the embedded one.")
@click.option("--backup", metavar="DSN", help="A restored backup to rehearse on, as it is.")
@click.option("--no-clients", is_flag=True, help="The service will be stopped: run no clients.")
@click.option(
    "--base",
    default="baseline",
    show_default=True,
    metavar="PHASE|ID",
    help="Without a database: the last phase or migration that makes the schema.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trueup-rehearsal.json"),
    show_default=True,
    help="The certificate's file.",
)
@click.option("--record", is_flag=True, help="Keep the certificate in the live database too.")
@_options("dsn", "config", "service", "sources", "strategy", "json")
def rehearse(as_json: bool, **options: Any) -> None:
    """Rehearse every pending file on a scratch copy: up, down, up, down, with clients running.

    Takes the schema and a sample of rows from the live database, which is only read; without a
    database, the schema of the baseline files with made-up rows. Measures each statement: locks,
    rewrites, scans, rows, WAL, time, and what they will be at the live size. Exits with 1 when a
    file fails, a way back does not lead back, or a client query failed.

    \b
    Example:
      trueup rehearse --service model_orchestration
      trueup apply    --service model_orchestration --require-rehearsal trueup-rehearsal.json
    """
    from runner.review.rehearse.command import run

    dsn, migrations, standard = _resolve_for_review(options)
    if not run(dsn, migrations, standard, as_json=as_json, **options):
        sys.exit(1)


@cli.command()
@click.argument("service")
@click.option("--dsn", help="A live database of the service; it is only read.")
@click.option("--dump", type=click.Path(path_type=Path), help="A dump in SQL, instead of --dsn.")
@click.option("--schema", default="public", show_default=True, help="The schema of its tables.")
@click.option("--enums", "enums_module", metavar="MODULE", help="The module of its shared enums.")
@click.option("--no-scan", is_flag=True, help="Trust the planner's statistics; read no table.")
@click.option("--output", type=click.Path(path_type=Path), help="The file; else standard output.")
def propose(
    service: str,
    dsn: str | None,
    dump: Path | None,
    schema: str,
    enums_module: str | None,
    no_scan: bool,
    output: Path | None,
) -> None:
    """Propose a standard.toml for SERVICE from its live database or from a dump.

    What is sure comes as an entry with its evidence, the rest as a comment with the reason: a
    person decides.

    \b
    Example:
      trueup propose planning --dump schema.sql --output sql/planning/standard.toml
    """
    from runner.standard import source

    if output is not None and output.exists():
        raise click.UsageError(f"{output} is there already: remove it, or name another file")
    failures: list[str] = []
    if dump is not None:
        text, failures = source.propose_from_dump(
            dump, service, schema=schema, enums_module=enums_module
        )
    else:
        database = config.resolve_dsn(dsn, config.read_config(config.find_config(Path.cwd())))
        text = source.propose_from_database(
            database, service, schema=schema, enums_module=enums_module, scan=not no_scan
        )
    for failure in failures:
        click.echo(f"not loaded: {failure}", err=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}")


@cli.command()
@click.option("--service", required=True, help="A service in sql/, or the path of its folder.")
@click.option("--dsn", help="A database at the old contract, where there is no legacy/ to read.")
@click.option("--check", "dry", is_flag=True, help="Write nothing; exit with 1 if files differ.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def generate(service: str, dsn: str | None, dry: bool, as_json: bool) -> None:
    """Write the SQL files of both strategies from a service's standard.toml.

    Adds the files that are missing, and never edits one that is there.

    \b
    Example:
      trueup generate --service model_orchestration --check
    """
    from dataclasses import asdict

    from runner.generate.write import generate_service

    folder = config.service_folder(service)
    if dsn is None and not (folder / "legacy").is_dir():
        dsn = config.resolve_dsn(None, {})
    written = generate_service(folder, dsn=dsn, dry=dry)
    if as_json:
        _print_json(asdict(written))
    else:
        for place in dict.fromkeys(path.rpartition("/")[0] for path in written.added):
            count = sum(path.rpartition("/")[0] == place for path in written.added)
            click.echo(f"{'missing' if dry else 'added'}: {count} files in {place}/")
        for path in written.differing:
            click.echo(f"differs: {path}")
        for table in written.only_window:
            click.echo(f"{table} keeps its name: only the window strategy can convert it")
        click.echo(f"{len(written.unchanged)} files are as they would be generated")
    if dry and (written.added or written.differing):
        sys.exit(1)


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]))
@click.option("--layout", help="yoyo, dbmate, goose, flyway, sqitch, up-down or plain; else found.")
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning, too.")
@click.option("--trace", is_flag=True, help="Also run the files on the embedded server.")
@click.option("--schema", type=click.Path(path_type=Path), help="For --trace: SQL that runs first.")
@click.option("--squawk/--no-squawk", default=None, help="Ask Squawk, too; else when installed.")
@click.option("--rules", is_flag=True, help="List the rules and do nothing else.")
@_options("config", "service", "sources", "json")
def lint(
    paths: tuple[Path, ...],
    form: str | None,
    layout: str | None,
    strict: bool,
    trace: bool,
    schema: Path | None,
    squawk: bool | None,
    rules: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Find what could hurt a live database in migration files, trueup's own or not.

    PATH is a file or a folder; without one, the folders of --service or yoyo.ini are read. It needs
    no database. Exits with 1 when there is an error.

    \b
    Example:
      trueup lint migrations/
      trueup lint --trace --format github migrations/0042_add_status.sql
    """
    from runner.review.lint.command import list_rules, run_lint

    if rules:
        click.echo(list_rules())
        return
    report, text = run_lint(
        paths or _lint_folders(**where),
        form="json" if as_json else form or "text",
        layout=layout,
        squawk=squawk,
        traced=trace,
        schema=schema,
    )
    click.echo(text)
    if report.failed(strict=strict):
        sys.exit(1)


def _lint_folders(
    *, config_path: Path | None, service: str | None, sources: tuple[str, ...]
) -> list[Path]:
    values = config.read_config(config_path or config.find_config(Path.cwd()))
    found = [config.resolve_sources(sources, service, values, s) for s in config.STRATEGIES]
    folders = [path for each in found for path in (*each.folders, *each.on_request)]
    return [path for path in dict.fromkeys(folders) if path.is_dir()]


@cli.command()
@click.option("--rows", default=200_000, show_default=True, help="How many requests it has.")
@click.option("--keep", is_flag=True, help="Leave the server running, and print how to use it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(rows: int, keep: bool, as_json: bool) -> None:
    """See a live service brought to the standard, back, and there again.

    Starts a PostgreSQL of its own, fills the old contract of Model Orchestration, and runs
    check, apply, rollback, apply and contract under clients of both releases that never stop.
    Exits with 1 when a query failed or the database is not at the standard.

    \b
    Example:
      trueup demo --rows 50000 --keep
    """
    from runner.demo.story import run_demo

    if not run_demo(rows=rows, keep=keep, as_json=as_json):
        sys.exit(1)


def _resolve(
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    strategy: str,
) -> tuple[str, tuple[Migration, ...]]:
    from runner.ledger.files import read_migrations

    complete = (service or sources) and (dsn or any(map(os.environ.get, config.DSN_VARIABLES)))
    # Reading a yoyo.ini costs more time than all the rest of a run with nothing to do.
    path = config_path or (None if complete else config.find_config(Path.cwd()))
    values = config.read_config(path)
    folders = config.resolve_sources(sources, service, values, strategy)
    found = read_migrations(folders.folders, on_request=folders.on_request)
    return config.resolve_dsn(dsn, values), found


def _resolve_for_review(
    options: dict[str, Any],
) -> tuple[str | None, tuple[Migration, ...], Path | None]:
    """Take the place of things out of a verb's options; nothing need name a database."""
    from runner.ledger.files import read_migrations

    values = config.read_config(options.pop("config_path") or config.find_config(Path.cwd()))
    folders = config.resolve_sources(
        options.pop("sources"), options.pop("service"), values, options.pop("strategy")
    )
    found = read_migrations(folders.folders, on_request=folders.on_request)
    standard = next(
        (p for f in folders.folders if (p := f.parent / "standard.toml").is_file()), None
    )
    return config.find_dsn(options.pop("dsn"), values), found, standard


def _approval(
    rehearsal: str | None,
    force: tuple[str, ...],
    waiting_period: str | None,
    migrations: tuple[Migration, ...],
) -> Callable[[Connection, Sequence[Migration]], None] | None:
    """What must agree, under the lock, to what is about to run."""
    asked = []
    if rehearsal is not None:
        asked.append(_rehearsed(rehearsal, migrations))
    if force:
        from runner.execute.gate import forced

        asked.append(forced(force, waiting_period))

    def approve(connection: Connection, chosen: Sequence[Migration]) -> None:
        for ask in asked:
            ask(connection, chosen)

    return approve if asked else None


def _rehearsed(
    named: str, migrations: tuple[Migration, ...]
) -> Callable[[Connection, Sequence[Migration]], None]:
    """What `apply --require-rehearsal` asks before it runs."""
    from runner.review import certificate

    of_file = certificate.read_file(Path(named)) if named else None

    def approve(connection: Connection, chosen: Sequence[Migration]) -> None:
        found = of_file or certificate.load_stored(connection)
        certificate.require(found, connection, chosen, migrations)

    return approve


def _resolve_standard(
    named: Path | None,
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
) -> tuple[str, Path]:
    """The database, and the standard.toml that is named or stands beside the migrations."""
    values = config.read_config(config_path or config.find_config(Path.cwd()))
    if named is None:
        folders = config.resolve_sources(sources, service, values, "online").folders
        named = next((p for f in folders if (p := f.parent / "standard.toml").is_file()), None)
    if named is None:
        raise UsageError(
            "no standard.toml stands beside the migrations", hint="name it: --standard FILE"
        )
    return config.resolve_dsn(dsn, values), named


def _verify_drift(scratch: str | None, *, as_json: bool, **where: Any) -> None:
    from dataclasses import asdict

    from runner.execute.scratch import drift

    dsn, migrations = _resolve(**where)
    found = drift(dsn, migrations, schema=config.ledger_schema(dsn), server=scratch)
    if as_json:
        _print_json([asdict(difference) for difference in found])
    else:
        for difference in found:
            click.echo(str(difference))
        click.echo(f"changed past the files: {len(found)}")
    if found:
        sys.exit(1)


def _apply_to_fleet(path: Path, parallel: int, *, as_json: bool) -> None:
    """Give the command's own options to one run for each database of a fleet."""
    from dataclasses import asdict

    from runner.fleet import Result, read_fleet, run_fleet

    context = click.get_current_context()
    arguments = ["apply"]
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in ("fleet", "parallel", "as_json", "log_format"):
            continue
        if source is not click.core.ParameterSource.COMMANDLINE:
            continue
        if option.name == "dsn":
            raise UsageError("--dsn and --fleet exclude each other")
        value = context.params[option.name or ""]
        name = option.opts[-1]
        if isinstance(value, bool):
            arguments.append(name)
        else:
            for one in value if isinstance(value, tuple) else (value,):
                arguments += [name, str(one)]
    members = read_fleet(path)
    width = max(len(member.name) for member in members)

    def show(result: Result) -> None:
        if not as_json:
            standing = {None: "left", 0: "done"}.get(result.exit_code, "failed")
            line = f"{result.name:<{width}}  {standing:<6}  {result.seconds:6.1f} s"
            click.echo(f"{line}  {result.message}")

    results = run_fleet(members, arguments, parallel=parallel, report=show)
    done = sum(result.exit_code == 0 for result in results)
    if as_json:
        _print_json([asdict(result) for result in results])
    else:
        click.echo(f"fleet: {done} of {len(results)} databases done")
    if done < len(results):
        sys.exit(1)


def _show_outcome(outcome: Outcome, done: str, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        _print_json(asdict(outcome))
    elif not outcome.migrations:
        click.echo("nothing to do")
    else:
        count = len(outcome.migrations)
        click.echo(f"{done}: {count} {'file' if count == 1 else 'files'}")


def _show_trials(trials: list[Trial], *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        _print_json([asdict(trial) for trial in trials])
        return
    for trial in trials:
        result = f"tried in {trial.seconds:.3f} s" if trial.tried else f"not tried: {trial.reason}"
        click.echo(f"{trial.migration}  {result}")
    tried = sum(trial.tried for trial in trials)
    click.echo(f"dry run: {tried} of {len(trials)} pending tried and undone; nothing was changed")


def _print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def main() -> NoReturn:
    """Run the command and exit with its code; no error of the user's shows a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    # A locale without a character of a name gets an escape, not a crash.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except TrueupError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped", 130)
    except BrokenPipeError:
        # The reader is gone; the exit must not try to flush to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"the result cannot be written: {error.strerror}; what was run is done", 1)
    sys.exit(0)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(exit_code)

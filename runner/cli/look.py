"""The verbs that look at a database, and the demo."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from runner import config, places, screen
from runner.cli.manual import whole
from runner.cli.root import all_shared, cli, on_fleet, options, print_json


@cli.command()
@on_fleet
@options("statements")
@click.option("--no-statements", is_flag=True, help="Do not try what clients send.")
@click.option(
    "--scratch", metavar="DSN", help="A server to try it on; by default the embedded one."
)
@options("standard", "unit", "all", "dsn", "config", "service", "sources", "strategy", "json")
def check(
    standard_path: Path | None,
    unit: str | None,
    statements: tuple[Path, ...],
    no_statements: bool,
    scratch: str | None,
    strategy: str,
    everything: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Find everything that would stop the conversion. Changes nothing.

    It reads each table once, in one read-only transaction, and looks for unknown values, ids that
    are not uuids or become equal, and orphans; then for what depends on the tables, and for missing
    privileges. Then it tries what clients have sent on a scratch copy of the schema: as it is now,
    after expand, and after the switch. It exits with 1 if anything stops the conversion, or if the
    strategy cannot convert some of the tables. Run it as the role that will migrate.

    \b
    Example:
      trueup check --service model_orchestration
      trueup check --service model_orchestration --statements postgresql.log --all
      trueup check --service model_orchestration --json | jq '.findings[].sql'
    """
    from rich.console import Console

    from runner.preflight.command import check_service
    from runner.preflight.render import as_json as report_as_json
    from runner.preflight.render import print_report
    from runner.standard import load_standard

    dsn, path = places.locate_standard(standard_path, **where)
    standard = load_standard(path)
    with Console(stderr=True).status("reading the catalog") as status:
        report = check_service(
            dsn,
            standard.of(places.tables_of_unit(path, unit)) if unit else standard,
            folder=path.parent,
            whole=standard,
            migrations=places.online_files(path, unit),
            statements=None if no_statements else statements,
            scratch=scratch,
            listener=status.update,
        )
    report = replace(report, strategy=strategy)
    if as_json:
        print_json(report_as_json(report))
    else:
        print_report(report, Console(), everything=everything)
    if not report.ready or report.left:
        sys.exit(1)


@cli.command()
@on_fleet
@options("standard")
@click.option("--drift", is_flag=True, help="Compare with the applied files instead.")
@click.option(
    "--scratch", metavar="DSN", help="Another server for the scratch database of --drift."
)
@options("unit", "all", "dsn", "config", "service", "sources", "strategy", "json")
def verify(
    standard_path: Path | None,
    unit: str | None,
    drift: bool,
    scratch: str | None,
    strategy: str,
    everything: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """List what still differs from the standard. Changes nothing.

    It reads only the catalog, and does not care how the database got there: names, types, CHECKs
    and their enums, defaults, keys, indexes, grants, leftovers. While both contracts are live it
    says which phase will do what. It exits with 0 if nothing differs, with 6 if a later phase will
    do all that is left, and with 1 if something is wrong or nothing has begun.

    With --drift it runs the applied files on a scratch database, and lists what was changed without
    them, object by object.

    \b
    Example:
      trueup verify --service model_orchestration
      trueup verify --service model_orchestration --drift
    """
    if drift:
        from runner.execute.drift import describe_drift
        from runner.execute.drift import drift as find_drift

        if unit:
            raise click.UsageError("--drift and --unit exclude each other")
        dsn, migrations = places.locate(strategy=strategy, **where)
        found = find_drift(dsn, migrations, schema=config.ledger_schema(dsn), server=scratch)
        if as_json:
            print_json({"differences": [asdict(difference) for difference in found]})
        else:
            screen.echo(describe_drift(found))
        if found:
            sys.exit(1)
        return
    from rich.console import Console

    from runner.postgres.connect import OURS, connect
    from runner.standard import load_standard
    from runner.verify import verify
    from runner.verify.render import as_json as verification_as_json
    from runner.verify.render import print_verification

    dsn, path = places.locate_standard(standard_path, **where)
    standard = load_standard(path)
    if unit:
        standard = standard.of(places.tables_of_unit(path, unit))
    with connect(dsn, application_name="trueup verify", settings=OURS) as connection:
        verification = verify(connection, standard)
    if as_json:
        print_json(verification_as_json(verification))
    else:
        print_verification(verification, Console(), everything=everything)
    if verification.exit_code:
        sys.exit(verification.exit_code)


@cli.command()
@click.option(
    "--rows", default=100_000, show_default=True, help="How many rows its largest table has."
)
@click.option("--keep", is_flag=True, help="Keep the server running, and say how to use it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(rows: int, keep: bool, as_json: bool) -> None:
    """Watch a sample service being converted, rolled back, and converted again.

    It starts a PostgreSQL server of its own, fills the old tables of Model Orchestration, and runs
    check, apply, rollback, apply and contract while clients of both releases never stop. It takes
    about a minute. It exits with 1 if a query failed or the database is not at the standard.

    \b
    Example:
      trueup demo --rows 50000 --keep
    """
    from runner.demo.story import run_demo

    if not run_demo(rows=rows, keep=keep, as_json=as_json):
        sys.exit(1)


@cli.command(name="help")
@click.argument("topic", default="", metavar="[TOPIC]")
@click.pass_context
def manual(ctx: click.Context, topic: str) -> None:
    """Print everything about a verb or another topic.

    TOPIC is a verb, `options` for those that most verbs share, `environment` or `exit-codes`.

    \b
    Example:
      trueup help apply
      trueup help options
      trueup help exit-codes
    """
    parent = ctx.parent
    assert parent is not None
    click.echo(whole(parent, topic, all_shared))

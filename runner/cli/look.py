"""The verbs that look at a database, and the demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner import config
from runner.cli.fleet import on_fleet
from runner.cli.root import (
    STANDARD,
    cli,
    of_unit,
    options,
    print_json,
    resolve,
    resolve_standard,
)


@cli.command()
@on_fleet
@click.option("--standard", "standard_path", type=click.Path(path_type=Path), help=STANDARD)
@options("unit", "dsn", "config", "service", "sources", "json")
def check(standard_path: Path | None, unit: str | None, as_json: bool, **where: Any) -> None:
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

    dsn, path = resolve_standard(standard_path, **where)
    standard = load_standard(path)
    with (
        connect(dsn, application_name="trueup check") as connection,
        Console(stderr=True).status("reading the catalog") as status,
    ):
        report = check(
            connection,
            of_unit(standard, path, unit),
            folder=path.parent,
            whole=standard,
            on_table=lambda name: status.update(f"reading {name}"),
        )
    if as_json:
        print_json(report_as_json(report))
    else:
        print_report(report, Console())
    if not report.ready:
        sys.exit(1)


@cli.command()
@on_fleet
@click.option("--standard", "standard_path", type=click.Path(path_type=Path), help=STANDARD)
@click.option("--drift", is_flag=True, help="Compare with the applied files instead.")
@click.option("--scratch", metavar="DSN", help="Another server for --drift's scratch database.")
@options("unit", "dsn", "config", "service", "sources", "strategy", "json")
def verify(
    standard_path: Path | None,
    unit: str | None,
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
        if unit:
            raise click.UsageError("--drift and --unit exclude each other")
        _verify_drift(scratch, as_json=as_json, strategy=strategy, **where)
        return
    from rich.console import Console

    from runner.postgres.connect import connect
    from runner.standard import load_standard
    from runner.verify import verify
    from runner.verify.render import as_json as verification_as_json
    from runner.verify.render import print_verification

    dsn, path = resolve_standard(standard_path, **where)
    standard = of_unit(load_standard(path), path, unit)
    with connect(dsn, application_name="trueup verify") as connection:
        verification = verify(connection, standard)
    if as_json:
        print_json(verification_as_json(verification))
    else:
        print_verification(verification, Console())
    if not verification.at_standard:
        sys.exit(1)


def _verify_drift(scratch: str | None, *, as_json: bool, **where: Any) -> None:
    from dataclasses import asdict

    from runner.execute.drift import drift

    dsn, migrations = resolve(**where)
    found = drift(dsn, migrations, schema=config.ledger_schema(dsn), server=scratch)
    if as_json:
        print_json([asdict(difference) for difference in found])
    else:
        for difference in found:
            click.echo(str(difference))
        click.echo(f"changed past the files: {len(found)}")
    if found:
        sys.exit(1)


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

"""The verbs that write files: the standard and its SQL."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from runner import config, screen
from runner.cli.root import cli, print_json


@cli.command()
@click.argument("service")
@click.option("--dsn", help="A live database of the service; it is only read.")
@click.option("--dump", type=click.Path(path_type=Path), help="A dump in SQL, instead of --dsn.")
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    default=("public",),
    show_default=True,
    help="A schema with its tables; repeat it for several, its own first.",
)
@click.option(
    "--enums", "enums_module", metavar="MODULE", help="The Python module of its shared enums."
)
@click.option(
    "--words",
    type=click.Path(path_type=Path),
    help='Your own plurals, a TOML file: leaves = "leaf".',
)
@click.option("--no-scan", is_flag=True, help="Read no table, only the planner's statistics.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; by default standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def propose(
    service: str,
    dsn: str | None,
    dump: Path | None,
    schemas: tuple[str, ...],
    enums_module: str | None,
    words: Path | None,
    no_scan: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Propose a standard.toml for SERVICE from its live database or from a dump.

    What is certain becomes an entry with its evidence; the rest is a comment with the reason, for
    you to decide. `trueup generate` takes the file as it is.

    \b
    Example:
      trueup propose planning --dump schema.sql --output sql/planning/standard.toml
    """
    from runner.propose import source
    from runner.standard.naming import read_words

    if output is not None and output.exists():
        raise click.UsageError(f"{output} already exists: remove it, or name another file")
    if not service.strip():
        raise click.UsageError("the service needs a name")
    if dump is not None and dsn is not None:
        raise click.UsageError("--dsn and --dump exclude each other")
    wishes = source.Wishes(
        service,
        tuple(dict.fromkeys(schemas)),
        enums_module,
        read_words(words) if words else {},
    )
    if dump is not None:
        proposed = source.propose_from_dump(dump, wishes)
    else:
        database = config.resolve_dsn(dsn, config.read_config(config.find_config(Path.cwd())))
        proposed = source.propose_from_database(database, wishes, scan=not no_scan)
    for warning in proposed.warnings:
        screen.echo(warning, err=True)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(proposed.text, encoding="utf-8")
    if as_json:
        print_json({"warnings": proposed.warnings, "standard": proposed.text})
    elif output is None:
        screen.echo(proposed.text, nl=False)
    else:
        screen.echo(f"wrote {output}")


@cli.command()
@click.option("--service", required=True, help="A service in sql/, or the path of its folder.")
@click.option("--dsn", help="A database with the old tables; if there is no folder legacy/.")
@click.option("--check", "dry", is_flag=True, help="Write nothing; exit with 1 if files differ.")
@click.option(
    "--replace",
    is_flag=True,
    help="Rewrite files that differ; refused if the database has them recorded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def generate(service: str, dsn: str | None, dry: bool, replace: bool, as_json: bool) -> None:
    """Write the SQL files of a service from its standard.toml.

    It writes the files of both strategies. It adds missing files, and never edits an existing one;
    after you edit the standard, --replace does, unless the database has one of them recorded.

    \b
    Example:
      trueup generate --service model_orchestration --check
    """
    from runner.service.write import describe, generate_service, recorded_ids

    folder = config.service_folder(service)
    found = config.find_dsn(dsn, config.read_config(config.find_config(Path.cwd())))
    if dsn is None and not (folder / "legacy").is_dir():
        dsn = config.resolve_dsn(None, {})
    recorded = None
    if replace:
        recorded = recorded_ids(found) if found is not None else frozenset()
    if replace and found is None:
        screen.echo(
            "no database is named, so none was asked whether it has files recorded", err=True
        )
    written = generate_service(folder, dsn=dsn, dry=dry, recorded=recorded)
    if as_json:
        print_json(asdict(written))
    else:
        screen.echo("\n".join(describe(written, dry=dry)))
    if dry and (written.added or written.differing or written.replaced or written.removed):
        sys.exit(1)


@cli.command()
@click.argument("file", type=click.Choice(["standard", "settings", "fleet"]))
def schema(file: str) -> None:
    """Print the JSON schema of standard.toml, trueup.toml or fleet.toml.

    FILE is standard, settings (for trueup.toml) or fleet. With it, editors that know TOML schemas
    complete and validate the file.

    \b
    Example:
      trueup schema standard > standard.schema.json
    """
    import json

    from runner import fleet
    from runner.lint import settings
    from runner.standard import schema as standard

    found = {"standard": standard, "settings": settings, "fleet": fleet}[file].schema()
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))

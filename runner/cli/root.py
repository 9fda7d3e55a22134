"""The command itself: its options, where it finds database and files, how it prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner import config
from runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.ledger.files import Migration
    from runner.standard.model import Standard


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
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs, each with all of its first sentence; click would cut it."""
        verbs = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, verb.get_short_help_str(limit=300)) for name, verb in verbs if verb]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_Group,
    epilog=EXIT_CODES,
    context_settings={"max_content_width": 100, "help_option_names": ["--help", "-h"]},
)
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


STANDARD = "The standard; else standard.toml beside the migrations."


def options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
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
    "layout": click.option(
        "--layout", help="The tool whose files they are, such as goose or prisma; else found out."
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
    "unit": click.option(
        "--unit",
        metavar="TABLE",
        help="Only the tables that are converted together with this one, by its old or new name.",
    ),
    "deadline": click.option(
        "--deadline",
        default="10m",
        show_default=True,
        help="How long to go on trying for a lock: 30s, 10m, 2h.",
    ),
}


def resolve(
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    strategy: str,
) -> tuple[str, tuple[Migration, ...]]:
    """The database and the migrations that the options name."""
    from runner.ledger.files import read_migrations

    complete = (service or sources) and (dsn or any(map(os.environ.get, config.DSN_VARIABLES)))
    # Reading a yoyo.ini costs more time than all the rest of a run with nothing to do.
    path = config_path or (None if complete else config.find_config(Path.cwd()))
    values = config.read_config(path)
    folders = config.resolve_sources(sources, service, values, strategy)
    found = read_migrations(folders.folders, on_request=folders.on_request)
    return config.resolve_dsn(dsn, values), found


def resolve_standard(
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


def of_unit(standard: Standard, path: Path, unit: str | None) -> Standard:
    """The standard of one unit of tables, as the files beside it tell the units apart."""
    if unit is None:
        return standard
    from runner.ledger.files import read_migrations
    from runner.ledger.units import tables_of, unit_of

    strategy = "online" if any((path.parent / "online").glob("*.sql")) else "window"
    folders = config.resolve_sources((), str(path.parent), {}, strategy)
    found = read_migrations(folders.folders, on_request=folders.on_request)
    return standard.of(tables_of(found, unit_of(found, unit)))


def print_json(value: object) -> None:
    """Print a value as JSON."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))

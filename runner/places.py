"""The database, migrations and standard that the options of a verb name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runner import config
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.ledger.files import Migration


def locate(
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    strategy: str,
) -> tuple[str, tuple[Migration, ...]]:
    """Find the database and read the migrations that the options of a verb name.

    Args:
        dsn: a database.
        config_path: a yoyo.ini; None for the closest one.
        service: a service.
        sources: folders with migrations.
        strategy: online or window.

    Raises:
        UsageError: when the database or the migrations are not named, or are not there.
    """
    complete = (service or sources) and (dsn or any(map(os.environ.get, config.DSN_VARIABLES)))
    # Reading a yoyo.ini costs more time than all the rest of a run with nothing to do.
    values = {} if complete and config_path is None else _values(config_path)
    found = _read(config.resolve_sources(sources, service, values, strategy))
    return config.resolve_dsn(dsn, values), found


def locate_for_review(
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
    strategy: str,
    layout: str | None = None,
    of_others: bool = False,
) -> tuple[str | None, tuple[Migration, ...], Path | None]:
    """As locate, for a verb that can do without a database; with the standard.toml if there is one.

    Args:
        dsn, config_path, service, sources, strategy: as for locate.
        layout: a tool whose files they are; None: as the settings say, else found out.
        of_others: a yoyo.ini that nobody named may be somebody else's as well, and so may not
            choose where to connect and what of the environment to send there.
    """
    from runner.layouts import layout_named
    from runner.layouts.migrations import read_migrations
    from runner.lint.settings import find_settings

    values = _values(config_path, of_others=of_others and config_path is None)
    places = config.resolve_sources(sources, service, values, strategy)
    named = layout_named(layout) if layout else find_settings(Path.cwd()).layout
    found = read_migrations(places.folders, on_request=places.on_request, layout=named)
    return config.find_dsn(dsn, values), found, _standard_beside(places)


def locate_standard(
    named: Path | None,
    *,
    dsn: str | None,
    config_path: Path | None,
    service: str | None,
    sources: tuple[str, ...],
) -> tuple[str, Path]:
    """Find the database, and the standard.toml that is named or stands beside the migrations.

    Args:
        named: a standard.toml.
        dsn, config_path, service, sources: as for locate.

    Raises:
        UsageError: when no database is named, or there is no standard.toml.
    """
    values = _values(config_path)
    if named is None:
        named = _standard_beside(config.resolve_sources(sources, service, values, "online"))
    if named is None:
        raise UsageError(
            "no standard.toml stands beside the migrations", hint="name it: --standard FILE"
        )
    return config.resolve_dsn(dsn, values), named


def tables_of_unit(standard: Path, table: str) -> frozenset[tuple[str, ...]]:
    """The names of the tables that are converted together with one, by the files of its service.

    Args:
        standard: the standard.toml beside the files.
        table: its old or new name, with its schema or without.

    Raises:
        UsageError: no unit has the table, or several have.
    """
    from runner.ledger.units import tables_of, unit_of

    strategy = "online" if any((standard.parent / "online").glob("*.sql")) else "window"
    found = _read(config.resolve_sources((), str(standard.parent), {}, strategy))
    return tables_of(found, unit_of(found, table))


def online_files(standard: Path, table: str | None = None) -> tuple[Migration, ...]:
    """The files of the online strategy beside a standard.toml; none where there are none yet.

    Args:
        standard: the standard.toml of a service's folder.
        table: leave it at the unit of this table, by its old or new name.
    """
    if not any((standard.parent / "online").glob("*.sql")):
        return ()
    from runner.ledger.units import unit_of

    found = _read(config.resolve_sources((), str(standard.parent), {}, "online"))
    if table is None:
        return found
    unit = unit_of(found, table)
    return tuple(m for m in found if m.id in unit.files | unit.shared)


def folders_to_lint(
    *, config_path: Path | None, service: str | None, sources: tuple[str, ...]
) -> list[Path]:
    """The folders of both strategies that are there.

    Args:
        config_path, service, sources: as for locate.

    Raises:
        UsageError: when none is.
    """
    values = _values(config_path, of_others=config_path is None)
    places = [
        config.resolve_sources(sources, service, values, strategy) for strategy in config.STRATEGIES
    ]
    folders = [path for each in places for path in (*each.folders, *each.on_request)]
    there = [path for path in dict.fromkeys(folders) if path.is_dir()]
    if not there:
        listed = ", ".join(map(str, folders))
        raise UsageError(f"there is nothing to lint: none of these folders exists: {listed}")
    return there


def _values(path: Path | None, *, of_others: bool = False) -> dict[str, str]:
    found = path or config.find_config(Path.cwd())
    return config.read_config(found, of_others=of_others)


def _read(places: config.Sources) -> tuple[Migration, ...]:
    from runner.ledger.files import read_migrations

    return read_migrations(places.folders, on_request=places.on_request)


def _standard_beside(places: config.Sources) -> Path | None:
    beside = (folder.parent / "standard.toml" for folder in places.folders)
    return next((path for path in beside if path.is_file()), None)

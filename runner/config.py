"""Where the database and the migration files are: command line, environment, yoyo.ini."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIG_FILENAME = "yoyo.ini"
DSN_VARIABLES = ("TRUEUP_DSN", "DATABASE_URL")
SERVICE_ROOTS = (Path("sql"), Path(__file__).parent / "_sql")
STRATEGIES = ("online", "window")
# Folders that both strategies begin with.
SHARED = ("legacy", "common")
# Folders of phases that are applied only when they are named.
ON_REQUEST = ("switch", "contract")
_YOYO_MIGRATION_TABLE = "_yoyo_migration"


class Sources(NamedTuple):
    """The folders that hold a service's migrations.

    Args:
        folders: read and applied.
        on_request: read, and applied only when a phase or id in them is named.
    """

    folders: tuple[Path, ...]
    on_request: tuple[Path, ...]


def find_config(start: Path) -> Path | None:
    """The closest yoyo.ini in a folder or above it, as yoyo looks for it."""
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILENAME).is_file():
            return folder / CONFIG_FILENAME
    return None


def read_config(path: Path | None, *, of_others: bool = False) -> dict[str, str]:
    """Read a yoyo.ini as yoyo does, inheritance and variables included.

    Args:
        path: the file, None for no file.
        of_others: it may be somebody else's: it chooses no database, and gets no variable of the
            environment, as what it says may be shown.

    Returns:
        The values of its DEFAULT section that trueup uses: database and sources. A source that
        is not under the working folder is taken from the file's own folder.

    Raises:
        UsageError: when the file cannot be read or understood.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise UsageError(f"configuration file {path} does not exist")
    import configparser

    from yoyo.config import read_config as read_yoyo_config

    try:
        read = read_yoyo_config(str(path))
        if of_others:
            here = str(path.parent.resolve()).replace("%", "%%")
            own = configparser.ConfigParser()
            own.read_dict({"DEFAULT": {"here": here, **dict(read.items("DEFAULT", raw=True))}})
            read = own
        section = read["DEFAULT"]
        keys = ("sources",) if of_others else ("database", "sources")
        values = {key: section[key] for key in keys if key in section}
        table = section.get("migration_table", _YOYO_MIGRATION_TABLE)
    except configparser.InterpolationMissingOptionError as error:
        raise UsageError(
            f"{path}: {error.option} uses the variable {error.reference}, which is not set",
            hint=f"name the file, if it is yours: --config {path}"
            if of_others
            else f"set {error.reference.upper()} in the environment",
        ) from None
    # The original messages would quote lines, and with them passwords.
    except configparser.InterpolationError as error:
        raise UsageError(
            f"{path}: {error.option} has a % that begins no variable",
            hint="write % as %%, as in a password that is encoded for a URL: p%%40ss",
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise UsageError(
            f"{path} cannot be read: line {error.lineno} stands under no [section]"
        ) from None
    except configparser.ParsingError as error:
        lines = ", ".join(str(number) for number, _ in error.errors)
        raise UsageError(f"{path} cannot be read: no `name = value` in line {lines}") from None
    except (configparser.Error, OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if table != _YOYO_MIGRATION_TABLE:
        raise UsageError(
            f"{path}: migration_table is {table}, and trueup keeps yoyo's {_YOYO_MIGRATION_TABLE}",
            hint="remove the line, or rename the table",
        )
    if "sources" in values:
        values["sources"] = " ".join(
            source if Path(source).exists() else str(path.parent / source)
            for source in values["sources"].split()
        )
    return values


def resolve_dsn(
    dsn: str | None, config: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> str:
    """Find the database: --dsn, TRUEUP_DSN, DATABASE_URL, yoyo.ini, then libpq's PG* variables.

    Args:
        dsn: what the command line says.
        config: values of yoyo.ini.
        environment: environment variables.

    Returns:
        The DSN as it was written; empty when libpq's own variables name the database.

    Raises:
        UsageError: when none of them names a database.
    """
    found = find_dsn(dsn, config, environment)
    if found is None:
        raise UsageError(
            "no database is named",
            hint="give --dsn postgresql://user@host/name, or set TRUEUP_DSN",
        )
    return found


def find_dsn(
    dsn: str | None, config: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> str | None:
    """As resolve_dsn, for a verb that can do without a database: None when none is named."""
    named = [dsn, *(environment.get(name) for name in DSN_VARIABLES), config.get("database")]
    for value in named:
        if value:
            return value
    if any(environment.get(name) for name in ("PGHOST", "PGDATABASE", "PGSERVICE")):
        return ""
    return None


def ledger_schema(dsn: str) -> str | None:
    """The schema of yoyo's tables when the DSN names one, as `?schema=` of a yoyo URL does."""
    from urllib.parse import parse_qs, urlsplit

    if "+" not in dsn.partition("://")[0] or "://" not in dsn:
        return None
    try:
        schemas = parse_qs(urlsplit(dsn).query).get("schema")
    except ValueError:  # whoever connects says so
        return None
    return schemas[0] if schemas else None


def resolve_sources(
    named: Iterable[str], service: str | None, config: Mapping[str, str], strategy: str
) -> Sources:
    """Find the folders with the migrations of a strategy.

    Args:
        named: folders of the command line.
        service: a service of the folder sql/, or the path of a service's folder.
        config: values of yoyo.ini.
        strategy: online or window.

    Returns:
        The folders; those of ON_REQUEST inside one of them are on request only.

    Raises:
        UsageError: when nothing names them, or the service is not there.
    """
    if service is not None:
        folder = service_folder(service)
        # A service whose old schema was never written down as a migration has no legacy/, and one
        # whose files were written by hand no common/.
        shared = [f for name in SHARED if (f := folder / name).is_dir()]
        folders = [*shared, folder / strategy]
    else:
        folders = [Path(source) for source in named or config.get("sources", "").split()]
        if not folders:
            raise UsageError(
                "no migrations are named",
                hint="give --service NAME or --sources FOLDER, or write sources into yoyo.ini",
            )
        folders = [_of_strategy(folder, strategy) for folder in folders]
        # A strategy is nothing without what it has in common with the other.
        folders = [f for folder in folders for f in (*_common_beside(folder), folder)]
        folders = [*dict.fromkeys(folders)]
    named_only = tuple(
        f / n for f in folders for n in ON_REQUEST if (f / n).is_dir() and any((f / n).iterdir())
    )
    return Sources(tuple(f for f in folders if f not in named_only), named_only)


def service_folder(service: str) -> Path:
    """The folder of a service, by its name in sql/ or by its path."""
    for folder in (Path(service), *(root / service for root in SERVICE_ROOTS)):
        if (folder / "legacy").is_dir() or (folder / "standard.toml").is_file():
            return folder
    known = sorted(
        {
            path.parent.name
            for root in SERVICE_ROOTS
            if root.is_dir()
            for pattern in ("*/legacy", "*/standard.toml")
            for path in root.glob(pattern)
        }
    )
    raise UsageError(
        f"there is no service {service!r}",
        hint=f"services here: {', '.join(known) or 'none'}",
    )


def _of_strategy(folder: Path, strategy: str) -> Path:
    """The folder itself, or its sibling when it belongs to the other strategy."""
    if folder.name in STRATEGIES and folder.name != strategy:
        return folder.with_name(strategy)
    return folder


def _common_beside(folder: Path) -> list[Path]:
    if folder.name in STRATEGIES and (common := folder.with_name("common")).is_dir():
        return [common]
    return []


def parse_seconds(duration: str) -> float:
    """Read a duration such as 500ms, 30s, 10m or 2h; a bare number is seconds.

    Args:
        duration: as the user wrote it.

    Returns:
        Seconds.

    Raises:
        UsageError: when it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|)\s*", duration)
    if match is None:
        raise UsageError(f"{duration!r} is not a duration", hint="write it as 30s, 10m or 2h")
    return float(match[1]) * {"ms": 0.001, "m": 60, "min": 60, "h": 3600}.get(match[2], 1)

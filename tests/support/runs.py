"""Runs trueup and yoyo as a user does, and looks at what they left in the database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict


def query(dsn: str, statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of one query."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description is not None else []


def applied(dsn: str) -> list[str]:
    """Ids that yoyo's table holds, in order."""
    return [row[0] for row in query(dsn, "SELECT migration_id FROM _yoyo_migration ORDER BY 1")]


def tables(dsn: str) -> list[str]:
    """The user's own tables in schema public."""
    return [
        row[0]
        for row in query(
            dsn,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r' AND relname NOT LIKE '%yoyo%' ORDER BY 1",
        )
    ]


def yoyo_url(dsn: str, scheme: str = "postgresql+psycopg") -> str:
    """A DSN as yoyo wants it."""
    values = {k: str(v) for k, v in conninfo_to_dict(dsn).items()}
    user = quote(values.pop("user", ""), safe="")
    password = values.pop("password", None)
    login = f"{user}:{quote(password, safe='')}@" if password else f"{user}@"
    return f"{scheme}://{login}/{values.pop('dbname')}?{urlencode(values)}"


def run_trueup(
    *arguments: str, dsn: str | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command's exit code and output."""
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments],
        env=_environment(dsn) | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start_trueup(*arguments: str, dsn: str, in_background: bool = False) -> subprocess.Popen[str]:
    """The command, running; in the background, it is started with ^C ignored, as a shell does."""
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh") if in_background else ()
    return subprocess.Popen(
        [*ignoring, sys.executable, "-m", "runner", *arguments],
        env=_environment(dsn),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_yoyo(
    *arguments: str, dsn: str, scheme: str = "postgresql+psycopg"
) -> subprocess.CompletedProcess[str]:
    """Plain yoyo in batch mode; raises unless it exits with 0."""
    verb, *rest = arguments
    command = [sys.executable, "-m", "yoyo", verb, "--batch", "--no-config-file"]
    return subprocess.run(
        [*command, "-d", yoyo_url(dsn, scheme), *rest],
        env=_environment(None),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def _environment(dsn: str | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("TRUEUP_DSN", "DATABASE_URL")}
    return kept | ({"TRUEUP_DSN": dsn} if dsn else {})

"""The runner beside what else runs migrations: 100 one-table migrations, up and nothing to do.

Of the tools those that are installed; `pip install '.[bench]'` installs all but Sqitch.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict
from support.migration_files import write_tables

from bench.support import TURNS, Bench, Spent, middle, ratios, run

COUNT = 100


@dataclass(frozen=True)
class Tool:
    """What runs migrations.

    Args:
        name: what the table calls it.
        is_there: whether it is installed.
        write: writes COUNT migrations that create a table each into a folder.
        command: what applies those of a folder to a database, by its DSN.
    """

    name: str
    is_there: bool
    write: Callable[[Path], None]
    command: Callable[[Path, str], list[str]]


def measure(bench: Bench) -> None:
    """Figures without a bar: the tools do not do the same, and this is what each costs."""
    tools = [tool for tool in TOOLS if tool.is_there]
    with tempfile.TemporaryDirectory() as name:
        for tool in tools:
            (Path(name) / tool.name).mkdir()
            tool.write(Path(name) / tool.name)
        up: dict[str, list[Spent]] = {tool.name: [] for tool in tools}
        idle: dict[str, list[Spent]] = {tool.name: [] for tool in tools}
        for _ in range(TURNS):
            for tool in tools:
                database = bench.empty_database()
                command = tool.command(Path(name) / tool.name, bench.server.dsn(database))
                for turns in (up, idle):
                    turns[tool.name].append(run(*command))
                bench.server.drop_database(database)
    for what, spent in (("up", up), ("nothing to do", idle)):
        ours = [s.process for s in spent["trueup"]]
        for tool in tools[1:]:
            theirs = spent[tool.name]
            bench.figure(
                f"{COUNT} one-table migrations, {what}: {tool.name} to trueup",
                ratios([s.process for s in theirs], ours),
                "x",
                f"{middle(theirs).process:.2f} s of a processor to"
                f" {middle(spent['trueup']).process:.2f} s;"
                f" {middle(theirs).clock:.2f} s to {middle(spent['trueup']).clock:.2f} s",
            )


def _write_alembic(folder: Path) -> None:
    (folder / "versions").mkdir()
    (folder / "env.py").write_text(
        "from alembic import context\nfrom sqlalchemy import create_engine, pool\n"
        "url = context.config.get_main_option('sqlalchemy.url')\n"
        "with create_engine(url, poolclass=pool.NullPool).connect() as connection:\n"
        "    context.configure(connection=connection, transaction_per_migration=True)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    )
    before = None
    for number in range(1, COUNT + 1):
        (folder / "versions" / f"{number:04}.py").write_text(
            f"from alembic import op\nimport sqlalchemy as sa\nrevision = '{number:04}'\n"
            f"down_revision = {before!r}\n\ndef upgrade():\n"
            f"    op.create_table('t{number}', sa.Column('id', sa.Integer, primary_key=True))\n"
        )
        before = f"{number:04}"


def _alembic(folder: Path, dsn: str) -> list[str]:
    url = _url("postgresql+psycopg", dsn, "host").replace("%", "%%")
    (folder / "alembic.ini").write_text(
        f"[alembic]\nscript_location = {folder}\npath_separator = os\nsqlalchemy.url = {url}\n"
    )
    return [sys.executable, "-m", "alembic", "-c", str(folder / "alembic.ini"), "upgrade", "head"]


def _write_django(folder: Path) -> None:
    migrations = folder / "tables" / "migrations"
    migrations.mkdir(parents=True)
    for package in (folder / "tables", migrations):
        (package / "__init__.py").write_text("")
    before = ""
    for number in range(1, COUNT + 1):
        depends: list[tuple[str, str]] = [("tables", before)] if before else []
        (migrations / f"m{number:04}.py").write_text(
            "from django.db import migrations, models\n\nclass Migration(migrations.Migration):\n"
            f"    dependencies = {depends!r}\n    operations = [migrations.CreateModel('T{number}',"
            " [('id', models.IntegerField(primary_key=True))])]\n"
        )
        before = f"m{number:04}"


def _django(folder: Path, dsn: str) -> list[str]:
    values = conninfo_to_dict(dsn)
    database = {
        "ENGINE": "django_zero_downtime_migrations.backends.postgres",
        "NAME": values["dbname"],
        "USER": values.get("user", ""),
        "HOST": values.get("host", ""),
        "PORT": str(values.get("port", "")),
    }
    (folder / "settings.py").write_text(
        f"INSTALLED_APPS = ['tables']\nDATABASES = {{'default': {database!r}}}\n"
        "ZERO_DOWNTIME_MIGRATIONS_RAISE_FOR_UNSAFE = False\n"
    )
    manage = (
        f"import sys; sys.path.insert(0, {str(folder)!r});"
        " from django.core.management import execute_from_command_line as run;"
        " run(['manage', 'migrate', '--settings=settings', '-v0'])"
    )
    return [sys.executable, "-c", manage]


def _write_dbmate(folder: Path) -> None:
    for number in range(1, COUNT + 1):
        (folder / f"{20240101000000 + number}_t{number}.sql").write_text(
            f"-- migrate:up\nCREATE TABLE t{number} (id integer PRIMARY KEY);\n\n"
            f"-- migrate:down\nDROP TABLE t{number};\n"
        )


def _dbmate(folder: Path, dsn: str) -> list[str]:
    url = _url("postgres", dsn, "socket") + "&sslmode=disable"
    return [
        _found("dbmate"),
        "--url",
        url,
        "--migrations-dir",
        str(folder),
        "--no-dump-schema",
        "migrate",
    ]


def _write_sqitch(folder: Path) -> None:
    (folder / "deploy").mkdir()
    (folder / "sqitch.conf").write_text("[core]\n\tengine = pg\n")
    plan = ["%syntax-version=1.0.0", "%project=tables", ""]
    for number in range(1, COUNT + 1):
        plan.append(f"t{number} 2024-01-01T00:00:00Z Bench <bench@example.com> # a table")
        (folder / "deploy" / f"t{number}.sql").write_text(
            f"CREATE TABLE t{number} (id integer PRIMARY KEY);\n"
        )
    (folder / "sqitch.plan").write_text("\n".join([*plan, ""]))


def _sqitch(folder: Path, dsn: str) -> list[str]:
    url = "db:" + _url("pg", dsn, "host")
    return [_found("sqitch"), "-C", str(folder), "deploy", "--target", url]


def _url(scheme: str, dsn: str, socket: str) -> str:
    """The DSN as a URL that names the folder of its socket as a parameter."""
    values = conninfo_to_dict(dsn)
    host, port = quote(str(values.get("host", "")), safe=""), values.get("port", "5432")
    return f"{scheme}://{values.get('user', '')}@/{values['dbname']}?{socket}={host}&port={port}"


def _found(program: str) -> str:
    """Where a program is, in this environment first; empty where it is not."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which(program, path=places) or ""


def _write_yoyo(folder: Path) -> None:
    write_tables(folder, COUNT)


TOOLS = (
    Tool(
        "trueup",
        True,
        _write_yoyo,
        lambda folder, dsn: [
            *(sys.executable, "-m", "runner", "apply"),
            *("--quiet", "--sources", str(folder), "--dsn", dsn),
        ],
    ),
    Tool(
        "yoyo",
        True,
        _write_yoyo,
        lambda folder, dsn: [
            *(sys.executable, "-m", "yoyo", "apply", "--batch", "--no-config-file"),
            *("--database", _url("postgresql+psycopg", dsn, "host"), str(folder)),
        ],
    ),
    Tool("Alembic", find_spec("alembic") is not None, _write_alembic, _alembic),
    Tool(
        "Django with zero-downtime migrations",
        find_spec("django_zero_downtime_migrations") is not None,
        _write_django,
        _django,
    ),
    Tool("dbmate", bool(_found("dbmate")), _write_dbmate, _dbmate),
    Tool("Sqitch", bool(_found("sqitch")), _write_sqitch, _sqitch),
)

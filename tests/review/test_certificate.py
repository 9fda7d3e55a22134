"""A rehearsal's certificate: bound to its content, and what `apply` asks of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.migration_files import write_migration
from support.runs import query, run_trueup

from runner.errors import RehearsalError
from runner.ledger.files import Migration, chain_checksums, read_migrations
from runner.review import certificate as certificates
from runner.review.certificate import Certificate
from runner.review.rehearse import Options, rehearse


def rehearsed(live: str, files: Path, server_dsn: str) -> Certificate:
    return rehearse(live, read_migrations([files]), options=Options(rows=1000, scratch=server_dsn))


def test_a_certificate_survives_its_file_and_is_bound_to_its_content(
    hazardous: Certificate, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    certificates.write_file(hazardous, path)
    assert certificates.read_file(path) == hazardous

    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "problems": []}))
    with pytest.raises(RehearsalError, match="was changed by hand"):
        certificates.read_file(path)
    path.write_text("{}")
    with pytest.raises(RehearsalError, match="not the certificate"):
        certificates.read_file(path)


def check(found: Certificate | None, live: str, migrations: tuple[Migration, ...]) -> None:
    with psycopg.connect(live, autocommit=True) as connection:
        certificates.require(found, connection, migrations, migrations)


def test_apply_refuses_what_was_not_rehearsed_as_it_is(
    live: str, files: Path, server_dsn: str
) -> None:
    migrations = read_migrations([files])
    found = rehearsed(live, files, server_dsn)
    check(found, live, migrations)

    with pytest.raises(RehearsalError, match="no rehearsal is stored"):
        check(None, live, migrations)
    with pytest.raises(RehearsalError, match="the rehearsal failed: it broke"):
        check(replace(found, problems=("it broke",)), live, migrations)
    with pytest.raises(RehearsalError, match=r"made by trueup 0\.0"):
        check(replace(found, trueup="0.0"), live, migrations)
    with pytest.raises(RehearsalError, match="ran on PostgreSQL 9, the database runs on") as raised:
        check(replace(found, server=90600), live, migrations)
    assert "--scratch" in raised.value.hint

    write_migration(files, "0003_expand_more", "SELECT 1;", depends="0002_enforce_name")
    with pytest.raises(RehearsalError, match="0003_expand_more was not rehearsed"):
        check(found, live, read_migrations([files]))

    write_migration(files, "0001_expand_note", "SELECT 1;")
    edited = read_migrations([files])
    assert chain_checksums(edited) != chain_checksums(migrations)
    with pytest.raises(RehearsalError, match="0001_expand_note or a file before it changed since"):
        check(found, live, edited)

    query(live, "CREATE INDEX late ON public.item (line)")
    with pytest.raises(RehearsalError, match="the schema is not the one"):
        check(found, live, migrations)


def test_a_certificate_cannot_be_recorded_nowhere(files: Path) -> None:
    done = run_trueup("rehearse", "--sources", str(files), "--record")
    assert done.returncode == 2
    assert "none is named" in done.stderr


def test_a_place_where_nothing_can_be_written_is_told_before_the_rehearsal(files: Path) -> None:
    named = ("--sources", str(files), "--output", str(files / "no" / "certificate.json"))
    done = run_trueup("rehearse", *named, dsn="host=/nowhere dbname=x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {named[-1]} cannot be written: ")
